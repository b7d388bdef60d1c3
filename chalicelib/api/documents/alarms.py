"""Alarms as documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.alarm_history import State
from chalicelib.api.documents.alarm_rules import (
    Constraints,
    ExpressionDocument,
    Low,
    Missing,
    Operator,
    RuleFields,
    TimeConstraintDocument,
    constraint_document,
    constraints_of,
    shown_rule,
)
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
    Severity,
)
from chalicelib.core.alarm_check import ACTIONS_MAX
from chalicelib.core.ids import AlarmId, GroupId, PolicyId, ProjectId
from chalicelib.core.judgement import silence

Actions = Annotated[list[Uuid], Meta(max_length=ACTIONS_MAX, description="Policies of the alarm's group.")]
SeverityName = Literal["low", "moderate", "critical"]


class NewAlarm(RuleFields, kw_only=True):
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
            rule=self.new_rule(),
            enabled=self.enabled,
            severity=Severity(self.severity),
            alarm_actions=_policies(self.alarm_actions),
            ok_actions=_policies(self.ok_actions),
            insufficient_data_actions=_policies(self.insufficient_data_actions),
            time_constraints=constraints_of(self.time_constraints),
            state=AlarmState.INSUFFICIENT_DATA,
            state_reason=NOT_EVALUATED,
            state_changed_at=now,
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class AlarmPatch(RuleFields, kw_only=True):
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
            rule=self.rule_after(alarm.rule),
            alarm_actions=_policies(given_or(self.alarm_actions, [*alarm.alarm_actions])),
            ok_actions=_policies(given_or(self.ok_actions, [*alarm.ok_actions])),
            insufficient_data_actions=_policies(
                given_or(self.insufficient_data_actions, [*alarm.insufficient_data_actions])
            ),
            time_constraints=(
                alarm.time_constraints
                if isinstance(self.time_constraints, UnsetType)
                else constraints_of(self.time_constraints)
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


def alarm_document(alarm: Alarm, base: str, now: datetime) -> AlarmDocument:
    """Return the alarm as it is shown."""
    return AlarmDocument(
        id=alarm.id,
        project_id=alarm.project_id,
        group_id=alarm.group_id,
        name=alarm.name,
        backend=alarm.backend.value,
        **shown_rule(alarm.rule),
        alarm_actions=[*alarm.alarm_actions],
        ok_actions=[*alarm.ok_actions],
        insufficient_data_actions=[*alarm.insufficient_data_actions],
        time_constraints=[constraint_document(each) for each in alarm.time_constraints],
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
    since, what = silence(alarm, now) or (None, "")
    return SourceDocument(
        state="ok" if since is None else "source_silent",
        silent_since=utc_or_none(since),
        heard_at=utc_or_none(alarm.heard_at),
        cause="Nothing is missed." if since is None else f"Since {utc(since)} {what}.",
    )


def _policies(ids: list[Any]) -> tuple[PolicyId, ...]:
    return tuple(PolicyId(id_) for id_ in ids)
