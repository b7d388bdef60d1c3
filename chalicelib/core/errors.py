"""The errors of the domain, each a sentence for a person and a stable dotted code for a program.

ThermostatError
├── Invalid          what was asked makes no sense                        (HTTP 400)
├── Unauthenticated  nobody we know                                       (401)
├── Forbidden        known, but not allowed; also a quota used up         (403)
├── NotFound         no such thing in the caller's project                (404)
├── Conflict         not in the present state                             (409)
│   └── Stale        somebody else wrote first                            (409; 412 with If-Match)
├── TooLarge         more bytes than are read                             (413)
├── TooOften         more calls in a minute than are taken                (429)
└── Unavailable      a service we need does not answer; try again later   (503)
"""

from __future__ import annotations


class ThermostatError(Exception):
    """Anything that a caller is told in the error document.

    Args:
        code: stable and dotted, without the leading ``autoscaling.``.
        detail: one sentence, free of secrets, that says what is wrong and what to do.
        retry_after_seconds: when another try makes sense, if ever.
    """

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.code = f"autoscaling.{code}"
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class Invalid(ThermostatError):
    """What was asked makes no sense."""


class Unauthenticated(ThermostatError):
    """Nobody we know."""


class Forbidden(ThermostatError):
    """Known, but not allowed to do this; or a quota is used up."""


class NotFound(ThermostatError):
    """No such thing in the caller's project."""


class Conflict(ThermostatError):
    """Not possible in the present state."""


class Stale(Conflict):
    """Somebody else wrote after it was read; read again and decide again."""


class TooLarge(ThermostatError):
    """More bytes than are read."""


class TooOften(ThermostatError):
    """More calls in a minute than are taken."""


class Unavailable(ThermostatError):
    """A service that is needed does not answer."""
