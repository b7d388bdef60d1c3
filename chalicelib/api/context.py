"""What a view knows of its request: the caller, the path, the query, the headers, the base of links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalice.app import Request

from chalicelib.core.credential import Caller
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.ids import derived_id
from chalicelib.ports import Services

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
BODY_MAX_BYTES = 256 * 1024

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_ETAG = re.compile(r'"(\d{1,18})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """Which part of a list is asked for."""

    limit: int
    marker: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as far as a view needs it.

    Attributes:
        query: the known query parameters that were given.
        headers: by lower-case name.
        base: what paths are appended to, to make links.
    """

    services: Services
    request_id: str
    base: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw_body: bytes
    known_caller: Caller | None

    @property
    def caller(self) -> Caller:
        """Who asks; only views that require a token may ask for it."""
        assert self.known_caller is not None, "this view is open to everybody"
        return self.known_caller

    @property
    def now(self) -> datetime:
        """The time of the call."""
        return self.services.now()

    def paging(self) -> Paging:
        """Return the part of the list that is asked for.

        Raises:
            Invalid: the limit is no number in its range, or the marker no id.
        """
        limit, marker = self.query.get("limit", str(LIMIT_DEFAULT)), self.query.get("marker")
        if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= LIMIT_MAX:
            raise Invalid("request.query", f"limit is a number from 1 to {LIMIT_MAX}.")
        if marker is not None and not _UUID.fullmatch(marker):
            raise Invalid("request.query", "marker is the id of the last item of the page before.")
        return Paging(limit=int(limit), marker=marker)

    def id_in_query(self, name: str) -> str | None:
        """Return an id given as a query parameter, None when it is not given.

        Raises:
            Invalid: it is no id.
        """
        value = self.query.get(name)
        if value is not None and not _UUID.fullmatch(value):
            raise Invalid("request.query", f"{name} is not an id.")
        return value

    def needed_id_in_query(self, name: str) -> str:
        """Return an id that must be given as a query parameter; Invalid when it is not, or is no id."""
        value = self.id_in_query(name)
        if value is None:
            raise Invalid("request.query", f"{name} is needed.")
        return value

    def generation(self) -> int | None:
        """Return the generation that If-Match names, None for any.

        Raises:
            Invalid: If-Match is not an ETag of ours.
        """
        value = self.headers.get("if-match")
        if value is None or value == "*":
            return None
        match = _ETAG.fullmatch(value)
        if match is None:
            raise Invalid("request.if_match", 'If-Match takes an ETag as it was given, like "3", or *.')
        return int(match[1])

    def new_id(self, noun: str, client_token: str | None) -> str:
        """Return the id for something new: always the same one for the same client_token."""
        if client_token is None:
            return self.services.new_id()
        return derived_id(self.caller.project_id, noun, client_token)


def known_id(value: str, noun: str) -> str:
    """Return a path's id; what cannot be an id is simply not found."""
    if not _UUID.fullmatch(value):
        raise NotFound(f"{noun}.not_found", f"There is no such {noun.replace('_', ' ')} in this project.")
    return value


def known_segment(value: str, noun: str) -> str:
    """Return a path's segment that names something in the cloud; what cannot be a name is not found."""
    if not _SEGMENT.fullmatch(value):
        raise NotFound(f"{noun}.not_found", f"There is no such {noun} in this project.")
    return value


def is_token(value: str) -> bool:
    """Return whether a path's segment can be a token of ours: 256 bits, URL-safe."""
    return _TOKEN.fullmatch(value) is not None


def base_of(request: Request, public_url: str | None) -> str:
    """Return what links start with: the configured URL, else as the caller reached us."""
    if public_url is not None:
        return public_url.rstrip("/")
    # Behind API Gateway the stage, or a domain's base path, stands before what the route's pattern takes.
    whole, pattern = _segments(request.context.get("path")), _segments(request.path)
    prefix = "".join(f"/{segment}" for segment in whole[: max(0, len(whole) - len(pattern))])
    return f"{_origin(request)}{prefix}"


def came_over_tls(request: Request) -> bool:
    """Return whether the caller reached us by https, as far as is known."""
    return _origin(request).startswith("https:")


def _origin(request: Request) -> str:
    """Return scheme and host: what API Gateway says of itself, else what the request's headers say."""
    domain = request.context.get("domainName")
    if domain:
        return f"https://{domain}"
    scheme = request.headers.get("x-forwarded-proto", "http")
    host = request.headers.get("host", "")
    return f"{scheme if scheme in ('http', 'https') else 'http'}://{_host(host)}"


def _segments(path: str | None) -> list[str]:
    return [segment for segment in (path or "").split("/") if segment]


def _host(value: str) -> str:
    return value if _HOST.fullmatch(value) else "localhost"


def query_of(request: Request, known: frozenset[str] | None) -> dict[str, str]:
    """Return the query parameters; where any may be given (None), the first value of each.

    Raises:
        Invalid: one is not known here, or is given twice.
    """
    given: Any = request.query_params
    result: dict[str, str] = {}
    for name in given or {}:
        if known is None:
            result[name] = given.getlist(name)[0]
            continue
        if name not in known:
            raise Invalid("request.query", f"{name[:64]!r} is not a query parameter here.")
        values = given.getlist(name)
        if len(values) != 1:
            raise Invalid("request.query", f"{name} is given {len(values)} times.")
        result[name] = values[0]
    return result
