"""Groups of servers and groups of stacks: what a group's definition has to be of its kind."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from chalicelib.core.errors import Conflict, Invalid, NotFound, Unavailable
from chalicelib.core.group import Group
from chalicelib.core.launch import LaunchConfiguration, LaunchType
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.stacks import CreationDenied

_RETRY_SECONDS = 5


def of_its_kind(s: Services, group: Group, request_id: str) -> Group:
    """Return the new group, of the kind that its launch configuration describes.

    A group in Heat has none and is returned as it is. Of a group of stacks it is found out whether Heat would
    make one, here where that can be said clearly; one that was stored by an earlier try of the same request
    is not asked about again.

    Raises:
        Invalid: stacks spread over no zones and stand in no pools; or Heat makes none from this template.
        Conflict: Heat makes no stacks with this credential.
        Unavailable: neither can be found out now.
    """
    if group.heat is not None:
        return group
    with suppress(NotFound):  # what does not exist is refused where the group is written, which counts uses
        configuration = s.launch_configurations.get(group.project_id, group.owned_configuration_id)
        group = replace(group, kind=configuration.type)
        _require_possible(group)
        if configuration.type is LaunchType.STACK and not _stored(s, group):
            _require_creation(s, group, configuration, request_id)
    return group


def require_kind(s: Services, was: Group, new: Group, request_id: str) -> None:
    """Refuse a change that makes no sense for a group of this kind.

    Raises:
        Invalid: the launch configuration is of another kind; else as ``of_its_kind``.
        Conflict, Unavailable: as ``of_its_kind``.
    """
    if new.heat is not None:
        return
    _require_possible(new)
    same_template = new.launch_configuration_id == was.launch_configuration_id
    same_credential = new.credential_id == was.credential_id
    if same_template and (same_credential or new.kind is not LaunchType.STACK):
        return
    with suppress(NotFound):
        configuration = s.launch_configurations.get(new.project_id, new.owned_configuration_id)
        if configuration.type is not new.kind:
            raise Invalid(
                "group.kind",
                f"The members of this group are {new.kind}s, and the launch configuration describes a "
                f"{configuration.type}: make another group for it.",
            )
        if configuration.type is LaunchType.STACK and not new.deleting:
            _require_creation(s, new, configuration, request_id)


def _require_possible(group: Group) -> None:
    """Refuse of stacks what is about servers alone."""
    if group.kind is not LaunchType.STACK:
        return
    if group.availability_zones:
        raise Invalid(
            "group.zones_of_stacks",
            "Stacks are not spread over availability zones: leave availability_zones out, and name the zone "
            "in the template.",
        )
    if group.load_balancers:
        raise Invalid(
            "group.pools_of_stacks",
            "Which address of a stack a pool should reach only its template knows: leave load_balancers out, "
            "and have the template make an OS::Octavia::PoolMember.",
        )


def _stored(s: Services, group: Group) -> bool:
    if group.fingerprint is None:
        return False
    try:
        s.groups.get(group.project_id, group.id)
    except NotFound:
        return False
    return True


def _require_creation(s: Services, group: Group, configuration: LaunchConfiguration, request_id: str) -> None:
    """Refuse a group of stacks that Heat would not make."""
    credential = s.credentials.get(group.project_id, group.credential_id)
    if configuration.stack is None:
        return
    try:
        s.rehearsals.rehearse(credential, configuration.stack, request_id)
    except CreationDenied as denied:
        raise Conflict("credential.creates_no_stacks", denied.reason) from denied
    except CloudRefused as refused:
        raise Invalid(
            "launch_configuration.refused", f"Heat makes no such stack: {refused.reason}"
        ) from refused
    except CredentialBroken as broken:
        raise Conflict("credential.broken", f"Keystone does not accept it: {broken.reason}") from broken
    except CloudUnavailable as error:
        raise Unavailable(
            "heat.unavailable",
            f"It cannot be found out whether Heat would make such a stack: {error.reason}",
            retry_after_seconds=_RETRY_SECONDS,
        ) from error
