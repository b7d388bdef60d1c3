"""What Alertmanager's and Grafana's deliveries have in common: a group of alerts, each with a state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_STATUSES = ("firing", "resolved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of a delivery.

    Attributes:
        starts_at: as it was sent; with the fingerprint it names one outbreak of the alert.
    """

    firing: bool
    labels: Mapping[str, str]
    fingerprint: str
    starts_at: str


def alerts_of(document: Mapping[str, Any]) -> tuple[Alert, ...] | None:
    """Return the alerts of a delivery, or None when it is of another format."""
    alerts = document.get("alerts")
    if document.get("status") not in _STATUSES or not isinstance(alerts, list):
        return None
    found = [_alert(alert) for alert in alerts]
    return tuple(alert for alert in found if alert is not None) if None not in found else None


def _alert(value: Any) -> Alert | None:
    if not isinstance(value, dict) or value.get("status") not in _STATUSES:
        return None
    labels, starts_at = value.get("labels", {}), value.get("startsAt", "")
    if not isinstance(labels, dict) or not isinstance(starts_at, str):
        return None
    if not all(isinstance(label, str) for label in labels.values()):
        return None
    # Alertmanager sends fingerprints since 0.19; they are made from the labels.
    fingerprint = value.get("fingerprint") or digest(
        *(part for pair in sorted(labels.items()) for part in pair)
    )
    if not isinstance(fingerprint, str):
        return None
    return Alert(
        firing=value["status"] == "firing", labels=labels, fingerprint=fingerprint, starts_at=starts_at
    )


def content_of(sender: str, document: Mapping[str, Any], alerts: Sequence[Alert]) -> str:
    """Return what a delivery has in common with its repetitions: the group, and the state of its alerts.

    The sender's own address is left out: two Alertmanagers of a pair may both deliver.
    """
    group = [
        str(name) for name in (document.get("receiver"), document.get("groupKey")) if isinstance(name, str)
    ]
    states = sorted((alert.fingerprint, alert.starts_at, str(alert.firing)) for alert in alerts)
    return f"{sender}:{digest(*group, *(part for state in states for part in state))}"


def digest(*parts: str) -> str:
    """Return what stands for these texts in this order, and for no others."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
