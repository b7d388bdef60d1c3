"""Alarms and their history as documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.common import (
    ClientToken,
    Input,
    Link,
    Name,
    Time,
    Uuid,
    consists_of,
    given_or,
    self_link,
    utc,
    utc_or_none,
)
from chalicelib.core.alarm import (
    NOT_EVALUATED,
    Alarm,
    AlarmState,
    Backend,
    Comparison,
    CompositeRule,
    LowSamples,
    MissingData,
    Severity,
    ThresholdRule,
    TimeConstraint,
)
from chalicelib.core.alarm_check import ACTIONS_MAX, DIMENSIONS_MAX, PERIODS_MAX
from chalicelib.core.alarm_history import AlarmHistoryEntry
from chalicelib.core.composite import OPERANDS_MAX
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import AlarmId, GroupId, PolicyId, ProjectId
from chalicelib.core.window import CONSTRAINTS_MAX, DURATION_MAX_SECONDS

Dimensions = Annotated[dict[Name, Name], Meta(max_length=DIMENSIONS_MAX)]
StatisticName = Annotated[
    str, Meta(max_length=32, description="average, sum, minimum, maximum, sample_count, rate, or like p99.")
]
PeriodSeconds = Annotated[
    int, Meta(ge=10, le=86_400, description="Seconds: 10, 20, 30, or a multiple of 60; 60 by default.")
]
Periods = Annotated[int, Meta(ge=1, le=PERIODS_MAX)]
Operator = Literal["gt", "ge", "lt", "le"]
Missing = Literal["missing", "ignore", "breaching", "not_breaching"]
Low = Literal["evaluate", "ignore"]
Actions = Annotated[list[Uuid], Meta(max_length=ACTIONS_MAX, description="Policies of the alarm's group.")]
State = Literal["ok", "alarm", "insufficient_data"]
SeverityName = Literal["low", "moderate", "critical"]


class ExpressionDocument(
    Input, kw_only=True, omit_defaults=True, rename={"not_": "not", "and_": "and", "or_": "or"}
):
    """One of: another alarm of the group, which fires; not, and, or of such."""

    alarm: Uuid | UnsetType = UNSET
    not_: ExpressionDocument | UnsetType = UNSET
    and_: Annotated[list[ExpressionDocument], Meta(min_length=1, max_length=OPERANDS_MAX)] | UnsetType = UNSET
    or_: Annotated[list[ExpressionDocument], Meta(min_length=1, max_length=OPERANDS_MAX)] | UnsetType = UNSET


class TimeConstraintDocument(Input, kw_only=True):
    """A window outside of which the alarm is not evaluated; ``start`` is cron, five fields, in the zone."""

    name: Name
    start: Annotated[str, Meta(max_length=255)]
    duration: Annotated[int, Meta(ge=1, le=DURATION_MAX_SECONDS, description="Seconds.")]
    timezone: Annotated[str, Meta(max_length=64)] = "UTC"


_THRESHOLD_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "metric": ("metric", str),
    "dimensions": ("dimensions", lambda given: tuple(sorted(given.items()))),
    "statistic": ("statistic", str),
    "period": ("period_seconds", int),
    "evaluation_periods": ("evaluation_periods", int),
    "datapoints_to_alarm": ("datapoints_to_alarm", int),
    "comparison_operator": ("comparison", Comparison),
    "threshold": ("threshold", float),
    "treat_missing_data": ("treat_missing_data", MissingData),
    "low_samples": ("low_samples", LowSamples),
}
"""The fields of a threshold rule: what the core calls each, and what it is there."""

Constraints = Annotated[list[TimeConstraintDocument], Meta(max_length=CONSTRAINTS_MAX)]


class _Rule(Input, kw_only=True):
    """A metric and a threshold, or a composite."""

    metric: Name | UnsetType = UNSET
    dimensions: Dimensions | UnsetType = UNSET
    statistic: StatisticName | UnsetType = UNSET
    period: PeriodSeconds | UnsetType = UNSET
    evaluation_periods: Periods | UnsetType = UNSET
    datapoints_to_alarm: Periods | UnsetType = UNSET
    comparison_operator: Operator | UnsetType = UNSET
    threshold: float | UnsetType = UNSET
    treat_missing_data: Missing | UnsetType = UNSET
    low_samples: Low | UnsetType = UNSET
    composite: ExpressionDocument | UnsetType = UNSET

    def _threshold_fields(self) -> dict[str, Any]:
        """Return what is given of a threshold rule, by the names and in the types of the core."""
        given = {field: getattr(self, field) for field in _THRESHOLD_FIELDS}
        return {
            name: of(given[field])
            for field, (name, of) in _THRESHOLD_FIELDS.items()
            if given[field] is not UNSET
        }

    def _new_rule(self) -> ThresholdRule | CompositeRule:
        given = self._threshold_fields()
        if not isinstance(self.composite, UnsetType):
            return _composite(self.composite, given)
        if not given.keys() >= {"metric", "comparison", "threshold"}:
            raise Invalid(
                "alarm.rule", "An alarm needs metric, comparison_operator and threshold, or else composite."
            )
        given.setdefault("datapoints_to_alarm", given.get("evaluation_periods", 1))
        return ThresholdRule(**given)

    def _rule_after(self, present: ThresholdRule | CompositeRule) -> ThresholdRule | CompositeRule:
        given = self._threshold_fields()
        match present:
            case CompositeRule() if isinstance(self.composite, UnsetType) and not given:
                return present
            case CompositeRule() if not isinstance(self.composite, UnsetType):
                return _composite(self.composite, given)
            case ThresholdRule() if isinstance(self.composite, UnsetType):
                return replace(present, **given)
            case _:
                raise _either()


class NewAlarm(_Rule, kw_only=True):
    """An alarm to be made: over a metric of its group, or a composite of other alarms."""

    name: Name
    group_id: Uuid
    backend: Literal["builtin", "aodh"] = "builtin"
    alarm_actions: Actions = []
    ok_actions: Actions = []
    insufficient_data_actions: Actions = []
    time_constraints: Constraints = []
    enabled: bool = True
    severity: SeverityName = "low"
    client_token: ClientToken | None = None

    def to_alarm(self, project_id: ProjectId, id_: str, now: datetime, fingerprint: str | None) -> Alarm:
        """Return the alarm, not evaluated yet."""
        return Alarm(
            project_id=project_id,
            id=AlarmId(id_),
            group_id=GroupId(self.group_id),
            name=self.name,
            backend=Backend(self.backend),
            rule=self._new_rule(),
            enabled=self.enabled,
            severity=Severity(self.severity),
            alarm_actions=_policies(self.alarm_actions),
            ok_actions=_policies(self.ok_actions),
            insufficient_data_actions=_policies(self.insufficient_data_actions),
            time_constraints=_constraints(self.time_constraints),
            state=AlarmState.INSUFFICIENT_DATA,
            state_reason=NOT_EVALUATED,
            state_changed_at=now,
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class AlarmPatch(_Rule, kw_only=True):
    """What is to change of an alarm; what is left out stays."""

    name: Name | UnsetType = UNSET
    alarm_actions: Actions | UnsetType = UNSET
    ok_actions: Actions | UnsetType = UNSET
    insufficient_data_actions: Actions | UnsetType = UNSET
    time_constraints: Constraints | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    severity: SeverityName | UnsetType = UNSET

    def applied_to(self, alarm: Alarm) -> Alarm:
        """Return the alarm as it is to be."""
        return replace(
            alarm,
            name=given_or(self.name, alarm.name),
            rule=self._rule_after(alarm.rule),
            alarm_actions=_policies(given_or(self.alarm_actions, [*alarm.alarm_actions])),
            ok_actions=_policies(given_or(self.ok_actions, [*alarm.ok_actions])),
            insufficient_data_actions=_policies(
                given_or(self.insufficient_data_actions, [*alarm.insufficient_data_actions])
            ),
            time_constraints=(
                alarm.time_constraints
                if isinstance(self.time_constraints, UnsetType)
                else _constraints(self.time_constraints)
            ),
            enabled=given_or(self.enabled, alarm.enabled),
            severity=Severity(given_or(self.severity, alarm.severity.value)),
        )


class NewState(Input, kw_only=True):
    """A state that is set by hand; the next evaluation overrides it."""

    state: State
    reason: Annotated[str, consists_of(r"[^\x00-\x1f\x7f]+", min_length=1, max_length=1024)] = "Set by hand."


class SourceDocument(msgspec.Struct, kw_only=True):
    """Whether anything is heard of what the alarm is about: samples of its metric, or calls of its backend.

    ``heard_at`` is when the backend last called, to within some minutes.
    """

    state: Literal["ok", "source_silent"]
    silent_since: Time | None
    heard_at: Time | None
    cause: str


class AlarmDocument(msgspec.Struct, kw_only=True):
    """An alarm. Of a composite, metric and all that goes with it is null; of another, composite is.

    ``warnings`` says, of a single alarm, how it and others of its group would undo each other.
    """

    id: str
    project_id: str
    group_id: str
    name: str
    backend: Literal["builtin", "aodh"]
    metric: str | None
    dimensions: dict[str, str] | None
    statistic: str | None
    period: int | None
    evaluation_periods: int | None
    datapoints_to_alarm: int | None
    comparison_operator: Operator | None
    threshold: float | None
    treat_missing_data: Missing | None
    low_samples: Low | None
    composite: ExpressionDocument | None
    alarm_actions: list[str]
    ok_actions: list[str]
    insufficient_data_actions: list[str]
    time_constraints: list[TimeConstraintDocument]
    enabled: bool
    severity: SeverityName
    state: State
    state_reason: str
    state_changed_at: Time
    source: SourceDocument
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]
    warnings: list[str] | UnsetType = UNSET


class AlarmList(msgspec.Struct, kw_only=True):
    """Part of the alarms."""

    alarms: list[AlarmDocument]
    links: list[Link]


class AlarmHistoryDocument(msgspec.Struct, kw_only=True):
    """One thing that happened to an alarm; ``user_id`` is null where nobody did it."""

    id: str
    alarm_id: str
    event: Literal["creation", "rule_change", "state_change", "manual_state", "silence", "deletion"]
    state_before: State | None
    state_after: State | None
    reason: str
    user_id: str | None
    created_at: Time


class AlarmHistoryList(msgspec.Struct, kw_only=True):
    """Part of an alarm's history, newest first."""

    history: list[AlarmHistoryDocument]
    links: list[Link]


