"""Judge an alarm: the state that its datapoints, or other alarms, come to, and the sentence that explains it.

What missing datapoints mean is CloudWatch's, cell by cell. Its one surprise is deliberate there: a few more
periods than N are looked at, so that a late datapoint does not make one missing. The real ones among them
decide as long as there are N; only then is it asked what the missing ones count as.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from chalicelib.core import composite
from chalicelib.core.alarm import (
    Alarm,
    AlarmState,
    Backend,
    Comparison,
    CompositeRule,
    LowSamples,
    MissingData,
    ThresholdRule,
)
from chalicelib.core.datapoint import Datapoint
from chalicelib.core.ids import AlarmId
from chalicelib.core.series import Statistic
from chalicelib.core.window import within

_EXTRA_PERIODS = 2
_SILENT_PERIODS = 3
_SILENT_AT_LEAST = timedelta(minutes=5)
_BACKEND_SILENT_AFTER = timedelta(minutes=20)
"""A backend calls at every evaluation; that it did is written down every five minutes."""
_VALUES_SHOWN = 10
_REASON_MAX_CHARACTERS = 1024
"""It stands in the alarm's row, beside all else; of a composite it could be of any length."""

_BREACHES: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
}
_SAID = {
    Comparison.GT: "above",
    Comparison.GE: "at or above",
    Comparison.LT: "below",
    Comparison.LE: "at or below",
}


