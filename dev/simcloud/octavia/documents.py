"""Octavia's JSON: what is shown, and what may be asked of a pool member."""

from __future__ import annotations

import ipaddress
import uuid
from datetime import datetime
from typing import Any

from dev.simcloud.messages import Document, Malformed, need
from dev.simcloud.octavia.lifecycle import (
    operating_status,
    status_of_balancer,
    status_of_member,
    status_of_pool,
)
from dev.simcloud.records import LoadBalancer, Pool, PoolMember

_PORT_MAX = 65_535
_WEIGHT_MAX = 256
_CHANGEABLE: dict[str, Any] = {
    "name": "",
    "admin_state_up": True,
    "weight": 1,
    "backup": False,
    "monitor_address": None,
    "monitor_port": None,
    "tags": [],
}
_FIXED = ("address", "protocol_port", "subnet_id", "project_id")


def of_balancer(balancer: LoadBalancer, pools: list[Pool], now: datetime) -> Document:
    """Return a load balancer as it is shown."""
    return {
        "id": balancer.id,
        "name": balancer.name,
        "project_id": balancer.project_id,
        "admin_state_up": True,
        "provider": "amphora",
        "vip_address": balancer.vip_address,
        "provisioning_status": status_of_balancer(balancer, now),
        "operating_status": "ERROR" if balancer.status == "ERROR" else "ONLINE",
        "listeners": [],
        "pools": [{"id": pool.id} for pool in pools],
        "created_at": _instant(balancer.created_at),
        "updated_at": _instant(balancer.updated_at),
        "tags": [],
    }


def of_pool(pool: Pool, members: list[PoolMember], now: datetime) -> Document:
    """Return a pool as it is shown: its members by their ids alone."""
    return {
        "id": pool.id,
        "name": pool.name,
        "project_id": pool.project_id,
        "protocol": pool.protocol,
        "lb_algorithm": pool.algorithm,
        "admin_state_up": True,
        "provisioning_status": status_of_pool(pool, now),
        "operating_status": "ONLINE",
        "loadbalancers": [{"id": pool.load_balancer_id}],
        "listeners": [],
        "members": [{"id": member.id} for member in members],
        "healthmonitor_id": pool.monitor_id,
        "session_persistence": None,
        "created_at": _instant(pool.created_at),
        "updated_at": _instant(pool.updated_at),
        "tags": [],
    }


def of_member(member: PoolMember, pool: Pool, now: datetime) -> Document:
    """Return a pool member as it is shown and listed."""
    return {
        "id": member.id,
        "name": member.name or "",
        "project_id": member.project_id,
        "address": member.address,
        "protocol_port": member.protocol_port,
        "weight": member.weight,
        "subnet_id": member.subnet_id,
        "admin_state_up": member.admin_state_up,
        "backup": member.backup,
        "monitor_address": member.monitor_address,
        "monitor_port": member.monitor_port,
        "provisioning_status": status_of_member(member, now),
        "operating_status": operating_status(member, pool, now),
        "created_at": _instant(member.created_at),
        "updated_at": member.updated_at and _instant(member.updated_at),
        "tags": list(member.tags),
    }


def wanted(asked: Document) -> Document:
    """Return the pool member that ``asked`` is, whole; refuse what Octavia refuses."""
    _known(asked, (*_CHANGEABLE, *_FIXED))
    for name in ("address", "protocol_port"):
        if name not in asked:
            raise _invalid(name, None, "Mandatory field missing.")
    _check(asked)
    return {**_CHANGEABLE, "subnet_id": None, **asked}


def changes(asked: Document) -> Document:
    """Return what ``asked`` changes of a pool member: address and port stay; null is the default again."""
    _known(asked, tuple(_CHANGEABLE))
    _check(asked)
    return {name: _CHANGEABLE[name] if value is None else value for name, value in asked.items()}


def _known(asked: Document, known: tuple[str, ...]) -> None:
    for name in asked.keys() - set(known):
        raise Malformed(f"Unknown attribute for argument member_: member: {name}")


def _check(asked: Document) -> None:
    if "address" in asked:
        try:
            ipaddress.ip_address(need(asked, "address", str))
        except ValueError:
            raise _invalid("address", asked["address"], "Value should be IPv4 or IPv6 format") from None
    for name, least, most in (("protocol_port", 1, _PORT_MAX), ("weight", 0, _WEIGHT_MAX)):
        value = asked.get(name)
        if value is not None and not (isinstance(value, int) and least <= value <= most):
            limits = f"Value should be greater or equal to {least} and lower or equal to {most}"
            raise _invalid(name, value, limits)
    try:
        uuid.UUID(asked.get("subnet_id") or str(uuid.UUID(int=0)))
    except ValueError:
        raise _invalid("subnet_id", asked["subnet_id"], "Value should be UUID format") from None


def _invalid(name: str, value: object, why: str) -> Malformed:
    return Malformed(f"Invalid input for field/attribute {name}. Value: '{value}'. {why}")


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")
