"""Keystone's JSON: errors, tokens with their catalog, trusts, application credentials."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from dev.simcloud.messages import Document, Response
from dev.simcloud.records import (
    ApplicationCredential,
    Endpoint,
    Project,
    RegisteredService,
    Token,
    Trust,
    User,
)
from dev.simcloud.world import REGION, World, stable_id

DOMAIN = {"id": "default", "name": "Default"}
VERSION = {
    "id": "v3.14",
    "status": "stable",
    "updated": "2020-04-07T00:00:00Z",
    "media-types": [
        {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
    ],
}
_SERVICES = (
    ("identity", "keystone", "/v3"),
    ("compute", "nova", "/compute/v2.1"),
    ("image", "glance", "/image"),
    ("alarming", "aodh", "/alarming"),
    ("load-balancer", "octavia", "/load-balancer"),
    ("orchestration", "heat", "/orchestration/v1/{project_id}"),
)


def error(status: int, message: str) -> Response:
    """Return a refusal in Keystone's shape."""
    title = HTTPStatus(status).phrase.title()
    body = {"error": {"code": status, "message": message, "title": title}}
    return Response(status=status, body=body)


def instant(at: datetime | None) -> str | None:
    """Return an instant as Keystone writes it."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def role(name: str) -> Document:
    """Return a role as it is written in trusts and application credentials."""
    return {
        "id": stable_id("role", name),
        "name": name,
        "domain_id": None,
        "description": None,
        "options": {"immutable": True},
    }


def of_project(project: Project, base_url: str) -> Document:
    """Return a project as it is listed."""
    return {
        "id": project.id,
        "name": project.name,
        "domain_id": DOMAIN["id"],
        "description": "",
        "enabled": True,
        "parent_id": DOMAIN["id"],
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": {"self": f"{base_url}/v3/projects/{project.id}"},
    }


def catalog(world: World, project_id: str, base_url: str) -> list[Document]:
    """Return the catalog: each service with its three interfaces at the same address, and what was added."""
    absent = {
        "alarming": not world.has_aodh,
        "orchestration": not world.has_heat,
        "load-balancer": not world.has_octavia,
    }
    simulated = [
        {
            "id": stable_id("service", name),
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": stable_id("endpoint", f"{name}/{interface}"),
                    "interface": interface,
                    "region_id": REGION,
                    "region": REGION,
                    "url": base_url + path.format(project_id=project_id),
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, name, path in _SERVICES
        if not absent.get(kind)
    ]
    return simulated + [_added(world, service) for service in world.services.values()]


def _added(world: World, service: RegisteredService) -> Document:
    """Return a service of the catalog that an administrator added."""
    endpoints = [
        {"id": e.id, "interface": e.interface, "region_id": e.region, "region": e.region, "url": e.url}
        for e in world.endpoints.values()
        if e.service_id == service.id and e.enabled
    ]
    return {"id": service.id, "type": service.type, "name": service.name, "endpoints": endpoints}


def of_service(service: RegisteredService, base_url: str) -> Document:
    """Return a service as it is listed."""
    return {
        "id": service.id,
        "type": service.type,
        "name": service.name,
        "enabled": True,
        "links": {"self": f"{base_url}/v3/services/{service.id}"},
    }


def of_endpoint(endpoint: Endpoint, base_url: str) -> Document:
    """Return an endpoint as it is listed."""
    return {
        "id": endpoint.id,
        "service_id": endpoint.service_id,
        "interface": endpoint.interface,
        "region_id": endpoint.region,
        "region": endpoint.region,
        "url": endpoint.url,
        "enabled": endpoint.enabled,
        "links": {"self": f"{base_url}/v3/endpoints/{endpoint.id}"},
    }


def of_token(world: World, token: Token, roles: Iterable[str], base_url: str | None) -> Document:
    """Return a token as it is issued and validated; without a ``base_url`` there is no catalog."""
    body: dict[str, Any] = {
        "methods": list(token.methods),
        "user": _user(world.users[token.user_id]),
        "audit_ids": list(token.audit_ids),
        "expires_at": instant(token.expires_at),
        "issued_at": instant(token.issued_at),
    }
    if token.trust_id is not None:
        body["OS-TRUST:trust"] = _trust_of_token(world.trusts[token.trust_id])
    if token.project_id is not None:
        project = world.projects[token.project_id]
        body["project"] = {"domain": DOMAIN, "id": project.id, "name": project.name}
        if token.trust_id is None:
            body["is_domain"] = False
        body["roles"] = [_role_of_token(name, token) for name in sorted(roles)]
        if base_url is not None:
            body["catalog"] = catalog(world, project.id, base_url)
    if token.credential_id is not None:
        body["application_credential"] = _credential_of_token(world.credentials[token.credential_id])
    return {"token": body}


def of_trust(trust: Trust, base_url: str, *, listed: bool = False) -> Document:
    """Return a trust; in a list it is without its roles."""
    body = {
        "id": trust.id,
        "trustor_user_id": trust.trustor_user_id,
        "trustee_user_id": trust.trustee_user_id,
        "project_id": trust.project_id,
        "impersonation": trust.impersonation,
        "expires_at": instant(trust.expires_at),
        "remaining_uses": trust.remaining_uses,
        "deleted_at": None,
        "redelegated_trust_id": None,
        "redelegation_count": trust.redelegation_count,
        "links": {"self": f"{base_url}/v3/OS-TRUST/trusts/{trust.id}"},
    }
    return body if listed else body | _roles_of_trust(trust, base_url)


def of_credential(credential: ApplicationCredential, base_url: str) -> Document:
    """Return an application credential without its secret."""
    return {
        "id": credential.id,
        "name": credential.name,
        "description": credential.description,
        "user_id": credential.user_id,
        "project_id": credential.project_id,
        "system": None,
        "expires_at": instant(credential.expires_at),
        "unrestricted": credential.unrestricted,
        "roles": [role(name) for name in credential.roles],
        "links": {"self": f"{base_url}/v3/application_credentials/{credential.id}"},
    }


def listed(name: str, documents: Iterable[Document], url: str) -> Document:
    """Return a list as Keystone writes it: all on one page."""
    return {name: list(documents), "links": {"next": None, "self": url, "previous": None}}


def _user(user: User) -> Document:
    return {"domain": DOMAIN, "id": user.id, "name": user.name, "password_expires_at": None}


def _role_of_token(name: str, token: Token) -> Document:
    """Return a role as a token has it: in full if it came by a trust."""
    return role(name) if token.trust_id is not None else {"id": stable_id("role", name), "name": name}


def _roles_of_trust(trust: Trust, base_url: str) -> Document:
    roles = [
        role(name) | {"links": {"self": f"{base_url}/v3/roles/{stable_id('role', name)}"}}
        for name in trust.roles
    ]
    links = {"self": f"{base_url}/v3/{trust.id}/roles", "next": None, "previous": None}
    return {"roles": roles, "roles_links": links}


def _trust_of_token(trust: Trust) -> Document:
    return {
        "id": trust.id,
        "trustor_user": {"id": trust.trustor_user_id},
        "trustee_user": {"id": trust.trustee_user_id},
        "impersonation": trust.impersonation,
    }


def _credential_of_token(credential: ApplicationCredential) -> Document:
    return {"id": credential.id, "name": credential.name, "restricted": not credential.unrestricted}
