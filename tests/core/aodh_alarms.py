"""Alarms as Aodh can evaluate them, ready made."""

from __future__ import annotations

from typing import Any

from chalicelib.core.alarm import Alarm, Backend, ThresholdRule
from tests.core import factories


def a_rule_for_aodh(**changes: Any) -> ThresholdRule:
    """Return "3 of 3 minutes with an average above 80"."""
    return factories.a_threshold(**{"datapoints_to_alarm": 3, **changes})


def an_aodh_alarm(**changes: Any) -> Alarm:
    """Return an alarm that sets nothing in motion and that its backend has not been told of."""
    return factories.an_alarm(**{"rule": a_rule_for_aodh(), "backend": Backend.AODH, **changes})
