"""The simulated Octavia, API 2.27: load balancers, their pools, and the members of those.

Written from the published reference and source, for no real one was at hand: paths and documents from the API
reference, what is refused and how from the API's controllers, how long a change locks what from
``repositories.py``. After each change the load balancer and the pool are PENDING_UPDATE for
``World.balancing_seconds``, and any other change of theirs is refused with 409.

Sources:
    https://docs.openstack.org/api-ref/load-balancer/v2/
    https://opendev.org/openstack/octavia (octavia/api/v2/controllers/member.py, octavia/common/exceptions.py)
"""

from __future__ import annotations

from dev.simcloud.keystone import documents as keystone_documents
from dev.simcloud.messages import Request, Response, Routes, Service
from dev.simcloud.octavia.balancers import Balancers
from dev.simcloud.octavia.batch import Batch
from dev.simcloud.octavia.members import Members
from dev.simcloud.world import World

_NEWEST = 27


def octavia(world: World, base_url: str) -> Service:
    """Return Octavia, serving ``world`` below ``base_url``."""
    routes = Routes("/load-balancer")

    def versions(_request: Request) -> Response:
        links = [{"href": f"{base_url}/load-balancer/v2", "rel": "self"}]
        shown = [
            {"id": f"v2.{minor}", "status": "CURRENT" if minor == _NEWEST else "SUPPORTED", "links": links}
            for minor in range(_NEWEST + 1)
        ]
        return Response(status=200, body={"versions": shown})

    routes.add("GET", "", versions)
    for prefix in ("/v2.0/lbaas", "/v2/lbaas"):
        Balancers(world=world).add_to(routes, prefix)
        Batch(world=world).add_to(routes, prefix)
        Members(world=world).add_to(routes, prefix)
    return Service(name="octavia", routes=routes, error=_error)


def _error(status: int, message: str) -> Response:
    """Return a refusal in Octavia's shape; of a token, in Keystone's, for it is Keystone's middleware's."""
    if status == 401:
        return keystone_documents.error(status, message)
    body = {"faultcode": "Client", "faultstring": message, "debuginfo": None}
    return Response(status=status, body=body)
