"""Groups: which members they have, how many they are to have, and who goes first.

A group's members are the resources of a stack that is nested in it. A changed definition is given to all
members in one step: rolling updates are not simulated.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from typing import Any

from dev.simcloud.heat import registry
from dev.simcloud.heat.kinds import GROUP
from dev.simcloud.heat.templates import VERSION, resources_of
from dev.simcloud.messages import Document
from dev.simcloud.stack_records import Action, Progress, Stack, StackResource
from dev.simcloud.world import World


def members(world: World, inner: Stack) -> list[StackResource]:
    """Return a group's members, those that go first at the front: the failed, then the oldest.

    Members that are being deleted are left out.
    """
    staying = [
        each for each in registry.resources(world, inner) if Action.DELETE not in (each.todo, each.action)
    ]
    return sorted(staying, key=lambda m: (m.progress is not Progress.FAILED, m.created_at, m.name))


def size(world: World, inner: Stack | None) -> int:
    """Return how many members a group has; the failed do not count."""
    if inner is None:
        return 0
    return sum(member.progress is not Progress.FAILED for member in members(world, inner))


def wanted_size(group: StackResource, properties: Document, current: int) -> int:
    """Return the size that an update gives to a group that now has ``current`` members.

    A ``desired_capacity`` of 0 is as if there were none, and then the group keeps the size it has.
    """
    if group.type != GROUP:
        return int(properties.get("count", 1))
    wanted = int(properties.get("desired_capacity") or 0) or current
    return int(_bounded(properties, wanted))


def first_size(group: StackResource, properties: Document) -> int:
    """Return the size that a new group has."""
    if group.type != GROUP:
        return int(properties.get("count", 1))
    return int(properties.get("desired_capacity") or 0) or int(properties["min_size"])


def adjusted_size(properties: Document, policy: Document, current: int) -> float:
    """Return the size after a policy's adjustment, as Heat reckons it; it rounds percents only."""
    amount, kind = float(policy["scaling_adjustment"]), policy["adjustment_type"]
    if kind == "exact_capacity":
        wanted = amount
    elif kind == "change_in_capacity":
        wanted = current + amount
    else:
        wanted = current + _percent(current * amount / 100.0, policy.get("min_adjustment_step"))
    return _bounded(properties, wanted)


def with_members(
    world: World, group: StackResource, inner: Stack | None, definition: Document, count: int
) -> Document:
    """Return the template of a nested stack of ``count`` members that all have ``definition``."""
    names = _names(world, group, inner, count)
    return _template({name: _indexed(group, name, definition) for name in names})


def resized(world: World, group: StackResource, inner: Stack, definition: Document, count: int) -> Document:
    """Return the template of ``count`` members where those that stay keep the definition they have."""
    old = resources_of(inner.template)
    names = _names(world, group, inner, count)
    return _template({name: old.get(name) or _indexed(group, name, definition) for name in names})


def began_scaling(group: StackResource) -> Document:
    """Return a group's metadata while a policy's adjustment is under way."""
    return {**group.metadata, "scaling_in_progress": True}


def finished_scaling(
    group: StackResource, at: datetime, cooldown_seconds: float, reason: str, *, changed: bool
) -> Document:
    """Return a group's metadata after an adjustment; only one that changed the size starts the cooldown."""
    metadata = dict(group.metadata)
    if changed:
        end = (at + timedelta(seconds=max(0.0, cooldown_seconds))).replace(tzinfo=None)
        text = end.isoformat(timespec="microseconds")
        metadata["cooldown_end"] = {max([*metadata.get("cooldown_end", {}), text]): reason}
    metadata["scaling_in_progress"] = False
    return metadata


def in_cooldown(group: StackResource, now: datetime) -> bool:
    """Tell whether a group's cooldown lasts still."""
    ends = list(group.metadata.get("cooldown_end", {}))
    return bool(ends) and now.replace(tzinfo=None).isoformat(timespec="microseconds") < ends[0]


def _bounded(properties: Document, wanted: float) -> float:
    return max(int(properties["min_size"]), min(int(properties["max_size"]), wanted))


def _percent(delta: float, step: Any) -> int:
    away = math.ceil if (abs(delta) < 1) == (delta > 0) else math.floor
    rounded = away(delta)
    if step and int(step) > abs(rounded):
        return int(step) if rounded > 0 else -int(step)
    return rounded


def _names(world: World, group: StackResource, inner: Stack | None, count: int) -> list[str]:
    if group.type != GROUP:
        return [str(number) for number in range(count)]
    there = [] if inner is None else [member.name for member in members(world, inner)]
    kept = there[-count:] if count else []
    return [*kept, *(registry.random_name() for _ in range(count - len(kept)))]


def _indexed(group: StackResource, name: str, definition: Document) -> Document:
    if group.type == GROUP:
        return definition
    replaced: Document = json.loads(json.dumps(definition).replace("%index%", name))
    return replaced


def _template(definitions: Document) -> Document:
    outputs = {"refs_map": {"value": {name: {"get_resource": name} for name in definitions}}}
    return {VERSION: "2015-04-30", "resources": definitions, "outputs": outputs}
