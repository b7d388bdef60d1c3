"""The beginning of an action on a stack: what it will do with which resource, and what fate has in store."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from dev.simcloud.faults import Effect, Faults
from dev.simcloud.heat import registry
from dev.simcloud.heat.intrinsics import references
from dev.simcloud.heat.templates import resources_of
from dev.simcloud.messages import Document
from dev.simcloud.stack_records import Action, Progress, Stack, StackResource
from dev.simcloud.world import World

_FILLING = (Action.CREATE, Action.UPDATE)


def begin(world: World, faults: Faults, stack: Stack, action: Action, at: datetime) -> None:
    """Begin an action on a stack; one that is under way is overtaken."""
    begun = replace(
        _with_fate(world, faults, stack, action),
        action=action,
        progress=Progress.IN_PROGRESS,
        reason=f"Stack {action} started",
        began_at=at,
        finished_at=None,
        updated_at=stack.updated_at if action is Action.CREATE else at,
    )
    registry.put(world, begun)
    registry.tell_stack(world, begun, at)
    wanted = resources_of(begun.template) if action in _FILLING else {}
    there = {each.name: each for each in registry.resources(world, begun)}
    for each in there.values():
        registry.put(world, replace(each, todo=_todo(each, action, wanted)))
    for name, definition in wanted.items():
        if name not in there:
            registry.put(world, _unborn(begun, name, definition["type"], at))


def dependencies(template: Document, name: str) -> set[str]:
    """Return the names of the resources that one needs to be there before it."""
    definition = resources_of(template).get(name, {})
    declared = definition.get("depends_on") or []
    declared = [declared] if isinstance(declared, str) else declared
    return {*declared, *references(definition.get("properties"))}


def _with_fate(world: World, faults: Faults, stack: Stack, action: Action) -> Stack:
    """Return a stack with what fate has in store for an action on it; nested ones share their owner's."""
    if stack.parent_id is not None:
        return stack
    fails = faults.for_stack(stack.name, action, Effect.STACK_FAIL)
    stays = faults.for_stack(stack.name, action, Effect.STACK_STAY)
    until = None
    if stays is not None and stays.stay_seconds is not None:
        until = world.now() + timedelta(seconds=stays.stay_seconds)
    reason = None if fails is None else (fails.reason or "Simulated failure")
    return replace(stack, fails=reason, held=stays is not None, held_until=until)


def _unborn(stack: Stack, name: str, kind: str, at: datetime) -> StackResource:
    return StackResource(
        id=str(uuid.uuid4()),
        stack_id=stack.id,
        name=name,
        type=kind,
        created_at=at,
        updated_at=at,
        todo=Action.CREATE,
    )


def _todo(each: StackResource, action: Action, wanted: Mapping[str, Document]) -> Action | None:
    if action not in _FILLING:
        return None if each.action is Action.INIT and action is not Action.DELETE else action
    if each.name not in wanted:
        going = each.action is Action.DELETE and each.progress is Progress.IN_PROGRESS
        return None if going else Action.DELETE
    return Action.CREATE if each.action in (Action.INIT, Action.DELETE) else Action.UPDATE
