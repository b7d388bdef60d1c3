"""Runs one case for one group, from making the group to what its deletion leaves behind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from openstack.connection import Connection

from dev.beside_heat.groups import Policy
from dev.beside_heat.place import WITHIN_SECONDS, Place
from dev.faults_beside_heat.cases import MANY, Case
from dev.faults_beside_heat.commands import Commands
from dev.faults_beside_heat.contestants import UNANSWERED, Contestant, Heat, Ours, Repair, Seen, why
from dev.faults_beside_heat.trial import Trial
from dev.faults_beside_heat.watch import Watch

_REPAIRED_WITHIN_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a group came through; seconds count from the end of the fault.

    Attributes:
        seen: what the group said before anything was repaired.
        statuses: of its servers then.
        strays: how many of them the group did not know.
        most: how many servers there were at most.
        servers_seconds: until the servers were as wanted; None if they were not by themselves.
        rest_seconds: until the group was at rest, too.
        tried: the repairs, of which the last one helped if ``repaired``.
        left: how many servers its deletion left, and what else there was to say about that.
    """

    case: Case
    whose: str
    sent: int
    acknowledged: int
    seen: Seen
    statuses: Sequence[str]
    strays: int
    most: int
    servers_seconds: float | None
    rest_seconds: float | None
    tried: Sequence[Repair]
    repaired: bool
    left: str
    said: Sequence[tuple[float, str]]
    told: Sequence[str]


def run(case: Case, kind: type[Ours | Heat], place: Place, admin: Connection, commands: Commands) -> Result:
    """Make a group, put the fault to it, watch and repair it, and delete it."""
    policies = {
        "out": Policy("change_in_capacity", MANY),
        "up": Policy("change_in_capacity", 1),
        "exact": Policy("exact_capacity", case.wanted),
    }
    contestant = kind(place, commands, policies, case.size)
    try:
        if not Watch(contestant, case.size).until_as_wanted(WITHIN_SECONDS):
            raise TimeoutError(f"{contestant.name} was not made")
        watch = Watch(contestant, case.wanted)
        trial = Trial(contestant, watch, place, admin, commands)
        case.strike(trial)
        over = time.monotonic()
        by_itself = watch.until_as_wanted(case.patience_seconds)
        rest = time.monotonic() - over
        assert watch.seen, "it never answered"
        seen, statuses, strays = watch.seen, watch.statuses, watch.strays
        right_since = watch.right_since
        repairs = case.repairs if kind is Heat else (Repair.CONVERGE,)
        tried = [] if by_itself else _repair(contestant, watch, repairs, case.wanted)
        repaired = watch.until_as_wanted(0)
        told = contestant.told()
    finally:
        left = _close(contestant, place)
    return Result(
        case=case,
        whose=contestant.name,
        sent=trial.sent,
        acknowledged=trial.acknowledged,
        seen=seen,
        statuses=statuses,
        strays=strays,
        most=watch.most,
        servers_seconds=None if right_since is None else max(0.0, right_since - over),
        rest_seconds=rest if by_itself else None,
        tried=tried,
        repaired=repaired,
        left=left,
        said=watch.said,
        told=told,
    )


def _repair(contestant: Contestant, watch: Watch, repairs: Sequence[Repair], wanted: int) -> list[Repair]:
    """Try repairs until one helps; return those that were tried."""
    tried = []
    for each in repairs:
        tried.append(each)
        watch.note(f"({each})")
        try:
            contestant.repair(each, wanted)
        except UNANSWERED as error:
            watch.note(f"refused: {why(error)}")
            continue
        if watch.until_as_wanted(_REPAIRED_WITHIN_SECONDS):
            break
    return tried


def _close(contestant: Contestant, place: Place) -> str:
    """Delete the group; return what that left, which is then deleted, too."""
    how = ""
    try:
        contestant.close()
    except TimeoutError:
        how = ", and its deletion hung until the engine was restarted"
        contestant.kill()
        contestant.close()
    left = contestant.servers()
    for server in left:
        place.owner.compute.delete_server(server["id"])
    return f"{len(left)}{how}"
