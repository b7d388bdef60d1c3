"""Nova: the servers of one project.

Nova has no token that makes a creation safe to repeat: what is asked for twice is made twice. So no
creation is repeated here, and servers are found again by their tag (Nova filters by tags; it ignores a
filter on metadata silently).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import BadRequest, NotFound
from requests import Response

from chalicelib.core.ids import GroupId, ResourceId
from chalicelib.core.launch import ServerTemplate
from chalicelib.core.member import GROUP_KEY, Resource, group_tag
from chalicelib.core.pool import Address
from chalicelib.openstack.answers import document_of, errors_of, require_its_own
from chalicelib.openstack.translation import twice
from chalicelib.ports.cloud import CloudUnavailable, Order

MICROVERSION = "2.79"
"""Of the Train release (2019). Tags at creation need 2.52, ``networks: none`` 2.37."""

CREATION_TIMEOUT_SECONDS = 30
_PAGE_MAX = 1000
_LISTINGS_MAX = 3
_ASKED_ONE_BY_ONE_MAX = 8

_DELETED = ("DELETED", "SOFT_DELETED")
"""Statuses of servers that are gone, or that Nova only keeps for some time, should somebody want them back
(``reclaim_instance_interval``): to delete one again would have it kept anew."""


class Nova:
    """``ports.cloud.Cloud``, over an adapter that authenticates as the owner."""

    def __init__(self, adapter: Adapter, page_size: int = _PAGE_MAX) -> None:
        self._adapter = adapter
        self._page_size = page_size

    def resources_of(self, group_id: GroupId) -> Sequence[Resource]:
        """Return every server that carries the group's tag and metadata.

        The tag alone does not do: an owner may put it on any server. A server whose cell is down is shown
        without metadata, and so is left out.
        """
        with _errors_of_nova():
            found = self._listed({"tags": group_tag(group_id)})
        servers = filter(_is_there, map(_to_server, found))
        return tuple(server for server in servers if server.metadata.get(GROUP_KEY) == group_id)

    def resource(self, resource_id: ResourceId) -> Resource | None:
        """Return the server, or None when Nova says there is none."""
        with _errors_of_nova():
            try:
                answer = self._get(_path(resource_id))
            except NotFound as error:
                require_its_own(error)
                return None
        server = _to_server(document_of(answer, "Nova", "server")["server"])
        return server if _is_there(server) else None

    def among(self, ids: Collection[ResourceId]) -> Mapping[ResourceId, Resource]:
        """Return those of the servers that there are: few are asked for by id, many found in the list.

        What the list leaves out is asked for by its id before it is believed to be gone.
        """
        found: dict[ResourceId, Resource] = {}
        if len(ids) > _ASKED_ONE_BY_ONE_MAX:
            with _errors_of_nova():
                listed = filter(_is_there, map(_to_server, self._listed({})))
            found = {server.id: server for server in listed if server.id in ids}
        for id_ in ids:
            server = None if id_ in found else self.resource(id_)
            if server is not None:
                found[id_] = server
        return found

    def create(self, order: Order) -> ResourceId | None:
        """Ask for servers, once; return the id when it was one, else None: Nova names only the first."""
        with _errors_of_nova():
            # Not logged: the request may hold secrets for the server, and the answer its password.
            answer = self._adapter.post(
                "/servers", json=_creation(order), timeout=CREATION_TIMEOUT_SECONDS, log=False
            )
        first = document_of(answer, "Nova", "server")["server"]
        return ResourceId(first["id"]) if order.count == 1 else None

    def delete(self, resource_id: ResourceId) -> None:
        """Delete a server; one already gone is a success, one that is locked is refused."""
        with _errors_of_nova(), _already_gone_is_fine():
            twice(lambda: self._adapter.delete(_path(resource_id)))

    def label(self, resource_id: ResourceId, metadata: dict[str, str]) -> None:
        """Add metadata to a server; one that is gone needs none."""
        with _errors_of_nova(), _already_gone_is_fine():
            twice(lambda: self._adapter.post(f"{_path(resource_id)}/metadata", json={"metadata": metadata}))

    def _listed(self, query: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        """Return all servers that the query finds, each once.

        A page begins after the last server of the page before. When that one is deleted meanwhile Nova does
        not know where to go on, and the listing begins anew.
        """
        for _ in range(_LISTINGS_MAX):
            try:
                return self._all_pages(query)
            except _MarkerGone:
                continue
        raise CloudUnavailable("Servers went faster than Nova listed them.", certainly_not_done=True)

    def _all_pages(self, query: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        marker: str | None = None
        while True:
            page, has_next = self._page_after(marker, query)
            new = {document["id"]: document for document in page if document["id"] not in found}
            found.update(new)
            if not has_next or not new:
                return tuple(found.values())
            marker = page[-1]["id"]

    def _page_after(self, marker: str | None, which: Mapping[str, str]) -> tuple[list[dict[str, Any]], bool]:
        """Return a page of servers, and whether there is another."""
        query: dict[str, Any] = {**which, "limit": self._page_size}
        if marker is not None:
            query["marker"] = marker
        try:
            document = document_of(self._get("/servers/detail", query), "Nova", "servers")
        except BadRequest as error:
            if marker is None:
                raise
            raise _MarkerGone from error
        links = document.get("servers_links", ())
        return document["servers"], any(link["rel"] == "next" for link in links)

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Response:
        return twice(lambda: self._adapter.get(path, params=dict(query or {})))


class _MarkerGone(Exception):
    """The server after which a page was to begin is gone."""


def _errors_of_nova() -> AbstractContextManager[None]:
    return errors_of("Nova", wanted="list, show, create, delete and label servers")


@contextmanager
def _already_gone_is_fine() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        require_its_own(error)


def _path(resource_id: ResourceId) -> str:
    return f"/servers/{quote(resource_id, safe='')}"


def _creation(order: Order) -> dict[str, Any]:
    """Return Nova's document for the order; what marks the servers as the group's has the last word.

    Raises:
        TypeError: what is ordered is no server.
    """
    template = order.template
    if not isinstance(template, ServerTemplate):
        raise TypeError("what is ordered of Nova is no server")
    server: dict[str, Any] = {
        "name": order.name,
        "flavorRef": template.flavor,
        "networks": _networks(template),
        "metadata": {**template.metadata, **order.metadata},
        "tags": list(dict.fromkeys((*template.tags, *order.tags))),
    }
    optional = {
        "imageRef": template.image,
        "key_name": template.key_name,
        "user_data": template.user_data,
        "availability_zone": order.availability_zone,
        "config_drive": template.config_drive,
        "security_groups": [{"name": name} for name in template.security_groups],
        "block_device_mapping_v2": [dict(device) for device in template.block_device_mapping_v2],
    }
    server.update({key: value for key, value in optional.items() if value})
    if order.count > 1:
        server.update(min_count=order.count, max_count=order.count)
    document: dict[str, Any] = {"server": server}
    if template.scheduler_hints:
        document["os:scheduler_hints"] = dict(template.scheduler_hints)
    return document


def _networks(template: ServerTemplate) -> str | list[dict[str, Any]]:
    if isinstance(template.networks, str):
        return template.networks
    return [dict(network) for network in template.networks]


def _to_server(document: Mapping[str, Any]) -> Resource:
    """Return the server that Nova shows.

    Of a server whose cell is down only a few fields are known, and its status is UNKNOWN.
    """
    created = document.get("created")
    return Resource(
        id=ResourceId(document["id"]),
        name=document.get("name") or "",
        status=str(document.get("status") or "UNKNOWN").upper(),
        task=document.get("OS-EXT-STS:task_state"),
        created_at=datetime.fromisoformat(created) if created else datetime.fromtimestamp(0, UTC),
        metadata=document.get("metadata") or {},
        fault=(document.get("fault") or {}).get("message"),
        addresses=tuple(_to_addresses(document.get("addresses") or {})),
    )


def _is_there(server: Resource) -> bool:
    return server.status not in _DELETED


def _to_addresses(document: Mapping[str, Any]) -> Iterator[Address]:
    """Yield the addresses by network, as ``addresses`` of a server has them."""
    for network, shown in document.items():
        for each in shown:
            yield Address(
                network=network,
                address=each["addr"],
                version=int(each.get("version") or 4),
                fixed=each.get("OS-EXT-IPS:type", "fixed") == "fixed",
            )
