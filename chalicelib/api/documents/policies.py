"""Policies as documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.common import (
    ClientToken,
    CooldownSeconds,
    Input,
    Link,
    Name,
    Time,
    Uuid,
    self_link,
    utc,
)
from chalicelib.core.capacity import Adjustment, AdjustmentType
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import GroupId, PolicyId, ProjectId
from chalicelib.core.policy import Policy, PolicyMode

_AMOUNT_MAX = 1_000_000
Amount = (
    Annotated[int, Meta(ge=-_AMOUNT_MAX, le=_AMOUNT_MAX)]
    | Annotated[float, Meta(ge=-_AMOUNT_MAX, le=_AMOUNT_MAX)]
)
MinStep = Annotated[int, Meta(ge=1, le=10_000, description="Members; for percent_change_in_capacity.")]
Type = Literal["change_in_capacity", "percent_change_in_capacity", "exact_capacity"]
Mode = Literal["active", "shadow", "disabled"]


def _adjustment(type_: str, amount: float, min_step: int) -> Adjustment:
    """Return the adjustment; a decimal is taken as it was written, not as the nearest binary fraction."""
    kind = AdjustmentType(type_)
    if kind is not AdjustmentType.PERCENT and min_step != 1:
        raise Invalid("policy.min_adjustment_step", "min_adjustment_step is for percent_change_in_capacity.")
    return Adjustment(type=kind, amount=Fraction(repr(amount)), min_step=min_step)


class NewPolicy(Input, kw_only=True):
    """A policy to be made."""

    name: Name
    group_id: Uuid
    type: Type
    adjustment: Amount
    min_adjustment_step: MinStep = 1
    cooldown: CooldownSeconds = 0
    mode: Mode = "active"
    client_token: ClientToken | None = None

    def to_policy(self, project_id: ProjectId, id_: str, now: datetime, fingerprint: str | None) -> Policy:
        """Return the policy."""
        return Policy(
            project_id=project_id,
            id=PolicyId(id_),
            group_id=GroupId(self.group_id),
            name=self.name,
            rule=_adjustment(self.type, self.adjustment, self.min_adjustment_step),
            cooldown_seconds=self.cooldown,
            mode=PolicyMode(self.mode),
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class PolicyPatch(Input, kw_only=True):
    """What is to change of a policy; what is left out stays."""

    name: Name | UnsetType = UNSET
    type: Type | UnsetType = UNSET
    adjustment: Amount | UnsetType = UNSET
    min_adjustment_step: MinStep | UnsetType = UNSET
    cooldown: CooldownSeconds | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET

    def applied_to(self, policy: Policy, now: datetime) -> Policy:
        """Return the policy as it is to be."""
        shown = policy_document(policy, "")
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        wanted = msgspec.structs.replace(shown, **given)
        return replace(
            policy,
            name=wanted.name,
            rule=_adjustment(wanted.type, wanted.adjustment, wanted.min_adjustment_step),
            cooldown_seconds=wanted.cooldown,
            mode=PolicyMode(wanted.mode),
            updated_at=now,
        )


class PolicyDocument(msgspec.Struct, kw_only=True):
    """A policy."""

    id: str
    project_id: str
    group_id: str
    name: str
    type: Type
    adjustment: int | float
    min_adjustment_step: int
    cooldown: int
    mode: Mode
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]


class PolicyList(msgspec.Struct, kw_only=True):
    """Part of the policies."""

    policies: list[PolicyDocument]
    links: list[Link]


def policy_document(policy: Policy, base: str) -> PolicyDocument:
    """Return the policy as it is shown."""
    adjustment = policy.rule
    assert isinstance(adjustment, Adjustment)
    amount = adjustment.amount
    return PolicyDocument(
        id=policy.id,
        project_id=policy.project_id,
        group_id=policy.group_id,
        name=policy.name,
        type=adjustment.type.value,
        adjustment=int(amount) if amount.denominator == 1 else float(amount),
        min_adjustment_step=adjustment.min_step,
        cooldown=policy.cooldown_seconds,
        mode=policy.mode.value,
        generation=policy.generation,
        created_at=utc(policy.created_at),
        updated_at=utc(policy.updated_at),
        links=self_link(base, f"/v1/policies/{policy.id}"),
    )
