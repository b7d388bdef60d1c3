"""Notifications as alarm sources really send them."""

from __future__ import annotations

from typing import Any


def aodh(
    previous: str, current: str, reason: str, disposition: str, count: int, most_recent: float | None
) -> dict[str, Any]:
    """Return Aodh's seven keys, as Aodh 23 was seen to send them."""
    return {
        "alarm_name": "t1",
        "alarm_id": "00067b9e-b4ae-4018-a4fb-1dfe0c78af83",
        "severity": "low",
        "previous": previous,
        "current": current,
        "reason": reason,
        "reason_data": {
            "type": "threshold",
            "disposition": disposition,
            "count": count,
            "most_recent": most_recent,
        },
    }


FIRST_OK = aodh(
    "insufficient data",
    "ok",
    "Transition to ok due to 3 samples inside threshold, most recent: 10.0",
    "inside",
    3,
    10.0,
)
ALARM = aodh(
    "ok",
    "alarm",
    "Transition to alarm due to 3 samples outside threshold, most recent: 95.0",
    "outside",
    3,
    95.0,
)
OK = aodh(
    "alarm", "ok", "Transition to ok due to 3 samples inside threshold, most recent: 10.0", "inside", 3, 10.0
)
INSUFFICIENT_DATA = aodh("ok", "insufficient data", "3 datapoints are unknown", "unknown", 3, 10.0)
NO_DATA_AT_ALL = aodh("ok", "insufficient data", "No datapoint for granularity 1", "unknown", 3, None)
REMAINING = aodh(
    "alarm",
    "alarm",
    "Remaining as alarm due to 1 samples outside threshold, most recent: 95.0",
    "outside",
    1,
    95.0,
)
REMAINING_OK = aodh(
    "ok", "ok", "Remaining as ok due to 2 samples inside threshold, most recent: 10.0", "inside", 2, 10.0
)
REMAINING_INSUFFICIENT = aodh(
    "insufficient data",
    "insufficient data",
    "Remaining as insufficient data due to 0 samples outside threshold, most recent: None",
    "outside",
    0,
    None,
)
COMPOSITE: dict[str, Any] = {
    **ALARM,
    "reason": "Composite rule alarm with composition form: (rule1 and (rule2 or rule3)) transition to alarm, "
    "due to rules: rule1, rule3 outside their threshold.",
    "reason_data": {
        "type": "composite",
        "composition_form": "(rule1 and (rule2 or rule3))",
        "causative_rules": {"rule1": {"type": "gnocchi_resources_threshold", "metric": "cpu_util"}},
    },
}
EVENT: dict[str, Any] = {
    **ALARM,
    "reason": "Event <id=e-1,event_type=compute.instance.update> hits the query <query=[]>.",
    "reason_data": {
        "type": "event",
        "event": {
            "message_id": "e-1",
            "event_type": "compute.instance.update",
            "generated": "2026-11-22T10:00:00",
            "traits": [["state", 1, "error"]],
            "raw": {},
            "message_signature": "0a",
        },
    },
}
