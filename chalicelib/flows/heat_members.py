"""The members of a group in Heat, written down as Heat shows them: Heat made them, and Heat takes them.

A member has a row once its server shows itself in Nova, by whose name and id samples find it; one that
is no server, or several, once Heat shows it. A member that Heat replaces in place is another member.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.group import Group
from chalicelib.core.heat import HeatMember, HeatScene, member_id
from chalicelib.core.ids import MemberId
from chalicelib.core.member import Member, MemberState
from chalicelib.flows.story import activity
from chalicelib.ports import Services
from chalicelib.ports.storage import MEMBERS_MAX_IN_ONE_WRITE, Lease


def write_members(s: Services, lease: Lease, group: Group, scene: HeatScene | None, request_id: str) -> None:
    """Make the rows of members what is seen; None: nothing is, and all rows go.

    Raises:
        LeaseLost: another round has begun.
    """
    known = {member.id: member for member in s.members.of_group(lease.key)}
    seen = {member.id: member for member in _seen(group, scene)} if scene is not None else {}
    new = [member for id_, member in seen.items() if id_ not in known]
    for first in range(0, len(new), MEMBERS_MAX_IN_ONE_WRITE):
        s.members.plan(lease, new[first : first + MEMBERS_MAX_IN_ONE_WRITE])
    for id_, member in seen.items():
        if id_ in known and known[id_].state is not member.state:
            s.members.update(member)
    gone = [member for id_, member in known.items() if id_ not in seen]
    for member in gone:
        s.members.strike(member)
    s.activities.add(_story(s, group, known, new, list(seen.values()), gone, request_id))


def in_service(scene: HeatScene) -> int:
    """Return how many members serve."""
    return sum(_state(member, scene) is MemberState.IN_SERVICE for member in scene.members if member.counts)


def _seen(group: Group, scene: HeatScene) -> list[Member]:
    shown = (m for m in scene.members if m.counts or m.status.word == "DELETE_IN_PROGRESS")
    return [row for member in shown if (row := _row(group, member, scene)) is not None]


def _row(group: Group, member: HeatMember, scene: HeatScene) -> Member | None:
    """Return a member as it is written down, None for one whose server does not show itself yet."""
    alone = member.servers[0] if len(member.servers) == 1 else None
    server = scene.servers.get(alone) if alone else None
    if alone and server is None:
        return None
    return Member(
        project_id=group.project_id,
        group_id=group.id,
        id=member_id(group.project_id, group.id, member),
        name=server.name if server else member.name,
        state=_state(member, scene),
        launch_configuration_id=None,
        availability_zone=None,
        requested_at=member.created_at,
        created_at=member.created_at,
        resource_id=alone,
    )


def _state(member: HeatMember, scene: HeatScene) -> MemberState:
    """Return how far a member is, of Heat and Nova the one that is less content."""
    if member.status.action == "DELETE":
        return MemberState.DELETING
    servers = [scene.servers.get(id_) for id_ in member.servers]
    active = all(server is not None and server.status == "ACTIVE" for server in servers)
    serves = active and (member.status.complete or member.status.action != "CREATE")
    return MemberState.IN_SERVICE if serves else MemberState.BUILDING


def _story(
    s: Services,
    group: Group,
    known: dict[MemberId, Member],
    new: Sequence[Member],
    seen: Sequence[Member],
    gone: Sequence[Member],
    request_id: str,
) -> list[Activity]:
    """Return a line for what appeared, what came into service, and what is gone."""

    def line(kind: ActivityKind, said: str, members: Sequence[Member]) -> list[Activity]:
        names = ", ".join(member.name for member in members[:_NAMED_MAX])
        more = f" and {len(members) - _NAMED_MAX} more" if len(members) > _NAMED_MAX else ""
        ids = [member.id for member in members]
        told = activity(s, group, kind, f"{names}{more} {said}.", request_id, ids)
        return [told] if members else []

    serving = [member for member in seen if member.state is MemberState.IN_SERVICE]
    news = [m for m in serving if m.id not in known or known[m.id].state is not MemberState.IN_SERVICE]
    left = "left to the stack" if group.deleting else "gone from the stack"
    return [
        *line(ActivityKind.MEMBER_APPEARED, "seen in the stack", new),
        *line(ActivityKind.MEMBER_IN_SERVICE, "in service", news),
        *line(ActivityKind.MEMBER_GONE, left, gone),
    ]


_NAMED_MAX = 10
