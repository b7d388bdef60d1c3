"""The resources of a stack: shown, signalled, and marked unhealthy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dev.simcloud.heat import documents, groups, registry
from dev.simcloud.heat.call import Call, Router, null
from dev.simcloud.heat.errors import HeatRefused, bad_request, no_resource, no_stack
from dev.simcloud.heat.kinds import POLICY
from dev.simcloud.heat.nesting import SCALING, UNHEALTHY, Nesting
from dev.simcloud.heat.work import Work, has_nested
from dev.simcloud.messages import Response
from dev.simcloud.stack_records import Action, Progress, Stack, StackResource
from dev.simcloud.world import World

_FILTERS = ("action", "id", "name", "physical_resource_id", "status", "type")
_NOT_FILTERS = ("nested_depth", "with_detail")
_MARKED = "state changed by resource_mark_unhealthy api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The resources of one stack."""

    world: World
    work: Work
    nesting: Nesting
    base_url: str

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add_identified("GET", "/resources", "reader", self.index)
        router.add_identified("GET", "/resources/{name}", "reader", self.show)
        router.add_identified("GET", "/resources/{name}/metadata", "reader", self.metadata)
        router.add_identified("POST", "/resources/{name}/signal", "reader", self.signal)
        router.add_identified("PATCH", "/resources/{name}", "member", self.mark)

    def index(self, call: Call, stack: Stack) -> Response:
        """List a stack's resources, and those nested in them down to a depth."""
        unknown = [name for name in call.request.query if name not in _FILTERS + _NOT_FILTERS]
        if unknown:
            raise bad_request(f"Invalid filter parameters {unknown}")
        depth, detail = call.whole_number("nested_depth") or 0, call.flag("with_detail")
        found = [(s, r) for s, r in registry.below(self.world, stack, depth) if _matches(call, r)]
        if detail:
            now = self.world.now()
            shown = [documents.detailed(self.work.scope(owner, now), each) for owner, each in found]
        else:
            owners = {owner.id: owner for owner, _ in found}
            required = {id_: documents.requirers(owner) for id_, owner in owners.items()}
            shown = [
                documents.resource(self.world, owner, each, required[owner.id], self.base_url)
                for owner, each in found
            ]
        return Response(status=200, body={"resources": shown})

    def show(self, _call: Call, stack: Stack, name: str) -> Response:
        """Show a resource; a group's attributes are null here, even if asked for, as Heat 27 has it."""
        scope = self.work.scope(stack, self.world.now())
        return Response(status=200, body={"resource": documents.detailed(scope, self._found(stack, name))})

    def metadata(self, _call: Call, stack: Stack, name: str) -> Response:
        """Show a resource's metadata."""
        return Response(status=200, body={"metadata": self._found(stack, name).metadata})

    def signal(self, _call: Call, stack: Stack, name: str) -> Response:
        """Take a signal to a policy, and answer before anything is done: whether it is, nobody tells."""
        policy = self._found(stack, name)
        if policy.type != POLICY:
            message = "signal is not supported for resource."
            raise HeatRefused(400, "ResourceActionNotSupported", message)
        if stack.action in (Action.SUSPEND, Action.DELETE):
            message = f"Signal resource during {stack.action} is not supported."
            raise HeatRefused(400, "NotSupported", message)
        now = self.world.now()
        registry.put(self.world, replace(stack, signalled_at=now))
        group = self._group_of(stack, policy)
        if group is not None and stack.progress is not Progress.IN_PROGRESS:
            self._adjust(group, policy)
        return null()

    def mark(self, call: Call, stack: Stack, name: str) -> Response:
        """Mark a resource, named or given by its physical id, as unhealthy or as healthy again."""
        asked = call.document()
        unknown = set(asked) - {"mark_unhealthy", "resource_status_reason"}
        if unknown:
            raise bad_request(f"Invalid keys in resource mark unhealthy {unknown}")
        if "mark_unhealthy" not in asked:
            raise bad_request("Missing mandatory (mark_unhealthy) key from mark unhealthy request")
        each, now = self._found(stack, name, by_physical_id=True), self.world.now()
        if each.progress is Progress.IN_PROGRESS:
            message = f"Stack {stack.name} already has an action ({each.action}) in progress."
            raise HeatRefused(409, "ActionInProgress", message)
        marked = replace(each, action=Action.CHECK, reason=_MARKED, updated_at=now, finished_at=now)
        data = {key: value for key, value in each.data.items() if key != UNHEALTHY}
        if asked["mark_unhealthy"]:
            reason = asked.get("resource_status_reason") or _MARKED
            data = data | {UNHEALTHY: True} if has_nested(each.type) else data
            marked = replace(marked, progress=Progress.FAILED, reason=reason, data=data)
        elif (each.action, each.progress) == (Action.CHECK, Progress.FAILED):
            metadata = dict(each.metadata)
            if "scaling_in_progress" in metadata:
                metadata["scaling_in_progress"] = False
            marked = replace(marked, progress=Progress.COMPLETE, data=data, metadata=metadata)
        else:
            return null()
        registry.put(self.world, marked)
        registry.tell(self.world, stack, marked, now)
        return null()

    def _adjust(self, group: StackResource, policy: StackResource) -> None:
        """Do as a policy says, unless one of the many things that Heat keeps silent about is in the way."""
        now, inner = self.world.now(), registry.nested(self.world, group)
        if inner is None or group.progress is not Progress.COMPLETE:
            return
        current = groups.size(self.world, inner)
        wanted = groups.adjusted_size(group.properties, policy.properties, current)
        if wanted == current or SCALING in group.data or group.metadata.get("scaling_in_progress"):
            return
        if not groups.in_cooldown(group, now):
            self.nesting.scale(group, policy, int(wanted), now)

    def _group_of(self, stack: Stack, policy: StackResource) -> StackResource | None:
        wanted = policy.properties.get("auto_scaling_group_id")
        there = registry.resources(self.world, stack)
        return next((each for each in there if each.physical_id == wanted), None)

    def _found(self, stack: Stack, name: str, *, by_physical_id: bool = False) -> StackResource:
        if stack.deleted_at is not None:
            raise no_stack(stack.name)
        for each in registry.resources(self.world, stack):
            if each.name == name or (by_physical_id and each.physical_id == name):
                return each
        raise no_resource(name, stack.name)


def _matches(call: Call, each: StackResource) -> bool:
    values = (each.action, each.id, each.name, each.physical_id, each.progress, each.type)
    query = call.request.query
    return all(value in query[name] for name, value in zip(_FILTERS, values, strict=True) if name in query)
