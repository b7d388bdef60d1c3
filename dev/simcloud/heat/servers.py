"""The servers of stacks: asked of the simulated Nova as their stack's owner would ask for them.

It is asked without HTTP: of the faults, those of servers as they are created apply, those of requests to
Nova do not.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

from dev.simcloud.faults import Faults
from dev.simcloud.heat.registry import random_name
from dev.simcloud.keystone.tokens import Caller
from dev.simcloud.messages import Document, Refused, Request
from dev.simcloud.nova.call import Call
from dev.simcloud.nova.creation import Creation
from dev.simcloud.nova.documents import NO_VALID_HOST, shown
from dev.simcloud.nova.lifecycle import is_gone, state_of
from dev.simcloud.nova.servers import Servers
from dev.simcloud.records import Build, Server, Status, Token
from dev.simcloud.stack_records import Stack
from dev.simcloud.world import IMAGE_ID, IMAGE_NAME, World

_VERSION = (2, 90)
_ERRORS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}
_PASSED_ON = ("admin_pass", "availability_zone", "key_name", "tags")
_NOVA_NAMES = {"admin_pass": "adminPass"}


class Failed(Exception):
    """Work on a resource came to nothing; ``kind`` is the name of Heat's exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class StackServers:
    """Makes, changes and deletes the servers of stacks, at instants that may lie in the past."""

    world: World
    faults: Faults
    base_url: str

    def create(self, stack: Stack, name: str, properties: Document, at: datetime) -> str:
        """Ask for a server; return its id."""
        body = {"server": _asked(name, properties)}
        if properties.get("scheduler_hints"):
            body["os:scheduler_hints"] = properties["scheduler_hints"]
        creation = Creation(world=self._as_of(at), faults=self.faults, base_url=self.base_url)
        try:
            response = creation.create(self._call(stack, "POST", "/compute/v2.1/servers", body))
        except Refused as refused:
            raise Failed(_ERRORS.get(refused.status, "ClientException"), _remote(refused)) from refused
        assert isinstance(response.body, dict)
        return str(response.body["server"]["id"])

    def built_at(self, server_id: str) -> datetime | None:
        """Return when a server is done with building; None if never."""
        server = self.world.servers[server_id]
        return None if server.build is Build.NEVER_ENDS else server.built_at

    def check(self, server_id: str, at: datetime) -> None:
        """Raise Failed if a server was gone or broken at an instant."""
        server = self.world.servers.get(server_id)
        if server is None or is_gone(server, at):
            message = f"Instance {server_id} could not be found. (HTTP 404) (Request-ID: {_request_id()})"
            raise Failed("NotFound", message)
        if state_of(server, at).status is Status.ERROR:
            never_built = server.build is Build.FAILS
            message = NO_VALID_HOST if never_built else "The server failed on its host."
            why = f'Went to status ERROR due to "Message: {message}, Code: 500"'
            raise Failed("ResourceInError", why)

    def change(self, server_id: str, properties: Document, at: datetime) -> None:
        """Give a server other properties, at once; another flavor is a resize, which takes no time here."""
        self.check(server_id, at)
        server = self.world.servers[server_id]
        self.world.servers[server_id] = replace(
            server,
            name=properties.get("name") or server.name,
            flavor_id=properties["flavor"],
            metadata=_metadata(properties),
            tags=tuple(properties.get("tags") or ()),
            updated_at=at,
        )

    def set_status(self, server_id: str, status: Status | None, at: datetime) -> None:
        """Suspend a server, or let it run again (null)."""
        server = self.world.servers.get(server_id)
        if server is not None:
            self.world.servers[server_id] = replace(server, status=status, updated_at=at)

    def delete(self, stack: Stack, server_id: str, at: datetime) -> datetime:
        """Delete a server; return when it is gone. One that is gone already is a success."""
        server = self.world.servers.get(server_id)
        if server is None or is_gone(server, at):
            return at
        servers = Servers(world=self._as_of(at), base_url=self.base_url)
        servers.delete(self._call(stack, "DELETE", f"/compute/v2.1/servers/{server_id}", {}), server_id)
        return self.world.servers[server_id].gone_at or at

    def document(self, server_id: str, now: datetime) -> Document | None:
        """Return a server as Nova shows it; None if it is gone."""
        server = self._there(server_id, now)
        return None if server is None else shown(server, now, _VERSION, self.base_url)

    def _there(self, server_id: str, now: datetime) -> Server | None:
        server = self.world.servers.get(server_id)
        return None if server is None or is_gone(server, now) else server

    def _as_of(self, at: datetime) -> World:
        """Return the same world at another time of day."""
        return replace(self.world, now=lambda: at)

    def _call(self, stack: Stack, method: str, path: str, body: Document) -> Call:
        request = Request(
            method=method, path=path, query={}, headers=Message(), body=json.dumps(body).encode()
        )
        now = self.world.now()
        token = Token(
            id="",
            user_id=stack.user_id,
            project_id=stack.project_id,
            methods=("password",),
            audit_ids=(),
            issued_at=now,
            expires_at=now + timedelta(hours=1),
        )
        caller = Caller(token=token, roles=frozenset({"member", "reader"}))
        return Call(request=request, caller=caller, version=_VERSION)


def _asked(name: str, properties: Document) -> Document:
    image = properties.get("image")
    asked: Document = {
        "name": properties.get("name") or name,
        "flavorRef": properties["flavor"],
        "networks": "none",
        "metadata": _metadata(properties),
    }
    if image is not None:
        asked["imageRef"] = IMAGE_ID if image == IMAGE_NAME else image
    if properties.get("block_device_mapping_v2"):
        asked["block_device_mapping_v2"] = properties["block_device_mapping_v2"]
    if properties.get("user_data"):
        asked["user_data"] = base64.b64encode(str(properties["user_data"]).encode()).decode()
    passed_on = {name: properties[name] for name in _PASSED_ON if properties.get(name)}
    return asked | {_NOVA_NAMES.get(name, name): value for name, value in passed_on.items()}


def _metadata(properties: Document) -> dict[str, str]:
    given: dict[str, Any] = properties.get("metadata") or {}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def _remote(refused: Refused) -> str:
    return f"{refused.message} (HTTP {refused.status}) (Request-ID: {_request_id()})"


def _request_id() -> str:
    return f"req-{random_name()}"