def alarm_document(alarm: Alarm, base: str, now: datetime) -> AlarmDocument:
    """Return the alarm as it is shown."""
    return AlarmDocument(
        id=alarm.id,
        project_id=alarm.project_id,
        group_id=alarm.group_id,
        name=alarm.name,
        backend=alarm.backend.value,
        **_shown_rule(alarm.rule),
        alarm_actions=[*alarm.alarm_actions],
        ok_actions=[*alarm.ok_actions],
        insufficient_data_actions=[*alarm.insufficient_data_actions],
        time_constraints=[_constraint_document(each) for each in alarm.time_constraints],
        enabled=alarm.enabled,
        severity=alarm.severity.value,
        state=alarm.state.value,
        state_reason=alarm.state_reason,
        state_changed_at=utc(alarm.state_changed_at),
        source=_source_document(alarm, now),
        generation=alarm.generation,
        created_at=utc(alarm.created_at),
        updated_at=utc(alarm.updated_at),
        links=self_link(base, f"/v1/alarms/{alarm.id}"),
    )


def _source_document(alarm: Alarm, now: datetime) -> SourceDocument:
    silence = alarm.silence(now)
    since, what = silence or (None, "")
    return SourceDocument(
        state="ok" if since is None else "source_silent",
        silent_since=utc_or_none(since),
        heard_at=utc_or_none(alarm.heard_at),
        cause="Nothing is missed." if since is None else f"Since {utc(since)} {what}.",
    )


