"""What the service refuses, as Heat's exceptions: its own sentences, for the stack's owner."""

from __future__ import annotations

from typing import Any

from heat.common import exception

_REQUEST_ID = "x-openstack-request-id"

MAY_PASS = (429, 502, 503, 504)
"""Too many calls in this minute, or the service, or what is before it, is busy."""


class Refused(exception.Error):
    """The service refuses.

    Attributes:
        status: the HTTP status.
        code: the service's dotted code, "" where there is none.
    """

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


class Unavailable(exception.Error):
    """The service cannot be reached, or is broken: another try may do."""


class Gone(exception.EntityNotFound):
    """What was asked for does not exist, or no more."""

    def __init__(self, noun: str, id_: str) -> None:
        super().__init__(entity=f"Thermostat {noun}", name=id_)


def refusal(response: Any) -> Exception:
    """Return the exception for an answer that is an error."""
    try:
        said = response.json()["errors"][0]
    except (ValueError, LookupError, TypeError):
        said = {}
    request_id = said.get("request_id") or response.headers.get(_REQUEST_ID, "-")
    code = str(said.get("code", ""))
    title = said.get("title") or f"HTTP {response.status_code}"
    detail = said.get("detail") or response.reason or "no reason given"
    sentence = f"{title}: {detail} ({code + ', ' if code else ''}request {request_id})"
    if response.status_code in MAY_PASS or response.status_code >= 500:  # noqa: PLR2004
        return Unavailable(sentence)
    return Refused(response.status_code, code, sentence)
