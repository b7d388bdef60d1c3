"""Groups in Heat as documents: how one is named, and how a stack is shown before it is taken over."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import Input, Link, Size, Time, consists_of, self_link, utc_or_none
from chalicelib.core.adoption import Obstacle, ObstacleCode, possible, suggested_bounds, target_of
from chalicelib.core.errors import Invalid
from chalicelib.core.heat import Adjust, HeatTarget, SignalPolicy
from chalicelib.core.heat_template import PolicyInTemplate
from chalicelib.flows.adoption import Found, FoundGroup

StackName = Annotated[
    str,
    consists_of(
        r"[A-Za-z0-9][A-Za-z0-9_.-]*", min_length=1, max_length=255, description="A stack's name or id."
    ),
]
ResourceName = Annotated[
    str,
    consists_of(r"[^\x00-\x1f\x7f/]+", min_length=1, max_length=255, description="As the template calls it."),
]
Step = Annotated[int, Meta(ge=-10_000, le=10_000)]
AdjustName = Literal["parameter", "signal"]


class SignalPolicyFields(Input, kw_only=True):
    """A scaling policy of the stack, and by how much a signal to it changes the group."""

    resource: ResourceName
    adjustment: Step


class HeatFields(Input, kw_only=True):
    """The group in a stack that is to be resized from outside, and the one way in which it is."""

    stack: StackName
    resource: ResourceName
    adjust: AdjustName
    parameter: ResourceName | None = None
    policies: Annotated[list[SignalPolicyFields], Meta(max_length=10)] = []

    def to_target(self) -> HeatTarget:
        """Return the group in Heat as far as the caller says it; the stack says the rest.

        Raises:
            Invalid: what is given does not go with the way in which the group is to be resized.
        """
        by_parameter = self.adjust == "parameter"
        if by_parameter != (self.parameter is not None) or by_parameter == bool(self.policies):
            raise Invalid(
                "group.heat_adjust", '"parameter" needs a parameter and no policies, "signal" policies alone.'
            )
        names = [policy.resource for policy in self.policies]
        if len(set(names)) < len(names) or any(policy.adjustment == 0 for policy in self.policies):
            raise Invalid("group.heat_policies", "Each policy is named once, and its adjustment is not 0.")
        return HeatTarget(
            stack_name=self.stack,
            stack_id="",
            resource=self.resource,
            resource_type="",
            adjust=Adjust(self.adjust),
            parameter=self.parameter,
            policies=tuple(
                SignalPolicy(resource=policy.resource, adjustment=policy.adjustment)
                for policy in self.policies
            ),
        )


class SignalPolicyDocument(msgspec.Struct, kw_only=True):
    """A scaling policy of the stack, and by how much a signal to it changes the group."""

    resource: str
    adjustment: int


class HeatDocument(msgspec.Struct, kw_only=True):
    """The group in a stack that is resized from outside."""

    stack: str
    stack_id: str
    resource: str
    resource_type: str
    adjust: AdjustName
    parameter: str | None
    policies: list[SignalPolicyDocument]


def heat_document(target: HeatTarget) -> HeatDocument:
    """Return the group in Heat as it is shown."""
    return HeatDocument(
        stack=target.stack_name,
        stack_id=target.stack_id,
        resource=target.resource,
        resource_type=target.resource_type,
        adjust=target.adjust.value,
        parameter=target.parameter,
        policies=[
            SignalPolicyDocument(resource=policy.resource, adjustment=policy.adjustment)
            for policy in target.policies
        ],
    )


class ObstacleDocument(msgspec.Struct, kw_only=True):
    """What is to be seen to before a group is taken over; ``adjust`` is the way that it concerns, or null."""

    code: ObstacleCode
    detail: str
    adjust: AdjustName | None
    prevents: bool


class FoundMember(msgspec.Struct, kw_only=True):
    """A member as Heat shows it."""

    name: str
    status: str
    status_reason: str
    server_ids: list[str]


class FoundPolicy(msgspec.Struct, kw_only=True):
    """A scaling policy of the stack; what its template computes is null."""

    resource: str
    adjustment_type: str | None
    adjustment: float | None
    cooldown: float | None
    usable: bool


class SuggestedHeat(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The ``heat`` of a group to be posted."""

    stack: str
    resource: str
    adjust: AdjustName
    parameter: str | None = None
    policies: list[SignalPolicyDocument] = []


