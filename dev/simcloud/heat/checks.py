"""What Heat refuses of a stack before anything is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dev.simcloud.heat import parameters
from dev.simcloud.heat.errors import invalid
from dev.simcloud.heat.intrinsics import check_references, resolved
from dev.simcloud.heat.kinds import GROUP, RESOURCE_GROUP, Later, check_properties, check_type
from dev.simcloud.heat.servers import Failed
from dev.simcloud.heat.templates import outputs_of, resources_of
from dev.simcloud.messages import Document
from dev.simcloud.stack_records import Stack

_MEMBERS = {GROUP: "resource", RESOURCE_GROUP: "resource_def"}


class _Beforehand:
    """The scope of a stack that is not made yet: of a resource it is known only that it will be."""

    def __init__(self, stack: Stack, values: Document) -> None:
        own = {"OS::stack_id": stack.id, "OS::stack_name": stack.name, "OS::project_id": stack.project_id}
        self._values = own | values
        self._files = stack.files

    def parameter(self, name: str) -> Any:
        if name not in self._values:
            raise Failed("UserParameterMissing", f"The Parameter ({name}) was not provided.")
        return self._values[name]

    def resource(self, name: str) -> Any:
        return name

    def attribute(self, name: str, path: tuple[Any, ...]) -> Any:
        return Later(".".join((name, *map(str, path))))

    def file(self, name: str) -> str:
        return self._files.get(name, "")


def check_stack(stack: Stack) -> None:
    """Refuse a stack whose parameters, references, types or properties are wrong."""
    scope = _Beforehand(stack, parameters.values_of(stack.template, stack.given))
    check_types(stack.template, stack.files)
    for name, definition in resources_of(stack.template).items():
        _check(name, definition, scope, stack)


def check_types(template: Document, files: Iterable[str]) -> None:
    """Refuse a template with types that there are not, or with references to what is not in it."""
    definitions = resources_of(template)
    names = set(definitions)
    for name, definition in definitions.items():
        for each, value in (definition.get("properties") or {}).items():
            check_references(f"{name}.Properties.{each}", value, names)
        check_type(definition["type"], files)
    for name, output in outputs_of(template).items():
        check_references(f"outputs.{name}.value", output.get("value"), names)


def _check(name: str, definition: Document, scope: _Beforehand, stack: Stack) -> None:
    properties: Document = {}
    for each, value in (definition.get("properties") or {}).items():
        try:
            properties[each] = resolved(value, scope)
        except Failed as failed:
            where = f"resources.{name}.properties.{each}"
            raise invalid(f"Property error: : {where}: : {failed.message}") from None
    check_properties(name, definition["type"], properties)
    member = properties.get(_MEMBERS.get(definition["type"], ""))
    if member is not None:
        if not isinstance(member, dict) or "type" not in member:
            raise invalid("Each resource must contain a type key.")
        check_type(member["type"], stack.files)
        check_properties(name, member["type"], member.get("properties") or {})
