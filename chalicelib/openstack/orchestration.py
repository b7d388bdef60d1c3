"""The groups inside an owner's stacks: what Heat shows of them beside what Nova shows of their servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib.core.credential import Credential
from chalicelib.core.heat import SIGNALLED, HeatMember, HeatScene, HeatStatus, HeatTarget, Stack
from chalicelib.core.heat_template import GROUP_TYPES, ResourceFacts, groups_of
from chalicelib.core.ids import ResourceId
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.entrance import owners_adapter
from chalicelib.openstack.heat import Document, Heat
from chalicelib.openstack.nova import MICROVERSION, Nova
from chalicelib.openstack.session import ServiceUser
from chalicelib.ports.cloud import CloudUnavailable
from chalicelib.ports.orchestration import Stacks, StackView

_SERVER = "OS::Nova::Server"
_GROUPS_MAX = 20
"""Of how many groups of a stack everything is shown."""


class OwnersOrchestration:
    """``ports.orchestration.Orchestration``: Heat and Nova, asked with the owner's credential."""

    def __init__(self, service_user: ServiceUser, delegations: Delegations) -> None:
        self._service_user = service_user
        self._delegations = delegations

    def enter(self, credential: Credential, request_id: str) -> Stacks:
        """Return the credential's stacks, once Keystone lets us in."""
        user, delegations = self._service_user, self._delegations
        heat = owners_adapter(user, delegations, credential, "orchestration", request_id)
        nova = owners_adapter(user, delegations, credential, "compute", request_id, microversion=MICROVERSION)
        return HeatStacks(Heat(heat), Nova(nova))


class HeatStacks:
    """``ports.orchestration.Stacks``, of Heat's documents."""

    def __init__(self, heat: Heat, nova: Nova) -> None:
        self._heat = heat
        self._nova = nova

    def view(self, name_or_id: str) -> StackView | None:
        """Return all there is to know about a stack, None when there is none."""
        document = self._heat.stack(name_or_id)
        if document is None or _stack(document).status.word == "DELETE_COMPLETE":
            return None  # for a moment after its deletion Heat still finds it by its name
        template = self._heat.template(document)
        if template is None:
            return None
        stack, resources = _stack(document), self._heat.resources(document)
        names = [group.resource for group in groups_of(template, stack)][:_GROUPS_MAX]
        groups = {name: self._facts(document, resources, name) for name in names}
        return StackView(
            stack=stack,
            template=template,
            groups={name: facts for name, facts in groups.items() if facts is not None},
            deeper=tuple(
                str(each["resource_name"])
                for each in resources
                if each.get("resource_type") in GROUP_TYPES and _stack_of(each) != stack.id
            ),
        )

    def scene(self, target: HeatTarget) -> HeatScene | None:
        """Return what a round sees, with the members' servers in Nova; None when stack or group are gone."""
        document = self._heat.stack(target.stack_id)
        if document is None:
            return None
        stack, resources = _stack(document), self._heat.resources(document)
        group = _top(resources, stack.id, target.resource)
        if group is None:
            return None
        nested = self._nested(group)
        metadata = _metadata(self._heat, document, target.resource, target.resource_type)
        members = _members(resources, group)
        servers = {server for member in members for server in member.servers}
        return HeatScene(
            stack=stack,
            group=_status(group, "resource_status"),
            nested=_status(nested, "stack_status") if nested else HeatStatus(word=""),
            members=members,
            nested_updated=str((nested or {}).get("updated_time") or ""),
            scaling=bool(metadata.get("scaling_in_progress")),
            cooldown_until=_cooldown(metadata),
            servers=self._nova.among(servers),
        )

    def patch(self, target: HeatTarget, parameter: str, value: int) -> None:
        """Update the stack by this one parameter; all else stays as it is."""
        self._heat.patch(target.stack_name, target.stack_id, {parameter: value})

    def signal(self, target: HeatTarget, policy: str) -> None:
        """Signal a policy of the stack."""
        self._heat.signal(target.stack_name, target.stack_id, policy)

    def _facts(self, stack: Document, resources: Sequence[Document], name: str) -> ResourceFacts | None:
        group = _top(resources, stack["id"], name)
        if group is None:
            return None
        nested = self._nested(group)
        metadata = _metadata(self._heat, stack, name, str(group.get("resource_type")))
        return ResourceFacts(
            status=_status(group, "resource_status"),
            nested=_status(nested, "stack_status") if nested else None,
            members=_members(resources, group),
            scaling=bool(metadata.get("scaling_in_progress")),
            cooldown_until=_cooldown(metadata),
        )

    def _nested(self, group: Document) -> Document | None:
        """Return the stack inside a group, None before there is one."""
        id_ = group.get("physical_resource_id")
        return self._heat.stack(str(id_)) if id_ else None


