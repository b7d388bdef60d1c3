"""What must be true of a group that was raced for, as it is stored, as it was told, and in the cloud."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core.activity import ActivityKind
from chalicelib.core.execution import Execution, Outcome
from chalicelib.core.member import group_tag
from chalicelib.core.series import Series
from chalicelib.tables.usage import NOTHING
from tests.races.arena import FIRST_SIZE, Arena
from tests.races.racers import METRICS, Answer, Kind

_STATUSES = {
    Kind.EVENT: {202},
    Kind.CHANGE: {200, 400, 412},
    Kind.SAMPLES: {202},
    Kind.LOOK: {202},
    Kind.POLICY: {201},
    Kind.NO_POLICY: {204, 404},
    Kind.END: {204, 404},
}
_FIRST_GENERATION = 1
"""So the write at place n of all writes followed on generation n + 1."""

_ALL = 1_000_000
_FAULT = re.compile(r'"level":"ERROR"|^Traceback')
_RESIZED = re.compile(r"desired_capacity from (\d+) to (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What made a generation of the group: an execution, or its owner's change.

    Attributes:
        at: after what it follows on was read, and before it was written: so writes sort by it.
        resized: from which size to which; None where the size stayed.
    """

    at: datetime
    by_owner: bool
    resized: tuple[int, int] | None


def everybody_was_answered_as_they_may_be(answers: Sequence[Answer]) -> None:
    """Nobody got an error that is ours."""
    told = Counter((a.call.kind, a.status) for a in answers)
    assert not {(kind, status) for kind, status in told if status not in _STATUSES[kind]}, told


def one_event_is_one_change(arena: Arena, answers: Sequence[Answer]) -> None:
    """Each event has one execution, and all who sent it were told of that one; what was told is stored."""
    stored = {execution.event_id: execution for execution in executions(arena)}
    assert twice(execution.event_id for execution in executions(arena)) == set()
    told: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.call.kind is Kind.EVENT:
            told[answer.call.name].append(answer)
    assert set(stored) == set(told)
    for name, all_told in told.items():
        assert {answer.document["id"] for answer in all_told} == {stored[name].id}
        outcomes = [answer.document["outcome"] for answer in all_told]
        first = [outcome for outcome in outcomes if outcome != Outcome.DUPLICATE]
        assert first in ([], [stored[name].outcome]), (name, outcomes)


def every_write_follows_on_the_one_before(arena: Arena) -> None:
    """No write is lost and none is unaccounted for: sizes have no gap, and each generation has its write."""
    size, all_writes = FIRST_SIZE, writes(arena)
    for write in all_writes:
        before, after = write.resized or (size, size)
        assert before == size, (write, all_writes)
        size = after
    assert size == arena.stored().desired_capacity
    assert arena.stored().generation == _FIRST_GENERATION + len(all_writes)


def of_owners_who_saw_the_same_one_was_heeded(arena: Arena, answers: Sequence[Answer]) -> None:
    """Of changes with one If-Match at most one was taken: it is the write that followed on what they saw."""
    taken = [answer.call for answer in answers if answer.call.kind is Kind.CHANGE and answer.status == 200]
    assert twice(call.name for call in taken) == set()
    all_writes = writes(arena)
    for call in taken:
        write = all_writes[int(call.name) - _FIRST_GENERATION]
        assert write.by_owner
        assert write.resized is None or write.resized[1] == call.body["desired_capacity"]


def what_is_created_twice_is_one(answers: Sequence[Answer]) -> None:
    """Whoever creates with one client_token gets one thing."""
    made: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        if answer.call.kind is Kind.POLICY:
            made[answer.call.name].add(answer.document["id"])
    assert all(len(ids) == 1 for ids in made.values())


def every_sample_counts_once(arena: Arena, answers: Sequence[Answer]) -> None:
    """However often its batch came."""
    sent = {int(a.call.name) for a in answers if a.call.kind is Kind.SAMPLES}
    group = arena.stored()
    until = group.updated_at + timedelta(days=1)
    for metric in METRICS:
        series = Series(project_id=group.project_id, group_id=group.id, metric=metric)
        folds = arena.tables.folds.read(series, group.created_at - timedelta(hours=1), until)
        counted = sum(fold.total.count for fold in folds), sum(fold.total.sum for fold in folds)
        assert counted == (len(sent), sum(sent)), metric


def usage_is_what_there_is(arena: Arena) -> None:
    """The counters say what listing shows."""
    tables, project = arena.tables, arena.key.project_id
    used = tables.usage.of_project(project)
    policies = tables.policies.of_group(project, arena.key.group_id)
    webhooks = [tables.webhooks.page(project, policy.id, _ALL, None).items for policy in policies]
    assert (used.groups, used.launch_configurations, used.credentials) == (1, 1, 1)
    assert used.members == arena.stored().bounds.max_size
    assert (used.policies, used.webhooks) == (len(policies), sum(map(len, webhooks)))


def the_cloud_has_what_is_wanted(arena: Arena) -> None:
    """As many servers as are wanted, each the server of one member, and no other."""
    there = arena.servers()
    members = arena.tables.members.of_group(arena.key)
    assert len(there) == len(members) == arena.stored().desired_capacity
    assert {server.id for server in there} == {member.resource_id for member in members}
    assert all(group_tag(arena.key.group_id) in server.tags for server in there)


def nothing_is_left(arena: Arena) -> None:
    """The group went with all that was its own: servers, members, and every count."""
    assert arena.servers() == ()
    assert arena.tables.members.of_group(arena.key) == []
    used = arena.tables.usage.of_project(arena.key.project_id)
    assert used == replace(NOTHING, launch_configurations=1, credentials=1)


def nothing_was_a_fault_of_ours(arena: Arena) -> None:
    """No process logged an error, or ended by itself: whatever is down, the others say so and go on."""
    logs = [log.read_text() for log in arena.logs.glob("*.log")]
    assert len(logs) == len(arena.functions)
    faults = [line for log in logs for line in log.splitlines() if _FAULT.search(line)]
    assert not faults


def executions(arena: Arena) -> Sequence[Execution]:
    """Return all executions of the group."""
    return arena.tables.executions.of_group(arena.key.project_id, arena.key.group_id, _ALL, None).items


def writes(arena: Arena) -> Sequence[Write]:
    """Return all that made a generation of the group after the first, in their order."""
    executed = [each for each in executions(arena) if each.outcome is Outcome.EXECUTED]
    told = arena.tables.activities.of_group(arena.key.project_id, arena.key.group_id, _ALL, None).items
    changed = [line for line in told if line.kind is ActivityKind.GROUP_CHANGED]
    by_policies = (
        Write(at=each.created_at, by_owner=False, resized=(each.capacity_before, each.capacity_after))
        for each in executed
    )
    by_owner = (Write(at=each.created_at, by_owner=True, resized=_resized(each.detail)) for each in changed)
    return sorted([*by_policies, *by_owner], key=lambda write: write.at)


def _resized(detail: str) -> tuple[int, int] | None:
    match = _RESIZED.search(detail)
    return (int(match[1]), int(match[2])) if match else None


def twice(names: Iterable[str | None]) -> set[str | None]:
    """Return the names that stand there more than once."""
    return {name for name, times in Counter(names).items() if times > 1}
