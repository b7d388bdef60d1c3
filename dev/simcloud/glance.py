"""The simulated Glance: one image, to boot servers from."""

from __future__ import annotations

from dev.simcloud.keystone import documents as keystone_documents
from dev.simcloud.keystone.tokens import DeadToken, inspect, unauthenticated
from dev.simcloud.messages import Document, Refused, Request, Response, Routes, Service
from dev.simcloud.world import IMAGE_ID, IMAGE_NAME, World

_IMAGE: Document = {
    "id": IMAGE_ID,
    "name": IMAGE_NAME,
    "status": "active",
    "visibility": "public",
    "disk_format": "raw",
    "container_format": "bare",
    "size": 1024,
    "virtual_size": 1024,
    "min_ram": 0,
    "min_disk": 0,
    "protected": False,
    "os_hidden": False,
    "tags": [],
    "self": f"/v2/images/{IMAGE_ID}",
    "file": f"/v2/images/{IMAGE_ID}/file",
    "schema": "/v2/schemas/image",
}


def glance(world: World, base_url: str) -> Service:
    """Return Glance, serving ``world`` below ``base_url``."""
    routes = Routes("/image")
    links = [{"rel": "self", "href": f"{base_url}/image/v2/"}]

    def versions(_request: Request) -> Response:
        return Response(status=300, body={"versions": [{"id": "v2.17", "status": "CURRENT", "links": links}]})

    def index(request: Request) -> Response:
        _check_token(world, request)
        found = [_IMAGE] if request.parameter("name") in (None, IMAGE_NAME) else []
        body = {"images": found, "first": "/v2/images", "schema": "/v2/schemas/images"}
        return Response(status=200, body=body)

    def show(request: Request, image_id: str) -> Response:
        _check_token(world, request)
        if image_id != IMAGE_ID:
            raise Refused(404, f"No image found with ID {image_id}")
        return Response(status=200, body=_IMAGE)

    routes.add("GET", "", versions)
    routes.add("GET", "/v2/images", index)
    routes.add("GET", "/v2/images/{image_id}", show)
    return Service(name="glance", routes=routes, error=keystone_documents.error)


def _check_token(world: World, request: Request) -> None:
    try:
        inspect(world, request.headers.get("X-Auth-Token", ""))
    except DeadToken as dead:
        raise unauthenticated() from dead
