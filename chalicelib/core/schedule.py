"""The schedule: at a time, or at times, set a group's sizes or execute a policy.

A schedule that came late (the service was out, the tick was) makes up for the latest due time only, and only
within an hour: sizes are a state, so the last one wins, and a policy that adds a member must not add five at
once. What is not made up for is recorded as missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

from chalicelib.core.capacity import Bounds
from chalicelib.core.cron import Cron, occurrences
from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Outcome
from chalicelib.core.ids import ExecutionId, GroupId, PolicyId, ProjectId, ScheduleId, derived_id

GRACE = timedelta(hours=1)
"""How late a due time is still acted on."""
MISSED_MAX = 10
"""How many missed due times are recorded one by one after an outage; the last of them says that more were."""

_IN_GRACE_MAX = 61  # cron counts in minutes
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Due at one moment."""

    at: datetime


Timing = Once | Cron
"""When a schedule is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSizes:
    """What a schedule sets of a group; what is None stays, and desired_capacity is kept within the bounds."""

    min_size: int | None = None
    max_size: int | None = None
    desired_capacity: int | None = None

    def __post_init__(self) -> None:
        given = [each for each in (self.min_size, self.desired_capacity, self.max_size) if each is not None]
        if not given:
            raise Invalid("schedule.sizes", "Give min_size, max_size or desired_capacity, or a policy_id.")
        if given != sorted(given) or given[0] < 0:
            raise Invalid("schedule.sizes", "0 <= min_size <= desired_capacity <= max_size is needed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutePolicy:
    """What a schedule executes.

    Attributes:
        honor_cooldown: wait for cooldowns and start them, as an alarm does; else neither.
    """

    policy_id: PolicyId
    honor_cooldown: bool = False


Action = SetSizes | ExecutePolicy
"""What a schedule does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFiring:
    """How a schedule last fired.

    Attributes:
        due_at: the due time; ``fired_at`` is when it was acted on.
    """

    due_at: datetime
    fired_at: datetime
    outcome: Outcome
    execution_id: ExecutionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is to happen to a group, and when.

    Attributes:
        next_due_at: the due time that comes next or waits to be acted on; None when there is none.
        generation: goes up by one with every change of an owner's; firing leaves it as it is.
    """

    project_id: ProjectId
    id: ScheduleId
    group_id: GroupId
    name: str
    timing: Timing
    action: Action
    enabled: bool
    created_at: datetime
    updated_at: datetime
    next_due_at: datetime | None = None
    last_firing: LastFiring | None = None
    generation: int = 1
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What has become due.

    Attributes:
        due_at: the due time to act on, if one is not too old.
        missed: the earlier ones, oldest first, at most MISSED_MAX.
        more_missed: whether there were more than that.
    """

    due_at: datetime | None = None
    missed: tuple[datetime, ...] = ()
    more_missed: bool = False


def _after(timing: Timing, since: datetime) -> Iterator[datetime]:
    """Yield all due times later than ``since``, in order."""
    if isinstance(timing, Cron):
        yield from occurrences(timing, since)
    elif timing.at > since:
        yield timing.at


def next_due(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first due time later than ``after``, in UTC, or None when there is none any more."""
    return next(_after(schedule.timing, after), None)


def due_times(schedule: Schedule, since: datetime, until: datetime, limit: int) -> tuple[datetime, ...]:
    """Return the first ``limit`` due times later than ``since`` and not later than ``until``, in order."""
    within = takewhile(lambda due_at: due_at <= until, _after(schedule.timing, since))
    return tuple(islice(within, limit))


def firings(schedule: Schedule, now: datetime, count: int) -> tuple[datetime, ...]:
    """Return the next ``count`` times at which the schedule will fire; none while it is disabled."""
    return tuple(islice(_after(schedule.timing, now), count)) if schedule.enabled else ()


def armed(schedule: Schedule, now: datetime) -> Schedule:
    """Return the schedule, due next at its first time after ``now``; never while it is disabled.

    Raises:
        Invalid: it is enabled, and there is no such time.
    """
    if not schedule.enabled:
        return replace(schedule, next_due_at=None)
    return replace(schedule, next_due_at=require_future(schedule.timing, now))


def retimed(was: Schedule, new: Schedule) -> bool:
    """Return whether ``new`` is due at other times, so that it has to be armed anew."""
    return (was.timing, was.enabled) != (new.timing, new.enabled)


def require_future(timing: Timing, now: datetime) -> datetime:
    """Return the first due time after ``now``.

    Raises:
        Invalid: there is none.
    """
    due_at = next(_after(timing, now), None)
    if due_at is None and isinstance(timing, Once):
        raise Invalid("schedule.at", "at lies in the past.")
    if due_at is None:
        raise Invalid("schedule.never_due", "cron, start and end leave no time at which this would be due.")
    return due_at


def pending(schedule: Schedule, now: datetime) -> Pending:
    """Return what is to be done at ``now`` for the due times that have come since the schedule last fired."""
    first = schedule.next_due_at
    if first is None or first > now:
        return Pending()
    recent = due_times(schedule, max(first, now - GRACE - _INSTANT), now, _IN_GRACE_MAX)
    if first >= now - GRACE:
        recent = (first, *recent)
    due_at = recent[-1] if recent else None
    if due_at == first:
        return Pending(due_at=due_at)
    until = now if due_at is None else due_at - _INSTANT
    missed = (first, *due_times(schedule, first, until, MISSED_MAX))
    return Pending(due_at=due_at, missed=missed[:MISSED_MAX], more_missed=len(missed) > MISSED_MAX)


def execution_id(schedule: Schedule, due_at: datetime) -> ExecutionId:
    """Return the id of what comes of one due time: always the same one, so that it comes once."""
    return ExecutionId(derived_id("schedule", schedule.id, event_id(due_at)))


def event_id(due_at: datetime) -> str:
    """Return a due time as executions name it."""
    return due_at.isoformat().replace("+00:00", "Z")


def bounds_set(sizes: SetSizes, bounds: Bounds) -> Bounds:
    """Return ``bounds`` as ``sizes`` set them.

    Raises:
        Invalid: what is set does not fit what stays.
    """
    return Bounds(
        min_size=bounds.min_size if sizes.min_size is None else sizes.min_size,
        max_size=bounds.max_size if sizes.max_size is None else sizes.max_size,
    )
