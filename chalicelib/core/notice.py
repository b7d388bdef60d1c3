"""What a backend that evaluates an alarm in our place says of it, when it calls."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.core.alarm import Alarm, AlarmState, ThresholdRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One call of a backend: the state an alarm has come to, or is still in.

    Attributes:
        external_id: what the backend calls the alarm.
        reason: one sentence of the backend's.
        value: the newest value that was looked at, in the backend's unit; None where it had none.
    """

    external_id: str
    state: AlarmState
    reason: str
    value: float | None


def units_per_ours(rule: ThresholdRule) -> float:
    """Return how many of Gnocchi's units our unit is: its rate is per period, ours per second."""
    return rule.period_seconds if rule.statistic == "rate" else 1


def breach(alarm: Alarm, notice: Notice) -> float | None:
    """Return how far the value is beyond the threshold, signed, in our unit; None where that is unknown."""
    if notice.value is None or not isinstance(alarm.rule, ThresholdRule):
        return None
    return notice.value / units_per_ours(alarm.rule) - alarm.rule.threshold