class SuggestedGroup(msgspec.Struct, kw_only=True):
    """A body for ``POST /v1/groups``, ready to be posted."""

    name: str
    credential_id: str
    min_size: Size
    max_size: Size
    desired_capacity: Size
    heat: SuggestedHeat


class FoundGroupDocument(msgspec.Struct, kw_only=True):
    """A group of the stack; what its template computes is null."""

    resource: str
    resource_type: str
    status: str | None
    status_reason: str | None
    current_size: int
    min_size: int | None
    max_size: int | None
    cooldown: float | None
    cooldown_until: Time | None
    scaling_in_progress: bool
    parameter: str | None
    members: list[FoundMember]
    policies: list[FoundPolicy]
    group_id: str | None
    obstacles: list[ObstacleDocument]
    suggestions: list[SuggestedGroup]


class StackDocument(msgspec.Struct, kw_only=True):
    """A stack: its groups, and what stands against taking them over."""

    id: str
    name: str
    status: str
    status_reason: str
    obstacles: list[ObstacleDocument]
    groups: list[FoundGroupDocument]
    links: list[Link]


def stack_document(found: Found, credential_id: str, base: str) -> StackDocument:
    """Return a stack as it is shown."""
    stack = found.stack
    return StackDocument(
        id=stack.id,
        name=stack.name,
        status=stack.status.word,
        status_reason=stack.status.reason,
        obstacles=[_obstacle(each) for each in found.obstacles],
        groups=[_group(found, group, credential_id) for group in found.groups],
        links=self_link(base, f"/v1/stacks/{stack.id}?credential_id={credential_id}"),
    )


def _group(found: Found, each: FoundGroup, credential_id: str) -> FoundGroupDocument:
    group, facts = each.group, each.facts
    size = sum(member.counts for member in facts.members) if facts else 0
    free = each.taken_by is None and not any(obstacle.prevents for obstacle in found.obstacles)
    ways = possible(each.obstacles) if free else ()
    return FoundGroupDocument(
        resource=group.resource,
        resource_type=group.type,
        status=facts.status.word if facts else None,
        status_reason=facts.status.reason if facts else None,
        current_size=size,
        min_size=group.min_size,
        max_size=group.max_size,
        cooldown=group.cooldown,
        cooldown_until=utc_or_none(facts.cooldown_until if facts else None),
        scaling_in_progress=facts is not None and facts.scaling,
        parameter=group.parameter,
        members=[
            FoundMember(
                name=member.name,
                status=member.status.word,
                status_reason=member.status.reason,
                server_ids=list(member.servers),
            )
            for member in (facts.members if facts else ())
        ],
        policies=[_policy(policy) for policy in group.policies],
        group_id=each.taken_by,
        obstacles=[_obstacle(obstacle) for obstacle in each.obstacles],
        suggestions=[_suggestion(found, each, way, size, credential_id) for way in ways],
    )


def _suggestion(found: Found, each: FoundGroup, way: Adjust, size: int, credential_id: str) -> SuggestedGroup:
    bounds = suggested_bounds(each.group, size, way)
    target = heat_document(target_of(found.stack, each.group, way))
    return SuggestedGroup(
        name=f"{found.stack.name}-{each.group.resource}",
        credential_id=credential_id,
        min_size=bounds.min_size,
        max_size=bounds.max_size,
        desired_capacity=bounds.clamp(size),
        heat=SuggestedHeat(
            stack=target.stack,
            resource=target.resource,
            adjust=target.adjust,
            parameter=target.parameter,
            policies=target.policies,
        ),
    )


def _policy(policy: PolicyInTemplate) -> FoundPolicy:
    return FoundPolicy(
        resource=policy.resource,
        adjustment_type=policy.adjustment_type,
        adjustment=policy.adjustment,
        cooldown=policy.cooldown,
        usable=policy.whole_step is not None,
    )


def _obstacle(obstacle: Obstacle) -> ObstacleDocument:
    return ObstacleDocument(
        code=obstacle.code,
        detail=obstacle.detail,
        adjust=obstacle.adjust.value if obstacle.adjust else None,
        prevents=obstacle.prevents,
    )
