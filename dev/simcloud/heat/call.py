"""What every call to Heat has: a caller of the project in the path, and mostly a stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from dev.simcloud.heat.engine import Engine
from dev.simcloud.heat.errors import HeatRefused, bad_request, document, no_stack
from dev.simcloud.heat.scope import path_of
from dev.simcloud.keystone.tokens import Caller, DeadToken, inspect, unauthenticated
from dev.simcloud.messages import Document, Request, Response, Routes
from dev.simcloud.stack_records import Stack
from dev.simcloud.world import World

PREFIX = "/orchestration"
_IDENTIFIED = "/v1/{project_id}/stacks/{stack_name}/{stack_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to Heat by somebody."""

    request: Request
    caller: Caller
    project_id: str

    def whole_number(self, name: str) -> int | None:
        """Return a parameter of the query that is a whole number, not below 0."""
        text = self.request.parameter(name)
        if text is None:
            return None
        if not text.lstrip("-").isdigit():
            raise bad_request(f"Only integer is acceptable by '{name}'.")
        if int(text) < 0:
            why = f"is invalid for '{name}' which only accepts non-negative integer."
            raise bad_request(f"Value '{text}' {why}")
        return int(text)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a parameter of the query that is true or false."""
        text = self.request.parameter(name)
        if text is None:
            return default
        if text.lower() not in ("true", "false"):
            message = f'Unrecognized value "{text}" for "{name}", acceptable values are: true, false.'
            raise bad_request(message)
        return text.lower() == "true"

    def document(self) -> Document:
        """Return the request's JSON object; an empty body is an empty object."""
        return self.request.document() if self.request.body else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Adds routes whose handlers take a ``Call``, and the stack that the path names by its name and id."""

    world: World
    engine: Engine
    routes: Routes
    base_url: str

    def add(self, method: str, path: str, role: str, handler: Callable[..., Response]) -> None:
        """Let ``handler`` answer below the project's path, called with the call and the segments."""
        self.routes.add(method, f"/v1/{{project_id}}{path}", partial(self._serve, role, handler))

    def add_identified(self, method: str, path: str, role: str, handler: Callable[..., Response]) -> None:
        """Let ``handler`` answer below a stack's path, called with the call, the stack and the segments."""
        self.routes.add(
            method, _IDENTIFIED + path, partial(self._serve, role, partial(self._identify, handler))
        )

    def _serve(
        self, role: str, handler: Callable[..., Response], request: Request, project_id: str, **segments: str
    ) -> Response:
        try:
            caller = inspect(self.world, request.headers.get("X-Auth-Token", ""))
        except DeadToken as dead:
            raise unauthenticated() from dead
        try:
            _check_access(caller, project_id, role)
            return handler(Call(request=request, caller=caller, project_id=project_id), **segments)
        except HeatRefused as refused:
            return document(refused)
        finally:
            self.engine.settle()

    def _identify(
        self, handler: Callable[..., Response], call: Call, stack_name: str, stack_id: str, **segments: str
    ) -> Response:
        stack = self.world.stacks.get(stack_id)
        if stack is None or (stack.name, stack.project_id) != (stack_name, call.project_id):
            raise no_stack(stack_name)
        return handler(call, stack, **segments)


def _check_access(caller: Caller, project_id: str, role: str) -> None:
    if project_id != caller.token.project_id or role not in caller.roles:
        raise HeatRefused(403, "HTTPForbidden", "Access was denied to this resource.")


def look_up(world: World, call: Call, name_or_id: str) -> Stack:
    """Return the stack of this name, or of this id even if it is deleted."""
    own = [stack for stack in world.stacks.values() if stack.project_id == call.project_id]
    by_name = [s for s in own if s.name == name_or_id and s.deleted_at is None]
    found = next((s for s in own if s.id == name_or_id), by_name[-1] if by_name else None)
    if found is None:
        raise no_stack(name_or_id)
    return found


def redirect(call: Call, base_url: str, stack: Stack, path: str = "") -> Response:
    """Return the redirect to where a stack really is."""
    query = urlencode(call.request.query, doseq=True)
    location = f"{base_url}{path_of(stack)}{path}" + (f"?{query}" if query else "")
    page = (
        "<html>\n <head>\n  <title>302 Found</title>\n </head>\n <body>\n  <h1>302 Found</h1>\n"
        f'  The resource was found at <a href="{location}">{location}</a>;\n'
        "you should be redirected automatically.\n\n\n </body>\n</html>"
    )
    return Response(status=302, body=page, headers={"Location": location})


def accepted() -> Response:
    """Return the answer to an update: a page that says no more than that it was heard."""
    page = (
        "<html>\n <head>\n  <title>202 Accepted</title>\n </head>\n <body>\n  <h1>202 Accepted</h1>\n"
        "  The request is accepted for processing.<br /><br />\n\n\n\n </body>\n</html>"
    )
    return Response(status=202, body=page)


def null() -> Response:
    """Return the answer of calls that have nothing to say: the word null."""
    return Response(status=200, body="null", content_type="application/json")
