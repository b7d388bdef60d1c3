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
            return Notification(event, name_of_event(headers, event_id))
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


def name_of_event(headers: Mapping[str, str], event_id: str | None) -> str | None:
    """Return what names the event: ``idempotency-key`` or else ``event_id``, the sender's own.

    An empty name is none: else all events of a sender that leaves it empty would be one.

    Raises:
        Invalid: it is too long; or it holds half a surrogate pair, which JSON can write and UTF-8 cannot.
    """
    name = headers.get("idempotency-key") or event_id
    if not name:
        return None
    if len(name) > EVENT_ID_MAX_CHARACTERS:
        raise Invalid("hook.event_id", f"An event's id has at most {EVENT_ID_MAX_CHARACTERS} characters.")
    if any("\ud800" <= character <= "\udfff" for character in name):
        raise Invalid("hook.event_id", "An event's id is Unicode text.")
    return name
