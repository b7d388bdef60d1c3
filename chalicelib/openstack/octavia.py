"""Octavia: the members of pools.

Octavia takes one change of a load balancer at a time: until that is complete the load balancer and pool are
PENDING_UPDATE, and every other change is refused with 409 (``ImmutableObject``); so is any while the load
balancer is in ERROR. Many members are made and changed in one request, ``PUT .../members`` with
``additive_only`` (API 2.11, the Train release of 2019), which knows a member by its address and port and
leaves alone what is not sent. Of what is sent, an attribute that is left out becomes the default again; our
members have no others.

Sources:
    https://docs.openstack.org/api-ref/load-balancer/v2/ (Batch Update Members; Remove a Member; status codes)
    https://opendev.org/openstack/octavia: octavia/api/v2/controllers/member.py (what a batch does, and that a
    DELETE needs an ACTIVE load balancer, too), octavia/common/exceptions.py, octavia/api/root_controller.py
    https://docs.openstack.org/octavia/latest/configuration/policy.html (``load-balancer_member``)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException, Conflict, Forbidden, NotFound, Unauthorized
from requests import Response

from chalicelib.core.credential import Credential
from chalicelib.core.ids import PoolId, PoolMemberId
from chalicelib.core.pool import PoolEntry, PoolMember, PoolSight, Readiness
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.entrance import owners_adapter
from chalicelib.openstack.session import ServiceUser
from chalicelib.openstack.translation import cloud_error, refused, sentence, twice
from chalicelib.ports.balancing import BalancerBusy, PoolGone
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable

LOOK_TIMEOUT_SECONDS = 10
"""A pool is looked at in three requests, before a round does anything else."""

_PAGE_MAX = 1000
_PAGES_MAX = 20


class OwnersBalancers:
    """``ports.balancing.Balancers``: Octavia, asked with the owner's credential."""

    def __init__(self, service_user: ServiceUser, delegations: Delegations) -> None:
        self._service_user = service_user
        self._delegations = delegations

    def enter(self, credential: Credential, request_id: str) -> Octavia:
        """Return the credential's project; NotInCatalog, a CloudUnavailable, where there is no Octavia."""
        return Octavia(
            owners_adapter(self._service_user, self._delegations, credential, "load-balancer", request_id)
        )


