"""Who calls Octavia, and which pool is meant."""

from __future__ import annotations

from dev.simcloud.keystone.tokens import Caller, DeadToken, inspect, unauthenticated
from dev.simcloud.messages import Refused, Request
from dev.simcloud.records import LoadBalancer, Pool
from dev.simcloud.world import World


def caller_of(world: World, request: Request, role: str) -> Caller:
    """Return whom the request's token speaks for; it must have ``role``, by itself or implied.

    These are the Keystone default roles; an older Octavia wants ``load-balancer_member`` instead.
    """
    try:
        caller = inspect(world, request.headers.get("X-Auth-Token", ""))
    except DeadToken as dead:
        raise unauthenticated() from dead
    if role not in caller.roles:
        raise forbidden()
    return caller


def forbidden() -> Refused:
    """Return the refusal of whatever policy does not allow; another project's things, too."""
    return Refused(403, "Policy does not allow this request to be performed.")


def balancer_of(world: World, request: Request, balancer_id: str, role: str) -> LoadBalancer:
    """Return a load balancer that the caller may see or change."""
    caller = caller_of(world, request, role)
    balancer = world.load_balancers.get(balancer_id)
    if balancer is None:
        raise Refused(404, f"Load Balancer {balancer_id} not found.")
    if not caller.is_admin and caller.token.project_id != balancer.project_id:
        raise forbidden()
    return balancer


def pool_of(world: World, request: Request, pool_id: str, role: str) -> Pool:
    """Return a pool that the caller may see or change."""
    caller = caller_of(world, request, role)
    pool = world.pools.get(pool_id)
    if pool is None:
        raise Refused(404, f"Pool {pool_id} not found.")
    if not caller.is_admin and caller.token.project_id != pool.project_id:
        raise forbidden()
    return pool
