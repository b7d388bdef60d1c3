"""Which changes of its pools a group is due, given its members and what the pools show.

Level-triggered like the plan that this is a part of: each round looks at the pools afresh, so an answer that
was lost, or a round that died, leaves nothing to repair. Octavia takes one change of a load balancer at a
time and refuses every other with 409 until that is complete; so a round plans at most one for each. Members
that enter, and members that get weight 0, are told in one request. Deletions go one by one: the only request
that would delete several replaces the whole pool, and whoever entered it in between, or was changed, would be
thrown out or changed back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.core.ids import MemberId, PoolId
from chalicelib.core.member import Fate, Member, Sight
from chalicelib.core.plan_steps import DeletePoolMember, Note, PoolStep, PutPoolMembers
from chalicelib.core.pool import (
    GroupPools,
    Pool,
    PoolEntry,
    PoolMember,
    PoolSight,
    PoolUnseen,
    PoolView,
    Readiness,
    Unseen,
    address_for,
    member_of,
    pool_name,
)

ENTRIES_MAX = 100
"""How many members of a pool are made or changed in one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a round makes of the group's pools.

    Attributes:
        steps: changes of pools, at most one for each load balancer.
        notes: members whose standing is news, to be written down.
        held: members that drain and that a pool shows, or may show.
        due: something is to be changed, now or when a load balancer is ready for it.
        busy: the load balancers that are PENDING while something is due, as the beginning of sentences.
        drained_at: when the next drain ends.
        troubles: what keeps members in pools, or out of them, as sentences.
        unreachable: one of the troubles is that Octavia does not answer.
        unasked: trouble is being waited out, and nothing new is known of it.
        left: former pools in which nobody of the group stands any more.
    """

    steps: tuple[PoolStep, ...] = ()
    notes: tuple[Note, ...] = ()
    held: frozenset[MemberId] = frozenset()
    due: bool = False
    busy: tuple[str, ...] = ()
    drained_at: datetime | None = None
    troubles: tuple[str, ...] = ()
    unreachable: bool = False
    unasked: bool = False
    left: tuple[PoolId, ...] = ()


@dataclass(frozen=True, slots=True)
class _Crowd:
    """The members that have something to do with pools; whoever else stands in one is to go at once.

    Attributes:
        held: the cloud does something with them that we do not understand; they stay where they are.
    """

    serving: Mapping[MemberId, Sight]
    held: frozenset[MemberId]
    draining: Mapping[MemberId, Member]


@dataclass(slots=True)
class _Dues:
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


def balance(
    pools: GroupPools, views: Iterable[PoolView], by_fate: Mapping[Fate, Sequence[Sight]], now: datetime
) -> Balance:
    """Return what is due in the group's pools.

    A member in service stands in every wanted pool. One that drains gets weight 0, and leaves when its drain
    is over. Of a server that is broken, gone or unknown the entry goes at once.
    """
    crowd = _Crowd(
        serving={s.member.id: s for s in by_fate[Fate.SERVES]},
        held=frozenset(s.member.id for s in by_fate[Fate.HELD]),
        draining={s.member.id: s.member for s in by_fate[Fate.DRAINS]},
    )
    wanted = {pool.id: pool for pool in pools.wanted}
    sights = {view.id: view for view in views if isinstance(view, PoolSight)}
    unseen = [view for view in views if isinstance(view, PoolUnseen)]
    unknown = [view for view in unseen if view.why is not Unseen.GONE]
    dues = {id_: _dues(sight, wanted.get(id_), pools, crowd, now) for id_, sight in sights.items()}
    notes = _notes(pools, crowd, sights, dues, unseen, now)
    empty = {id_ for id_, each in dues.items() if not each.shown} | {v.id for v in unseen if v not in unknown}
    left = tuple(id_ for id_ in pools.former if id_ in empty)
    to_change = [sights[id_] for id_, each in dues.items() if each.entries or each.deletions]
    shown: set[MemberId] = set().union(*(each.shown for each in dues.values()))
    ends = [each.drained_at for each in dues.values() if each.drained_at is not None]
    return Balance(
        steps=_steps(to_change, dues),
        notes=notes,
        held=frozenset(id_ for id_ in crowd.draining if unknown or id_ in shown),
        due=bool(to_change or notes or unknown or set(pools.former) - set(left)),
        busy=tuple(_standing(sight) for sight in to_change if sight.readiness is Readiness.BUSY),
        drained_at=min(ends, default=None),
        troubles=_troubles(to_change, dues, unseen, {} if pools.ends else wanted),
        unreachable=any(view.why is Unseen.UNREACHABLE for view in unseen),
        unasked=any(view.why is Unseen.LEFT_IN_PEACE for view in unseen),
        left=left,
    )


def _dues(sight: PoolSight, pool: Pool | None, pools: GroupPools, crowd: _Crowd, now: datetime) -> _Dues:
    """Return what is due in one pool; all of ours goes from one that is not wanted any more (None)."""
    dues = _Dues()
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
    dues: _Dues, drained: list[PoolMember], stands: PoolMember, pool: Pool, member: Member, now: datetime
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
    dues: _Dues, pool: Pool, pools: GroupPools, crowd: _Crowd, entered: set[MemberId], sight: PoolSight
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
        address = address_for(pool, seen.resource.addresses if seen.resource else ())
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
    address = address_for(pool, seen.resource.addresses if seen.resource else ())
    return stands.place == (stands.address if address is None else address, pool.protocol_port)


def _with_weight(stands: PoolMember, weight: int) -> PoolEntry:
    """Return the pool member as it is, but for its weight; its subnet stays by not being named."""
    return PoolEntry(
        name=stands.name, address=stands.address, protocol_port=stands.protocol_port, weight=weight
    )


def _notes(
    pools: GroupPools,
    crowd: _Crowd,
    sights: Mapping[PoolId, PoolSight],
    dues: Mapping[PoolId, _Dues],
    unseen: Sequence[PoolUnseen],
    now: datetime,
) -> tuple[Note, ...]:
    """Return the members whose standing is news: who is missing where, and who is sent nothing new any more.

    A drain begins when weight 0 was seen in force in every pool, not when it was asked for: a load balancer
    may be busy or broken for long before it takes the change.
    """
    members: list[tuple[Member, Member]] = []
    for id_, seen in crowd.serving.items():
        known = seen.member.missing_from
        missing = tuple(
            pool.id
            for pool in pools.wanted
            if (id_ in dues[pool.id].missing if pool.id in dues else pool.id in known)
        )
        members.append((seen.member, replace(seen.member, missing_from=missing)))
    for id_, member in crowd.draining.items():
        loud = any(id_ in each.loud for each in dues.values())
        shown = [sights[pool_id] for pool_id, each in dues.items() if id_ in each.shown]
        in_force = all(sight.readiness is Readiness.READY for sight in shown)
        quiet = not loud and in_force and all(view.why is Unseen.GONE for view in unseen)
        since = None if loud else member.quiet_since or (now if quiet else None)
        members.append((member, replace(member, quiet_since=since)))
    return tuple(Note(member=new) for old, new in members if new != old)


def _steps(to_change: Sequence[PoolSight], dues: Mapping[PoolId, _Dues]) -> tuple[PoolStep, ...]:
    """Return one change for each load balancer that is ready; who enters or falls silent before who goes."""
    steps: dict[str, PoolStep] = {}
    ready = [sight for sight in to_change if sight.readiness is Readiness.READY]
    for sight in ready:
        if dues[sight.id].entries:
            entries = tuple(dues[sight.id].entries[:ENTRIES_MAX])
            steps.setdefault(sight.load_balancer_id, PutPoolMembers(pool_id=sight.id, entries=entries))
    for sight in ready:
        if dues[sight.id].deletions:
            step = DeletePoolMember(pool_id=sight.id, member=dues[sight.id].deletions[0])
            steps.setdefault(sight.load_balancer_id, step)
    return tuple(steps.values())


def _troubles(
    to_change: Sequence[PoolSight],
    dues: Mapping[PoolId, _Dues],
    unseen: Sequence[PoolUnseen],
    wanted: Mapping[PoolId, Pool],
) -> tuple[str, ...]:
    """Return what is wrong, as sentences; a former pool that is gone is as it should be."""
    return (
        *(
            view.reason
            for view in unseen
            if view.why is not Unseen.LEFT_IN_PEACE and (view.why is not Unseen.GONE or view.id in wanted)
        ),
        *(
            f"{_standing(sight)}, and takes no change until it is mended."
            for sight in to_change
            if sight.readiness is Readiness.BROKEN
        ),
        *(trouble for each in dues.values() for trouble in each.troubles),
    )


def _standing(sight: PoolSight) -> str:
    return f"Load balancer {sight.load_balancer_id} of pool {sight.id} is in {sight.status}"
