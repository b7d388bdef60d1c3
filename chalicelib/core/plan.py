"""Plan one round: which steps move a group towards what is wanted, given what is seen.

Level-triggered: each round is planned from what the cloud shows now, so nothing has to be remembered
between rounds, and a round that dies leaves nothing to repair. The plan for a settled group is empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core.member import (
    Fate,
    MemberState,
    Patience,
    Resource,
    Scene,
    Sight,
    fate,
    fate_of_status,
)
from chalicelib.core.plan_steps import Create, Label, Record, Remove, RemoveStray, Step, Strike, Why
from chalicelib.core.removal import in_order, surplus
from chalicelib.core.rolling import Crew, Turn, crew_of, goes_first, room, turn
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
        stuck: what Heat said of stacks that were to go and could not; none while the group is frozen.
        outdated: members that count and are of another launch configuration, before the steps.
        turn: what the refresh comes to, while one runs.
    """

    steps: tuple[Step, ...]
    settled: bool
    moves: bool
    current_size: int
    in_service: int
    failed_builds: tuple[str, ...]
    stuck: tuple[str, ...] = ()
    outdated: int = 0
    turn: Turn | None = None


def plan(target: Target, scene: Scene, now: datetime) -> Plan:
    """Return the steps that move what is seen one round towards ``target``.

    First what is seen is written down, then broken and surplus servers go, then missing ones are asked
    for. A server that failed to build is not replaced in the same round: the cloud just said no.
    """
    sights = [_recorded(sight) for sight in scene.sights]
    by_fate: dict[Fate, list[Sight]] = {each: [] for each in Fate}
    for sight in sorted(sights, key=lambda s: (s.member.created_at, s.member.name)):
        by_fate[fate(sight, target.patience, now)].append(sight)

    counted = [*by_fate[Fate.SERVES], *by_fate[Fate.BUILDS], *by_fate[Fate.HELD]]
    broken_or_lost = [*by_fate[Fate.BROKEN], *by_fate[Fate.LOST]]
    failed = tuple(_said(s) for s in broken_or_lost if s.member.state in _ON_THEIR_WAY)
    news = [Record(member=new.member) for old, new in zip(scene.sights, sights, strict=True) if new != old]
    records: list[Step] = [*news, *_struck_off(by_fate, target.patience, now)]
    crew = _crew(target, by_fate)
    too_many = _too_many(target, counted, by_fate, crew)
    quiet = not (broken_or_lost or by_fate[Fate.BUILDS] or by_fate[Fate.LEAVES] or too_many)
    turn_ = turn(target.rolling, crew, target.capacity, quiet=quiet) if target.rolling else None
    victims = turn_.victims if turn_ else ()
    removals = _removals(target, scene, by_fate, too_many, victims)
    stuck = [*_resources(by_fate[Fate.STUCK]), *filter(_is_stuck, scene.strays)]
    wanted = max(0, (turn_.size if turn_ else target.capacity) - len(counted) - crew.leaving)
    going = {sight.member.id for sight in victims}
    staying = [sight for sight in counted if sight.member.id not in going]
    creations = _creations(target, staying, wanted) if target.may_create and not failed else []
    actions = [*removals[: target.steps_max], *creations, *_labels(by_fate, target.steps_max)]
    going_strays = [stray for stray in scene.strays if not _is_stuck(stray)]
    waits = bool(by_fate[Fate.BUILDS] or by_fate[Fate.LEAVES] or going_strays)
    steps = (*records, *actions) if target.may_act else tuple(records)
    return Plan(
        steps=steps,
        moves=bool(steps) or waits,
        settled=not (records or actions or waits or wanted or removals or stuck),
        current_size=len(counted),
        in_service=len(by_fate[Fate.SERVES]),
        failed_builds=failed if target.may_act else (),
        stuck=tuple(map(_seen, stuck)) if target.may_act else (),
        outdated=sum(s.member.launch_configuration_id != target.launch_configuration_id for s in counted),
        turn=turn_,
    )


def _removals(
    target: Target,
    scene: Scene,
    by_fate: dict[Fate, list[Sight]],
    too_many: Sequence[Sight],
    victims: Sequence[Sight],
) -> list[Step]:
    """Return the steps that delete something, last what could not be deleted before, if it may be told again.

    One that somebody else could not delete is told to go by us, in any case once.
    """
    leaving = [s for s in by_fate[Fate.LEAVES] if _ask_to_leave(s)]
    again = [s for s in by_fate[Fate.STUCK] if target.may_retry or s.member.state is not MemberState.DELETING]
    strays = [stray for stray in scene.strays if stray.task != "deleting"]
    return [
        *(_remove_broken(sight) for sight in by_fate[Fate.BROKEN]),
        *(Remove(member=s.member, resource=s.resource, why=_why_it_leaves(s)) for s in leaving),
        *(Remove(member=s.member, resource=s.resource, why=Why.SURPLUS) for s in too_many),
        *(Remove(member=s.member, resource=s.resource, why=Why.REPLACED) for s in victims),
        *(RemoveStray(resource=stray) for stray in strays if not _is_stuck(stray)),
        *(Remove(member=s.member, resource=s.resource, why=_why_it_leaves(s)) for s in again),
        *(RemoveStray(resource=stray) for stray in strays if _is_stuck(stray) and target.may_retry),
    ]


