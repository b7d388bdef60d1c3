"""Pools of load balancers: what a group wants of them, what Octavia shows, and whose a pool member is.

A member of ours is told by its name in the pool, which names the group and the member. Whatever else stands
in a pool is somebody else's, and is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.ids import GroupId, MemberId, PoolId, PoolMemberId

POOLS_MAX = 5
FORMER_POOLS_MAX = 10
DRAIN_SECONDS_MAX = 3600

OVERDUE_AFTER = timedelta(minutes=10)
"""How much longer than its drain a member waits to be let go of; then its server goes anyway."""

PENDING_LONGEST = timedelta(minutes=5)
"""How long a load balancer may be PENDING before that is trouble; Octavia itself is done in seconds."""

_IPV4 = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool that a group's members in service stand in.

    Attributes:
        protocol_port: on which the members listen.
        subnet_id: from which Octavia reaches them; None is the load balancer's own.
        network: which of a server's networks gives the address; None is the first fixed one, IPv4 before 6.
        weight: of each member while it serves.
        drain_seconds: from a member's last new connection until it is taken out.
    """

    id: PoolId
    protocol_port: int
    subnet_id: str | None = None
    network: str | None = None
    weight: int = 1
    drain_seconds: int = 60

    @property
    def drain(self) -> timedelta:
        """How long a member drains."""
        return timedelta(seconds=self.drain_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPools:
    """The pools of one group.

    Attributes:
        wanted: what every member in service stands in.
        former: what was taken off that list; members may still stand there, and are to leave.
        ends: the group is being deleted; a pool that does not exist is as well as one that was left.
        given_up: the group goes, and its pools kept it from that for too long.
        stuck: a load balancer has been PENDING for so long that it is no use to wait for it.
    """

    group_id: GroupId
    wanted: tuple[Pool, ...] = ()
    former: tuple[PoolId, ...] = ()
    ends: bool = False
    given_up: bool = False
    stuck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of a server, as Nova shows it; ``network`` is the network's name."""

    network: str
    address: str
    version: int
    fixed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMember:
    """A member of a pool, as Octavia shows it."""

    id: PoolMemberId
    name: str
    address: str
    protocol_port: int
    weight: int

    @property
    def place(self) -> tuple[str, int]:
        """What a pool has only once."""
        return self.address, self.protocol_port


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEntry:
    """A member of a pool as it is to be; Octavia knows it by address and port."""

    name: str
    address: str
    protocol_port: int
    weight: int
    subnet_id: str | None = None

    @property
    def place(self) -> tuple[str, int]:
        """What a pool has only once."""
        return self.address, self.protocol_port


class Readiness(StrEnum):
    """Whether a load balancer takes a change."""

    READY = "ready"
    BUSY = "busy"  # another change is under way (PENDING_...)
    BROKEN = "broken"  # ERROR: it takes none until its owner or operator mends it


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSight:
    """A pool as Octavia shows it.

    Attributes:
        load_balancer_id: changes of one load balancer exclude each other.
        status: Octavia's word for why it is not ready, else ACTIVE.
    """

    id: PoolId
    load_balancer_id: str
    readiness: Readiness
    status: str
    members: tuple[PoolMember, ...]


class Unseen(StrEnum):
    """Why nothing is known of a pool."""

    GONE = "gone"  # Octavia says that there is none, so nobody stands in it
    REFUSED = "refused"  # Octavia does not let the group's owner see it
    UNREACHABLE = "unreachable"  # Octavia does not answer, or is not there
    LEFT_IN_PEACE = "left in peace"  # it was not asked, for trouble with it is being waited out


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUnseen:
    """A pool that could not be looked at; ``reason`` is a sentence."""

    id: PoolId
    why: Unseen
    reason: str


PoolView = PoolSight | PoolUnseen


def pool_name(group_id: GroupId, member_id: MemberId) -> str:
    """Return the name that a member of the group has in a pool."""
    return f"{_OURS}{group_id}:{member_id}"


def member_of(group_id: GroupId, name: str) -> MemberId | None:
    """Return which member of the group a pool member stands for; None if it is not the group's."""
    mark = f"{_OURS}{group_id}:"
    return MemberId(name.removeprefix(mark)) if name.startswith(mark) else None


_OURS = "thermostat:"


def address_for(pool: Pool, addresses: Iterable[Address]) -> str | None:
    """Return the address by which the pool reaches a server, None if it has none such."""
    fixed = [a for a in addresses if a.fixed and pool.network in (None, a.network)]
    ordered = sorted(fixed, key=lambda a: a.version != _IPV4)
    return ordered[0].address if ordered else None


def overdue(draining_since: datetime, pools: Iterable[Pool], now: datetime) -> bool:
    """Return whether a member's pools had their time to let go of it, and more."""
    longest = max((pool.drain for pool in pools), default=timedelta())
    return now - draining_since >= longest + OVERDUE_AFTER


def require_possible(pools: tuple[Pool, ...]) -> None:
    """Refuse a pool that is named twice: a member stands in it once.

    Raises:
        Invalid: it is.
    """
    ids = [pool.id for pool in pools]
    for id_ in ids:
        if ids.count(id_) > 1:
            raise Invalid("group.pool_twice", f"load_balancers names pool {id_} twice.")


def former_after(
    was: tuple[Pool, ...], new: tuple[Pool, ...], former: tuple[PoolId, ...]
) -> tuple[PoolId, ...]:
    """Return the pools that the group's members are to leave, once its pools change from ``was`` to ``new``.

    Raises:
        Conflict: too many are still to be left.
    """
    wanted = {pool.id for pool in new}
    left = tuple(id_ for id_ in dict.fromkeys((*former, *(pool.id for pool in was))) if id_ not in wanted)
    if len(left) > FORMER_POOLS_MAX:
        raise Conflict(
            "group.pools_not_left_yet",
            f"The group's members are still leaving {len(former)} pools; change load_balancers later.",
        )
    return left
