"""CloudWatch's alarm notification, as SNS carries it: ``NewStateValue`` decides.

Source:
    Amazon CloudWatch user guide, "Notifying users on alarm changes"; the reason's wording as in its examples.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.core.decision import Event
from chalicelib.core.notification import Notification
from chalicelib.intake.alerts import digest

_STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
_REASON_MAX_CHARACTERS = 2048

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:E-?[0-9]+)?"
_DATAPOINTS = re.compile(r"datapoints? \[([^\]]*)\] (?:was|were) ")
_DATAPOINT = re.compile(rf"({_NUMBER}) \(([0-9/]{{8}} [0-9:]{{8}})\)")
_THRESHOLD = re.compile(rf"the threshold \(({_NUMBER})\)")


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> Notification | None:
    """Return what it says, or None when the document is something else."""
    del headers  # they are SNS's
    state, changed_at = document.get("NewStateValue"), document.get("StateChangeTime")
    alarm = document.get("AlarmArn") or document.get("AlarmName")
    if state not in _STATES or not isinstance(alarm, str) or not isinstance(changed_at, str):
        return None
    firing = state == "ALARM"
    return Notification(
        event=Event(firing=firing, said=state, breach=_breach(document) if firing else None),
        event_id=f"cloudwatch:{digest(alarm, str(state), changed_at)}",
    )


def _breach(document: Mapping[str, Any]) -> float | None:
    """Return how far the newest datapoint is beyond the threshold; None unless every part is understood.

    The value stands in the reason only, which is written for people: it is taken only where each of its
    datapoints is understood and its threshold is the one of the alarm.
    """
    reason, trigger = document.get("NewStateReason"), document.get("Trigger")
    if not isinstance(reason, str) or not isinstance(trigger, dict):
        return None
    listed = _DATAPOINTS.search(reason[:_REASON_MAX_CHARACTERS])
    said = _THRESHOLD.search(reason[:_REASON_MAX_CHARACTERS])
    threshold = trigger.get("Threshold")
    if listed is None or said is None or isinstance(threshold, bool) or threshold != float(said[1]):
        return None
    datapoints = [_DATAPOINT.fullmatch(each) for each in listed[1].split(", ")]
    read = [_timed(each) for each in datapoints if each is not None]
    found = [each for each in read if each is not None]
    if len(found) != len(datapoints):
        return None
    breach = max(found)[1] - float(said[1])
    return breach if math.isfinite(breach) else None


def _timed(datapoint: re.Match[str]) -> tuple[datetime, float] | None:
    try:
        return datetime.strptime(datapoint[2] + " +0000", "%d/%m/%y %H:%M:%S %z"), float(datapoint[1])
    except ValueError:
        return None
