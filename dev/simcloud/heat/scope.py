"""What the functions in a stack's template speak of: its parameters, and its resources as they are now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dev.simcloud.heat import groups, parameters, registry
from dev.simcloud.heat.intrinsics import resolved, within
from dev.simcloud.heat.kinds import GROUP, POLICY, RANDOM, RESOURCE_GROUP, SERVER, TEST
from dev.simcloud.heat.servers import Failed, StackServers
from dev.simcloud.heat.templates import outputs_of
from dev.simcloud.messages import Document
from dev.simcloud.stack_records import Action, Progress, Stack, StackResource
from dev.simcloud.world import World

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    GROUP: ("current_size", "outputs", "outputs_list", "refs", "refs_map"),
    POLICY: ("alarm_url", "signal_url"),
    RANDOM: ("value",),
    RESOURCE_GROUP: ("attributes", "refs", "refs_map", "removed_rsrc_list"),
    SERVER: (),
    TEST: ("output",),
}


def path_of(stack: Stack) -> str:
    """Return where a stack is, below the service's address."""
    return f"/orchestration/v1/{stack.project_id}/stacks/{stack.name}/{stack.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackScope:
    """The scope of one stack at an instant."""

    world: World
    servers: StackServers
    base_url: str
    stack: Stack
    at: datetime

    def parameter(self, name: str) -> Any:
        """Return a parameter's value, or that of one that every stack has."""
        own = {
            "OS::stack_id": self.stack.id,
            "OS::stack_name": self.stack.name,
            "OS::project_id": self.stack.project_id,
        }
        if name in own:
            return own[name]
        values = parameters.values_of(self.stack.template, self.stack.given)
        if name not in values:
            raise Failed("UserParameterMissing", f"The Parameter ({name}) was not provided.")
        return values[name]

    def resource(self, name: str) -> Any:
        """Return what a resource is known by: a random string by its value, all others by their id."""
        found = registry.resource(self.world, self.stack, name)
        return None if found is None else _reference(found)

    def file(self, name: str) -> str:
        """Return a file's text."""
        if name not in self.stack.files:
            raise Failed("ValueError", f'No content found in the "files" section for get_file path: {name}')
        return self.stack.files[name]

    def attribute(self, name: str, path: tuple[Any, ...]) -> Any:
        """Return an attribute of a resource; null while the resource is being made."""
        found = registry.resource(self.world, self.stack, name)
        if found is None or not found.physical_id or not path:
            return None
        if found.action is Action.INIT or found.status == "CREATE_IN_PROGRESS":
            return None
        key, rest = path[0], path[1:]
        if found.type in (GROUP, RESOURCE_GROUP):
            return self._of_group(found, str(key), rest)
        return within(self.attributes(found).get(key), rest)

    def attributes(self, found: StackResource) -> Document:
        """Return the attributes of a resource as it is shown by itself; a group's are null there."""
        inner = registry.nested(self.world, found)
        if found.type not in _ATTRIBUTES:
            return {} if inner is None else self._within(inner).outputs()
        if found.type == SERVER:
            return self.servers.document(found.physical_id, self.at) or {}
        values: Document = {
            "output": found.properties.get("value", "test_string"),
            "removed_rsrc_list": [],
            "signal_url": f"{self.base_url}{path_of(self.stack)}/resources/{found.name}/signal",
            "value": found.data.get("value"),
        }
        return {name: values.get(name) for name in _ATTRIBUTES[found.type]}

    def outputs(self) -> Document:
        """Return the value of each output; null where something is not there yet."""
        return {
            name: self._output(each.get("value")) for name, each in outputs_of(self.stack.template).items()
        }

    def _output(self, value: Any) -> Any:
        try:
            return resolved(value, self)
        except Failed:
            return None

    def _of_group(self, group: StackResource, key: str, rest: tuple[Any, ...]) -> Any:
        inner = registry.nested(self.world, group)
        if inner is None:
            return None
        members = [m for m in groups.members(self.world, inner) if m.progress is not Progress.FAILED]
        references = {member.name: _reference(member) for member in members}
        if key == "current_size":
            return len(members)
        if key in ("refs", "refs_map"):
            return list(references.values()) if key == "refs" else within(references, rest)
        scope = self._within(inner)
        values = {member.name: scope.attribute(member.name, rest) for member in members}
        return values if key == "outputs" else list(values.values())

    def _within(self, inner: Stack) -> StackScope:
        return StackScope(
            world=self.world, servers=self.servers, base_url=self.base_url, stack=inner, at=self.at
        )


def _reference(found: StackResource) -> Any:
    return found.data.get("value") if found.type == RANDOM else found.physical_id
