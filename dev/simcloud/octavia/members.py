"""The members of a pool, one at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from dev.simcloud.messages import Document, Refused, Request, Response, Routes, need
from dev.simcloud.octavia import documents
from dev.simcloud.octavia.call import pool_of
from dev.simcloud.octavia.lifecycle import lock
from dev.simcloud.records import Pool, PoolMember
from dev.simcloud.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The resource of pool members."""

    world: World

    def add_to(self, routes: Routes, prefix: str) -> None:
        """Add what this answers to ``routes``."""
        path = f"{prefix}/pools/{{pool_id}}/members"
        routes.add("GET", path, self.index)
        routes.add("POST", path, self.create)
        routes.add("GET", f"{path}/{{member_id}}", self.show)
        routes.add("PUT", f"{path}/{{member_id}}", self.update)
        routes.add("DELETE", f"{path}/{{member_id}}", self.delete)

    def index(self, request: Request, pool_id: str) -> Response:
        """List a pool's members, a page at a time where a ``limit`` asks for it."""
        pool = pool_of(self.world, request, pool_id, "reader")
        ordered = sorted(members_of(self.world, pool), key=lambda m: (m.created_at, m.id))
        marker = request.parameter("marker")
        ids = [member.id for member in ordered]
        if marker is not None and marker not in ids:
            raise Refused(400, f"Supplied pagination marker '{marker}' is not valid.")
        rest = ordered if marker is None else ordered[ids.index(marker) + 1 :]
        page = rest[: int(request.parameter("limit") or len(rest))]
        body: Document = {"members": [documents.of_member(m, pool, self.world.now()) for m in page]}
        if len(page) < len(rest):
            query = {**request.query, "marker": [page[-1].id]}
            body["members_links"] = [
                {"rel": "next", "href": f"{request.path}?{urlencode(query, doseq=True)}"}
            ]
        return Response(status=200, body=body)

    def create(self, request: Request, pool_id: str) -> Response:
        """Add one member; an address and port that are there already are a conflict."""
        pool = pool_of(self.world, request, pool_id, "member")
        asked = documents.wanted(need(request.document(), "member", dict))
        place = asked["address"], asked["protocol_port"]
        if any((m.address, m.protocol_port) == place for m in members_of(self.world, pool)):
            what = f"is already using ip {place[0]} on protocol_port {place[1]}"
            raise Refused(409, f"Another member on this pool {what}")
        member = new_member(pool, asked, self.world.now(), lock(self.world, pool))
        self.world.pool_members[member.id] = member
        return self._shown(member, 201)

    def show(self, request: Request, pool_id: str, member_id: str) -> Response:
        """Show one member."""
        return self._shown(self._found(request, pool_id, member_id, "reader"), 200)

    def update(self, request: Request, pool_id: str, member_id: str) -> Response:
        """Change one member; 200, although the reference says 202."""
        member = self._found(request, pool_id, member_id, "member")
        changes = documents.changes(need(request.document(), "member", dict))
        until = lock(self.world, self.world.pools[pool_id])
        self.world.pool_members[member_id] = changed(member, changes, self.world.now(), until)
        return self._shown(self.world.pool_members[member_id], 200)

    def delete(self, request: Request, pool_id: str, member_id: str) -> Response:
        """Begin to delete one member."""
        member = self._found(request, pool_id, member_id, "member")
        until = lock(self.world, self.world.pools[pool_id])
        self.world.pool_members[member_id] = replace(member, pending="PENDING_DELETE", busy_until=until)
        return Response(status=204)

    def _found(self, request: Request, pool_id: str, member_id: str, role: str) -> PoolMember:
        pool = pool_of(self.world, request, pool_id, role)
        member = self.world.pool_members.get(member_id)
        if member is None or member.pool_id != pool.id:
            raise Refused(404, f"Member {member_id} not found.")
        return member

    def _shown(self, member: PoolMember, status: int) -> Response:
        shown = documents.of_member(member, self.world.pools[member.pool_id], self.world.now())
        return Response(status=status, body={"member": shown})


def members_of(world: World, pool: Pool) -> Iterable[PoolMember]:
    """Return the members of a pool; those being deleted are still there."""
    return [member for member in world.pool_members.values() if member.pool_id == pool.id]


def new_member(pool: Pool, asked: Document, now: datetime, until: datetime) -> PoolMember:
    """Return a member as it is asked for, being made until ``until``."""
    return PoolMember(
        id=str(uuid.uuid4()),
        pool_id=pool.id,
        project_id=pool.project_id,
        name=asked["name"],
        address=asked["address"],
        protocol_port=asked["protocol_port"],
        weight=asked["weight"],
        subnet_id=asked["subnet_id"],
        admin_state_up=asked["admin_state_up"],
        backup=asked["backup"],
        monitor_address=asked["monitor_address"],
        monitor_port=asked["monitor_port"],
        tags=tuple(asked["tags"]),
        created_at=now,
        updated_at=None,
        busy_until=until,
        pending="PENDING_CREATE",
    )


def changed(member: PoolMember, changes: Document, now: datetime, until: datetime) -> PoolMember:
    """Return the member with ``changes``, being made until ``until``."""
    changes = {**changes, **({"tags": tuple(changes["tags"])} if "tags" in changes else {})}
    return replace(member, **changes, updated_at=now, busy_until=until, pending="PENDING_UPDATE")