def _stack(document: Document) -> Stack:
    parameters = document.get("parameters") or {}
    return Stack(
        id=str(document["id"]),
        name=str(document["stack_name"]),
        status=_status(document, "stack_status"),
        parameters={str(name): str(value) for name, value in parameters.items()},
        updated=str(document.get("updated_time") or ""),
    )


def _status(document: Mapping[str, Any], key: str) -> HeatStatus:
    if not isinstance(document.get(key), str):
        raise CloudUnavailable(f"Heat's answer has no {key!r}.")
    return HeatStatus(word=document[key], reason=str(document.get(f"{key}_reason") or ""))


def _top(resources: Sequence[Document], stack_id: str, name: str) -> Document | None:
    """Return a resource of the stack itself."""
    own = (each for each in resources if _stack_of(each) == stack_id)
    return next((each for each in own if each.get("resource_name") == name), None)


def _members(resources: Sequence[Document], group: Document) -> tuple[HeatMember, ...]:
    """Return the members of a group, the oldest first: what is in the stack inside it."""
    inside: dict[str, list[Document]] = {}
    for each in resources:
        inside.setdefault(_stack_of(each), []).append(each)
    found = inside.get(str(group.get("physical_resource_id")), ())
    members = (
        HeatMember(
            name=str(each["resource_name"]),
            physical_id=str(each.get("physical_resource_id") or ""),
            status=_status(each, "resource_status"),
            created_at=_time(each.get("creation_time")),
            servers=tuple(_servers(each, inside)),
        )
        for each in found
    )
    return tuple(sorted(members, key=lambda member: (member.created_at, member.name)))


def _servers(resource: Document, inside: Mapping[str, Sequence[Document]]) -> list[ResourceId]:
    """Return the servers that a resource is or holds."""
    id_ = str(resource.get("physical_resource_id") or "")
    if resource.get("resource_type") == _SERVER:
        return [ResourceId(id_)] if id_ else []
    return [server for each in inside.get(id_, ()) if id_ for server in _servers(each, inside)]


def _stack_of(resource: Document) -> str:
    """Return the id of the stack that a resource stands in; a link ends with it."""
    links = resource.get("links") or ()
    href = next((str(link.get("href")) for link in links if link.get("rel") == "stack"), "")
    return href.rpartition("/")[2]


def _metadata(heat: Heat, stack: Document, name: str, type_: str) -> Document:
    """Return what Heat notes about scaling; groups of other types have no such notes."""
    return (heat.metadata(stack, name) or {}) if type_ in SIGNALLED else {}


def _cooldown(metadata: Mapping[str, Any]) -> datetime | None:
    """Return when Heat's cooldown ends, ``{"cooldown_end": {"2026-11-22T16:02:09.59": "why"}}``."""
    ends = metadata.get("cooldown_end")
    return max(map(_time, ends)) if isinstance(ends, dict) and ends else None


def _time(text: Any) -> datetime:
    """Return a time of Heat's, which are in UTC whether they say so or not."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
