"""Alarms: a rule over a metric, the state it is in, and what each state sets in motion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.core.ids import AlarmId, GroupId, PolicyId, ProjectId


class AlarmState(StrEnum):
    """What an alarm says of its metric."""

    OK = "ok"
    ALARM = "alarm"
    INSUFFICIENT_DATA = "insufficient_data"


class Backend(StrEnum):
    """Who evaluates the alarm."""

    BUILTIN = "builtin"
    AODH = "aodh"


class Severity(StrEnum):
    """How bad it is; carried along, for people."""

    LOW = "low"
    MODERATE = "moderate"
    CRITICAL = "critical"


class Comparison(StrEnum):
    """How a value is held against the threshold; true is a breach."""

    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"


class MissingData(StrEnum):
    """What a period without samples counts as."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "not_breaching"


class LowSamples(StrEnum):
    """What becomes of a percentile of too few samples to mean anything."""

    EVALUATE = "evaluate"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRule:
    """M of the last N periods beyond a threshold.

    Attributes:
        statistic: a name that ``core.series.Statistic`` takes.
        period_seconds: 10, 30, or a multiple of 60 up to a day.
        evaluation_periods: N.
        datapoints_to_alarm: M, from 1 to N.
        threshold: in the unit of the metric.
    """

    metric: str
    comparison: Comparison
    threshold: float
    dimensions: tuple[tuple[str, str], ...] = ()
    statistic: str = "average"
    period_seconds: int = 60
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    treat_missing_data: MissingData = MissingData.MISSING
    low_samples: LowSamples = LowSamples.EVALUATE


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeRule:
    """And, or, not of other alarms of the same group.

    Attributes:
        expression: ``{"alarm": "<id>"}``, ``{"not": …}``, ``{"and": […]}``, ``{"or": […]}`` as JSON text.
    """

    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeConstraint:
    """A window outside of which the alarm is not evaluated, as Aodh's.

    Attributes:
        start: cron, five fields, in ``timezone``.
        timezone: an IANA name.
    """

    name: str
    start: str
    duration_seconds: int
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmHook:
    """By what a backend's notifications of one alarm are known to be its own.

    Attributes:
        sha256: of the token in the hook's URL, in hex.
        sealed_token: the token, encrypted for the alarm's project and id: asked again to establish the
            alarm, the backend is told the same URL.
    """

    sha256: str
    sealed_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm of one group.

    Attributes:
        alarm_actions, ok_actions, insufficient_data_actions: the policies that a state sets in motion.
        state_changed_at: when it last went from one state to another.
        silent_since: since when its metric has had no samples at all, None while it has.
        external_id: what the backend calls it, where we are not the backend; None until it is established.
        hook: how the backend reaches us, where we are not the backend.
        heard_at: when the backend last called, to within some minutes.
    """

    project_id: ProjectId
    id: AlarmId
    group_id: GroupId
    name: str
    backend: Backend
    rule: ThresholdRule | CompositeRule
    enabled: bool
    severity: Severity
    alarm_actions: tuple[PolicyId, ...]
    ok_actions: tuple[PolicyId, ...]
    insufficient_data_actions: tuple[PolicyId, ...]
    time_constraints: tuple[TimeConstraint, ...]
    state: AlarmState
    state_reason: str
    state_changed_at: datetime
    created_at: datetime
    updated_at: datetime
    silent_since: datetime | None = None
    external_id: str | None = None
    hook: AlarmHook | None = None
    heard_at: datetime | None = None
    generation: int = 1
    fingerprint: str | None = None

    def actions_in(self, state: AlarmState, *, entered: bool) -> tuple[PolicyId, ...]:
        """Return the policies that a state sets in motion.

        While an alarm lasts that is so again and again; for the other states, when they are ``entered``.
        """
        match state:
            case AlarmState.ALARM:
                return self.alarm_actions
            case AlarmState.OK:
                return self.ok_actions if entered else ()
            case AlarmState.INSUFFICIENT_DATA:
                return self.insufficient_data_actions if entered else ()

    @property
    def watched(self) -> bool:
        """Whether we judge it, at the times that its constraints leave."""
        return self.enabled and self.backend is Backend.BUILTIN

    @property
    def actions(self) -> frozenset[PolicyId]:
        """The policies that any state sets in motion."""
        return frozenset((*self.alarm_actions, *self.ok_actions, *self.insufficient_data_actions))


NOT_EVALUATED = "Nothing has been evaluated yet."


def forgotten(alarm: Alarm, was: Alarm, now: datetime) -> Alarm:
    """Return the alarm without its state where it looks at something else than it ``was``.

    A state of another metric would be kept as if it were this one's, wherever missing data keeps states.
    """
    if _subject(alarm.rule) == _subject(was.rule):
        return alarm
    return replace(
        alarm,
        state=AlarmState.INSUFFICIENT_DATA,
        state_reason=NOT_EVALUATED,
        state_changed_at=now,
        silent_since=None,
    )


def _subject(rule: ThresholdRule | CompositeRule) -> tuple[object, ...]:
    if isinstance(rule, CompositeRule):
        return (rule.expression,)
    return rule.metric, rule.dimensions, rule.statistic
