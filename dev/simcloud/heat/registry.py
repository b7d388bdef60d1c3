"""The stacks of a world: found, changed, and what happened to them written down."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Iterator
from datetime import datetime

from dev.simcloud.stack_records import Stack, StackEvent, StackResource
from dev.simcloud.world import World

# Heat keeps some 1000 of a stack's events; so many will do here.
_EVENTS_MAX = 200
_ALPHABET = string.ascii_lowercase + string.digits
_NAME_LENGTH_MAX = 53


def random_name() -> str:
    """Return twelve characters as Heat puts them at the end of names."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def physical_name(stack: Stack, resource: str) -> str:
    """Return a name for what stands for a resource, shortened in its middle if it is too long."""
    name = f"{stack.name}-{resource}-{random_name()}"
    if len(name) <= _NAME_LENGTH_MAX:
        return name
    return f"{name[:2]}-{name[-(_NAME_LENGTH_MAX - 3) :]}"


def resources(world: World, stack: Stack) -> list[StackResource]:
    """Return a stack's resources in the order of their making."""
    return [each for each in world.stack_resources.values() if each.stack_id == stack.id]


def resource(world: World, stack: Stack, name: str) -> StackResource | None:
    """Return a stack's resource of this name."""
    return next((each for each in resources(world, stack) if each.name == name), None)


def nested(world: World, owner: StackResource) -> Stack | None:
    """Return the stack that is nested in a resource."""
    stack = world.stacks.get(owner.physical_id)
    return stack if stack is not None and stack.parent_id == owner.stack_id else None


def holder(world: World, stack: Stack) -> StackResource | None:
    """Return the resource that a stack is nested in."""
    parent = world.stacks.get(stack.parent_id or "")
    return resource(world, parent, stack.parent_resource or "") if parent else None


def top(world: World, stack: Stack) -> Stack:
    """Return the stack that its owner made, from one nested in it."""
    while stack.parent_id is not None:
        stack = world.stacks[stack.parent_id]
    return stack


def below(world: World, stack: Stack, depth: int) -> Iterator[tuple[Stack, StackResource]]:
    """Yield a stack's resources, and those of the stacks nested in it down to ``depth``."""
    for each in resources(world, stack):
        yield stack, each
    for each in resources(world, stack):
        inner = nested(world, each)
        if depth > 0 and inner is not None:
            yield from below(world, inner, depth - 1)


def put(world: World, changed: Stack | StackResource) -> None:
    """Remember a stack or a resource as it is now."""
    if isinstance(changed, Stack):
        world.stacks[changed.id] = changed
    else:
        world.stack_resources[changed.id] = changed


def drop(world: World, gone: StackResource) -> None:
    """Forget a resource."""
    world.stack_resources.pop(gone.id, None)


def tell_stack(world: World, stack: Stack, at: datetime) -> None:
    """Write down what a stack has come to."""
    _tell(world, stack, stack.name, "OS::Heat::Stack", stack.id, stack.status, stack.reason, at)


def tell(world: World, stack: Stack, each: StackResource, at: datetime) -> None:
    """Write down what a resource has come to."""
    _tell(world, stack, each.name, each.type, each.physical_id, each.status, each.reason, at)


def tell_signal(world: World, stack: Stack, policy: StackResource, at: datetime) -> None:
    """Write down that a signal has done what it does; one that was dropped leaves no trace."""
    _tell(world, stack, policy.name, policy.type, policy.physical_id, "SIGNAL_COMPLETE", "Unknown", at)


def events(world: World, stack: Stack) -> list[StackEvent]:
    """Return what happened to a stack, oldest first."""
    return [event for event in world.stack_events.values() if event.stack_id == stack.id]


def _tell(
    world: World, stack: Stack, name: str, kind: str, physical_id: str, status: str, reason: str, at: datetime
) -> None:
    told = events(world, stack)
    for event in told[: max(0, len(told) + 1 - _EVENTS_MAX)]:
        del world.stack_events[event.id]
    event = StackEvent(
        id=str(uuid.uuid4()),
        stack_id=stack.id,
        resource=name,
        resource_type=kind,
        physical_id=physical_id,
        status=status,
        reason=reason,
        at=at,
    )
    world.stack_events[event.id] = event
