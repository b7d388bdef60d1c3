"""What is due in one pool, given the group's members and what the pool shows of them.

Members that enter, and members that get weight 0, are told in one request. Deletions go one by one: the only
request that would delete several replaces the whole pool, and whoever entered it in between, or was changed,
would be thrown out or changed back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.core.ids import MemberId
from chalicelib.core.member import Member, Sight
from chalicelib.core.pool import (
    GroupPools,
    Pool,
    PoolEntry,
    PoolMember,
    PoolSight,
    address_for,
    member_of,
    pool_name,
)


@dataclass(frozen=True, slots=True)
class Crowd:
    """The members that have something to do with pools; whoever else stands in one is to go at once.

    Attributes:
        held: the cloud does something with them that we do not understand; they stay where they are.
    """

    serving: Mapping[MemberId, Sight]
    held: frozenset[MemberId]
    draining: Mapping[MemberId, Member]


@dataclass(slots=True)
class Dues:
    """What is due in one pool, and what it shows of the group's members.

    Attributes:
        entries: what is to be made or changed.
        deletions: what is to go now.
        shown: members that the pool has.
        loud: those of them that drain and are still sent something new.
        missing: members in service that it does not have.
        drained_at: when the next drain ends.
        troubles: why a member cannot enter.
    """

    entries: list[PoolEntry] = field(default_factory=list)
    deletions: list[PoolMember] = field(default_factory=list)
    shown: set[MemberId] = field(default_factory=set)
    loud: set[MemberId] = field(default_factory=set)
    missing: set[MemberId] = field(default_factory=set)
    drained_at: datetime | None = None
    troubles: list[str] = field(default_factory=list)


def dues_of(sight: PoolSight, pool: Pool | None, pools: GroupPools, crowd: Crowd, now: datetime) -> Dues:
    """Return what is due in one pool; all of ours goes from one that is not wanted any more (None)."""
    dues = Dues()
    entered: set[MemberId] = set()
    dead: list[PoolMember] = []
    drained: list[PoolMember] = []
    for stands in sight.members:
        id_ = member_of(pools.group_id, stands.name)
        if id_ is None:
            continue
        dues.shown.add(id_)
        if pool is None:
            dead.append(stands)
        elif id_ in crowd.draining:
            _let_drain(dues, drained, stands, pool, crowd.draining[id_], now)
        elif id_ in crowd.held or (id_ in crowd.serving and _in_place(stands, pool, crowd.serving[id_])):
            entered.add(id_)
            if id_ in crowd.serving and stands.weight != pool.weight:
                dues.entries.append(_with_weight(stands, pool.weight))
        else:
            dead.append(stands)
    if pool is not None:
        _let_enter(dues, pool, pools, crowd, entered, sight)
    taken_over = {entry.place for entry in dues.entries}
    dues.deletions = [stands for stands in (*dead, *drained) if stands.place not in taken_over]
    if len(dues.deletions) > 1:
        # They go one by one; so that none is sent anything meanwhile, all get weight 0 at once.
        dues.entries += [_with_weight(stands, 0) for stands in dues.deletions if stands.weight != 0]
    return dues


def _let_drain(
    dues: Dues, drained: list[PoolMember], stands: PoolMember, pool: Pool, member: Member, now: datetime
) -> None:
    """Give a member that drains weight 0, or let it go when its drain is over."""
    if not pool.drain:
        drained.append(stands)
    elif stands.weight != 0:
        dues.entries.append(_with_weight(stands, 0))
        dues.loud.add(member.id)
    elif member.quiet_since is not None:
        end = member.quiet_since + pool.drain
        if end <= now:
            drained.append(stands)
        else:
            dues.drained_at = min(end, dues.drained_at or end)


def _let_enter(
    dues: Dues, pool: Pool, pools: GroupPools, crowd: Crowd, entered: set[MemberId], sight: PoolSight
) -> None:
    """Let the members in service enter that are not in the pool.

    Octavia knows a pool member by address and port. Where somebody else's has those of a member of ours, the
    member is served by it, and it is left alone; where one of ours has them that is to go, it is taken over.
    """
    others = {m.place for m in sight.members if member_of(pools.group_id, m.name) is None}
    taken: set[tuple[str, int]] = set()
    for id_, seen in crowd.serving.items():
        if id_ in entered:
            continue
        address = _address(pool, seen)
        where = f" on network {pool.network}" if pool.network else ""
        if address is None or (address, pool.protocol_port) in taken:
            what = f"no fixed address{where}" if address is None else f"another member's address {address}"
            dues.troubles.append(f"{seen.member.name} has {what}, and cannot enter pool {pool.id}.")
            dues.missing.add(id_)
        elif (address, pool.protocol_port) not in others:
            entry = PoolEntry(
                name=pool_name(pools.group_id, id_),
                address=address,
                protocol_port=pool.protocol_port,
                weight=pool.weight,
                subnet_id=pool.subnet_id,
            )
            taken.add(entry.place)
            dues.entries.append(entry)
            dues.missing.add(id_)


def _in_place(stands: PoolMember, pool: Pool, seen: Sight) -> bool:
    """Return whether a pool member has its server's address and the pool's port.

    A server of which Nova shows no address at the moment keeps the one that it has.
    """
    address = _address(pool, seen)
    return stands.place == (stands.address if address is None else address, pool.protocol_port)


def _address(pool: Pool, seen: Sight) -> str | None:
    """Return the address by which the pool is to reach a member, if Nova shows one."""
    return address_for(pool, seen.resource.addresses if seen.resource else ())


def _with_weight(stands: PoolMember, weight: int) -> PoolEntry:
    """Return the pool member as it is, but for its weight; its subnet stays by not being named."""
    return PoolEntry(
        name=stands.name, address=stands.address, protocol_port=stands.protocol_port, weight=weight
    )
