"""What Aodh sends to the hook of an alarm that it evaluates for us: the seven keys of its notification.

It calls in every state and again at every evaluation, so that a call which is lost is made good by the next.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from chalicelib.core.alarm import AlarmState
from chalicelib.core.errors import Invalid
from chalicelib.core.notice import Notice

_STATES = {
    "ok": AlarmState.OK,
    "alarm": AlarmState.ALARM,
    "insufficient data": AlarmState.INSUFFICIENT_DATA,
}
_REASON_MAX = 500
_EVENT_ID_MAX = 255


def parse(body: bytes, headers: Mapping[str, str]) -> tuple[Notice, str | None]:
    """Return what the body says, and Aodh's own id of the delivery, which is in a header.

    Args:
        headers: looked up in lower case.

    Raises:
        Invalid: it is not what Aodh sends.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _not_aodhs() from error
    if not isinstance(document, dict):
        raise _not_aodhs()
    id_, state, reason = (document.get(key) for key in ("alarm_id", "current", "reason"))
    if not isinstance(id_, str) or not isinstance(reason, str) or not isinstance(state, str):
        raise _not_aodhs()
    if state not in _STATES:
        raise _not_aodhs()
    said = reason.encode(errors="replace").decode()[:_REASON_MAX]  # JSON can write half a surrogate pair
    event_id = headers.get("x-openstack-request-id") or None
    if event_id is not None and len(event_id) > _EVENT_ID_MAX:
        raise Invalid("hook.event_id", f"An event's id has at most {_EVENT_ID_MAX} characters.")
    notice = Notice(external_id=id_, state=_STATES[state], reason=said, value=_value(document))
    return notice, event_id


def _value(document: Mapping[str, Any]) -> float | None:
    data = document.get("reason_data")
    value = data.get("most_recent") if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _not_aodhs() -> Invalid:
    return Invalid("hook.body", "The body is not Aodh's notification of an alarm.")
