"""What the simulated cloud remembers, as frozen records; a change is a new record under the same id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the domain Default."""

    id: str
    name: str
    password: str
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project of the domain Default."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One role of one user on one project."""

    user_id: str
    project_id: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What lets the trustee act as the trustor on a project; ``roles`` are names.

    Attributes:
        redelegation_count: how often in a row further trusts may be made from it.
    """

    id: str
    trustor_user_id: str
    trustee_user_id: str
    project_id: str
    roles: tuple[str, ...]
    impersonation: bool
    expires_at: datetime | None
    remaining_uses: int | None
    redelegation_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredential:
    """A secret of its own for one user on one project; ``unrestricted`` is null unless asked for."""

    id: str
    name: str
    secret: str
    user_id: str
    project_id: str | None
    roles: tuple[str, ...]
    description: str | None
    expires_at: datetime | None
    unrestricted: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredService:
    """A service that an administrator added to the catalogue."""

    id: str
    type: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a service that was added is found."""

    id: str
    service_id: str
    region: str | None
    interface: str
    url: str
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What Keystone gave out; its roles are looked up at each use, for they may be revoked meanwhile.

    Attributes:
        user_id: whom it speaks for: with a trust, the trustor.
        audit_ids: its own, and that of the token it was made from.
    """

    id: str
    user_id: str
    project_id: str | None
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    trust_id: str | None = None
    credential_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A size of server; one that does not ``fit`` is larger than every host."""

    id: str
    vcpus: int
    ram_mib: int
    fits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm of Aodh's.

    Attributes:
        document: what its owner asked for, whole, with its state.
        state_at: when somebody last set the state.
    """

    id: str
    project_id: str
    user_id: str
    document: dict[str, Any]
    state_reason: str
    updated_at: datetime
    state_at: datetime


class Build(StrEnum):
    """What the building of a server comes to."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    NEVER_ENDS = "never_ends"


class Status(StrEnum):
    """Nova's word for how a server fares."""

    ACTIVE = "ACTIVE"
    BUILD = "BUILD"
    DELETED = "DELETED"
    ERROR = "ERROR"
    PAUSED = "PAUSED"
    RESCUE = "RESCUE"
    SHELVED_OFFLOADED = "SHELVED_OFFLOADED"
    SHUTOFF = "SHUTOFF"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server as it was asked for; how it fares now follows from its instants and the clock.

    Attributes:
        built_at: when building ends, if it ever does.
        status: overrides what the building came to: stopped by its owner, or by fate.
        gone_at: when its deletion is complete; none is under way while this is null.
        hidden_until: lists leave it out before this instant.
    """

    id: str
    name: str
    project_id: str
    user_id: str
    flavor_id: str
    image_id: str
    reservation_id: str
    zone: str | None
    key_name: str | None
    user_data: str | None
    description: str | None
    build: Build
    created_at: datetime
    built_at: datetime
    updated_at: datetime
    status: Status | None = None
    gone_at: datetime | None = None
    hidden_until: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    scheduler_hints: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """A load balancer of Octavia's.

    Attributes:
        busy_until: until then a change is on its way, and nothing else may be changed.
        status: overrides what follows from the clock: ERROR, or a PENDING state that never ends.
    """

    id: str
    name: str
    project_id: str
    vip_address: str
    created_at: datetime
    updated_at: datetime
    busy_until: datetime
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool of a load balancer; ``monitor_id`` is its health monitor's."""

    id: str
    name: str
    project_id: str
    load_balancer_id: str
    protocol: str
    algorithm: str
    created_at: datetime
    updated_at: datetime
    busy_until: datetime
    monitor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMember:
    """A member of a pool.

    Attributes:
        pending: what is being done to it until ``busy_until``, such as PENDING_CREATE.
        operating_status: overrides what follows from its weight and its pool's monitor.
    """

    id: str
    pool_id: str
    project_id: str
    name: str | None
    address: str
    protocol_port: int
    weight: int
    subnet_id: str | None
    admin_state_up: bool
    backup: bool
    monitor_address: str | None
    monitor_port: int | None
    created_at: datetime
    updated_at: datetime | None
    busy_until: datetime
    pending: str
    operating_status: str | None = None
    tags: tuple[str, ...] = ()
