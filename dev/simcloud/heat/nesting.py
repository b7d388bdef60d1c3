"""Resources that stand for a nested stack: groups, and templates in files."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from dev.simcloud.faults import Faults
from dev.simcloud.heat import groups, registry
from dev.simcloud.heat.actions import begin
from dev.simcloud.heat.kinds import GROUP, is_file
from dev.simcloud.heat.templates import check, parsed, resources_of
from dev.simcloud.heat.work import Work
from dev.simcloud.messages import Document
from dev.simcloud.stack_records import Action, Progress, Stack, StackResource
from dev.simcloud.world import World

UNHEALTHY = "unhealthy"
SCALING = "scaling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nesting:
    """Makes, changes and deletes nested stacks, and tells when their owners are done."""

    world: World
    faults: Faults
    work: Work

    def make(self, stack: Stack, each: StackResource, properties: Document, at: datetime) -> None:
        """Begin to make a nested stack, a first time or in place of another."""
        kind = resources_of(stack.template)[each.name]["type"]
        new = replace(each, type=kind, properties=properties, created_at=at, data={}, metadata={})
        count = 0 if is_file(kind) else groups.first_size(new, properties)
        inner = Stack(
            id=str(uuid.uuid4()),
            name=registry.physical_name(stack, each.name),
            project_id=stack.project_id,
            user_id=stack.user_id,
            owner=stack.owner,
            template=self._template(stack, new, None, count),
            parameters=properties if is_file(kind) else {},
            files=stack.files,
            environment={},
            tags=(),
            timeout_minutes=stack.timeout_minutes,
            disable_rollback=True,
            created_at=at,
            began_at=at,
            parent_id=stack.id,
            parent_resource=each.name,
        )
        leftovers = (*each.leftovers, *([each.physical_id] if each.physical_id else ()))
        made = replace(new, physical_id=inner.id, leftovers=leftovers)
        self.work.begin(stack, made, Action.CREATE, at, None)
        begin(self.world, self.faults, inner, Action.CREATE, at)

    def change(self, stack: Stack, each: StackResource, properties: Document, at: datetime) -> None:
        """Begin to bring a nested stack to its owner's present definition, even an unchanged one."""
        inner = registry.nested(self.world, each)
        if inner is None or UNHEALTHY in each.data:
            self.make(stack, each, properties, at)
            return
        count = 0
        if not is_file(each.type):
            count = groups.wanted_size(each, properties, groups.size(self.world, inner))
        changed = replace(each, properties=properties)
        if SCALING in each.data:
            changed = replace(changed, data={}, metadata={**each.metadata, "scaling_in_progress": False})
        template = self._template(stack, changed, inner, count)
        given = properties if is_file(each.type) else {}
        self.work.begin(stack, changed, Action.UPDATE, at, None)
        inner = replace(inner, template=template, parameters=given)
        begin(self.world, self.faults, inner, Action.UPDATE, at)

    def unmake(self, stack: Stack, each: StackResource, at: datetime) -> None:
        """Begin to delete a nested stack."""
        inner = registry.nested(self.world, each)
        self.clear(stack, each, at)
        self.work.begin(stack, replace(each, leftovers=(), data={}), Action.DELETE, at, None)
        if inner is not None and inner.deleted_at is None:
            begin(self.world, self.faults, inner, Action.DELETE, at)

    def turn(self, stack: Stack, each: StackResource, action: Action, at: datetime) -> None:
        """Begin to suspend, resume or check a nested stack."""
        self.work.begin(stack, each, action, at, None)
        inner = registry.nested(self.world, each)
        if inner is not None:
            begin(self.world, self.faults, inner, action, at)

    def clear(self, stack: Stack, each: StackResource, at: datetime) -> None:
        """Delete what stood for a resource earlier: servers, or whole nested stacks."""
        for physical_id in each.leftovers:
            old = self.world.stacks.get(physical_id)
            if old is not None:
                begin(self.world, self.faults, old, Action.DELETE, at)
            else:
                self.work.servers.delete(stack, physical_id, at)
        if each.id in self.world.stack_resources:
            registry.put(self.world, replace(each, leftovers=()))

    def end(self, stack: Stack, each: StackResource) -> bool:
        """End the action on a resource if its nested stack's is done; tell whether it was."""
        inner = registry.nested(self.world, each)
        if inner is None:
            self.work.complete(stack, each, each.updated_at)
            return True
        if inner.finished_at is None:
            return False
        at = max(inner.finished_at, each.updated_at)
        if inner.progress is Progress.FAILED:
            self.work.fail(stack, each, _outer_reason(each.name, inner.reason), at)
            return True
        if each.type == GROUP and each.action in (Action.CREATE, Action.UPDATE):
            cooldown = float(each.properties.get("cooldown") or 0)
            reason = f"ExactCapacity : {groups.size(self.world, inner)}"
            metadata = groups.finished_scaling(each, at, cooldown, reason, changed=True)
            each = replace(each, metadata=metadata)
        self.work.complete(stack, each, at)
        return True

    def scale(self, group: StackResource, policy: StackResource, count: int, at: datetime) -> None:
        """Begin to give a group ``count`` members, as a policy has it; its stack takes no notice."""
        inner = registry.nested(self.world, group)
        assert inner is not None
        cooldown = policy.properties.get("cooldown")
        if cooldown is None:
            cooldown = group.properties.get("cooldown") or 0
        amount, kind = policy.properties["scaling_adjustment"], policy.properties["adjustment_type"]
        scaling = {"policy": policy.name, "cooldown_seconds": float(cooldown), "reason": f"{kind} : {amount}"}
        data = {**group.data, SCALING: scaling}
        registry.put(self.world, replace(group, data=data, metadata=groups.began_scaling(group)))
        template = groups.resized(self.world, group, inner, group.properties["resource"], count)
        begin(self.world, self.faults, replace(inner, template=template), Action.UPDATE, at)

    def end_scaling(self, stack: Stack, group: StackResource) -> bool:
        """End a policy's adjustment if the members are done; tell whether they were."""
        inner = registry.nested(self.world, group)
        if inner is None or inner.finished_at is None:
            return False
        scaling, done = group.data[SCALING], inner.progress is Progress.COMPLETE
        cooldown, reason = scaling["cooldown_seconds"], scaling["reason"]
        metadata = groups.finished_scaling(group, inner.finished_at, cooldown, reason, changed=done)
        data = {name: value for name, value in group.data.items() if name != SCALING}
        registry.put(self.world, replace(group, data=data, metadata=metadata))
        policy = registry.resource(self.world, stack, scaling["policy"])
        if done and policy is not None:
            registry.tell_signal(self.world, stack, policy, inner.finished_at)
        return True

    def cancel(self, inner: Stack, at: datetime) -> None:
        """Leave a nested stack as a cancelled update does: failed, with nothing going on."""
        reason = "Stack UPDATE cancelled"
        cancelled = replace(
            inner,
            action=Action.UPDATE,
            progress=Progress.FAILED,
            reason=reason,
            updated_at=at,
            finished_at=at,
        )
        registry.put(self.world, cancelled)
        registry.tell_stack(self.world, cancelled, at)
        for each in registry.resources(self.world, inner):
            registry.put(self.world, replace(each, todo=None))

    def _template(self, stack: Stack, each: StackResource, inner: Stack | None, count: int) -> Document:
        if is_file(each.type):
            template = parsed(stack.files[each.type])
            check(template)
            return template
        definition = each.properties["resource" if each.type == GROUP else "resource_def"]
        return groups.with_members(self.world, each, inner, definition, count)


def _outer_reason(name: str, reason: str) -> str:
    """Return why a nested stack failed, in the words its owner says it in."""
    _, separator, why = reason.partition(" failed: ")
    again = "Resource CHECK failed:"
    if again in why:
        return why.replace(again, f"resources.{name}.{again}", 1)
    if not separator or "resources." not in why:
        return f"resources.{name}: {reason}"
    return why.replace("resources.", f"resources.{name}.resources.", 1)
