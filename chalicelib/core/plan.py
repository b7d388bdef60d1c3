"""Plan one round: which steps move a group towards what is wanted, given what is seen.

Level-triggered: each round is planned from what the cloud shows now, so nothing has to be remembered
between rounds, and a round that dies leaves nothing to repair. The plan for a settled group is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.core.arrivals import creations, labels
from chalicelib.core.balance import Balance
from chalicelib.core.departures import ON_THEIR_WAY, departures, said, struck_off
from chalicelib.core.member import Fate, MemberState, Scene, Sight, fate, fate_of_status
from chalicelib.core.plan_steps import Record, Step, Why
from chalicelib.core.removal import in_order, surplus
from chalicelib.core.rolling import Crew, Turn, crew_of, goes_first, room, turn
from chalicelib.core.standing import at_rest, balanced, let_go, part
from chalicelib.core.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One round.

    Attributes:
        steps: what to do, in this order.
        settled: nothing is to be done and nothing is waited for.
        moves: something was done or is under way, so the next look will show something new.
        current_size: members that count, before the steps.
        in_service: members that serve, before the steps.
        failed_builds: what Nova said of servers that failed before they ever served, and that now go; none
            while the group is frozen: they stay, and would count as failing anew in every round.
        outdated: members that count and are of another launch configuration, before the steps.
        turn: what the refresh comes to, while one runs.
        stuck: what the cloud said of what was to go and could not; none while the group is frozen.
        pools: what is due in the group's pools, and what keeps it from that.
        asked_at: when the latest member was asked for, in this round or before.
    """

    steps: tuple[Step, ...]
    settled: bool
    moves: bool
    current_size: int
    in_service: int
    failed_builds: tuple[str, ...]
    outdated: int = 0
    turn: Turn | None = None
    stuck: tuple[str, ...] = ()
    pools: Balance = field(default_factory=Balance)
    asked_at: datetime | None = None


def plan(target: Target, scene: Scene, now: datetime) -> Plan:
    """Return the steps that move what is seen one round towards ``target``.

    First what is seen is written down, then broken and surplus members go, then missing ones are asked
    for. A member that failed to build is not replaced in the same round: the cloud just said no. One that
    serves leaves its pools, where it has some, before its server goes.
    """
    sights = [_recorded(sight, target) for sight in scene.sights]
    by_fate = _by_fate(target, sights, now)
    counted = [*by_fate[Fate.SERVES], *by_fate[Fate.BUILDS], *by_fate[Fate.HELD]]
    broken_or_lost = [*by_fate[Fate.BROKEN], *by_fate[Fate.LOST]]
    failed = tuple(said(s) for s in broken_or_lost if s.member.state in ON_THEIR_WAY)
    news = [Record(member=new.member) for old, new in zip(scene.sights, sights, strict=True) if new != old]
    records: list[Step] = [*news, *struck_off(by_fate, target.patience, now)]
    crew = _crew(target, by_fate)
    too_many = _too_many(target, counted, by_fate, crew)
    pools = balanced(target, scene, by_fate, too_many, now)
    free = [s for s in by_fate[Fate.DRAINS] if let_go(s, target.pools, pools, now)]
    on_the_way = by_fate[Fate.BUILDS] or by_fate[Fate.DRAINS] or by_fate[Fate.LEAVES]
    quiet = not (broken_or_lost or on_the_way or too_many) and at_rest(target, pools)
    turn_ = turn(target.rolling, crew, target.capacity, quiet=quiet) if target.rolling else None
    victims = turn_.victims if turn_ else ()
    parting = [
        *(part(sight, Why.SURPLUS, target.pools, now) for sight in too_many),
        *(part(sight, Why.REPLACED, target.pools, now) for sight in victims),
    ]
    going = departures(by_fate, scene.strays, free=free, parting=parting, may_retry=target.may_retry)
    wanted = max(0, (turn_.size if turn_ else target.capacity) - len(counted) - crew.leaving)
    staying = [sight for sight in counted if sight not in victims]
    coming = creations(target, staying, wanted) if target.may_create and not failed else []
    untold = labels(by_fate, target.steps_max)
    actions = [*going.steps[: target.steps_max], *coming, *pools.notes, *pools.steps, *untold]
    unsettled = records or untold or wanted or going.steps or going.stuck or by_fate[Fate.DRAINS]
    waits = bool(by_fate[Fate.BUILDS]) or going.waits
    steps = (*records, *actions) if target.may_act else tuple(records)
    return Plan(
        steps=steps,
        moves=bool(steps) or waits or bool(pools.busy),
        settled=not (unsettled or waits) and at_rest(target, pools),
        current_size=len(counted),
        in_service=len(by_fate[Fate.SERVES]),
        failed_builds=failed if target.may_act else (),
        outdated=sum(s.member.launch_configuration_id != target.launch_configuration_id for s in counted),
        turn=turn_,
        stuck=going.stuck if target.may_act else (),
        pools=pools,
        asked_at=now if coming else max((s.member.requested_at for s in sights), default=None),
    )


def _by_fate(target: Target, sights: Sequence[Sight], now: datetime) -> dict[Fate, list[Sight]]:
    """Return the members by what becomes of them, the oldest first."""
    by_fate: dict[Fate, list[Sight]] = {each: [] for each in Fate}
    for sight in sorted(sights, key=lambda s: (s.member.created_at, s.member.name)):
        by_fate[fate(sight, target.patience, now)].append(sight)
    return by_fate


def _crew(target: Target, by_fate: dict[Fate, list[Sight]]) -> Crew:
    """Return the members as a refresh sees them; nobody while none runs."""
    if target.rolling is None:
        return Crew()
    leaving = [*by_fate[Fate.DRAINS], *by_fate[Fate.LEAVES]]
    seen = {**by_fate, Fate.LEAVES: leaving}
    return crew_of(target.rolling, target.launch_configuration_id, seen, serving=in_order(target, by_fate))


def _too_many(
    target: Target, counted: Sequence[Sight], by_fate: dict[Fate, list[Sight]], crew: Crew
) -> list[Sight]:
    """Return the members to remove because there are too many; a refresh may need some more for a time."""
    if target.rolling is None:
        return surplus(target, counted, by_fate, room=target.capacity)
    may_be = room(target.rolling, crew, target.capacity)
    first = goes_first(target.rolling, crew, target.capacity)
    return surplus(target, counted, by_fate, room=may_be, first=first)


def _recorded(sight: Sight, target: Target) -> Sight:
    """Return the sight with its member as it is to be written down, now that its server is seen.

    One that has just begun to serve is in none of the group's pools yet.
    """
    member, resource = sight.member, sight.resource
    if resource is None:
        return sight
    state, missing_from = member.state, member.missing_from
    if state in ON_THEIR_WAY:
        serves = fate_of_status(resource.status) is Fate.SERVES
        state = MemberState.IN_SERVICE if serves else MemberState.BUILDING
        if serves and target.pools:
            missing_from = tuple(pool.id for pool in target.pools.wanted)
    recorded = replace(member, resource_id=resource.id, state=state, missing_from=missing_from)
    return replace(sight, member=recorded)