class _Mark(Enum):
    """What one period says."""

    BREACHING = "breaching"
    WITHIN = "within"
    MISSING = "missing"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an alarm comes to.

    Attributes:
        reason: a sentence with the values.
        breach: the most recent breaching value minus the threshold, so negative below it; None where no
            datapoint breaches.
    """

    state: AlarmState
    reason: str
    breach: float | None


def evaluation_range(rule: ThresholdRule) -> int:
    """Return how many periods ``judge`` looks at, up to now."""
    return rule.evaluation_periods + _EXTRA_PERIODS


def reading_range(rule: ThresholdRule) -> int:
    """Return how many periods ``judged`` wants to see: enough to tell a pause from silence."""
    return max(evaluation_range(rule), silence_after(rule) // timedelta(seconds=rule.period_seconds) + 1)


def silence_after(rule: ThresholdRule) -> timedelta:
    """Return how long a metric may have no samples at all before it is called silent."""
    return max(_SILENT_PERIODS * timedelta(seconds=rule.period_seconds), _SILENT_AT_LEAST)


def silence(alarm: Alarm, now: datetime) -> tuple[datetime, str] | None:
    """Return since when nothing is heard of what the alarm is about, and what is missed, or None.

    A backend need not call while the alarm is disabled or none of its windows is open.
    """
    if alarm.backend is not Backend.BUILTIN:
        last = max(alarm.heard_at or alarm.created_at, alarm.updated_at)
        calls = alarm.enabled and all(
            within(alarm.time_constraints, at) for at in (now - _BACKEND_SILENT_AFTER, now)
        )
        missed = calls and now - last >= _BACKEND_SILENT_AFTER
        return (last, f"{alarm.backend} has not called") if missed else None
    if alarm.silent_since is None or isinstance(alarm.rule, CompositeRule):
        return None
    return alarm.silent_since, f"there have been no samples of {alarm.rule.metric}"


def is_judged(alarm: Alarm, now: datetime) -> bool:
    """Return whether we judge the alarm at ``now``; otherwise its state stays, and sets nothing in motion."""
    return alarm.watched and within(alarm.time_constraints, now)


def judge(rule: ThresholdRule, points: Sequence[Datapoint | None], was: AlarmState) -> Judgement:
    """Judge a threshold alarm: M of its last N datapoints beyond the threshold.

    A percentile of too few samples (``low_samples`` is ignore) is neither here nor there: where the other
    datapoints decide whatever it might have been, they do; else the state stays.

    Args:
        points: one for each period, oldest first, up to now; of more than ``evaluation_range`` the last.
        was: the state before, kept where nothing decides.

    Source:
        Amazon CloudWatch's user guide, "Configuring how CloudWatch alarms treat missing data", both tables.
        Where text and table differ (premature alarms beside a datapoint that is fine), the table counts.
    """
    seen = points[-evaluation_range(rule) :]
    marks = [_mark(rule, point) for point in seen]
    worst, mildest = (
        _state(rule, [clear if mark is _Mark.UNCLEAR else mark for mark in marks], was)
        for clear in (_Mark.BREACHING, _Mark.WITHIN)
    )
    state = worst if worst is mildest else was
    return Judgement(state=state, reason=_reason(rule, seen, marks), breach=_breach(rule, seen, marks))


def judged(
    alarm: Alarm,
    points: Sequence[Datapoint | None],
    others: Mapping[AlarmId, AlarmState],
    now: datetime,
    names: Mapping[AlarmId, str] | None = None,
) -> Alarm:
    """Return the alarm as it is at ``now``; the very same object when nothing about it changes.

    Args:
        points: ``reading_range`` of them for a threshold, with fewer silence may not be told; none for a
            composite.
        others: the states of the alarms that a composite refers to; one that is not there is unknown.
        names: what to call those in the reason; by default their ids.
    """
    if not is_judged(alarm, now):
        return alarm
    rule = alarm.rule
    if isinstance(rule, ThresholdRule):
        judgement = judge(rule, points, alarm.state)
        silent_since = _silent_since(alarm, rule, points, now)
    else:
        state, reason = composite.judge(rule.expression, others, names or {})
        judgement = Judgement(state=state, reason=reason, breach=None)
        silent_since = None
    if judgement.state is not alarm.state:
        return replace(
            alarm,
            state=judgement.state,
            state_reason=_within_its_row(judgement.reason),
            state_changed_at=now,
            silent_since=silent_since,
        )
    return alarm if silent_since == alarm.silent_since else replace(alarm, silent_since=silent_since)


def _within_its_row(reason: str) -> str:
    too_long = len(reason) > _REASON_MAX_CHARACTERS
    return f"{reason[: _REASON_MAX_CHARACTERS - 1]}…" if too_long else reason


def _mark(rule: ThresholdRule, point: Datapoint | None) -> _Mark:
    if point is None:
        return _Mark.MISSING
    if rule.low_samples is LowSamples.IGNORE and _too_few(rule.statistic, point.samples):
        return _Mark.UNCLEAR
    return _Mark.BREACHING if _BREACHES[rule.comparison](point.value, rule.threshold) else _Mark.WITHIN


def _too_few(statistic: str, samples: int) -> bool:
    """Return whether a percentile of so many samples means nothing: fewer than ten lie beyond it.

    Source:
        Amazon CloudWatch's user guide, "Percentile-based CloudWatch alarms and low data samples".
    """
    quantile = Statistic(statistic).quantile
    if quantile is None:
        return False
    exact = Fraction(quantile).limit_denominator(10_000)  # it has two decimals, as a percentage
    return samples * min(exact, 1 - exact) < 10  # noqa: PLR2004  (the ten of the rule)


def _state(rule: ThresholdRule, marks: Sequence[_Mark], was: AlarmState) -> AlarmState:
    """Return the state that the marks come to, none of which may be unclear."""
    needed, periods = rule.datapoints_to_alarm, rule.evaluation_periods
    real = [mark for mark in marks if mark is not _Mark.MISSING]
    if len(real) >= periods:
        return _alarm_if(real[-periods:].count(_Mark.BREACHING) >= needed)
    breaching = real.count(_Mark.BREACHING)
    match rule.treat_missing_data:
        case MissingData.BREACHING:
            return _alarm_if(breaching + periods - len(real) >= needed)
        case MissingData.NOT_BREACHING:
            return _alarm_if(breaching >= needed)
        case MissingData.MISSING | MissingData.IGNORE as mode:
            if breaching >= needed or breaching < len(real):
                return _alarm_if(breaching >= needed)
            return was if mode is MissingData.IGNORE else _of_breaches_only(marks, needed, was)


def _of_breaches_only(marks: Sequence[_Mark], needed: int, was: AlarmState) -> AlarmState:
    """Return the state where what is not missing breaches, but that is less than M, or nothing.

    A breach that nothing has contradicted for M periods is an alarm, though the rest is missing; a younger
    one may still be contradicted.
    """
    if _Mark.BREACHING not in marks:
        return AlarmState.INSUFFICIENT_DATA
    oldest_is_old = len(marks) - marks.index(_Mark.BREACHING) >= needed
    return AlarmState.ALARM if oldest_is_old else was


def _breach(rule: ThresholdRule, seen: Sequence[Datapoint | None], marks: Sequence[_Mark]) -> float | None:
    for point, mark in zip(reversed(seen), reversed(marks), strict=True):
        if point is not None and mark is _Mark.BREACHING:
            return point.value - rule.threshold
    return None


def _alarm_if(breached: bool) -> AlarmState:
    return AlarmState.ALARM if breached else AlarmState.OK


def _reason(rule: ThresholdRule, seen: Sequence[Datapoint | None], marks: Sequence[_Mark]) -> str:
    """Say what was seen and what is needed; the state itself stands beside it."""
    real = sum(mark is not _Mark.MISSING for mark in marks)
    what = f"{rule.metric} ({rule.statistic} of {rule.period_seconds} s)"
    needed = f"{rule.datapoints_to_alarm} of {rule.evaluation_periods} make an alarm"
    if not real:
        return (
            f"{what} has no datapoint in the last {len(seen)} periods; treat_missing_data is "
            f"{rule.treat_missing_data}, {needed}."
        )
    counted = [mark for mark in marks if mark is not _Mark.MISSING][-rule.evaluation_periods :]
    beyond = f"{_SAID[rule.comparison]} {rule.threshold:g}"
    breaching = counted.count(_Mark.BREACHING)
    parts = [f"{breaching} of {len(counted)} datapoints of {what} are {beyond}", needed]
    if real < rule.evaluation_periods:
        missing = rule.evaluation_periods - real
        parts.insert(1, f"{missing} missing, treat_missing_data is {rule.treat_missing_data}")
    if unclear := counted.count(_Mark.UNCLEAR):
        parts.insert(1, f"{unclear} of too few samples to count")
    return f"{'; '.join(parts)}. Newest last: {_values(seen)}."


def _values(seen: Sequence[Datapoint | None]) -> str:
    shown = ["none" if point is None else f"{point.value:g}" for point in seen[-_VALUES_SHOWN:]]
    return ", ".join(["…", *shown] if len(seen) > _VALUES_SHOWN else shown)


def _silent_since(
    alarm: Alarm, rule: ThresholdRule, points: Sequence[Datapoint | None], now: datetime
) -> datetime | None:
    """Return since when the metric has had no samples at all, None while it has or it is too early to say."""
    if any(point is not None for point in points):
        return None
    empty = len(points) * timedelta(seconds=rule.period_seconds)
    known = alarm.created_at + empty <= now and empty > silence_after(rule)
    return alarm.silent_since or (now - empty if known else None)
