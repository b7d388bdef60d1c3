"""What schedules do by themselves: each minute those of a shard that are due fire, each due time once.

A firing is an execution whose id is derived from schedule and due time. It is written first, in one
transaction with the group; only then is the schedule advanced. Who dies in between, or sweeps at the same
time, finds the execution and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.core.decision import Decision, Event
from chalicelib.core.errors import Forbidden, NotFound, Unavailable
from chalicelib.core.execution import Execution, Outcome, Rule
from chalicelib.core.group import Group
from chalicelib.core.resize import refused, resize
from chalicelib.core.schedule import (
    ExecutePolicy,
    LastFiring,
    Pending,
    Schedule,
    SetSizes,
    event_id,
    execution_id,
    next_due,
    pending,
)
from chalicelib.flows.nudge import nudge
from chalicelib.flows.retry import until_not_stale
from chalicelib.flows.scale import Ask, log_execution, scale_first
from chalicelib.ports import Services
from chalicelib.ports.schedules import ScheduleKey
from chalicelib.ports.storage import AlreadyDecided
from chalicelib.telemetry import ERRORS, INTERNAL, UNAVAILABLE, about

_log = logging.getLogger(__name__)

_SCHEDULES_MAX = 500
"""What one sweep of one shard looks at; the rest is the longest due at the next minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Firing:
    """One due time of one schedule, on behalf of one sweep."""

    schedule: Schedule
    due_at: datetime
    request_id: str

    def execution(self, s: Services, group: Group, decision: Decision) -> Execution:
        """Return the execution of ``decision``, which stands for this firing."""
        action = self.schedule.action
        return Execution(
            project_id=self.schedule.project_id,
            id=execution_id(self.schedule, self.due_at),
            policy_id=action.policy_id if isinstance(action, ExecutePolicy) else None,
            group_id=self.schedule.group_id,
            source=f"schedule:{self.schedule.id}",
            event_id=event_id(self.due_at),
            outcome=decision.outcome,
            capacity_before=group.desired_capacity,
            capacity_after=decision.group.desired_capacity,
            retry_at=decision.retry_at,
            explanation=decision.explanation,
            request_id=self.request_id,
            created_at=s.now(),
        )


def fire_due(s: Services, shard: int) -> None:
    """Fire the shard's schedules that are due, in the order of their due times, for a bounded time.

    What goes wrong with one stops no other: it stays due, and is tried again each minute until its due time
    counts as missed.
    """
    now, request_id = s.now(), f"req-{s.new_id()}"
    last_begin = now + timedelta(seconds=s.limits.round_seconds)
    due = list(_due(s, shard, now, last_begin))
    for schedule, found in sorted(due, key=lambda each: (each[1].due_at or now, each[0].id)):
        if s.now() > last_begin:
            told = about(request_id=request_id, shard=shard)
            _log.warning("schedules are left for the next minute", extra=told)
            return
        with _apart(schedule.id):
            _fire(s, schedule, found, now, request_id)


def _due(s: Services, shard: int, now: datetime, last_begin: datetime) -> Iterator[tuple[Schedule, Pending]]:
    """Yield the schedules that are due, with what has become due; the index may lag behind their rows."""
    for key in s.schedules.due(shard, now, _SCHEDULES_MAX):
        if s.now() > last_begin:
            return
        with _apart(key.schedule_id):
            yield from _looked_at(s, key, now)


def _looked_at(s: Services, key: ScheduleKey, now: datetime) -> list[tuple[Schedule, Pending]]:
    schedule = s.schedules.find(key)
    if schedule is None or schedule.next_due_at is None or schedule.next_due_at > now:
        return []
    return [(schedule, pending(schedule, now))]


