"""Which changes of its pools a group is due, given its members and what the pools show.

Level-triggered like the plan that this is a part of: each round looks at the pools afresh, so an answer that
was lost, or a round that died, leaves nothing to repair. Octavia takes one change of a load balancer at a
time and refuses every other with 409 until that is complete; so a round plans at most one for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core.dues import Crowd, Dues, dues_of
from chalicelib.core.ids import MemberId, PoolId
from chalicelib.core.member import Fate, Member, Sight
from chalicelib.core.plan_steps import DeletePoolMember, Note, PoolStep, PutPoolMembers
from chalicelib.core.pool import GroupPools, Pool, PoolSight, PoolUnseen, PoolView, Readiness, Unseen

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


def balance(
    pools: GroupPools, views: Iterable[PoolView], by_fate: Mapping[Fate, Sequence[Sight]], now: datetime
) -> Balance:
    """Return what is due in the group's pools.

    A member in service stands in every wanted pool. One that drains gets weight 0, and leaves when its drain
    is over. Of a server that is broken, gone or unknown the entry goes at once.
    """
    crowd = Crowd(
        serving={s.member.id: s for s in by_fate[Fate.SERVES]},
        held=frozenset(s.member.id for s in by_fate[Fate.HELD]),
        draining={s.member.id: s.member for s in by_fate[Fate.DRAINS]},
    )
    wanted = {pool.id: pool for pool in pools.wanted}
    sights = {view.id: view for view in views if isinstance(view, PoolSight)}
    unseen = [view for view in views if isinstance(view, PoolUnseen)]
    unknown = [view for view in unseen if view.why is not Unseen.GONE]
    dues = {id_: dues_of(sight, wanted.get(id_), pools, crowd, now) for id_, sight in sights.items()}
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


def _notes(
    pools: GroupPools,
    crowd: Crowd,
    sights: Mapping[PoolId, PoolSight],
    dues: Mapping[PoolId, Dues],
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


def _steps(to_change: Sequence[PoolSight], dues: Mapping[PoolId, Dues]) -> tuple[PoolStep, ...]:
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
    dues: Mapping[PoolId, Dues],
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
