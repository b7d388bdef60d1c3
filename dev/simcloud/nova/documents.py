"""Nova's JSON for servers, which grows with the microversion."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from dev.simcloud.messages import Document
from dev.simcloud.nova.call import Version
from dev.simcloud.nova.lifecycle import changed_at, state_of
from dev.simcloud.records import Build, Flavor, Server, Status
from dev.simcloud.world import FLAVORS

NO_VALID_HOST = "No valid host was found. "
_SHOWS_PROGRESS = frozenset({Status.ACTIVE, Status.BUILD})


def instant(at: datetime) -> str:
    """Return an instant as Nova writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def links(base_url: str, kind: str, id_: str) -> list[Document]:
    """Return the links to a server or a flavor."""
    return [
        {"rel": "self", "href": f"{base_url}/compute/v2.1/{kind}/{id_}"},
        {"rel": "bookmark", "href": f"{base_url}/compute/{kind}/{id_}"},
    ]


def brief(server: Server, base_url: str) -> Document:
    """Return a server as a list without detail has it."""
    return {"id": server.id, "name": server.name, "links": links(base_url, "servers", server.id)}


def created(server: Server, base_url: str, admin_password: str) -> Document:
    """Return a server as its creation answers."""
    return {
        "id": server.id,
        "links": links(base_url, "servers", server.id),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": "default"}],
        "adminPass": admin_password,
    }


def detailed(server: Server, now: datetime, version: Version, base_url: str) -> Document:
    """Return a server as a list with detail has it."""
    state = state_of(server, now)
    document: dict[str, Any] = {
        **brief(server, base_url),
        "accessIPv4": "",
        "accessIPv6": "",
        "addresses": server.addresses if state.has_host else {},
        "created": instant(server.created_at),
        "updated": instant(changed_at(server, now)),
        "flavor": _flavor(FLAVORS[server.flavor_id], version, base_url),
        "image": {"id": server.image_id, "links": links(base_url, "images", server.image_id)[1:]},
        "metadata": server.metadata,
        "status": state.status,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "hostId": _host_id(server) if state.has_host else "",
        "key_name": server.key_name,
        "config_drive": "",
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": (server.zone or "nova") if state.has_host else "",
        "OS-EXT-STS:task_state": state.task_state,
        "OS-EXT-STS:vm_state": state.vm_state,
        "OS-EXT-STS:power_state": state.power_state,
        "OS-SRV-USG:launched_at": _precise(server.built_at) if state.has_host else None,
        "OS-SRV-USG:terminated_at": _precise(server.gone_at) if state.status is Status.DELETED else None,
        "os-extended-volumes:volumes_attached": [],
        **_since(server, version),
    }
    if state.status in _SHOWS_PROGRESS:
        document["progress"] = 0
    if state.status is Status.ERROR:
        document["fault"] = _fault(server)
    return document


def shown(server: Server, now: datetime, version: Version, base_url: str) -> Document:
    """Return a server as it is shown by itself."""
    document = detailed(server, now, version, base_url)
    return document | {"server_groups": []} if version >= (2, 71) else document


def _since(server: Server, version: Version) -> Document:
    """Return the fields that later microversions added."""
    added: tuple[tuple[Version, str, object], ...] = (
        ((2, 9), "locked", False),
        ((2, 19), "description", server.description),
        ((2, 26), "tags", sorted(server.tags)),
        ((2, 63), "trusted_image_certificates", None),
        ((2, 73), "locked_reason", None),
        ((2, 90), "OS-EXT-SRV-ATTR:hostname", server.name),
        ((2, 96), "pinned_availability_zone", server.zone),
        ((2, 100), "scheduler_hints", server.scheduler_hints),
    )
    return {name: value for since, name, value in added if version >= since}


def _flavor(flavor: Flavor, version: Version, base_url: str) -> Document:
    if version < (2, 47):
        return {"id": flavor.id, "links": links(base_url, "flavors", flavor.id)[1:]}
    return {
        "original_name": flavor.id,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram_mib,
        "disk": 1,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": {},
    }


def _fault(server: Server) -> Document:
    never_built = server.build is Build.FAILS
    return {
        "code": 500,
        "created": instant(server.built_at if never_built else server.updated_at),
        "message": NO_VALID_HOST if never_built else "The server failed on its host.",
    }


def _host_id(server: Server) -> str:
    return hashlib.sha224(f"{server.project_id}/{server.zone or 'nova'}".encode()).hexdigest()


def _precise(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.000000")
