"""CloudEvents 1.0: an envelope around a notification, in the body (structured) or in headers (binary).

What the event says is its data, which must be of one of the other formats; without data it is a plain call.

Source:
    CloudEvents specification 1.0, HTTP protocol binding and JSON event format.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.intake.alerts import digest

_NEEDED = ("specversion", "id", "source", "type")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What carries a notification.

    Attributes:
        data: a JSON document, or the bytes of one.
        event_id: unique for each event, the same when it is delivered again.
    """

    data: Any
    event_id: str


def opened(document: Mapping[str, Any], headers: Mapping[str, str]) -> Envelope | None:
    """Return what the envelope holds, or None when the request is no CloudEvent.

    Raises:
        Invalid: it is one, of a version that is not known here, or broken.
    """
    if "ce-specversion" in headers:
        return Envelope(document, _event_id({name: headers.get(f"ce-{name}") for name in _NEEDED}))
    if not document.keys() >= {"specversion", "source", "type"}:
        return None
    event_id = _event_id(document)
    if "data_base64" in document:
        return Envelope(_decoded(document["data_base64"]), event_id)
    return Envelope({} if document.get("data") is None else document["data"], event_id)


def _event_id(attributes: Mapping[str, Any]) -> str:
    found = [value for value in map(attributes.get, _NEEDED) if isinstance(value, str) and value]
    if len(found) != len(_NEEDED):
        raise Invalid("hook.body", "The CloudEvent lacks one of specversion, id, source and type.")
    if not found[0].startswith("1."):
        raise Invalid("hook.body", "The CloudEvent's specversion is not known here: it is to be 1.0.")
    # The id is unique within its source.
    return f"cloudevents:{digest(found[2], found[1])}"


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Invalid("hook.body", "The CloudEvent's data_base64 is not base64.") from error
