"""Plan one round: which steps move a group towards what is wanted, given what is seen.

Level-triggered: each round is planned from what the cloud shows now, so nothing has to be remembered
between rounds, and a round that dies leaves nothing to repair. The plan for a settled group is empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.core.group import RemovalOrder
from chalicelib.core.ids import LaunchConfigurationId
from chalicelib.core.member import Fate, Member, MemberState, Patience, Scene, Server, Sight, fate


class Why(StrEnum):
    """Why a member goes. The word stands in its activity."""

    SURPLUS = "surplus"
    BROKEN = "broken"
    BUILD_FAILED = "build_failed"
    BUILD_TIMEOUT = "build_timeout"
    VANISHED = "vanished"
    NEVER_APPEARED = "never_appeared"
    REQUESTED = "requested"
    STRAY = "stray"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a round works towards, and within which limits.

    Attributes:
        steps_max: at most so many servers are created, and at most so many deleted, in one round.
        may_create: False while the group is in trouble.
        may_act: False while the group is frozen: then only what is seen is written down.
        spares_protected: False when the whole group goes, protected members and all.
    """

    capacity: int
    launch_configuration_id: LaunchConfigurationId
    removal_order: RemovalOrder
    availability_zones: tuple[str, ...]
    patience: Patience
    steps_max: int
    may_create: bool = True
    may_act: bool = True
    spares_protected: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Write down what was seen of a member: which server stands for it, that it builds, that it serves."""

    member: Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Tell the server which member it is; servers of one request cannot be told before they exist."""

    member: Member
    server: Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """Strike a member off: it has no server (any more)."""

    member: Member
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Delete the member's server; the member is struck off once the server is gone."""

    member: Member
    server: Server | None
    why: Why
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveStray:
    """Delete a server that carries the group's mark and stands for no member."""

    server: Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Ask for ``count`` new members in one zone (None: wherever Nova's scheduler likes)."""

    count: int
    availability_zone: str | None


Step = Record | Label | Strike | Remove | RemoveStray | Create


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
    """

    steps: tuple[Step, ...]
    settled: bool
    moves: bool
    current_size: int
    in_service: int
    failed_builds: tuple[str, ...]


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
    surplus = _surplus(target, counted, by_fate)
    leaving = [s for s in by_fate[Fate.LEAVES] if _ask_to_leave(s)]
    removals: list[Step] = [
        *(_remove_broken(sight) for sight in by_fate[Fate.BROKEN]),
        *(Remove(member=s.member, server=s.server, why=_why_it_leaves(s)) for s in leaving),
        *(Remove(member=s.member, server=s.server, why=Why.SURPLUS) for s in surplus),
        *(RemoveStray(server=server) for server in scene.strays if server.task != "deleting"),
    ]
    wanted = max(0, target.capacity - len(counted))
    creations = _creations(target, counted, wanted) if target.may_create and not failed else []
    actions = [*removals[: target.steps_max], *creations, *_labels(by_fate, target.steps_max)]
    waits = bool(by_fate[Fate.BUILDS] or by_fate[Fate.LEAVES] or scene.strays)
    steps = (*records, *actions) if target.may_act else tuple(records)
    return Plan(
        steps=steps,
        moves=bool(steps) or waits,
        settled=not (records or actions or waits or wanted or removals),
        current_size=len(counted),
        in_service=len(by_fate[Fate.SERVES]),
        failed_builds=failed if target.may_act else (),
    )


_ON_THEIR_WAY = (MemberState.PLANNED, MemberState.BUILDING)


def _recorded(sight: Sight) -> Sight:
    """Return the sight with its member as it is to be written down, now that its server is seen."""
    member, server = sight.member, sight.server
    if server is None:
        return sight
    state = member.state
    if state in _ON_THEIR_WAY:
        state = MemberState.IN_SERVICE if server.status == "ACTIVE" else MemberState.BUILDING
    return replace(sight, member=replace(member, server_id=server.id, state=state))


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
        if sight.server is None
        and (sight.member.server_id is not None or now - sight.member.requested_at >= patience.adoption)
    )
    return [*lost, *gone]


def _remove_broken(sight: Sight) -> Step:
    """Return the step that removes a broken member, with what Nova said."""
    if sight.member.state is MemberState.IN_SERVICE:
        why = Why.BROKEN
    elif sight.server is not None and sight.server.status == "BUILD":
        why = Why.BUILD_TIMEOUT
    else:
        why = Why.BUILD_FAILED
    return Remove(member=sight.member, server=sight.server, why=why, detail=_said(sight))


def _said(sight: Sight) -> str:
    """Return what Nova shows of a broken server, as a sentence's end."""
    server = sight.server
    if server is None:
        return f"{sight.member.name} never appeared"
    return f"{server.name} is in {server.status}" + (f": {server.fault}" if server.fault else "")


def _why_it_leaves(sight: Sight) -> Why:
    """Return why a server is going: somebody asked us for it, or deleted it in Nova without us."""
    return Why.REQUESTED if sight.member.state is MemberState.DELETING else Why.VANISHED


def _ask_to_leave(sight: Sight) -> bool:
    """Return whether a leaving server has to be told (again) to go, or its going is still to be noted."""
    noted = sight.member.state is MemberState.DELETING
    return sight.server is not None and not (noted and sight.server.task == "deleting")


def _surplus(target: Target, counted: Sequence[Sight], by_fate: dict[Fate, list[Sight]]) -> list[Sight]:
    """Return the members to remove because there are too many, the least useful first.

    Building and held ones go before those in service; among the latter the fullest zone gives first, then
    the group's removal order decides. A protected member stays, and the group stays larger.
    """
    excess = len(counted) - target.capacity
    if excess <= 0:
        return []
    idle = [*reversed(by_fate[Fate.BUILDS]), *by_fate[Fate.HELD]]
    serving = by_fate[Fate.SERVES]
    match target.removal_order:
        case RemovalOrder.OLDEST:
            ordered = list(serving)
        case RemovalOrder.NEWEST:
            ordered = list(reversed(serving))
        case RemovalOrder.OLDEST_CONFIGURATION:
            current = target.launch_configuration_id
            ordered = sorted(serving, key=lambda s: s.member.launch_configuration_id == current)
    if target.availability_zones:
        ordered = _fullest_zone_first(ordered)
    candidates = [*idle, *ordered]
    return [s for s in candidates if not (s.member.protected and target.spares_protected)][:excess]


def _fullest_zone_first(ordered: Sequence[Sight]) -> list[Sight]:
    """Return the members so that taking them one by one keeps the zones even, else in the given order."""
    left = list(ordered)
    sizes = Counter(sight.member.availability_zone for sight in left)
    result: list[Sight] = []
    while left:
        fullest = max(sizes.values())
        chosen = next(s for s in left if sizes[s.member.availability_zone] == fullest)
        sizes[chosen.member.availability_zone] -= 1
        left.remove(chosen)
        result.append(chosen)
    return result


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
    return [Label(member=s.member, server=s.server) for s in unlabelled if s.server][:steps_max]
