"""Members of groups as documents."""

from __future__ import annotations

from typing import Literal

import msgspec

from chalicelib.api.documents.common import Input, Link, Time, self_link, utc
from chalicelib.core.launch import LaunchType
from chalicelib.core.member import Member, MemberState


class MemberPatch(Input, kw_only=True):
    """What is to change of a member."""

    protected: bool


class MemberDocument(msgspec.Struct, kw_only=True):
    """A member: ``id`` is ours; ``server_id`` is Nova's or ``stack_id`` Heat's, null until it is known."""

    id: str
    group_id: str
    project_id: str
    server_id: str | None
    stack_id: str | None
    name: str
    status: Literal["planned", "building", "in_service", "draining", "deleting"]
    status_reason: str | None
    health: Literal["healthy", "out_of_pool", "unknown"]
    protected: bool
    launch_configuration_id: str | None
    availability_zone: str | None
    created_at: Time
    links: list[Link]


class MemberList(msgspec.Struct, kw_only=True):
    """Part of a group's members."""

    members: list[MemberDocument]
    links: list[Link]


def member_document(member: Member, base: str) -> MemberDocument:
    """Return the member as it is shown; its health is known once it serves.

    One that serves and does not stand in every pool of its group yet is out of pool, and says of which.
    """
    missing = ", ".join(member.missing_from) if member.state is MemberState.IN_SERVICE else ""
    health: Literal["healthy", "out_of_pool"] = "out_of_pool" if missing else "healthy"
    return MemberDocument(
        id=member.id,
        group_id=member.group_id,
        project_id=member.project_id,
        server_id=member.resource_id if member.kind is LaunchType.SERVER else None,
        stack_id=member.resource_id if member.kind is LaunchType.STACK else None,
        name=member.name,
        status=member.state.value,
        status_reason=f"It is not in pool {missing} yet." if missing else member.deleting_because,
        health=health if member.state is MemberState.IN_SERVICE else "unknown",
        protected=member.protected,
        launch_configuration_id=member.launch_configuration_id,
        availability_zone=member.availability_zone,
        created_at=utc(member.created_at),
        links=self_link(base, f"/v1/groups/{member.group_id}/members/{member.id}"),
    )
