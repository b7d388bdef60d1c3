"""The resources of load balancers and pools, as far as somebody needs them who has servers put into pools."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from dev.simcloud.messages import Document, Refused, Request, Response, Routes, maybe, need
from dev.simcloud.octavia import documents
from dev.simcloud.octavia.call import balancer_of, caller_of, pool_of
from dev.simcloud.octavia.lifecycle import immutable, lock, status_of_balancer
from dev.simcloud.records import LoadBalancer, Pool, PoolMember
from dev.simcloud.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancers:
    """Load balancers and pools. Another project's are forbidden."""

    world: World

    def add_to(self, routes: Routes, prefix: str) -> None:
        """Add what this answers to ``routes``."""
        routes.add("POST", f"{prefix}/loadbalancers", self.create_balancer)
        routes.add("GET", f"{prefix}/loadbalancers/{{balancer_id}}", self.show_balancer)
        routes.add("DELETE", f"{prefix}/loadbalancers/{{balancer_id}}", self.delete_balancer)
        routes.add("POST", f"{prefix}/pools", self.create_pool)
        routes.add("GET", f"{prefix}/pools/{{pool_id}}", self.show_pool)
        routes.add("DELETE", f"{prefix}/pools/{{pool_id}}", self.delete_pool)

    def create_balancer(self, request: Request) -> Response:
        """Begin to make a load balancer."""
        caller = caller_of(self.world, request, "member")
        asked = need(request.document(), "loadbalancer", dict)
        now = self.world.now()
        balancer = LoadBalancer(
            id=str(uuid.uuid4()),
            name=maybe(asked, "name", str) or "",
            project_id=caller.token.project_id or "",
            vip_address=maybe(asked, "vip_address", str) or "10.1.0.10",
            created_at=now,
            updated_at=now,
            busy_until=now + timedelta(seconds=self.world.balancing_seconds),
        )
        self.world.load_balancers[balancer.id] = balancer
        return Response(status=201, body={"loadbalancer": self._shown_balancer(balancer)})

    def show_balancer(self, request: Request, balancer_id: str) -> Response:
        """Show a load balancer."""
        balancer = balancer_of(self.world, request, balancer_id, "reader")
        return Response(status=200, body={"loadbalancer": self._shown_balancer(balancer)})

    def delete_balancer(self, request: Request, balancer_id: str) -> Response:
        """Delete a load balancer and all below it at once, if asked to ``cascade``; one in ERROR, too."""
        balancer = balancer_of(self.world, request, balancer_id, "member")
        if status_of_balancer(balancer, self.world.now()) not in ("ACTIVE", "ERROR"):
            raise immutable(balancer)
        pools = self._pools(balancer_id)
        if pools and (request.parameter("cascade") or "").lower() != "true":
            message = f"Validation failure: Cannot delete Load Balancer {balancer_id} - it has children"
            raise Refused(400, message)
        for pool in pools:
            self._forget(pool)
        del self.world.load_balancers[balancer_id]
        return Response(status=204)

    def create_pool(self, request: Request) -> Response:
        """Make a pool of a load balancer, with a health monitor if ``healthmonitor`` is given."""
        asked = need(request.document(), "pool", dict)
        balancer_id = need(asked, "loadbalancer_id", str)
        balancer = balancer_of(self.world, request, balancer_id, "member")
        now = self.world.now()
        pool = Pool(
            id=str(uuid.uuid4()),
            name=maybe(asked, "name", str) or "",
            project_id=balancer.project_id,
            load_balancer_id=balancer_id,
            protocol=need(asked, "protocol", str),
            algorithm=need(asked, "lb_algorithm", str),
            created_at=now,
            updated_at=now,
            busy_until=now,
            monitor_id=str(uuid.uuid4()) if asked.get("healthmonitor") else None,
        )
        lock(self.world, pool)
        return Response(status=201, body={"pool": self._shown_pool(self.world.pools[pool.id])})

    def show_pool(self, request: Request, pool_id: str) -> Response:
        """Show a pool."""
        pool = pool_of(self.world, request, pool_id, "reader")
        return Response(status=200, body={"pool": self._shown_pool(pool)})

    def delete_pool(self, request: Request, pool_id: str) -> Response:
        """Delete a pool with its members."""
        pool = pool_of(self.world, request, pool_id, "member")
        lock(self.world, pool)
        self._forget(pool)
        return Response(status=204)

    def _shown_balancer(self, balancer: LoadBalancer) -> Document:
        return documents.of_balancer(balancer, self._pools(balancer.id), self.world.now())

    def _shown_pool(self, pool: Pool) -> Document:
        return documents.of_pool(pool, self._members(pool), self.world.now())

    def _pools(self, balancer_id: str) -> list[Pool]:
        return [pool for pool in self.world.pools.values() if pool.load_balancer_id == balancer_id]

    def _members(self, pool: Pool) -> list[PoolMember]:
        return [member for member in self.world.pool_members.values() if member.pool_id == pool.id]

    def _forget(self, pool: Pool) -> None:
        for member in self._members(pool):
            del self.world.pool_members[member.id]
        del self.world.pools[pool.id]
