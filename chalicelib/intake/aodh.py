"""Aodh's alarm notification: seven keys, of which ``current`` decides.

Aodh sends no id of the delivery in the body; each delivery has a fresh ``x-openstack-request-id``, so that
header names the event. With ``repeat_actions`` every evaluation is thus an event of its own, as it should
be: the alarm lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.decision import Event

_KEYS = {"alarm_name", "alarm_id", "severity", "previous", "current", "reason", "reason_data"}
_STATES = ("ok", "alarm", "insufficient data")


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Event, str | None] | None:
    """Return the event and its id, or None when the document is something else."""
    current = document.get("current")
    if not document.keys() >= _KEYS or current not in _STATES:
        return None
    return Event(firing=current == "alarm", said=current), headers.get("x-openstack-request-id")
