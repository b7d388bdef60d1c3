"""Policies as documents: one for each type, told apart by ``type``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from chalicelib.api.documents import rule_parts as parts
from chalicelib.api.documents.common import (
    ClientToken,
    CooldownSeconds,
    Input,
    Link,
    Name,
    Time,
    self_link,
    utc,
)
from chalicelib.api.documents.policy_states import EvaluationDocument, ForecastDocument
from chalicelib.api.documents.rules import (
    AdjustmentFields,
    FieldsOfType,
    PredictiveFields,
    StepsFields,
    TrackingFields,
    shown_fields,
)
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import GroupId, PolicyId, ProjectId
from chalicelib.core.policy import Policy, PolicyMode


class NewAdjustment(AdjustmentFields, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """A policy to be made, that changes a number of members."""

    client_token: ClientToken | None = None


class NewChange(NewAdjustment, tag="change_in_capacity"):
    """A policy to be made, that changes by a number of members."""


class NewPercentChange(NewAdjustment, tag="percent_change_in_capacity"):
    """A policy to be made, that changes by a percentage."""


class NewExact(NewAdjustment, tag="exact_capacity"):
    """A policy to be made, that sets a number of members."""


class NewSteps(StepsFields, kw_only=True, tag_field="type", tag="steps", forbid_unknown_fields=True):
    """A policy to be made, that changes by more the further a metric is beyond its threshold."""

    client_token: ClientToken | None = None


class NewTargetTracking(
    TrackingFields, kw_only=True, tag_field="type", tag="target_tracking", forbid_unknown_fields=True
):
    """A policy to be made, that holds a metric at its target."""

    client_token: ClientToken | None = None


class NewPredictive(
    PredictiveFields, kw_only=True, tag_field="type", tag="predictive", forbid_unknown_fields=True
):
    """A policy to be made, that foresees what will be needed."""

    client_token: ClientToken | None = None


NewPolicy = NewChange | NewPercentChange | NewExact | NewSteps | NewTargetTracking | NewPredictive


def new_policy(
    body: NewPolicy, project_id: ProjectId, id_: str, now: datetime, fingerprint: str | None
) -> Policy:
    """Return the policy that a document asks for."""
    return Policy(
        project_id=project_id,
        id=PolicyId(id_),
        group_id=GroupId(body.group_id),
        name=body.name,
        rule=body.rule(str(body.__struct_config__.tag)),
        cooldown_seconds=body.cooldown,
        mode=PolicyMode(body.mode),
        created_at=now,
        updated_at=now,
        fingerprint=fingerprint,
    )


class PolicyPatch(Input, kw_only=True):
    """What is to change of a policy; what is left out stays.

    Only fields of the policy's own type are taken. ``type`` itself can only go from one simple change to
    another. Objects and lists are replaced as a whole.
    """

    name: Name | UnsetType = UNSET
    cooldown: CooldownSeconds | UnsetType = UNSET
    mode: parts.Mode | UnsetType = UNSET
    type: parts.AdjustmentTypeName | Literal["steps", "target_tracking", "predictive"] | UnsetType = UNSET
    adjustment: parts.Amount | UnsetType = UNSET
    min_adjustment_step: parts.MinStep | UnsetType = UNSET
    steps: parts.Steps | UnsetType = UNSET
    adjustment_type: parts.AdjustmentTypeName | UnsetType = UNSET
    warmup: parts.WarmupSeconds | UnsetType = UNSET
    metric: parts.Metric | UnsetType = UNSET
    target: parts.Target | UnsetType = UNSET
    metric_kind: parts.MetricKindName | UnsetType = UNSET
    dimensions: parts.Dimensions | UnsetType = UNSET
    statistic: parts.StatisticName | UnsetType = UNSET
    period: parts.PeriodSeconds | UnsetType = UNSET
    tolerance: parts.ToleranceFields | UnsetType = UNSET
    unready: parts.UnreadySeconds | UnsetType = UNSET
    missing_value: parts.MissingValue | UnsetType | None = UNSET
    scale_in: bool | UnsetType = UNSET
    behavior: parts.BehaviorFields | UnsetType = UNSET
    lead: parts.LeadSeconds | UnsetType = UNSET
    act: bool | UnsetType = UNSET

    def applied_to(self, policy: Policy, now: datetime) -> Policy:
        """Return the policy as it is to be.

        Raises:
            Invalid: a field is not one of the policy's type, or its type may not change so.
        """
        type_, shown = shown_fields(policy)
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        wanted = str(given.pop("type", type_))
        if _FIELDS[wanted] is not _FIELDS[type_]:
            raise Invalid("policy.type", f"A policy of type {type_} cannot become {wanted}; make a new one.")
        foreign = sorted(given.keys() - set(shown.__struct_fields__))
        if foreign:
            raise Invalid("policy.field", f"A policy of type {wanted} has no {', no '.join(foreign)}.")
        changed = msgspec.structs.replace(shown, **given)
        return replace(
            policy,
            name=changed.name,
            rule=changed.rule(wanted),
            cooldown_seconds=changed.cooldown,
            mode=PolicyMode(changed.mode),
            updated_at=now,
        )


_FIELDS: dict[str, type[FieldsOfType]] = {
    "change_in_capacity": AdjustmentFields,
    "percent_change_in_capacity": AdjustmentFields,
    "exact_capacity": AdjustmentFields,
    "steps": StepsFields,
    "target_tracking": TrackingFields,
    "predictive": PredictiveFields,
}


class AdjustmentDocument(AdjustmentFields, kw_only=True, tag_field="type"):
    """A policy that changes a number of members."""

    id: str
    project_id: str
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]


class ChangeDocument(AdjustmentDocument, tag="change_in_capacity"):
    """A policy that changes by a number of members."""


class PercentChangeDocument(AdjustmentDocument, tag="percent_change_in_capacity"):
    """A policy that changes by a percentage."""


class ExactDocument(AdjustmentDocument, tag="exact_capacity"):
    """A policy that sets a number of members."""


class StepsDocument(StepsFields, kw_only=True, tag_field="type", tag="steps"):
    """A policy that changes by more the further a metric is beyond its threshold."""

    id: str
    project_id: str
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]


class TargetTrackingDocument(TrackingFields, kw_only=True, tag_field="type", tag="target_tracking"):
    """A policy that holds a metric at its target. ``evaluation`` is shown of a single one."""

    id: str
    project_id: str
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]
    evaluation: EvaluationDocument | UnsetType | None = UNSET


class PredictiveDocument(PredictiveFields, kw_only=True, tag_field="type", tag="predictive"):
    """A policy that foresees what will be needed. The last two are shown of a single one."""

    id: str
    project_id: str
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]
    evaluation: EvaluationDocument | UnsetType | None = UNSET
    forecast: ForecastDocument | UnsetType | None = UNSET


PolicyDocument = (
    ChangeDocument
    | PercentChangeDocument
    | ExactDocument
    | StepsDocument
    | TargetTrackingDocument
    | PredictiveDocument
)

_DOCUMENTS: dict[str, type[Any]] = {
    "change_in_capacity": ChangeDocument,
    "percent_change_in_capacity": PercentChangeDocument,
    "exact_capacity": ExactDocument,
    "steps": StepsDocument,
    "target_tracking": TargetTrackingDocument,
    "predictive": PredictiveDocument,
}


class PolicyList(Struct, kw_only=True):
    """Part of the policies."""

    policies: list[PolicyDocument]
    links: list[Link]


def policy_document(policy: Policy, base: str) -> PolicyDocument:
    """Return the policy as it is shown."""
    type_, fields = shown_fields(policy)
    document: PolicyDocument = _DOCUMENTS[type_](
        id=policy.id,
        project_id=policy.project_id,
        generation=policy.generation,
        created_at=utc(policy.created_at),
        updated_at=utc(policy.updated_at),
        links=self_link(base, f"/v1/policies/{policy.id}"),
        **msgspec.structs.asdict(fields),
    )
    return document
