"""Members and the resources that stand for them: what is written down, what is seen, what to make of it.

A member is written down before its server is asked for, under a name that no other server has. So a
server whose request was answered into the void is found again by its name and adopted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.core.ids import GroupId, LaunchConfigurationId, MemberId, PoolId, ProjectId, ResourceId
from chalicelib.core.launch import LaunchType
from chalicelib.core.pool import Address, PoolView


class MemberState(StrEnum):
    """What is written down about a member. One that is gone has no row: activities tell its story."""

    PLANNED = "planned"  # written down; whether the cloud was asked is not known
    BUILDING = "building"  # the cloud has it
    IN_SERVICE = "in_service"  # it was seen serving
    DRAINING = "draining"  # it is to go, once its pools have let go of it
    DELETING = "deleting"  # it is to go, whatever the group wants


TO_GO = (MemberState.DRAINING, MemberState.DELETING)
"""What no member comes back from, in the order of its parting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One server or stack of a group, as written down.

    Attributes:
        name: the server's name in Nova or the stack's in Heat, unique among all members.
        kind: whether a server or a stack stands for it.
        resource_id: the cloud's id of what stands for it; None until it is known.
        launch_configuration_id: None of a member that Heat made.
        labelled: the server carries this member's id in its metadata.
        protected: never removed to make the group smaller.
        requested_at: when the server was asked for.
        deleting_because: why it is to go, once it is.
        draining_since: when it was told to leave its pools.
        quiet_since: since when, while it drains, no pool has sent it anything new.
        missing_from: the pools of its group that it serves in no way yet.
    """

    project_id: ProjectId
    group_id: GroupId
    id: MemberId
    name: str
    state: MemberState
    launch_configuration_id: LaunchConfigurationId | None
    availability_zone: str | None
    requested_at: datetime
    created_at: datetime
    kind: LaunchType = LaunchType.SERVER
    resource_id: ResourceId | None = None
    labelled: bool = False
    protected: bool = False
    deleting_because: str | None = None
    draining_since: datetime | None = None
    quiet_since: datetime | None = None
    missing_from: tuple[PoolId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What stands for a member in the cloud, as the cloud shows it: a server, as Nova does, or a stack.

    Attributes:
        status: the cloud's word, in capitals; one we do not know is left alone.
        task: what Nova is doing with it (``OS-EXT-STS:task_state``), None when nothing; ``deleting`` for
            whatever is being deleted.
        metadata: what it was marked with.
        fault: why it is in ERROR or has FAILED, if the cloud says.
        addresses: by which a server is reached, in the order in which Nova shows them.
    """

    id: ResourceId
    name: str
    status: str
    task: str | None
    created_at: datetime
    metadata: Mapping[str, str]
    fault: str | None = None
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A member beside the server that stands for it, if one is seen."""

    member: Member
    resource: Resource | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that one round sees of a group.

    Attributes:
        strays: servers that carry the group's mark and stand for no member: asked for twice, or too late.
        pools: what is seen of the pools that members are, or were, to stand in.
    """

    sights: tuple[Sight, ...]
    strays: tuple[Resource, ...]
    pools: tuple[PoolView, ...] = ()


class Fate(StrEnum):
    """What becomes of a member."""

    SERVES = "serves"  # counts
    BUILDS = "builds"  # counts, and is waited for
    HELD = "held"  # counts, and is left alone
    BROKEN = "broken"  # is deleted and replaced
    LOST = "lost"  # has no server: is struck off and replaced
    DRAINS = "drains"  # does not count, its server stays until its pools have let go of it
    LEAVES = "leaves"  # does not count, its server is going
    STUCK = "stuck"  # was to go and could not: does not count, and is told again, ever less often


DELETE_FAILED = "DELETE_FAILED"
"""Heat's word for a stack that was to go and could not: it is told again, ever less often."""

_OF_SERVERS: Mapping[str, Fate] = {
    "ACTIVE": Fate.SERVES,
    "BUILD": Fate.BUILDS,
    "ERROR": Fate.BROKEN,
    "SHUTOFF": Fate.BROKEN,
    "DELETED": Fate.LOST,
    "SOFT_DELETED": Fate.LOST,
}
"""Every other status (RESCUE, MIGRATING, SUSPENDED, UNKNOWN, one yet to be invented) is held."""

_WHOLE_AGAIN = ("CREATE", "UPDATE", "CHECK", "ADOPT", "RESUME", "ROLLBACK", "RESTORE")
"""Heat's actions that leave a stack whole when they succeed, and in pieces when they fail."""

