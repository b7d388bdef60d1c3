"""Grafana's webhook: unified alerting (Alertmanager's shape, version 1), and the legacy alerts before it.

Where a query gives nothing or fails, Grafana by default fires an alert of its own, DatasourceNoData or
DatasourceError. That is no alarm here: what is unknown is never a reason to scale.

There is no id of the delivery; see ``core.notification``. What was measured is sent without the threshold,
so there is no breach.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.decision import Event
from chalicelib.core.notification import Notification
from chalicelib.intake.alerts import alerts_of, content_of, digest

_UNKNOWN = {"DatasourceNoData": "no data", "DatasourceError": "error"}
_LEGACY_STATES = ("alerting", "ok", "no_data", "paused", "pending")


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> Notification | None:
    """Return what it says, or None when the document is something else."""
    del headers  # there is nothing of the delivery's in them
    return _unified(document) or _legacy(document)


def _unified(document: Mapping[str, Any]) -> Notification | None:
    alerts = alerts_of(document)
    if document.get("version") != "1" or "orgId" not in document or alerts is None:
        return None
    names = [alert.labels.get("alertname", "") for alert in alerts if alert.firing]
    firing = any(name not in _UNKNOWN for name in names)
    said = "alerting" if firing else next((_UNKNOWN[name] for name in names), "ok")
    return Notification(
        event=Event(firing=firing, said=said), content=content_of("grafana", document, alerts)
    )


def _legacy(document: Mapping[str, Any]) -> Notification | None:
    state = document.get("state")
    name = document.get("ruleName")
    if not document.keys() >= {"ruleId", "evalMatches"} or state not in _LEGACY_STATES:
        return None
    if not isinstance(name, str):
        return None
    rule = [document[name] for name in ("orgId", "ruleId") if isinstance(document.get(name), int)]
    content = digest(*map(str, rule), name, state)
    return Notification(
        event=Event(firing=state == "alerting", said=state), content=f"grafana-legacy:{content}"
    )
