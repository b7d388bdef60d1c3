"""What an action does with one resource, and what comes of it."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from dev.simcloud.heat import registry
from dev.simcloud.heat.errors import HeatRefused
from dev.simcloud.heat.intrinsics import resolved
from dev.simcloud.heat.kinds import KINDS, NONE, POLICY, RANDOM, SERVER, TEST, check_properties, is_file
from dev.simcloud.heat.scope import StackScope
from dev.simcloud.heat.servers import Failed, StackServers
from dev.simcloud.heat.templates import resources_of
from dev.simcloud.messages import Document
from dev.simcloud.records import Status
from dev.simcloud.stack_records import Action, Progress, Stack, StackResource
from dev.simcloud.world import World

MEMBER_OF_GROUP = ("OS::Heat::AutoScalingGroup", "OS::Heat::ResourceGroup")
_DONE = "state changed"


def has_nested(kind: str) -> bool:
    """Tell whether resources of a type stand for a nested stack."""
    return kind in MEMBER_OF_GROUP or is_file(kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work on single resources; those with a nested stack are ``nesting.py``'s."""

    world: World
    servers: StackServers
    base_url: str

    def properties(self, stack: Stack, name: str, at: datetime) -> Document:
        """Return a resource's properties as the template has them now, resolved and checked."""
        definition = resources_of(stack.template)[name]
        properties: Document = resolved(definition.get("properties") or {}, self.scope(stack, at))
        try:
            check_properties(name, definition["type"], properties)
        except HeatRefused as refused:
            raise Failed(refused.kind, refused.message or "") from refused
        return properties

    def scope(self, stack: Stack, at: datetime) -> StackScope:
        """Return what the functions of a stack's template speak of at an instant."""
        return StackScope(world=self.world, servers=self.servers, base_url=self.base_url, stack=stack, at=at)

    def make(self, stack: Stack, each: StackResource, properties: Document, at: datetime) -> None:
        """Begin to make a resource, a first time or in place of what stood for it."""
        kind = resources_of(stack.template)[each.name]["type"]
        physical_id, data = self._made(stack, each.name, kind, properties, at)
        made = replace(
            each,
            type=kind,
            properties=properties,
            physical_id=physical_id,
            data=data,
            created_at=at,
            leftovers=(*each.leftovers, *([each.physical_id] if each.physical_id else ())),
        )
        self.begin(stack, made, Action.CREATE, at, self._ends_at(made, at))

    def change(self, stack: Stack, each: StackResource, properties: Document, at: datetime) -> None:
        """Bring a resource to its present definition: not at all, in place, or by making another."""
        kind = resources_of(stack.template)[each.name]["type"]
        changed = {
            k
            for k in properties.keys() | each.properties.keys()
            if properties.get(k) != each.properties.get(k)
        }
        if each.progress is Progress.FAILED or kind != each.type or not each.physical_id:
            self.make(stack, each, properties, at)
        elif not changed:
            registry.put(self.world, replace(each, todo=None))
        elif changed <= set(KINDS[kind].in_place):
            if kind == SERVER:
                self.servers.change(each.physical_id, properties, at)
            ends_at = at + timedelta(seconds=self.world.heat_seconds)
            self.begin(stack, replace(each, properties=properties), Action.UPDATE, at, ends_at)
        else:
            self.make(stack, each, properties, at)

    def unmake(self, stack: Stack, each: StackResource, at: datetime) -> None:
        """Begin to delete what stands for a resource, and what stood for it earlier."""
        ends_at = at
        for server_id in (each.physical_id, *each.leftovers):
            ends_at = max(ends_at, self.servers.delete(stack, server_id, at))
        ends_at += timedelta(seconds=self.world.heat_seconds)
        self.begin(stack, replace(each, leftovers=()), Action.DELETE, at, ends_at)

    def turn(self, stack: Stack, each: StackResource, action: Action, at: datetime) -> None:
        """Begin to suspend, resume or check a resource."""
        if each.type == SERVER and action is Action.SUSPEND:
            self.servers.set_status(each.physical_id, Status.SUSPENDED, at)
        elif each.type == SERVER and action is Action.RESUME:
            self.servers.set_status(each.physical_id, None, at)
        self.begin(stack, each, action, at, at + timedelta(seconds=self.world.heat_seconds))

    def begin(
        self, stack: Stack, each: StackResource, action: Action, at: datetime, ends_at: datetime | None
    ) -> None:
        """Write down that an action on a resource is under way."""
        begun = replace(
            each,
            action=action,
            progress=Progress.IN_PROGRESS,
            reason=_DONE,
            todo=None,
            updated_at=at,
            ends_at=ends_at,
            finished_at=None,
        )
        registry.put(self.world, begun)
        registry.tell(self.world, stack, begun, at)

    def end(self, stack: Stack, each: StackResource, at: datetime) -> None:
        """Write down what the action on a resource came to."""
        try:
            self._judge(each, at)
        except Failed as failed:
            self.fail(stack, each, f"{failed.kind}: resources.{each.name}: {failed.message}", at)
            return
        self.complete(stack, each, at)

    def complete(self, stack: Stack, each: StackResource, at: datetime) -> None:
        """Write down that an action on a resource succeeded; one that is deleted is then gone."""
        done = replace(each, progress=Progress.COMPLETE, ends_at=None, finished_at=at)
        registry.tell(self.world, stack, done, at)
        if each.action is not Action.DELETE:
            registry.put(self.world, done)
        elif each.todo is Action.CREATE:
            self.world.stack_resources[each.id] = replace(
                done, action=Action.INIT, reason="", physical_id="", finished_at=None
            )
        else:
            registry.drop(self.world, each)

    def fail(
        self, stack: Stack, each: StackResource, reason: str, at: datetime, action: Action | None = None
    ) -> None:
        """Write down that an action on a resource failed."""
        failed = replace(
            each,
            action=action or each.action,
            progress=Progress.FAILED,
            reason=reason,
            todo=None,
            ends_at=None,
            updated_at=at,
            finished_at=at,
        )
        registry.put(self.world, failed)
        registry.tell(self.world, stack, failed, at)

    def _made(
        self, stack: Stack, name: str, kind: str, properties: Document, at: datetime
    ) -> tuple[str, dict[str, Any]]:
        """Return what stands for a new resource, and what it keeps."""
        if kind == SERVER:
            return self.servers.create(stack, registry.physical_name(stack, name), properties, at), {}
        if kind == RANDOM:
            length = int(properties.get("length") or 32)
            return registry.physical_name(stack, name), {"value": secrets.token_hex(length)[:length]}
        if kind == POLICY:
            return uuid.uuid4().hex, {}
        if kind == NONE:
            return str(uuid.uuid4()), {}
        return registry.physical_name(stack, name), {}

    def _ends_at(self, made: StackResource, at: datetime) -> datetime | None:
        """Return when the making of a resource is done; None if never."""
        lasts = self.world.heat_seconds
        if made.type == TEST:
            lasts += float(made.properties.get("wait_secs") or 0)
        if made.type != SERVER:
            return at + timedelta(seconds=lasts)
        built_at = self.servers.built_at(made.physical_id)
        return None if built_at is None else built_at + timedelta(seconds=lasts)

    def _judge(self, each: StackResource, at: datetime) -> None:
        """Raise Failed if the action under way came to nothing."""
        if each.action in (Action.CREATE, Action.UPDATE, Action.CHECK) and each.type == SERVER:
            self.servers.check(each.physical_id, at)
        fails = each.properties.get("fail") in (True, "true", "True")
        if each.type == TEST and fails and each.action in (Action.CREATE, Action.UPDATE):
            raise Failed("ValueError", f"Test Resource failed {each.name}")
