"""Taking over a group of a stack: what stands against it, and what a definition must say to be true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.core.capacity import Bounds
from chalicelib.core.errors import Invalid
from chalicelib.core.heat import SIGNALLED, Adjust, HeatTarget, SignalPolicy, Stack
from chalicelib.core.heat_template import GroupInTemplate, PolicyInTemplate, ResourceFacts

HIDDEN = "******"
"""What Heat shows instead of a parameter that is not to be shown."""

_ROOM = 10


class ObstacleCode(StrEnum):
    """What stands against a take-over."""

    STACK_FAILED = "stack_failed"
    STACK_BUSY = "stack_busy"
    STACK_UNUSABLE = "stack_unusable"
    NESTED_GROUP = "nested_group"
    GROUP_FAILED = "group_failed"
    NO_PARAMETER = "no_parameter"
    PARAMETER_SHARED = "parameter_shared"
    PARAMETER_HIDDEN = "parameter_hidden"
    ZERO_IGNORED = "zero_ignored"
    POLICIES_PRESENT = "policies_present"
    NO_SIGNALS = "no_signals"
    NO_WHOLE_STEPS = "no_whole_steps"
    COOLDOWN = "cooldown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Something that is to be seen to.

    Attributes:
        adjust: the way that it concerns; None: both.
        prevents: that way cannot be taken; else it can, and this is to be known.
    """

    code: ObstacleCode
    detail: str
    adjust: Adjust | None = None
    prevents: bool = False


def obstacles_of_stack(stack: Stack, deeper: Iterable[str]) -> tuple[Obstacle, ...]:
    """Return what concerns all groups of a stack; ``deeper`` names groups inside nested stacks."""
    found = []
    said = f"{stack.status.word}: {stack.status.reason}"
    if stack.status.action in ("DELETE", "SUSPEND"):
        found.append(Obstacle(code=ObstacleCode.STACK_UNUSABLE, detail=f"The stack is {said}", prevents=True))
    elif stack.status.failed:
        detail = f"The stack is {said} An update that succeeds makes it usable."
        found.append(Obstacle(code=ObstacleCode.STACK_FAILED, detail=detail))
    elif stack.status.in_progress:
        found.append(Obstacle(code=ObstacleCode.STACK_BUSY, detail=f"The stack is {stack.status.word}."))
    for name in deeper:
        detail = f"{name} is inside a nested stack; only groups of the named stack itself are resized."
        found.append(Obstacle(code=ObstacleCode.NESTED_GROUP, detail=detail))
    return tuple(found)


def obstacles(
    group: GroupInTemplate, facts: ResourceFacts | None, stack: Stack, others: Iterable[GroupInTemplate]
) -> tuple[Obstacle, ...]:
    """Return what stands against taking over a group, and what is to be known of it."""
    failed = facts is None or facts.status.failed or (facts.nested is not None and facts.nested.failed)
    said = "It does not exist yet." if facts is None else f"{facts.status.word}: {facts.status.reason}"
    general = [Obstacle(code=ObstacleCode.GROUP_FAILED, detail=said)] if failed else []
    return (*general, *_against_parameter(group, stack, others), *_against_signals(group))


def _against_parameter(
    group: GroupInTemplate, stack: Stack, others: Iterable[GroupInTemplate]
) -> Iterable[Obstacle]:
    def obstacle(code: ObstacleCode, detail: str, *, prevents: bool = False) -> Obstacle:
        return Obstacle(code=code, detail=detail, adjust=Adjust.PARAMETER, prevents=prevents)

    if group.parameter is None:
        have = "is not just a parameter" if group.size_is_given else "is left out"
        yield obstacle(
            ObstacleCode.NO_PARAMETER,
            f"The size of {group.resource} {have}: let it be {{get_param: size}}, and declare that.",
            prevents=True,
        )
        return
    if stack.parameters.get(group.parameter) == HIDDEN:
        detail = f"{group.parameter} is hidden: what it was set to cannot be read back."
        yield obstacle(ObstacleCode.PARAMETER_HIDDEN, detail, prevents=True)
    if any(other.resource != group.resource and other.parameter == group.parameter for other in others):
        yield obstacle(
            ObstacleCode.PARAMETER_SHARED,
            f"{group.parameter} is the size of another group, too.",
            prevents=True,
        )
    if group.type in SIGNALLED:
        detail = "Heat leaves the group as it is when the parameter is 0: min_size must be 1 or more."
        yield obstacle(ObstacleCode.ZERO_IGNORED, detail)
    if group.policies:
        named = ", ".join(policy.resource for policy in group.policies)
        detail = (
            f"The stack has scaling policies ({named}). Nobody may signal them any more: a signal while an "
            "update is under way leaves the stack stuck for ever. Remove them."
        )
        yield obstacle(ObstacleCode.POLICIES_PRESENT, detail)


