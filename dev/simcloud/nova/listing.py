"""``GET /servers`` and ``GET /servers/detail``: filters, order and pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from dev.simcloud.messages import Document, Malformed, Refused, Request, Response
from dev.simcloud.nova import documents
from dev.simcloud.nova.call import Call
from dev.simcloud.nova.lifecycle import changed_at, is_gone, state_of
from dev.simcloud.nova.routing import Router
from dev.simcloud.records import Server, Status
from dev.simcloud.world import World

_LIMIT_MAX = 1000
_REGEX_FILTERS = ("name", "tags", "tags-any", "not-tags", "not-tags-any")
_TAGS_SINCE = (2, 26)
_FILTERS = frozenset(
    {
        *_REGEX_FILTERS,
        "all_tenants",
        "availability_zone",
        "changes-since",
        "deleted",
        "flavor",
        "image",
        "limit",
        "marker",
        "metadata",
        "project_id",
        "reservation_id",
        "sort_dir",
        "sort_key",
        "status",
        "user_id",
    }
)
_SORT_KEYS: dict[str, Callable[[Server], Any]] = {
    "created_at": lambda server: server.created_at,
    "display_name": lambda server: server.name,
    "updated_at": lambda server: server.updated_at,
    "uuid": lambda server: server.id,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The lists of servers. Nova ignores a user's metadata filter silently, and so does this."""

    world: World
    base_url: str

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add("GET", "/servers", self.brief)
        router.add("GET", "/servers/detail", self.detailed)

    def brief(self, call: Call) -> Response:
        """List ids and names."""
        call.check("servers:index", "reader")
        page = self._page(call, "servers:index")
        return self._listed(call, page, [documents.brief(server, self.base_url) for server in page])

    def detailed(self, call: Call) -> Response:
        """List servers with all that Nova tells of them."""
        call.check("servers:detail", "reader")
        page, now = self._page(call, "servers:detail"), self.world.now()
        shown = [documents.detailed(server, now, call.version, self.base_url) for server in page]
        return self._listed(call, page, shown)

    def _page(self, call: Call, rule: str) -> list[Server]:
        """Return the servers of one page.

        The marker is looked for before filters apply: one that is gone, but not yet forgotten, still
        tells where to go on.
        """
        _check_query(call)
        ordered = _ordered(self._visible(call, rule), call.request)
        marker = call.request.parameter("marker")
        if marker is not None:
            ids = [server.id for server in ordered]
            if marker not in ids:
                raise Malformed(f"marker [{marker}] not found")
            ordered = ordered[ids.index(marker) + 1 :]
        wanted = self._filter(call)
        return [server for server in ordered if wanted(server)][: _limit(call.request)]

    def _visible(self, call: Call, rule: str) -> list[Server]:
        servers = list(self.world.servers.values())
        if call.request.parameter("all_tenants") in (None, "0", "False", "false"):
            return [server for server in servers if server.project_id == call.project_id]
        call.check(f"{rule}:get_all_tenants", "admin")
        return servers

    def _filter(self, call: Call) -> Callable[[Server], bool]:
        now, parameter = self.world.now(), call.request.parameter
        statuses = [status.upper() for status in call.request.query.get("status", [])]
        name = re.compile(parameter("name") or "")
        tags_match = _tag_filter(call)
        since = _changes_since(call.request)

        def wanted(server: Server) -> bool:
            return (
                (changed_at(server, now) >= since if since else not is_gone(server, now))
                and (server.hidden_until is None or server.hidden_until <= now)
                and (not statuses or state_of(server, now).status in statuses)
                and name.search(server.name) is not None
                and parameter("reservation_id") in (None, server.reservation_id)
                and parameter("flavor") in (None, server.flavor_id)
                and parameter("image") in (None, server.image_id)
                and tags_match(frozenset(server.tags))
            )

        return wanted

    def _listed(self, call: Call, page: list[Server], shown: list[Document]) -> Response:
        body: Document = {"servers": shown}
        # Nova links to a next page whenever this one is full, even if there is nothing on the next.
        if page and len(page) == _limit(call.request):
            query = {**call.request.query, "marker": [page[-1].id]}
            href = f"{self.base_url}{call.request.path}?{urlencode(query, doseq=True)}"
            body["servers_links"] = [{"rel": "next", "href": href}]
        return Response(status=200, body=body)


def _check_query(call: Call) -> None:
    query = call.request.query
    for name in query:
        if name not in _FILTERS and not name.startswith("_"):
            raise Malformed(f"{name!r} does not match any of the regexes: '^_'")
    if "metadata" in query and call.caller.is_admin:
        raise Malformed("Invalid filter field: metadata.")
    for name in _REGEX_FILTERS:
        for value in query.get(name, []):
            _check_regex(name, value)
    for value in query.get("limit", []):
        if not re.fullmatch("[0-9]*", value):
            raise _invalid_parameter("limit", value, "does not match '^[0-9]*$'")
    for value in query.get("status", []):
        _check_status(call, value.upper())


def _check_status(call: Call, status: str) -> None:
    if status not in set(Status):
        raise Malformed("Invalid status value")
    if status == Status.DELETED and not call.caller.is_admin:
        raise Refused(403, "Only administrators may list deleted instances")


def _check_regex(name: str, value: str) -> None:
    try:
        re.compile(value)
    except re.error:
        value_is_regex = False
    else:
        value_is_regex = bool(value)
    if not value_is_regex:
        raise _invalid_parameter(name, value, "is not a 'regex'")


def _invalid_parameter(name: str, value: str, why: str) -> Malformed:
    return Malformed(f"Invalid input for query parameters {name}. Value: {value}. {value!r} {why}")


def _limit(request: Request) -> int:
    return min(int(request.parameter("limit") or _LIMIT_MAX), _LIMIT_MAX)


def _ordered(servers: list[Server], request: Request) -> list[Server]:
    """Return ``servers``, which come oldest first, in the order asked for: newest first by default."""
    key, direction = request.parameter("sort_key") or "created_at", request.parameter("sort_dir") or "desc"
    if key not in _SORT_KEYS:
        raise _invalid_parameter("sort_key", key, f"is not one of {sorted(_SORT_KEYS)}")
    if direction not in ("asc", "desc"):
        message = "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'"
        raise Malformed(message)
    ordered = sorted(servers, key=_SORT_KEYS[key])
    return ordered if direction == "asc" else ordered[::-1]


def _tag_filter(call: Call) -> Callable[[frozenset[str]], bool]:
    """Return what a server's tags must satisfy; before 2.26 tags are no filter, and ignored."""
    if call.version < _TAGS_SINCE:
        return lambda _tags: True

    def asked(name: str) -> frozenset[str]:
        return frozenset(",".join(call.request.query.get(name, [])).split(",")) - {""}

    every, some = asked("tags"), asked("tags-any")
    not_every, not_some = asked("not-tags"), asked("not-tags-any")

    def match(tags: frozenset[str]) -> bool:
        return (
            every <= tags
            and (not some or bool(some & tags))
            and (not not_every or not not_every <= tags)
            and not not_some & tags
        )

    return match


def _changes_since(request: Request) -> datetime | None:
    """Return the instant since which changes are asked for; then the list has deleted servers too."""
    text = request.parameter("changes-since")
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _invalid_parameter("changes-since", text, "is not a 'date-time'") from None