def _shown_rule(rule: ThresholdRule | CompositeRule) -> dict[str, Any]:
    """Return the fields of the document that say what the rule is."""
    if isinstance(rule, CompositeRule):
        expression = msgspec.json.decode(rule.expression, type=ExpressionDocument)
        return {**dict.fromkeys(_THRESHOLD_FIELDS), "composite": expression}
    return {
        "metric": rule.metric,
        "dimensions": dict(rule.dimensions),
        "statistic": rule.statistic,
        "period": rule.period_seconds,
        "evaluation_periods": rule.evaluation_periods,
        "datapoints_to_alarm": rule.datapoints_to_alarm,
        "comparison_operator": rule.comparison.value,
        "threshold": rule.threshold,
        "treat_missing_data": rule.treat_missing_data.value,
        "low_samples": rule.low_samples.value,
        "composite": None,
    }


def alarm_history_document(entry: AlarmHistoryEntry) -> AlarmHistoryDocument:
    """Return the entry as it is shown."""
    return AlarmHistoryDocument(
        id=entry.id,
        alarm_id=entry.alarm_id,
        event=entry.event.value,
        state_before=entry.state_before.value if entry.state_before else None,
        state_after=entry.state_after.value if entry.state_after else None,
        reason=entry.reason,
        user_id=entry.user_id,
        created_at=utc(entry.created_at),
    )


def _composite(expression: ExpressionDocument, given: dict[str, Any]) -> CompositeRule:
    if given:
        raise _either()
    return CompositeRule(expression=msgspec.json.encode(expression).decode())


def _either() -> Invalid:
    return Invalid(
        "alarm.rule", "An alarm is over a metric or a composite, and stays what it is: make another one."
    )


def _policies(ids: list[Any]) -> tuple[PolicyId, ...]:
    return tuple(PolicyId(id_) for id_ in ids)


def _constraints(documents: list[TimeConstraintDocument]) -> tuple[TimeConstraint, ...]:
    return tuple(
        TimeConstraint(name=d.name, start=d.start, duration_seconds=d.duration, timezone=d.timezone)
        for d in documents
    )


def _constraint_document(constraint: TimeConstraint) -> TimeConstraintDocument:
    return TimeConstraintDocument(
        name=constraint.name,
        start=constraint.start,
        duration=constraint.duration_seconds,
        timezone=constraint.timezone,
    )