_OF_STACKS: Mapping[str, Fate] = {
    **{f"{action}_COMPLETE": Fate.SERVES for action in (*_WHOLE_AGAIN, "SNAPSHOT")},
    **{f"{action}_FAILED": Fate.BROKEN for action in _WHOLE_AGAIN},
    "CREATE_IN_PROGRESS": Fate.BUILDS,
    "ADOPT_IN_PROGRESS": Fate.BUILDS,
    DELETE_FAILED: Fate.LEAVES,
    "DELETE_COMPLETE": Fate.LOST,
}
"""A stack's status is what was last done to it and how that went; every other one is held: it is being
updated or checked, or it is suspended."""

_FATE_OF_STATUS = {**_OF_SERVERS, **_OF_STACKS}


def fate_of_status(status: str) -> Fate:
    """Return what becomes of a member whose resource has this status, as far as the status tells."""
    return _FATE_OF_STATUS.get(status, Fate.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited.

    Attributes:
        build: from the request until the server serves.
        adoption: from the request until its server shows itself; the slowest that Nova may be between
            accepting a request and listing the server.
    """

    build: timedelta
    adoption: timedelta


def fate(sight: Sight, patience: Patience, now: datetime) -> Fate:
    """Return what becomes of a member, given what is seen of its server."""
    member, resource = sight.member, sight.resource
    waited = now - member.requested_at
    if member.state is MemberState.DELETING:
        return Fate.STUCK if resource is not None and resource.status == DELETE_FAILED else Fate.LEAVES
    if member.state is MemberState.DRAINING:
        return _fate_of_draining(resource)
    if resource is None:
        fresh = member.state is not MemberState.IN_SERVICE and waited < patience.adoption
        return Fate.BUILDS if fresh else Fate.LOST
    if resource.task == "deleting":
        return Fate.LEAVES
    verdict = fate_of_status(resource.status)
    return Fate.BROKEN if verdict is Fate.BUILDS and waited >= patience.build else verdict


def _fate_of_draining(resource: Resource | None) -> Fate:
    """Return what becomes of a member that drains: only a server that may still be at work is waited for."""
    if resource is None or resource.task == "deleting":
        return Fate.LEAVES
    verdict = fate_of_status(resource.status)
    return Fate.DRAINS if verdict in (Fate.SERVES, Fate.HELD) else Fate.LEAVES


def compare(members: Iterable[Member], resources: Iterable[Resource]) -> Scene:
    """Match members with resources: by the cloud's id where it is known, else by the name asked for.

    A server listed twice (Nova's pages may overlap) counts once. Of two servers under one unclaimed name
    the older one is the member's, the other a stray. A server known to be one member's is never another's,
    whatever its owner renamed it to.
    """
    members = tuple(members)
    known = {member.resource_id for member in members}
    by_id = {each.id: each for each in sorted(resources, key=_age)}
    by_name: dict[str, Resource] = {}
    for each in by_id.values():
        if each.id not in known:
            by_name.setdefault(each.name, each)
    sights = tuple(
        Sight(
            member=member,
            resource=by_name.get(member.name)
            if member.resource_id is None
            else by_id.get(member.resource_id),
        )
        for member in members
    )
    claimed = {sight.resource.id for sight in sights if sight.resource is not None}
    return Scene(sights=sights, strays=tuple(s for s in by_id.values() if s.id not in claimed))


def _age(resource: Resource) -> tuple[datetime, str]:
    return resource.created_at, resource.id


GROUP_KEY = "thermostat:group"
MEMBER_KEY = "thermostat:member"


def group_tag(group_id: GroupId) -> str:
    """Return the tag that every server of the group carries; Nova lists by it."""
    return f"{GROUP_KEY}:{group_id}"


def group_metadata(group_id: GroupId) -> dict[str, str]:
    """Return the metadata that every server of the group carries; ``metering.server_group`` is Aodh's."""
    return {GROUP_KEY: group_id, "metering.server_group": group_id}


def base_name(group_name: str, batch: str) -> str:
    """Return the name for one request: readable, and made unique by ``batch``.

    It begins with a letter, as Heat wants a stack's name to.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", group_name.lower()).strip("-")[:40].strip("-")
    if not readable[:1].isalpha():
        readable = f"group-{readable}".strip("-")
    return f"{readable}-{batch}"


def names_of_batch(base: str, count: int) -> tuple[str, ...]:
    """Return the names that Nova gives the ``count`` servers of one request named ``base``."""
    return (base,) if count == 1 else tuple(f"{base}-{number}" for number in range(1, count + 1))