def _against_signals(group: GroupInTemplate) -> Iterable[Obstacle]:
    def obstacle(code: ObstacleCode, detail: str, *, prevents: bool = False) -> Obstacle:
        return Obstacle(code=code, detail=detail, adjust=Adjust.SIGNAL, prevents=prevents)

    if group.type not in SIGNALLED:
        yield obstacle(ObstacleCode.NO_SIGNALS, f"An {group.type} takes no signals.", prevents=True)
        return
    steps = [policy.whole_step for policy in group.policies if policy.whole_step is not None]
    if not any(step > 0 for step in steps) or not any(step < 0 for step in steps):
        detail = "To follow by signals it needs policies of change_in_capacity, one to add and one to remove."
        yield obstacle(ObstacleCode.NO_WHOLE_STEPS, detail, prevents=not steps)
    cooldowns = [group.cooldown if p.cooldown is None else p.cooldown for p in group.policies]
    if any(cooldowns):
        detail = "Heat's cooldowns hold signals without a word, ours do it with one: set theirs to 0."
        yield obstacle(ObstacleCode.COOLDOWN, detail)


def possible(found: Iterable[Obstacle]) -> tuple[Adjust, ...]:
    """Return the ways in which the group can be taken over, the better one first."""
    prevented = {o.adjust for o in found if o.prevents}
    if None in prevented:
        return ()
    return tuple(way for way in (Adjust.PARAMETER, Adjust.SIGNAL) if way not in prevented)


def target_of(stack: Stack, group: GroupInTemplate, adjust: Adjust) -> HeatTarget:
    """Return how a group is taken over in one of the ways that are possible."""
    steps = [(policy.resource, policy.whole_step) for policy in group.policies]
    return HeatTarget(
        stack_name=stack.name,
        stack_id=stack.id,
        resource=group.resource,
        resource_type=group.type,
        adjust=adjust,
        parameter=group.parameter if adjust is Adjust.PARAMETER else None,
        policies=tuple(
            SignalPolicy(resource=name, adjustment=step)
            for name, step in steps
            if adjust is Adjust.SIGNAL and step is not None
        ),
    )


def suggested_bounds(group: GroupInTemplate, size: int, adjust: Adjust) -> Bounds:
    """Return bounds to begin with: Heat's own, where they can be read."""
    least = 1 if adjust is Adjust.PARAMETER and group.type in SIGNALLED else 0
    highest = max(2 * size, _ROOM) if group.max_size is None else group.max_size
    lowest = max(group.min_size or 0, least)
    return Bounds(min_size=min(lowest, highest), max_size=highest)


def checked(
    wanted: HeatTarget, stack: Stack, groups: Mapping[str, GroupInTemplate], bounds: Bounds
) -> HeatTarget:
    """Return the definition with what the stack says of it, if it is true of the stack.

    Raises:
        Invalid: it is not, and why.
    """
    group = groups.get(wanted.resource)
    if group is None:
        have = ", ".join(groups) or "none"
        raise Invalid(
            "group.heat_resource",
            f"The stack {stack.name} has no group {wanted.resource} that can be resized; it has: {have}.",
        )
    found = HeatTarget(
        stack_name=stack.name,
        stack_id=stack.id,
        resource=group.resource,
        resource_type=group.type,
        adjust=wanted.adjust,
        parameter=wanted.parameter,
        policies=wanted.policies,
    )
    if wanted.adjust is Adjust.PARAMETER:
        _require_parameter(found, stack, group, groups.values())
    else:
        _require_policies(found, group)
    _require_within_heats(group, bounds)
    return found


def _require_parameter(
    wanted: HeatTarget, stack: Stack, group: GroupInTemplate, others: Iterable[GroupInTemplate]
) -> None:
    against = [each for each in _against_parameter(group, stack, others) if each.prevents]
    if against:
        raise Invalid("group.heat_parameter", against[0].detail)
    if wanted.parameter != group.parameter:
        said = f"The size of {group.resource} is the parameter {group.parameter}, not {wanted.parameter}."
        raise Invalid("group.heat_parameter", said)


def _require_policies(wanted: HeatTarget, group: GroupInTemplate) -> None:
    if group.type not in SIGNALLED:
        raise Invalid("group.heat_policies", f"An {group.type} takes no signals; use a parameter.")
    have: Mapping[str, PolicyInTemplate] = {policy.resource: policy for policy in group.policies}
    for policy in wanted.policies:
        if policy.resource not in have:
            named = ", ".join(have) or "none"
            said = f"{group.resource} has no scaling policy {policy.resource}; it has: {named}."
            raise Invalid("group.heat_policies", said)
        step = have[policy.resource].whole_step
        if step != policy.adjustment:
            really = "no fixed whole step" if step is None else f"{step:+d}"
            said = f"A signal to {policy.resource} is {really}, not {policy.adjustment:+d}."
            raise Invalid("group.heat_policies", said)


def _require_within_heats(group: GroupInTemplate, bounds: Bounds) -> None:
    low, high = group.min_size, group.max_size
    if (low is not None and bounds.min_size < low) or (high is not None and bounds.max_size > high):
        said = f"{group.resource} has min_size {low} and max_size {high} in Heat, which refuses other sizes"
        raise Invalid("group.heat_bounds", f"{said}: keep min_size and max_size within, or widen Heat's.")
