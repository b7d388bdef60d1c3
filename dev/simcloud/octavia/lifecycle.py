"""What is PENDING, and the lock that a change takes: one at a time for a load balancer and all below it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from dev.simcloud.messages import Refused
from dev.simcloud.records import LoadBalancer, Pool, PoolMember
from dev.simcloud.world import World


def status_of_balancer(balancer: LoadBalancer, now: datetime) -> str:
    """Return a load balancer's provisioning status."""
    if balancer.status is not None:
        return balancer.status
    if balancer.busy_until <= now:
        return "ACTIVE"
    return "PENDING_CREATE" if balancer.updated_at == balancer.created_at else "PENDING_UPDATE"


def status_of_pool(pool: Pool, now: datetime) -> str:
    """Return a pool's provisioning status."""
    return "ACTIVE" if pool.busy_until <= now else "PENDING_UPDATE"


def status_of_member(member: PoolMember, now: datetime) -> str:
    """Return a pool member's provisioning status."""
    return "ACTIVE" if member.busy_until <= now else member.pending


def operating_status(member: PoolMember, pool: Pool, now: datetime) -> str:
    """Return how a pool member fares, as the health monitor, if there is one, would tell it."""
    if member.operating_status is not None:
        return member.operating_status
    if not member.admin_state_up:
        return "OFFLINE"
    if pool.monitor_id is None:
        return "NO_MONITOR"
    if member.weight == 0:
        return "DRAINING"
    return "OFFLINE" if status_of_member(member, now) == "PENDING_CREATE" else "ONLINE"


def lock(world: World, pool: Pool) -> datetime:
    """Let a change of the pool begin; return when it will be complete.

    Refuses with 409 while another one is under way, or the load balancer is in ERROR: only ACTIVE is mutable.
    """
    now = world.now()
    balancer = world.load_balancers[pool.load_balancer_id]
    if status_of_pool(pool, now) != "ACTIVE":
        raise Refused(409, f"Pool {pool.id} is immutable and cannot be updated.")
    if status_of_balancer(balancer, now) != "ACTIVE":
        raise immutable(balancer)
    until = now + timedelta(seconds=world.balancing_seconds)
    world.load_balancers[balancer.id] = replace(balancer, busy_until=until, updated_at=now)
    world.pools[pool.id] = replace(pool, busy_until=until, updated_at=now)
    return until


def immutable(balancer: LoadBalancer) -> Refused:
    """Return the refusal of a change while the load balancer is not ACTIVE."""
    return Refused(409, f"Load Balancer {balancer.id} is immutable and cannot be updated.")
