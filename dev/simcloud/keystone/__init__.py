"""The simulated Keystone, API version 3."""

from __future__ import annotations

from dev.simcloud.keystone import documents
from dev.simcloud.keystone.application_credentials import ApplicationCredentials
from dev.simcloud.keystone.authentication import Authentication
from dev.simcloud.keystone.catalogue import Catalogue
from dev.simcloud.keystone.trusts import Trusts
from dev.simcloud.messages import Request, Response, Routes, Service
from dev.simcloud.world import World


def keystone(world: World, base_url: str) -> Service:
    """Return Keystone, serving ``world`` below ``base_url``."""
    routes = Routes("/v3")
    links = [{"rel": "self", "href": f"{base_url}/v3/"}]

    def version(_request: Request) -> Response:
        return Response(status=200, body={"version": documents.VERSION | {"links": links}})

    routes.add("GET", "", version)
    Authentication(world=world, base_url=base_url).add_to(routes)
    Trusts(world=world, base_url=base_url).add_to(routes)
    ApplicationCredentials(world=world, base_url=base_url).add_to(routes)
    Catalogue(world=world, base_url=base_url).add_to(routes)
    return Service(name="keystone", routes=routes, error=documents.error)
