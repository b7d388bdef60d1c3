"""The simulated Nova: servers, quotas and flavors, microversions 2.1 to 2.104."""

from __future__ import annotations

import json
import re

from dev.simcloud.faults import Faults
from dev.simcloud.messages import Document, Request, Response, Routes, Service
from dev.simcloud.nova.call import error, with_version
from dev.simcloud.nova.creation import Creation
from dev.simcloud.nova.flavors import Flavors
from dev.simcloud.nova.listing import Listing
from dev.simcloud.nova.quotas import Quotas
from dev.simcloud.nova.routing import Router
from dev.simcloud.nova.servers import Servers
from dev.simcloud.world import World

_PREFIX = "/compute/v2.1"


def nova(world: World, faults: Faults, base_url: str) -> Service:
    """Return Nova, serving ``world`` below ``base_url``."""
    routes = Routes("/compute")
    _add_versions(routes, base_url)
    router = Router(world=world, routes=routes)
    Listing(world=world, base_url=base_url).add_to(router)
    Creation(world=world, faults=faults, base_url=base_url).add_to(router)
    Servers(world=world, base_url=base_url).add_to(router)
    Quotas(world=world).add_to(router)
    Flavors(base_url=base_url).add_to(router)
    return Service(name="nova", routes=routes, error=error, finish=with_version)


def server_name(world: World, request: Request) -> str | None:
    """Return the name of the server that a request is about, or would create; None if there is none."""
    match = re.match(f"{_PREFIX}/servers/([^/]+)", request.path)
    if match is not None:
        server = world.servers.get(match[1])
        return None if server is None else server.name
    if (request.method, request.path) != ("POST", f"{_PREFIX}/servers"):
        return None
    try:
        name = json.loads(request.body)["server"]["name"]
    except (ValueError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) else None


def _add_versions(routes: Routes, base_url: str) -> None:
    """Add what clients learn the range of microversions from; no token is needed for it."""
    version: Document = {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.104",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{base_url}{_PREFIX}/"}],
    }
    described = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
    media_type = {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
    details = {"links": [*version["links"], described], "media-types": [media_type]}

    def index(_request: Request) -> Response:
        return Response(status=200, body={"versions": [version]})

    def show(_request: Request) -> Response:
        return Response(status=200, body={"version": version | details})

    routes.add("GET", "", index)
    routes.add("GET", "/v2.1", show)