class Octavia:
    """``ports.balancing.Balancing``, over an adapter that authenticates as the owner."""

    def __init__(self, adapter: Adapter, page_size: int = _PAGE_MAX) -> None:
        self._adapter = adapter
        self._page_size = page_size

    def pool(self, pool_id: PoolId) -> PoolSight:
        """Return the pool as it is shown.

        The load balancer is looked at last: when it is ACTIVE then, what the members showed is in force.
        """
        with _errors_of_octavia():
            try:
                pool = self._get(_pool(pool_id), "pool")
                members = self._members(pool_id)
                balancer = self._get(f"/loadbalancers/{_balancer(pool)}", "loadbalancer")
            except NotFound as error:
                if not refused(error):
                    raise
                raise PoolGone(f"Octavia has no pool {pool_id}: {sentence(error)}") from error
        statuses = [str(shown.get("provisioning_status") or "UNKNOWN") for shown in (balancer, pool)]
        worst = next((status for status in statuses if _readiness(status) is Readiness.BROKEN), None)
        status = worst or next((status for status in statuses if status != "ACTIVE"), "ACTIVE")
        return PoolSight(
            id=pool_id,
            load_balancer_id=str(balancer["id"]),
            readiness=_readiness(status),
            status=status,
            members=tuple(map(_to_member, members)),
        )

    def put(self, pool_id: PoolId, entries: Sequence[PoolEntry]) -> None:
        """Make or change members, in one change of the load balancer."""
        document = {"members": [_of_entry(entry) for entry in entries]}
        path = self._path(f"{_pool(pool_id)}/members")
        with _errors_of_octavia(), _conflicts_pass():
            twice(lambda: self._adapter.put(path, json=document, params={"additive_only": "true"}))

    def remove(self, pool_id: PoolId, member_id: PoolMemberId) -> None:
        """Delete one member."""
        path = self._path(f"{_pool(pool_id)}/members/{quote(member_id, safe='')}")
        with _errors_of_octavia(), _conflicts_pass():
            try:
                twice(lambda: self._adapter.delete(path))
            except NotFound as error:
                if not refused(error):
                    raise

    def _members(self, pool_id: PoolId) -> Sequence[Mapping[str, Any]]:
        """Return all members of the pool, page by page; a full page is followed by another, maybe empty."""
        found: dict[str, Mapping[str, Any]] = {}
        query: dict[str, Any] = {"limit": self._page_size}
        for _ in range(_PAGES_MAX):
            answer = self._ask(f"{_pool(pool_id)}/members", query)
            page = _part(answer, "members", list)
            found.update({str(each["id"]): each for each in page})
            if not page or not _has_next(answer):
                return tuple(found.values())
            query["marker"] = page[-1]["id"]
        raise CloudUnavailable(
            f"Pool {pool_id} has more members than Octavia lists.", certainly_not_done=True
        )

    def _get(self, path: str, noun: str) -> dict[str, Any]:
        found: dict[str, Any] = _part(self._ask(path), noun, dict)
        return found

    def _ask(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = twice(
            lambda: self._adapter.get(
                self._path(path), params=dict(query or {}), timeout=LOOK_TIMEOUT_SECONDS
            )
        )
        return _document(answer)

    def _path(self, path: str) -> str:
        """Return the path below the endpoint, of which some catalogs name the version, too."""
        endpoint = str(self._adapter.get_endpoint() or "").rstrip("/")
        versioned = endpoint.endswith(("/v2", "/v2.0"))
        return f"/lbaas{path}" if versioned else f"/v2.0/lbaas{path}"


@contextmanager
def _errors_of_octavia() -> Iterator[None]:
    """Turn keystoneauth's exceptions into those of ``ports.cloud``.

    A token that Octavia alone does not accept is no reason to take the credential for broken: servers come
    and go with it.
    """
    try:
        yield
    except Unauthorized as error:
        raise CloudRefused(
            "Octavia does not accept the token that Keystone gave for it. If it is an application credential "
            "with access rules, they must allow to show pools and load balancers, and to list, change and "
            "delete members."
        ) from error
    except Forbidden as error:
        if "quota" in sentence(error).lower():
            raise cloud_error(error) from error
        raise CloudRefused(
            f"Octavia does not allow it: {sentence(error)} The pool may be another project's, or the group's "
            "credential lacks a role that Octavia asks for, such as load-balancer_member."
        ) from error
    except ClientException as error:
        raise cloud_error(error) from error


@contextmanager
def _conflicts_pass() -> Iterator[None]:
    """Turn a 409 into BalancerBusy; what else may be wrong, the load balancer's status tells."""
    try:
        yield
    except Conflict as error:
        raise BalancerBusy(sentence(error)) from error


def _readiness(status: str) -> Readiness:
    if status == "ACTIVE":
        return Readiness.READY
    return Readiness.BUSY if status.startswith("PENDING_") else Readiness.BROKEN


def _pool(pool_id: PoolId) -> str:
    return f"/pools/{quote(pool_id, safe='')}"


def _balancer(pool: Mapping[str, Any]) -> str:
    """Return the id of the pool's load balancer; a pool has exactly one."""
    for each in pool.get("loadbalancers") or ():
        if isinstance(each, dict) and each.get("id"):
            return quote(str(each["id"]), safe="")
    raise CloudUnavailable("Octavia's pool names no load balancer.")


def _of_entry(entry: PoolEntry) -> dict[str, Any]:
    document = {
        "name": entry.name,
        "address": entry.address,
        "protocol_port": entry.protocol_port,
        "weight": entry.weight,
    }
    return document if entry.subnet_id is None else {**document, "subnet_id": entry.subnet_id}


def _to_member(document: Mapping[str, Any]) -> PoolMember:
    try:
        return PoolMember(
            id=PoolMemberId(str(document["id"])),
            name=str(document.get("name") or ""),
            address=str(document["address"]),
            protocol_port=int(document["protocol_port"]),
            weight=int(document["weight"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CloudUnavailable(
            "Octavia's pool member lacks an id, an address, a port or a weight."
        ) from error


def _document(answer: Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CloudUnavailable("Octavia's answer is no document.")
    return document


def _part(document: Mapping[str, Any], noun: str, kind: type) -> Any:
    """Return what the document has under ``noun``."""
    found = document.get(noun)
    if not isinstance(found, kind):
        raise CloudUnavailable(f"Octavia's answer has no {noun!r}.")
    return found


def _has_next(document: Mapping[str, Any]) -> bool:
    return any(link.get("rel") == "next" for link in document.get("members_links") or ())
