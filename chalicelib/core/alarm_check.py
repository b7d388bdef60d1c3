"""Whether an alarm makes sense by itself; whether what it names exists is asked where it is written."""

from __future__ import annotations

import math

from chalicelib.core import composite, window
from chalicelib.core.alarm import Alarm, Backend, CompositeRule, LowSamples, ThresholdRule
from chalicelib.core.errors import Invalid
from chalicelib.core.series import Statistic

ACTIONS_MAX = 5
DIMENSIONS_MAX = 30
PERIODS_MAX = 1440

_SHORT_PERIODS = (10, 20, 30)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SPAN_MAX_SECONDS = _DAY
_SPAN_OF_HOURS_MAX_SECONDS = 7 * _DAY
"""What is read each minute: a day of minutes, or a week where whole hours are enough."""


def require_valid(alarm: Alarm) -> None:
    """Refuse an alarm that makes no sense.

    Raises:
        Invalid: the first thing that is wrong with it.
    """
    match alarm.rule:
        case ThresholdRule() as rule:
            _require_threshold(rule)
        case CompositeRule() as rule:
            composite.require_small(composite.parse(rule.expression))
            if alarm.backend is not Backend.BUILTIN:
                raise Invalid("alarm.backend", "A composite of our alarms is evaluated by us: builtin.")
    for actions in (alarm.alarm_actions, alarm.ok_actions, alarm.insufficient_data_actions):
        if len(set(actions)) > ACTIONS_MAX or len(set(actions)) < len(actions):
            raise Invalid("alarm.actions", f"A state has at most {ACTIONS_MAX} actions, each once.")
    window.require_valid(alarm.time_constraints)


def _require_threshold(rule: ThresholdRule) -> None:
    _require_periods(rule)
    _require_statistic(rule)
    if not math.isfinite(rule.threshold):
        raise Invalid("alarm.threshold", "threshold is a finite number.")
    if len(rule.dimensions) > DIMENSIONS_MAX:
        raise Invalid("alarm.dimensions", f"An alarm has at most {DIMENSIONS_MAX} dimensions.")


def _require_periods(rule: ThresholdRule) -> None:
    period, periods = rule.period_seconds, rule.evaluation_periods
    if period not in _SHORT_PERIODS and not (period % _MINUTE == 0 and _MINUTE <= period <= _DAY):
        raise Invalid("alarm.period", "period is 10, 20, 30, or a multiple of 60 up to 86400 seconds.")
    if not 1 <= periods <= PERIODS_MAX:
        raise Invalid("alarm.evaluation_periods", f"evaluation_periods is 1 to {PERIODS_MAX}.")
    by_hours = period % _HOUR == 0 and Statistic(rule.statistic).name != "rate"
    longest = _SPAN_OF_HOURS_MAX_SECONDS if by_hours else _SPAN_MAX_SECONDS
    if period * periods > longest:
        raise Invalid(
            "alarm.evaluation_periods",
            f"period times evaluation_periods is {period * periods} s, and may be {longest} s at most.",
        )
    if not 1 <= rule.datapoints_to_alarm <= periods:
        raise Invalid(
            "alarm.datapoints_to_alarm",
            f"datapoints_to_alarm is 1 to evaluation_periods, which is {periods}.",
        )


def _require_statistic(rule: ThresholdRule) -> None:
    quantile = Statistic(rule.statistic).quantile
    if rule.low_samples is LowSamples.IGNORE and (quantile is None or not 0 < quantile < 1):
        raise Invalid(
            "alarm.low_samples", "low_samples is ignored for a percentile only, between p0 and p100."
        )