def _is_stuck(resource: Resource) -> bool:
    return fate_of_status(resource.status) is Fate.STUCK


def _resources(sights: Sequence[Sight]) -> list[Resource]:
    return [sight.resource for sight in sights if sight.resource is not None]


def _crew(target: Target, by_fate: dict[Fate, list[Sight]]) -> Crew:
    """Return the members as a refresh sees them; nobody while none runs."""
    if target.rolling is None:
        return Crew()
    return crew_of(target.rolling, target.launch_configuration_id, by_fate, serving=in_order(target, by_fate))


def _too_many(
    target: Target, counted: Sequence[Sight], by_fate: dict[Fate, list[Sight]], crew: Crew
) -> list[Sight]:
    """Return the members to remove because there are too many; a refresh may need some more for a time."""
    if target.rolling is None:
        return surplus(target, counted, by_fate, room=target.capacity)
    may_be = room(target.rolling, crew, target.capacity)
    first = goes_first(target.rolling, crew, target.capacity)
    return surplus(target, counted, by_fate, room=may_be, first=first)


_ON_THEIR_WAY = (MemberState.PLANNED, MemberState.BUILDING)


def _recorded(sight: Sight) -> Sight:
    """Return the sight with its member as it is to be written down, now that its server is seen."""
    member, server = sight.member, sight.resource
    if server is None:
        return sight
    state = member.state
    if state in _ON_THEIR_WAY:
        serves = fate_of_status(server.status) is Fate.SERVES
        state = MemberState.IN_SERVICE if serves else MemberState.BUILDING
    return replace(sight, member=replace(member, resource_id=server.id, state=state))


def _struck_off(by_fate: dict[Fate, list[Sight]], patience: Patience, now: datetime) -> list[Step]:
    """Return the members that have no server any more.

    One whose server was never seen is kept for as long as its request may still be on its way: struck off
    too early, the server would come and belong to nobody.
    """
    lost = (
        Strike(
            member=sight.member,
            why=Why.NEVER_APPEARED if sight.member.state in _ON_THEIR_WAY else Why.VANISHED,
        )
        for sight in by_fate[Fate.LOST]
    )
    gone = (
        Strike(member=sight.member, why=Why.DELETED)
        for sight in by_fate[Fate.LEAVES]
        if sight.resource is None
        and (sight.member.resource_id is not None or now - sight.member.requested_at >= patience.adoption)
    )
    return [*lost, *gone]


def _remove_broken(sight: Sight) -> Step:
    """Return the step that removes a broken member, with what Nova said."""
    if sight.member.state is MemberState.IN_SERVICE:
        why = Why.BROKEN
    elif sight.resource is not None and fate_of_status(sight.resource.status) is Fate.BUILDS:
        why = Why.BUILD_TIMEOUT
    else:
        why = Why.BUILD_FAILED
    return Remove(member=sight.member, resource=sight.resource, why=why, detail=_said(sight))


def _said(sight: Sight) -> str:
    """Return what Nova shows of a broken server, as a sentence's end."""
    return f"{sight.member.name} never appeared" if sight.resource is None else _seen(sight.resource)


def _seen(resource: Resource) -> str:
    return f"{resource.name} is in {resource.status}" + (f": {resource.fault}" if resource.fault else "")


def _why_it_leaves(sight: Sight) -> Why:
    """Return why a server is going: somebody asked us for it, or deleted it in Nova without us."""
    return Why.REQUESTED if sight.member.state is MemberState.DELETING else Why.VANISHED


def _ask_to_leave(sight: Sight) -> bool:
    """Return whether a leaving server has to be told (again) to go, or its going is still to be noted."""
    noted = sight.member.state is MemberState.DELETING
    return sight.resource is not None and not (noted and sight.resource.task == "deleting")


def _creations(target: Target, counted: Sequence[Sight], wanted: int) -> list[Create]:
    """Return the requests for new members, spread so that the emptiest zones fill first."""
    count = min(wanted, target.steps_max)
    zones = target.availability_zones
    if not zones:
        return [Create(count=count, availability_zone=None)] if count else []
    sizes = Counter(sight.member.availability_zone for sight in counted)
    new: Counter[str] = Counter()
    for _ in range(count):
        new[min(zones, key=lambda zone: sizes[zone] + new[zone])] += 1
    return [Create(count=new[zone], availability_zone=zone) for zone in zones if new[zone]]


def _labels(by_fate: dict[Fate, list[Sight]], steps_max: int) -> list[Label]:
    """Return the servers that do not carry their member's id yet; only once they serve, for it can wait."""
    unlabelled = [s for s in by_fate[Fate.SERVES] if not s.member.labelled]
    return [Label(member=s.member, resource=s.resource) for s in unlabelled if s.resource][:steps_max]
