"""The simulated Heat: stacks of servers, and groups of them with their policies.

It answers as Heat 27 (with convergence) was seen to answer. Simulated are the resource types of
``kinds.py``, and templates in files; their servers are made in the simulated Nova. Left out are rollback,
rolling updates (all members change at once), conditions and most of HOT's functions, hooks, snapshots,
signed URLs, and what takes Heat its time: a server's build is followed by ``World.heat_seconds``, no more.
A real Heat makes five attempts, over more than a minute, at a server that goes to ERROR; here the first is
the last. A resize, and a replacement's deletion of what it replaces, take no time.
"""

from __future__ import annotations

import json
import re

from dev.simcloud.faults import Faults
from dev.simcloud.heat import errors
from dev.simcloud.heat.call import PREFIX, Router
from dev.simcloud.heat.engine import Engine
from dev.simcloud.heat.listing import Listing
from dev.simcloud.heat.nesting import Nesting
from dev.simcloud.heat.resources import Resources
from dev.simcloud.heat.servers import StackServers
from dev.simcloud.heat.stacks import Stacks
from dev.simcloud.heat.work import Work
from dev.simcloud.messages import Request, Response, Routes, Service
from dev.simcloud.world import World

__all__ = ["Engine", "engine", "heat", "stack_name"]

_STACKS = rf"{PREFIX}/v1/[^/]+/stacks"
_NOT_NAMES = ("detail", "preview")


def engine(world: World, faults: Faults, base_url: str) -> Engine:
    """Return what brings stacks to the ends of their actions."""
    servers = StackServers(world=world, faults=faults, base_url=base_url)
    work = Work(world=world, servers=servers, base_url=base_url)
    return Engine(world=world, work=work, nesting=Nesting(world=world, faults=faults, work=work))


def heat(world: World, faults: Faults, engine: Engine, base_url: str) -> Service:
    """Return Heat, serving ``world`` below ``base_url``."""
    routes = Routes(PREFIX)
    self_link = {"rel": "self", "href": f"{base_url}{PREFIX}/v1/"}

    def versions(_request: Request) -> Response:
        version = {"id": "v1.0", "status": "CURRENT", "links": [self_link]}
        return Response(status=300, body={"versions": [version]})

    routes.add("GET", "", versions)
    router = Router(world=world, engine=engine, routes=routes, base_url=base_url)
    Listing(world=world, work=engine.work, base_url=base_url).add_to(router)
    Stacks(world=world, faults=faults, nesting=engine.nesting, base_url=base_url).add_to(router)
    Resources(world=world, work=engine.work, nesting=engine.nesting, base_url=base_url).add_to(router)
    return Service(name="heat", routes=routes, error=errors.error)


def stack_name(world: World, request: Request) -> str | None:
    """Return the name of the stack that a request is about, or would create; None if there is none."""
    match = re.match(f"{_STACKS}/([^/]+)", request.path)
    if match is not None and match[1] not in _NOT_NAMES:
        stack = world.stacks.get(match[1])
        return match[1] if stack is None else stack.name
    if request.method != "POST" or re.fullmatch(_STACKS, request.path) is None:
        return None
    try:
        name = json.loads(request.body)["stack_name"]
    except (ValueError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) else None
