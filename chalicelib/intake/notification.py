"""What a webhook's body says. Each format has a module with ``parse``, tried in turn.

A body that nobody understands is refused, never taken for an alarm: it may be somebody's "resolved".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.decision import Event
from chalicelib.core.errors import Invalid
from chalicelib.intake import aodh, plain

EVENT_ID_MAX_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Notification:
    """An event, and the sender's own id of it, where it has one."""

    event: Event
    event_id: str | None


_FORMATS: tuple[Callable[[Mapping[str, Any], Mapping[str, str]], tuple[Event, str | None] | None], ...] = (
    plain.parse,
    aodh.parse,
)


def parse(body: bytes, headers: Mapping[str, str]) -> Notification:
    """Return what the body says.

    Args:
        headers: looked up in lower case; ``idempotency-key`` names the event whatever the format.

    Raises:
        Invalid: it is no JSON object, or of a format that is not known.
    """
    document = _document(body)
    for read in _FORMATS:
        found = read(document, headers)
        if found is not None:
            event, event_id = found
            return Notification(event, _event_id(headers.get("idempotency-key") or event_id))
    raise Invalid(
        "hook.body",
        "The body is of no format that is known here: send none at all, or Aodh's notification.",
    )


def _document(body: bytes) -> Mapping[str, Any]:
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("hook.body", "The body is not JSON.") from error
    if not isinstance(document, dict):
        raise Invalid("hook.body", "The body is not a JSON object.")
    return document


def _event_id(event_id: str | None) -> str | None:
    if event_id is not None and len(event_id) > EVENT_ID_MAX_CHARACTERS:
        raise Invalid("hook.event_id", f"An event's id has at most {EVENT_ID_MAX_CHARACTERS} characters.")
    return event_id
