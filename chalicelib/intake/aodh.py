"""Aodh's alarm notification, and Ceilometer's before it: ``current`` decides.

Aodh sends seven keys. Ceilometer, from which it came, sent four, then ``reason_data`` (2014), ``severity``
(2015) and ``alarm_name``; so only the first four are asked for. Neither sends an id of the delivery in the
body; each delivery of Aodh has a fresh ``x-openstack-request-id``, so that header names the event. With
``repeat_actions`` every evaluation is thus an event of its own, as it should be: the alarm lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.decision import Event
from chalicelib.core.notification import Notification

_KEYS = {"alarm_id", "previous", "current", "reason"}
_STATES = ("ok", "alarm", "insufficient data")


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> Notification | None:
    """Return what it says, or None when the document is something else."""
    current = document.get("current")
    if not document.keys() >= _KEYS or current not in _STATES:
        return None
    return Notification(
        event=Event(firing=current == "alarm", said=current), event_id=headers.get("x-openstack-request-id")
    )
