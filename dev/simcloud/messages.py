"""HTTP as the simulated services see it: requests, responses, refusals, routes. No sockets here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote

Document = dict[str, Any]
Kind = TypeVar("Kind")

_JSON_TYPES = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean"}
_NO_SUCH_PAGE = "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n</html>"


class Refused(Exception):
    """The service answers with an error; each service has its own shape for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Malformed(Refused):
    """The request is not what the service's schema allows."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request; ``path`` is without the query and without a slash at its end."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes

    def document(self, unreadable: str = "Malformed request body") -> Document:
        """Return the body's JSON object, or refuse saying it is ``unreadable``."""
        try:
            document = json.loads(self.body)
        except ValueError:
            raise Malformed(unreadable) from None
        if not isinstance(document, dict):
            raise Malformed(unreadable)
        return document

    def parameter(self, name: str) -> str | None:
        """Return a parameter of the query; given several times, the last."""
        return self.query.get(name, [None])[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer.

    Attributes:
        body: an object or a list is sent as JSON, text as it is, null not at all.
        content_type: of text; HTML unless told.
    """

    status: int
    body: Document | list[Document] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/html; charset=UTF-8"

    def encoded(self) -> tuple[bytes, str]:
        """Return the body as sent, and its content type."""
        if isinstance(self.body, str):
            return self.body.encode(), self.content_type
        return (b"" if self.body is None else json.dumps(self.body).encode()), "application/json"


Handler = Callable[..., Response]


class Routes:
    """Which handler answers which method and path; ``{name}`` in a path is one segment, passed by name."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Let ``handler`` answer, called with the request and the path's segments."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self._prefix + path)
        self._routes.append((method, re.compile(pattern), handler))

    def find(self, request: Request) -> Callable[[], Response] | None:
        """Return the handler of ``request``, ready to be called; a HEAD is answered as a GET."""
        method = "GET" if request.method == "HEAD" else request.method
        for route_method, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match and route_method == method:
                segments = {name: unquote(value) for name, value in match.groupdict().items()}
                return partial(handler, request, **segments)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One simulated API: its routes, its shape of an error, and what it adds to each answer."""

    name: str
    routes: Routes
    error: Callable[[int, str], Response]
    finish: Callable[[Request, Response], Response] = lambda _request, response: response

    def answer(self, request: Request) -> Response:
        """Perform ``request`` and answer it."""
        return self.finish(request, self._answer(request))

    def _answer(self, request: Request) -> Response:
        handler = self.routes.find(request)
        if handler is None:
            return Response(status=404, body=_NO_SUCH_PAGE)
        try:
            return handler()
        except Refused as refused:
            return self.error(refused.status, refused.message)


def need(document: Document, name: str, kind: type[Kind], *, within: str = "") -> Kind:
    """Return a field that must be there and of this kind; ``within`` names the object for the refusal."""
    if name not in document:
        where = f"Invalid input for field/attribute {within}. Value: {document}. " if within else ""
        raise Malformed(f"{where}{name!r} is a required property")
    value = document[name]
    if not isinstance(value, kind):
        raise invalid(name, value, f"is not of type {_JSON_TYPES[kind]!r}")
    return value


def maybe(document: Document, name: str, kind: type[Kind]) -> Kind | None:
    """Return a field of this kind, or None if it is absent or null."""
    return None if document.get(name) is None else need(document, name, kind)


def invalid(name: str, value: object, why: str) -> Malformed:
    """Return the refusal of a field's value, in the words that Keystone and Nova share."""
    return Malformed(f"Invalid input for field/attribute {name}. Value: {value}. {value!r} {why}")
