"""Who leaves a group in a round, and who has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.member import (
    DELETE_FAILED,
    TO_GO,
    Fate,
    MemberState,
    Patience,
    Resource,
    Sight,
    fate_of_status,
)
from chalicelib.core.plan_steps import Remove, RemoveStray, Step, Strike, Why

ON_THEIR_WAY = (MemberState.PLANNED, MemberState.BUILDING)
"""Members that were never seen serving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departures:
    """What is to be deleted.

    Attributes:
        steps: the steps that delete something, or have it leave its pools; the most urgent first.
        waits: something is on its way out.
        stuck: what the cloud says of what was to go and could not.
    """

    steps: tuple[Step, ...]
    waits: bool
    stuck: tuple[str, ...]


def departures(
    by_fate: Mapping[Fate, Sequence[Sight]],
    strays: Sequence[Resource],
    *,
    free: Sequence[Sight],
    parting: Sequence[Step],
    may_retry: bool,
) -> Departures:
    """Return who is to go.

    Args:
        free: members that were to leave their pools, and have.
        parting: how those begin to go that are too many, or whose places a refresh takes.
        may_retry: what could not be deleted before is told again, behind all others.
    """
    leaving = [sight for sight in by_fate[Fate.LEAVES] if _ask_to_leave(sight)]
    told = [stray for stray in strays if stray.status == DELETE_FAILED]
    steps: list[Step] = [
        *(_remove_broken(sight) for sight in by_fate[Fate.BROKEN]),
        *(Remove(member=s.member, resource=s.resource, why=_why_it_leaves(s)) for s in leaving),
        *(Remove(member=s.member, resource=s.resource, why=Why.REQUESTED) for s in free),
        *parting,
        *(RemoveStray(resource=each) for each in strays if each.task != "deleting" and each not in told),
    ]
    if may_retry:
        steps += [
            *(Remove(member=s.member, resource=s.resource, why=Why.REQUESTED) for s in by_fate[Fate.STUCK]),
            *(RemoveStray(resource=each) for each in told),
        ]
    return Departures(
        steps=tuple(steps),
        waits=bool(by_fate[Fate.LEAVES]) or len(told) < len(strays),
        stuck=(*map(said, by_fate[Fate.STUCK]), *map(_shown, told)),
    )


def struck_off(by_fate: dict[Fate, list[Sight]], patience: Patience, now: datetime) -> list[Step]:
    """Return the members that have no server any more.

    One whose server was never seen is kept for as long as its request may still be on its way: struck off
    too early, the server would come and belong to nobody.
    """
    lost = (
        Strike(
            member=sight.member,
            why=Why.NEVER_APPEARED if sight.member.state in ON_THEIR_WAY else Why.VANISHED,
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


def said(sight: Sight) -> str:
    """Return what Nova shows of a broken server, as a sentence's end."""
    return f"{sight.member.name} never appeared" if sight.resource is None else _shown(sight.resource)


def _shown(resource: Resource) -> str:
    return f"{resource.name} is in {resource.status}" + (f": {resource.fault}" if resource.fault else "")


def _remove_broken(sight: Sight) -> Step:
    """Return the step that removes a broken member, with what Nova said."""
    if sight.member.state is MemberState.IN_SERVICE:
        why = Why.BROKEN
    elif sight.resource is not None and fate_of_status(sight.resource.status) is Fate.BUILDS:
        why = Why.BUILD_TIMEOUT
    else:
        why = Why.BUILD_FAILED
    return Remove(member=sight.member, resource=sight.resource, why=why, detail=said(sight))


def _why_it_leaves(sight: Sight) -> Why:
    """Return why a server is going: somebody asked us for it, or deleted it in Nova without us."""
    return Why.REQUESTED if sight.member.state in TO_GO else Why.VANISHED


def _ask_to_leave(sight: Sight) -> bool:
    """Return whether a leaving server has to be told (again) to go, or its going is still to be noted."""
    noted = sight.member.state is MemberState.DELETING
    return sight.resource is not None and not (noted and sight.resource.task == "deleting")
