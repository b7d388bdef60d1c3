"""All members of a pool in one request, which is one change of the load balancer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dev.simcloud.messages import Refused, Request, Response, Routes, need
from dev.simcloud.octavia import documents
from dev.simcloud.octavia.call import pool_of
from dev.simcloud.octavia.lifecycle import lock
from dev.simcloud.octavia.members import changed, members_of, new_member
from dev.simcloud.world import World

_STAYS = ("address", "protocol_port", "subnet_id", "project_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """``PUT /pools/{id}/members``.

    A member is known by its address and port. One that is not sent is deleted, unless ``additive_only`` is
    true (API 2.11). Of one that is, what is not sent becomes the default again.
    """

    world: World

    def add_to(self, routes: Routes, prefix: str) -> None:
        """Add what this answers to ``routes``."""
        routes.add("PUT", f"{prefix}/pools/{{pool_id}}/members", self.update)

    def update(self, request: Request, pool_id: str) -> Response:
        """Make, change and, unless told otherwise, delete members."""
        pool = pool_of(self.world, request, pool_id, "member")
        asked = [documents.wanted(each) for each in need(request.document(), "members", list)]
        additive_only = (request.parameter("additive_only") or "").lower() in ("true", "1", "yes", "on")
        sent = {(each["address"], each["protocol_port"]): each for each in asked}
        if len(sent) < len(asked):
            # The database's unique key; Octavia lets it through as a failure of its own.
            raise Refused(500, "Internal Server Error")
        now, until = self.world.now(), lock(self.world, pool)
        known = {(m.address, m.protocol_port): m for m in members_of(self.world, pool)}
        for place, each in sent.items():
            if place in known:
                changes = {name: value for name, value in each.items() if name not in _STAYS}
                member = changed(known[place], changes, now, until)
            else:
                member = new_member(pool, each, now, until)
            self.world.pool_members[member.id] = member
        for place, member in known.items():
            if place not in sent and not additive_only:
                gone = replace(member, pending="PENDING_DELETE", busy_until=until)
                self.world.pool_members[member.id] = gone
        return Response(status=202)
