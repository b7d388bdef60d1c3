"""The steps that a round may take, as plain data: ``plan`` makes them, ``flows.perform`` performs them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.core.ids import PoolId
from chalicelib.core.member import Member, Resource
from chalicelib.core.pool import PoolEntry, PoolMember


class Why(StrEnum):
    """Why a member goes. The word stands in its activity."""

    SURPLUS = "surplus"
    BROKEN = "broken"
    BUILD_FAILED = "build_failed"
    BUILD_TIMEOUT = "build_timeout"
    VANISHED = "vanished"
    NEVER_APPEARED = "never_appeared"
    REPLACED = "replaced"
    REQUESTED = "requested"
    STRAY = "stray"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Write down what was seen of a member: which server stands for it, that it builds, that it serves."""

    member: Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Tell the server which member it is; servers of one request cannot be told before they exist."""

    member: Member
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """Strike a member off: it has no server (any more)."""

    member: Member
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Delete the member's server; the member is struck off once the server is gone."""

    member: Member
    resource: Resource | None
    why: Why
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveStray:
    """Delete a server that carries the group's mark and stands for no member."""

    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Ask for ``count`` new members in one zone (None: wherever Nova's scheduler likes)."""

    count: int
    availability_zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write down how a member fares in its pools; no story."""

    member: Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Write down that the member is to leave its pools, and why it goes; its server is deleted after that."""

    member: Member
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPoolMembers:
    """Make or change members of a pool, all in one change; its other members stay as they are."""

    pool_id: PoolId
    entries: tuple[PoolEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePoolMember:
    """Delete one member of a pool."""

    pool_id: PoolId
    member: PoolMember


PoolStep = PutPoolMembers | DeletePoolMember
Step = Record | Note | Drain | Label | Strike | Remove | RemoveStray | Create | PoolStep
