"""Heat's JSON for stacks, resources and events."""

from __future__ import annotations

from datetime import datetime

from dev.simcloud.heat import parameters, registry
from dev.simcloud.heat.actions import dependencies
from dev.simcloud.heat.scope import StackScope, path_of
from dev.simcloud.heat.templates import outputs_of, resources_of
from dev.simcloud.messages import Document
from dev.simcloud.stack_records import Action, Stack, StackEvent, StackResource
from dev.simcloud.world import World, stable_id

_NO_DESCRIPTION = "No description"


def instant(at: datetime | None) -> str | None:
    """Return an instant as Heat writes it."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def links(stack: Stack, base_url: str) -> list[Document]:
    """Return the link to a stack."""
    return [{"href": f"{base_url}{path_of(stack)}", "rel": "self"}]


def brief(stack: Stack, base_url: str) -> Document:
    """Return a stack as a list has it."""
    return {
        "id": stack.id,
        "links": links(stack, base_url),
        "stack_name": stack.name,
        "description": "",
        "stack_status": stack.status,
        "stack_status_reason": stack.reason,
        "creation_time": instant(stack.created_at),
        "updated_time": instant(stack.updated_at),
        "deletion_time": instant(stack.deleted_at),
        "stack_owner": stack.owner,
        "parent": stack.parent_id,
        "stack_user_project_id": stable_id("stack-project", stack.project_id),
        "tags": list(stack.tags) or None,
    }


def shown(stack: Stack, base_url: str, scope: StackScope | None) -> Document:
    """Return a stack as it is shown by itself; with a ``scope``, with its outputs."""
    description = stack.template.get("description") or _NO_DESCRIPTION
    own = {"OS::stack_id": stack.id, "OS::project_id": stack.project_id, "OS::stack_name": stack.name}
    document = {
        **brief(stack, base_url),
        "notification_topics": [],
        "parameters": own | parameters.shown(stack.template, stack.given),
        "description": description,
        "template_description": description,
        "capabilities": [],
        "disable_rollback": stack.disable_rollback,
        "timeout_mins": stack.timeout_minutes,
        "tags": list(stack.tags),
    }
    if scope is not None and stack.action is not Action.DELETE:
        values = scope.outputs()
        document["outputs"] = [
            {**each, "output_value": values[each["output_key"]]} for each in outputs(stack)
        ]
    return document


def environment_of(given: Document) -> Document:
    """Return what a stack was given beside its template; only its parameters mean anything here."""
    return {
        "resource_registry": {"resources": {}},
        "parameters": given,
        "parameter_defaults": {},
        "event_sinks": [],
    }


def outputs(stack: Stack) -> list[Document]:
    """Return a stack's outputs without their values."""
    return [
        {"output_key": name, "description": each.get("description") or "No description given"}
        for name, each in outputs_of(stack.template).items()
    ]


def requirers(stack: Stack) -> dict[str, list[str]]:
    """Return for each of a stack's resources the names of those that need it."""
    found: dict[str, list[str]] = {}
    for name in resources_of(stack.template):
        for needed in dependencies(stack.template, name):
            found.setdefault(needed, []).append(name)
    return found


def resource(
    world: World, stack: Stack, each: StackResource, required_by: dict[str, list[str]], base_url: str
) -> Document:
    """Return a resource as a list has it."""
    path = path_of(stack)
    href = f"{base_url}{path}/resources/{each.name}"
    linked = [{"href": href, "rel": "self"}, {"href": base_url + path, "rel": "stack"}]
    inner = registry.nested(world, each)
    if inner is not None:
        linked.append({"href": base_url + path_of(inner), "rel": "nested"})
    document = {
        "updated_time": instant(each.updated_at),
        "creation_time": instant(each.created_at),
        "logical_resource_id": each.name,
        "resource_name": each.name,
        "physical_resource_id": each.physical_id,
        "resource_status": each.status,
        "resource_status_reason": each.reason,
        "resource_type": each.type,
        "links": linked,
        "required_by": required_by.get(each.name, []),
    }
    if stack.parent_resource is not None:
        document["parent_resource"] = stack.parent_resource
    return document


def detailed(scope: StackScope, each: StackResource) -> Document:
    """Return a resource as it is shown by itself."""
    document = resource(scope.world, scope.stack, each, requirers(scope.stack), scope.base_url)
    there = each.action is not Action.INIT and bool(each.physical_id)
    return document | {"description": "", "attributes": scope.attributes(each) if there else {}}


def event(stack: Stack, each: StackEvent, base_url: str) -> Document:
    """Return an event."""
    path = f"{base_url}{path_of(stack)}"
    return {
        "id": each.id,
        "links": [
            {"href": f"{path}/resources/{each.resource}/events/{each.id}", "rel": "self"},
            {"href": f"{path}/resources/{each.resource}", "rel": "resource"},
            {"href": path, "rel": "stack"},
        ],
        "event_time": instant(each.at),
        "logical_resource_id": each.resource,
        "resource_name": each.resource,
        "physical_resource_id": each.physical_id,
        "resource_status": each.status,
        "resource_status_reason": each.reason,
    }
