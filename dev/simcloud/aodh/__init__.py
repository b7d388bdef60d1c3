"""The simulated Aodh: alarms of the one type that is used here, their states, and quotas.

Nothing evaluates the alarms: a state is what its owner set last. No action is ever called.
"""

from __future__ import annotations

from dev.simcloud.aodh.alarms import Alarms
from dev.simcloud.aodh.quotas import Quotas
from dev.simcloud.keystone import documents as keystone_documents
from dev.simcloud.messages import Document, Request, Response, Routes, Service
from dev.simcloud.world import World


def aodh(world: World, base_url: str) -> Service:
    """Return Aodh, serving ``world`` below ``base_url``."""
    routes = Routes("/alarming")

    def versions(_request: Request) -> Response:
        links = [{"href": f"{base_url}/alarming/v2", "rel": "self"}]
        version: Document = {"id": "v2", "status": "stable", "links": links}
        return Response(status=200, body={"versions": {"values": [version]}})

    routes.add("GET", "", versions)
    Alarms(world=world, base_url=base_url).add_to(routes)
    Quotas(world=world).add_to(routes)
    return Service(name="aodh", routes=routes, error=_error)


def _error(status: int, message: str) -> Response:
    """Return a refusal in Aodh's shape; of a token, in Keystone's, for it is Keystone's middleware's."""
    if status == 401:
        return keystone_documents.error(status, message)
    fault = {"faultcode": "Client", "faultstring": message, "debuginfo": None}
    return Response(status=status, body={"error_message": fault})
