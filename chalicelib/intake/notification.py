"""What a webhook's body says. Each format has a module with ``parse``, tried in turn.

A body that nobody understands is refused, never taken for an alarm: it may be somebody's "resolved".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.core.notification import Notification
from chalicelib.core.sns import SnsMessage
from chalicelib.intake import (
    alertmanager,
    aodh,
    cloudevents,
    cloudwatch,
    grafana,
    plain,
    sns,
    standard_webhooks,
)

EVENT_ID_MAX_CHARACTERS = 255

_FORMATS: tuple[Callable[[Mapping[str, Any], Mapping[str, str]], Notification | None], ...] = (
    plain.parse,
    aodh.parse,
    alertmanager.parse,
    grafana.parse,
    cloudwatch.parse,
)


def read(body: bytes, headers: Mapping[str, str]) -> Notification | SnsMessage:
    """Return what a delivery says, or the message of SNS that it is: that one is still to be verified.

    Raises:
        Invalid: as ``parse``; or it is SNS's and broken.
    """
    return sns.parse(_document(body), headers) or parse(body, headers)


def parse(body: bytes, headers: Mapping[str, str]) -> Notification:
    """Return what the body says.

    Args:
        headers: looked up in lower case; ``idempotency-key``, or else ``webhook-id``, names the event
            whatever the format.

    Raises:
        Invalid: it is no JSON object, or of a format that is not known.
    """
    document = _document(body)
    envelope = cloudevents.opened(document, headers)
    if envelope is not None:
        said = replace(_understood(envelope.data, {}), event_id=envelope.event_id)
    else:
        inner = standard_webhooks.opened(document)
        said = _understood(document if inner is None else inner, headers)
    return replace(said, event_id=name_of_event(headers, said.event_id))


def _understood(data: Any, headers: Mapping[str, str]) -> Notification:
    document = _document(data) if isinstance(data, bytes) else data
    if isinstance(document, dict):
        for read_format in _FORMATS:
            found = read_format(document, headers)
            if found is not None:
                return found
    raise Invalid(
        "hook.body",
        "The body is of no format that is known here: send none at all, or the notification of Aodh, "
        "Alertmanager, Grafana or CloudWatch, alone or in a CloudEvent.",
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
    """Return what names the event: ``idempotency-key``, ``webhook-id``, or else the sender's own.

    An empty name is none: else all events of a sender that leaves it empty would be one.

    Raises:
        Invalid: it is too long; or it holds half a surrogate pair, which JSON can write and UTF-8 cannot.
    """
    name = headers.get("idempotency-key") or headers.get("webhook-id") or event_id
    if not name:
        return None
    if len(name) > EVENT_ID_MAX_CHARACTERS:
        raise Invalid("hook.event_id", f"An event's id has at most {EVENT_ID_MAX_CHARACTERS} characters.")
    if any("\ud800" <= character <= "\udfff" for character in name):
        raise Invalid("hook.event_id", "An event's id is Unicode text.")
    return name