@contextmanager
def _apart(schedule_id: str) -> Iterator[None]:
    """Let nothing that goes wrong with one schedule reach another."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- the boundary between owners: it is one schedule's trouble
        fields = {"kind": INTERNAL}
        if isinstance(error, Unavailable):
            fields = {"kind": UNAVAILABLE, "code": error.code}
        told = about((ERRORS, 1), **fields, schedule_id=schedule_id)
        _log.exception("the schedule could not be fired", extra=told)


def _fire(s: Services, schedule: Schedule, found: Pending, now: datetime, request_id: str) -> None:
    """Record what was missed, act on what is due, advance the schedule."""
    try:
        group = s.groups.get(schedule.project_id, schedule.group_id)
    except NotFound:  # it was made while its group was being buried
        with suppress(NotFound):
            s.schedules.delete(schedule.project_id, schedule.id)
        return
    last = schedule.last_firing
    for due_at in found.missed:
        more = found.more_missed and due_at == found.missed[-1]
        firing = _Firing(schedule=schedule, due_at=due_at, request_id=request_id)
        last = _last(firing, _recorded(s, firing, group, _missed(group, firing, more=more)))
    if found.due_at is not None:
        firing = _Firing(schedule=schedule, due_at=found.due_at, request_id=request_id)
        last = _last(firing, _acted(s, firing, group))
    s.schedules.advance(schedule, next_due(schedule, now), last)


def _last(firing: _Firing, execution: Execution) -> LastFiring:
    return LastFiring(
        due_at=firing.due_at,
        fired_at=execution.created_at,
        outcome=execution.outcome,
        execution_id=execution.id,
    )


def _acted(s: Services, firing: _Firing, group: Group) -> Execution:
    """Do what the schedule is for, once; return the execution of the first time."""
    try:
        match firing.schedule.action:
            case SetSizes() as sizes:
                execution = _sizes_set(s, firing, group, sizes)
            case ExecutePolicy() as action:
                execution = _policy_executed(s, firing, group, action)
    except AlreadyDecided as found:
        return found.execution
    return execution


def _sizes_set(s: Services, firing: _Firing, group: Group, sizes: SetSizes) -> Execution:
    """Set the sizes on the generation that is read; what the quota has no room for is recorded instead."""

    def attempt() -> Execution:
        was = s.groups.get(group.project_id, group.id)
        decision = resize(sizes, was, s.now())
        execution = firing.execution(s, was, decision)
        s.groups.decide(was, decision.group, execution, s.limits.quota)
        return execution

    try:
        execution = until_not_stale(s, attempt)
    except Forbidden as error:
        decision = refused(Outcome.QUOTA_EXCEEDED, Rule.QUOTA, error.detail, group)
        return _recorded(s, firing, group, decision)
    log_execution(execution)
    if execution.outcome is Outcome.EXECUTED:
        nudge(s, group, firing.request_id)
    return execution


def _policy_executed(s: Services, firing: _Firing, group: Group, action: ExecutePolicy) -> Execution:
    """Execute the policy; one that is gone is recorded."""
    ask = Ask(
        project_id=group.project_id,
        policy_id=action.policy_id,
        source=f"schedule:{firing.schedule.id}",
        event_id=event_id(firing.due_at),
        event=Event(cooldowns_apply=action.honor_cooldown),
        request_id=firing.request_id,
        execution_id=execution_id(firing.schedule, firing.due_at),
    )
    try:
        execution = scale_first(s, ask)
    except NotFound:
        detail = f"The policy {action.policy_id}, which the schedule is to execute, is gone."
        decision = refused(Outcome.POLICY_GONE, Rule.EVENT, detail, group)
        return _recorded(s, firing, group, decision)
    log_execution(execution)
    return execution


def _missed(group: Group, firing: _Firing, *, more: bool) -> Decision:
    """Return the decision on a due time that nobody was there for."""
    detail = (
        f"Nobody was there at {event_id(firing.due_at)}, and it is not made up for: only the latest "
        "due time is, within an hour."
    )
    if more:
        detail += " So it went for those that followed, which are not listed one by one."
    return refused(Outcome.MISSED, Rule.EVENT, detail, group)


def _recorded(s: Services, firing: _Firing, group: Group, decision: Decision) -> Execution:
    """Write the execution of a decision that leaves the group as it is; return that of the first time."""
    execution = firing.execution(s, group, decision)
    try:
        s.groups.decide(group, group, execution)
    except AlreadyDecided as found:
        return found.execution
    log_execution(execution)
    return execution
