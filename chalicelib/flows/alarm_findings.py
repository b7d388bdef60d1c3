"""What a group's alarms come to in one tick, and whom that sets in motion.

While an alarm lasts, its policies are asked in every tick: nothing depends on the moment it began. The
policies of ok and insufficient data are asked once, when the alarm gets there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.alarm import Alarm, AlarmState, Comparison, CompositeRule, ThresholdRule
from chalicelib.core.composite import judging_order
from chalicelib.core.decision import Event, Guard
from chalicelib.core.errors import NotFound
from chalicelib.core.flapping import OutCondition
from chalicelib.core.ids import AlarmId, PolicyId
from chalicelib.core.judgement import judge, judged, reading_range
from chalicelib.core.policy import DirectionLimit
from chalicelib.core.series import Series, Statistic
from chalicelib.flows.readings import Need, Readings
from chalicelib.flows.scale import Ask
from chalicelib.flows.together import Voice
from chalicelib.ports import Services
from chalicelib.telemetry import about

_log = logging.getLogger(__name__)

_GROWING = {Comparison.GT, Comparison.GE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one alarm came to.

    Attributes:
        new: the very same as ``was`` when nothing about it changes.
        breach: how far the newest breaching value is beyond the threshold.
        value: the newest value, of alarms whose value is a mean over the members.
    """

    was: Alarm
    new: Alarm
    breach: float | None = None
    value: float | None = None

    @property
    def changed(self) -> bool:
        """Whether the alarm is in another state than before."""
        return self.new.state is not self.was.state


def need_of(alarm: Alarm) -> Need | None:
    """Return what a threshold alarm reads; None for a composite."""
    rule = alarm.rule
    if isinstance(rule, CompositeRule):
        return None
    return Need(
        series=_series(alarm, rule),
        statistic=Statistic(rule.statistic),
        period_seconds=rule.period_seconds,
        count=reading_range(rule),
    )


def findings(s: Services, alarms: Sequence[Alarm], readings: Readings) -> Sequence[Finding]:
    """Judge the alarms of one group: those over metrics first, then those over other alarms.

    One whose hours are still being made is left as it is, and asks nobody: a part of a day is no day.
    """
    over_metrics = [alarm for alarm in alarms if _is_threshold(alarm)]
    found = [finding for alarm in over_metrics if (finding := _over_metric(alarm, alarm.rule, readings))]
    composites = [alarm for alarm in alarms if not _is_threshold(alarm)]
    if not composites:
        return found
    everybody = s.alarms.of_group(composites[0].project_id, composites[0].group_id)
    names = {alarm.id: alarm.name for alarm in everybody}
    states = {alarm.id: alarm.state for alarm in everybody}
    states |= {finding.new.id: finding.new.state for finding in found}
    return [*found, *_over_alarms(composites, states, names, readings.now)]


def voices(
    s: Services, found: Sequence[Finding], tick: datetime, conditions: Sequence[OutCondition], request_id: str
) -> Sequence[Voice]:
    """Return the policies that the alarms ask.

    Args:
        conditions: what else would make the group grow, besides its alarms.
    """
    return [
        voice
        for finding in found
        for policy_id in finding.new.actions_in(finding.new.state, entered=finding.changed)
        for voice in _voice(s, finding, policy_id, tick, _guard(finding, found, conditions), request_id)
    ]


def _is_threshold(alarm: Alarm) -> bool:
    return isinstance(alarm.rule, ThresholdRule)


def _over_metric(alarm: Alarm, rule: ThresholdRule | CompositeRule, readings: Readings) -> Finding | None:
    need = need_of(alarm)
    assert need is not None
    assert isinstance(rule, ThresholdRule)
    if readings.lacks_hours(need):
        return None
    points = readings.points(need)
    new = judged(alarm, points, {}, readings.now)
    known = [point.value for point in points if point is not None]
    return Finding(
        was=alarm,
        new=new,
        breach=judge(rule, points, alarm.state).breach if new.state is AlarmState.ALARM else None,
        value=known[-1] if known and rule.statistic == "average" else None,
    )


def _over_alarms(
    composites: Sequence[Alarm],
    states: dict[AlarmId, AlarmState],
    names: Mapping[AlarmId, str],
    now: datetime,
) -> list[Finding]:
    """Judge composites, each after those it is made of, and note their states in ``states``."""
    found = []
    for alarm in judging_order(composites):
        new = judged(alarm, (), states, now, names)
        states[alarm.id] = new.state
        found.append(Finding(was=alarm, new=new))
    return found


def _voice(
    s: Services, finding: Finding, policy_id: PolicyId, tick: datetime, guard: Guard | None, request_id: str
) -> Iterable[Voice]:
    alarm = finding.new
    try:
        policy = s.policies.get(alarm.project_id, policy_id)
    except NotFound:
        told = about(request_id=request_id, alarm_id=alarm.id, policy_id=policy_id)
        _log.warning("the alarm asks a policy that is gone", extra=told)
        return ()
    event = Event(
        said=alarm.state.value,
        breach=finding.breach,
        direction=direction_in(alarm.state),
        guard=guard,
        tick=tick,
    )
    ask = Ask(
        project_id=alarm.project_id,
        policy_id=policy.id,
        source=f"alarm:{alarm.id}",
        event_id=_event_id(finding, tick),
        event=event,
        request_id=request_id,
    )
    return (Voice(ask=ask, policy=policy),)


def _event_id(finding: Finding, tick: datetime) -> str:
    """Return the name of what the alarm says: one that lasts says it again in each tick, others say it once.

    Two ticks may find the same change, where the first died before it was written or the second reads it as
    it was a moment ago: the generation that it starts from tells that it is the same.
    """
    alarm = finding.new
    if alarm.state is AlarmState.ALARM:
        return f"{alarm.id}:{tick.isoformat()}"
    return f"{alarm.id}:{finding.was.generation}:{alarm.state}"


def direction_in(state: AlarmState) -> DirectionLimit:
    """Return which way a state may scale: what is unknown never makes a group smaller."""
    return DirectionLimit.OUT if state is AlarmState.INSUFFICIENT_DATA else DirectionLimit.ANY


def _guard(finding: Finding, found: Sequence[Finding], conditions: Sequence[OutCondition]) -> Guard | None:
    """Return what a scale-in by this alarm must not set off: the alarms above a threshold of the same metric.

    Only of a mean over the members can be said what becomes of it when there are fewer.
    """
    rule = finding.new.rule
    if not isinstance(rule, ThresholdRule) or rule.comparison in _GROWING or finding.value is None:
        return None
    series = _series(finding.new, rule)
    others = [
        OutCondition(comparison=other.comparison, threshold=other.threshold)
        for other, alarm in ((each.new.rule, each.new) for each in found)
        if isinstance(other, ThresholdRule)
        and other.comparison in _GROWING
        and other.statistic == "average"
        and alarm.alarm_actions
        and _series(alarm, other) == series
    ]
    return Guard(value=finding.value, conditions=(*others, *conditions)) if others or conditions else None


def _series(alarm: Alarm, rule: ThresholdRule) -> Series:
    return Series(
        project_id=alarm.project_id,
        group_id=alarm.group_id,
        metric=rule.metric,
        dimensions=rule.dimensions,
    )
