"""``/v3/services`` and ``/v3/endpoints``: what an administrator adds to the catalogue."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from dev.simcloud.keystone import documents
from dev.simcloud.keystone.parsing import body_of
from dev.simcloud.keystone.tokens import caller_of, forbidden
from dev.simcloud.messages import Document, Refused, Request, Response, Routes, maybe, need
from dev.simcloud.records import Endpoint, RegisteredService
from dev.simcloud.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The resources of services and endpoints; the simulated services themselves are not among them."""

    world: World
    base_url: str

    def add_to(self, routes: Routes) -> None:
        """Add what this answers to ``routes``."""
        routes.add("GET", "/services", self._checked("list_services", self.services))
        routes.add("POST", "/services", self._checked("create_service", self.create_service))
        routes.add("DELETE", "/services/{service_id}", self._checked("delete_service", self.delete_service))
        routes.add("GET", "/endpoints", self._checked("list_endpoints", self.endpoints))
        routes.add("POST", "/endpoints", self._checked("create_endpoint", self.create_endpoint))
        path = "/endpoints/{endpoint_id}"
        routes.add("PATCH", path, self._checked("update_endpoint", self.change_endpoint))
        routes.add("DELETE", path, self._checked("delete_endpoint", self.delete_endpoint))

    def _checked(self, rule: str, handler: Callable[..., Response]) -> Callable[..., Response]:
        """Return the handler for administrators only."""

        def checked(request: Request, **segments: str) -> Response:
            if not caller_of(self.world, request).is_admin:
                raise forbidden(f"identity:{rule}")
            return handler(request, **segments)

        return checked

    def services(self, request: Request) -> Response:
        """List services, of a type or a name."""
        type_, name = request.parameter("type"), request.parameter("name")
        found = (
            documents.of_service(service, self.base_url)
            for service in self.world.services.values()
            if type_ in (None, service.type) and name in (None, service.name)
        )
        return Response(status=200, body=documents.listed("services", found, f"{self.base_url}/v3/services"))

    def create_service(self, request: Request) -> Response:
        """Make a service; its name need not be unique."""
        given = need(body_of(request), "service", dict)
        service = RegisteredService(
            id=uuid.uuid4().hex,
            type=need(given, "type", str, within="service"),
            name=maybe(given, "name", str) or "",
        )
        self.world.services[service.id] = service
        return Response(status=201, body={"service": documents.of_service(service, self.base_url)})

    def delete_service(self, _request: Request, service_id: str) -> Response:
        """Delete a service, and its endpoints with it."""
        if self.world.services.pop(service_id, None) is None:
            raise Refused(404, f"Could not find service: {service_id}.")
        kept = {id_: e for id_, e in self.world.endpoints.items() if e.service_id != service_id}
        self.world.endpoints = kept
        return Response(status=204)

    def endpoints(self, request: Request) -> Response:
        """List endpoints, of a service, a region or an interface."""
        service_id, region = request.parameter("service_id"), request.parameter("region_id")
        interface = request.parameter("interface")
        found = (
            documents.of_endpoint(endpoint, self.base_url)
            for endpoint in self.world.endpoints.values()
            if service_id in (None, endpoint.service_id)
            and region in (None, endpoint.region)
            and interface in (None, endpoint.interface)
        )
        return Response(
            status=200, body=documents.listed("endpoints", found, f"{self.base_url}/v3/endpoints")
        )

    def create_endpoint(self, request: Request) -> Response:
        """Make an endpoint of a service."""
        given = need(body_of(request), "endpoint", dict)
        service_id = need(given, "service_id", str, within="endpoint")
        if service_id not in self.world.services:
            raise Refused(404, f"Could not find service: {service_id}.")
        endpoint = _changed(
            Endpoint(id=uuid.uuid4().hex, service_id=service_id, region=None, interface="", url=""), given
        )
        self.world.endpoints[endpoint.id] = endpoint
        return Response(status=201, body={"endpoint": documents.of_endpoint(endpoint, self.base_url)})

    def change_endpoint(self, request: Request, endpoint_id: str) -> Response:
        """Change an endpoint."""
        endpoint = _changed(self._found(endpoint_id), need(body_of(request), "endpoint", dict))
        self.world.endpoints[endpoint_id] = endpoint
        return Response(status=200, body={"endpoint": documents.of_endpoint(endpoint, self.base_url)})

    def delete_endpoint(self, _request: Request, endpoint_id: str) -> Response:
        """Delete an endpoint."""
        del self.world.endpoints[self._found(endpoint_id).id]
        return Response(status=204)

    def _found(self, endpoint_id: str) -> Endpoint:
        if endpoint_id not in self.world.endpoints:
            raise Refused(404, f"Could not find endpoint: {endpoint_id}.")
        return self.world.endpoints[endpoint_id]


def _changed(endpoint: Endpoint, given: Document) -> Endpoint:
    enabled = maybe(given, "enabled", bool)
    return replace(
        endpoint,
        region=maybe(given, "region_id", str) or endpoint.region,
        interface=maybe(given, "interface", str) or endpoint.interface,
        url=maybe(given, "url", str) or endpoint.url,
        enabled=endpoint.enabled if enabled is None else enabled,
    )
