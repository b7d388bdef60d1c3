"""Death, an error for an answer, or a standstill: wraps the ports so that it happens at a chosen call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

import hypothesis.strategies as st

from chalicelib.core.errors import Conflict, NotFound, Unavailable
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudUnavailable


class Died(BaseException):
    """The process was killed. No code under test may catch it."""


class Kind(StrEnum):
    """What may happen at a call."""

    DIES = "dies"  # the process is killed
    FAILS = "fails"  # what is called is too busy, or its answer is lost
    STALLS = "stalls"  # the process stands still, and others go on meanwhile


@dataclass(frozen=True, slots=True)
class Mishap:
    """What happens to one invocation.

    Attributes:
        at_call: so many calls to the world go well before.
        late: once the call has taken effect, not before.
    """

    at_call: int
    late: bool = False
    kind: Kind = Kind.DIES


def mishaps(
    calls: int, kinds: tuple[Kind, ...] = (Kind.DIES, Kind.FAILS)
) -> st.SearchStrategy[Mishap | None]:
    """Return a mishap at one of the first ``calls`` calls, or none."""
    return st.none() | st.builds(Mishap, st.integers(0, calls), st.booleans(), st.sampled_from(kinds))


@dataclass
class Executioner:
    """Lets a number of calls to the world pass and then strikes: before a call takes effect, or after.

    Attributes:
        meanwhile: what others do while the process stands still.
        struck: whether the last invocation had its mishap.
    """

    calls_left: int | None = None
    after_effect: bool = False
    meanwhile: Callable[[], object] = lambda: None
    kind: Kind = Kind.DIES
    struck: bool = False

    def invoke(self, run: Callable[[], object], mishap: Mishap | None) -> None:
        """Run one invocation, which ends as a handler lets it end, and maybe has a mishap."""
        self.calls_left, self.struck = None, False
        if mishap is not None:
            self.calls_left, self.after_effect, self.kind = mishap.at_call, mishap.late, mishap.kind
        fails: tuple[type[Exception], ...] = (
            (Unavailable,) if mishap is not None and mishap.kind is Kind.FAILS else ()
        )
        try:
            with suppress(Died, NotFound, Conflict, *fails):
                run()
        finally:
            self.calls_left = None

    def about_to_call(self, port: str) -> None:
        """Count a call that is about to take effect."""
        if self.calls_left is None:
            return
        self.calls_left -= 1
        if self.calls_left < 0 and not self.after_effect:
            self._strike(port)

    def has_called(self, port: str) -> None:
        """Count a call that has taken effect."""
        if self.calls_left is not None and self.calls_left < 0:
            self._strike(port)

    def _strike(self, port: str) -> None:
        self.calls_left, self.struck = None, True
        match self.kind:
            case Kind.DIES:
                raise Died
            case Kind.FAILS:
                raise _failure_of(port)
            case Kind.STALLS:
                self.meanwhile()


_CLOUDS = {"clouds", "balancers", "orchestration", "rehearsals", "monitoring"}


def _failure_of(port: str) -> Exception:
    """Return what an adapter makes of a service that does not answer, or not in time."""
    if port in _CLOUDS:
        return CloudUnavailable("504 Gateway Timeout")
    return Unavailable("storage.unavailable", "The database is busy; try again.", retry_after_seconds=1)


class Mortal:
    """Any port, with the executioner beside each of its calls."""

    def __init__(self, port: Any, name: str, executioner: Executioner) -> None:
        self._port = port
        self._name = name
        self._executioner = executioner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._executioner.about_to_call(self._name)
            result = method(*args, **kwargs)
            self._executioner.has_called(self._name)
            return Mortal(result, self._name, self._executioner) if name == "enter" else result

        return call


_CALLABLES = {"limits", "now", "new_id", "new_token", "jitter", "sleep", "at_once"}


def mortal(services: Services, executioner: Executioner) -> Services:
    """Return the services, each call of which may be the last."""
    ports = {f.name: getattr(services, f.name) for f in fields(services) if f.name not in _CALLABLES}
    backends = ports.pop("monitoring")
    wrapped: dict[str, Any] = {name: Mortal(port, name, executioner) for name, port in ports.items()}
    wrapped["monitoring"] = {
        name: Mortal(backend, "monitoring", executioner) for name, backend in backends.items()
    }
    return replace(services, **wrapped)
