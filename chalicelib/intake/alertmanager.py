"""Prometheus Alertmanager's webhook, version 4: one delivery holds a group of alerts.

It scales if any alert of the group fires. An alert with the label ``severity: none`` never does: it is the
heartbeat (kube-prometheus's Watchdog fires always), by which a silent Alertmanager is noticed.

There is no id of the delivery; see ``core.notification`` for how one that is repeated is told from one
that is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.decision import Event
from chalicelib.core.notification import Notification
from chalicelib.intake.alerts import alerts_of, content_of

_HEARTBEAT = "none"


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> Notification | None:
    """Return what it says, or None when the document is something else."""
    del headers  # there is nothing of the delivery's in them
    alerts = alerts_of(document)
    if document.get("version") != "4" or alerts is None:
        return None
    firing = [alert for alert in alerts if alert.firing]
    meant = [alert for alert in firing if alert.labels.get("severity") != _HEARTBEAT]
    said = "firing" if meant else "firing with severity none" if firing else "resolved"
    return Notification(
        event=Event(firing=bool(meant), said=said), content=content_of("alertmanager", document, alerts)
    )
