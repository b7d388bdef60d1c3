"""Who calls Aodh."""

from __future__ import annotations

from dev.simcloud.keystone.tokens import Caller, DeadToken, inspect, unauthenticated
from dev.simcloud.messages import Refused, Request
from dev.simcloud.world import World


def caller_of(world: World, request: Request, role: str) -> Caller:
    """Return whom the request's token speaks for; it must have ``role``, by itself or implied."""
    try:
        caller = inspect(world, request.headers.get("X-Auth-Token", ""))
    except DeadToken as dead:
        raise unauthenticated() from dead
    if role not in caller.roles:
        raise Refused(403, "RBAC Authorization Failed")
    return caller
