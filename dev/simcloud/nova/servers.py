"""One server: shown, deleted, stopped, started; its metadata and tags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from dev.simcloud.messages import Malformed, Refused, Response, need
from dev.simcloud.nova import documents
from dev.simcloud.nova.call import Call
from dev.simcloud.nova.creation import check_metadata, check_tag
from dev.simcloud.nova.lifecycle import is_gone, state_of
from dev.simcloud.nova.routing import Router
from dev.simcloud.records import Server, Status
from dev.simcloud.world import World

_LABELLED_IN = frozenset({Status.ACTIVE, Status.PAUSED, Status.SUSPENDED, Status.SHUTOFF})
_STOPPED_IN = frozenset({Status.ACTIVE, Status.ERROR})
_STARTED_IN = frozenset({Status.SHUTOFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The resource of one server. Another project's server is as if it did not exist."""

    world: World
    base_url: str

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add("GET", "/servers/{server_id}", self.show)
        router.add("DELETE", "/servers/{server_id}", self.delete)
        router.add("POST", "/servers/{server_id}/action", self.act)
        router.add("GET", "/servers/{server_id}/metadata", self.show_metadata)
        router.add("POST", "/servers/{server_id}/metadata", self.add_metadata)
        router.add("GET", "/servers/{server_id}/tags", self.show_tags)
        router.add("GET", "/servers/{server_id}/tags/{tag}", self.show_tag)
        router.add("PUT", "/servers/{server_id}/tags/{tag}", self.add_tag)
        router.add("DELETE", "/servers/{server_id}/tags/{tag}", self.remove_tag)

    def show(self, call: Call, server_id: str) -> Response:
        """Show a server."""
        server = self._found(call, server_id, "servers:show", "reader")
        shown = documents.shown(server, self.world.now(), call.version, self.base_url)
        return Response(status=200, body={"server": shown})

    def delete(self, call: Call, server_id: str) -> Response:
        """Begin a server's deletion; one that never found a host is gone at once."""
        server = self._found(call, server_id, "servers:delete", "member")
        now = self.world.now()
        if server.gone_at is None:
            state = state_of(server, now)
            on_no_host = state.status is Status.ERROR and not state.has_host
            lasts = timedelta(seconds=0 if on_no_host else self.world.delete_seconds)
            self._change(server, gone_at=now + lasts)
        return Response(status=204)

    def act(self, call: Call, server_id: str) -> Response:
        """Stop or start a server, at once."""
        action = next(iter(call.request.document()), "")
        if action == "os-stop":
            self._turn(call, server_id, "stop", _STOPPED_IN, Status.SHUTOFF)
        elif action == "os-start":
            self._turn(call, server_id, "start", _STARTED_IN, Status.ACTIVE)
        else:
            raise Malformed(f"There is no such action: {action}")
        return Response(status=202)

    def show_metadata(self, call: Call, server_id: str) -> Response:
        """Show a server's metadata."""
        server = self._found(call, server_id, "server-metadata:index", "reader")
        return Response(status=200, body={"metadata": server.metadata})

    def add_metadata(self, call: Call, server_id: str) -> Response:
        """Set some of a server's metadata; answer with all of it."""
        server = self._found(call, server_id, "server-metadata:create", "member")
        added = need(call.request.document(), "metadata", dict)
        check_metadata(added)
        self._check_status(server, "update metadata", _LABELLED_IN)
        metadata = server.metadata | added
        self._change(server, metadata=metadata)
        return Response(status=200, body={"metadata": metadata})

    def show_tags(self, call: Call, server_id: str) -> Response:
        """List a server's tags."""
        server = self._found(call, server_id, "os-server-tags:index", "reader")
        return Response(status=200, body={"tags": sorted(server.tags)})

    def show_tag(self, call: Call, server_id: str, tag: str) -> Response:
        """Tell whether a server has a tag."""
        server = self._found(call, server_id, "os-server-tags:show", "reader")
        if tag not in server.tags:
            raise Refused(404, f"Server {server_id} has no tag {tag!r}")
        return Response(status=204)

    def add_tag(self, call: Call, server_id: str, tag: str) -> Response:
        """Add a tag; one that is there is a success."""
        server = self._found(call, server_id, "os-server-tags:update", "member")
        check_tag("tag", tag)
        self._check_status(server, "update tag", _LABELLED_IN)
        if tag in server.tags:
            return Response(status=204)
        self._change(server, tags=(*server.tags, tag))
        location = f"{self.base_url}/compute/v2.1/servers/{server_id}/tags/{tag}"
        return Response(status=201, headers={"Location": location})

    def remove_tag(self, call: Call, server_id: str, tag: str) -> Response:
        """Remove a tag."""
        server = self._found(call, server_id, "os-server-tags:delete", "member")
        self._check_status(server, "delete tag", _LABELLED_IN)
        if tag not in server.tags:
            raise Refused(404, f"Instance {server_id} has no tag {tag!r}")
        self._change(server, tags=tuple(each for each in server.tags if each != tag))
        return Response(status=204)

    def _found(self, call: Call, server_id: str, rule: str, role: str) -> Server:
        server = self.world.servers.get(server_id)
        own = server is not None and (server.project_id == call.project_id or call.caller.is_admin)
        if server is None or not own or is_gone(server, self.world.now()):
            raise Refused(404, f"Instance {server_id} could not be found.")
        call.check(rule, role)
        return server

    def _turn(
        self, call: Call, server_id: str, action: str, allowed: frozenset[Status], status: Status
    ) -> None:
        server = self._found(call, server_id, f"servers:{action}", "member")
        state = state_of(server, self.world.now())
        if not state.has_host:
            raise Refused(409, f"Instance {server_id} is not ready")
        if state.task_state is not None:
            where = f"while it is in task_state {state.task_state}"
            raise Refused(409, f"Cannot '{action}' instance {server_id} {where}")
        self._check_status(server, action, allowed)
        self._change(server, status=status)

    def _check_status(self, server: Server, action: str, allowed: frozenset[Status]) -> None:
        state = state_of(server, self.world.now())
        if state.status not in allowed:
            where = f"while it is in vm_state {state.vm_state}"
            raise Refused(409, f"Cannot '{action}' instance {server.id} {where}")

    def _change(self, server: Server, **changes: Any) -> None:
        self.world.servers[server.id] = replace(server, updated_at=self.world.now(), **changes)
