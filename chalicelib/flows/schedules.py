"""What an owner does to a schedule: create, change, delete it. What it does by itself is in ``firing``."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core.errors import Invalid
from chalicelib.core.ids import ProjectId, ScheduleId
from chalicelib.core.schedule import Schedule, armed, require_future, retimed
from chalicelib.flows.retry import as_seen, retried_unless
from chalicelib.ports import Services
from chalicelib.ports.schedules import ScheduleKey


def create(s: Services, wanted: Schedule) -> Schedule:
    """Write a new schedule, armed; return it as stored.

    Raises:
        Invalid: it would never be due, or its group or policy does not exist.
    """
    try:
        require_future(wanted.timing, wanted.created_at)
        new = armed(wanted, wanted.created_at)
    except Invalid:
        key = ScheduleKey(project_id=wanted.project_id, schedule_id=wanted.id)
        if s.schedules.find(key) is None:
            raise
        new = wanted  # the same request again, which finds what it made while it still made sense
    return s.schedules.create(new, s.limits.quota)


def change(
    s: Services,
    project_id: ProjectId,
    schedule_id: ScheduleId,
    edit: Callable[[Schedule], Schedule],
    *,
    generation: int | None,
) -> Schedule:
    """Write what ``edit`` makes of the schedule, on the generation it was read at.

    Where its times change, a due time that was not acted on yet is forgotten: it is armed anew.

    Raises:
        Stale: the schedule is not at ``generation``, the one the caller saw (If-Match).
        Invalid: it is enabled and would never be due.
    """

    def attempt() -> Schedule:
        was = as_seen("schedule", s.schedules.get(project_id, schedule_id), generation)
        new = edit(was)
        return s.schedules.change(was, armed(new, new.updated_at) if retimed(was, new) else new)

    return retried_unless(generation, s, attempt)


def delete(s: Services, project_id: ProjectId, schedule_id: ScheduleId, *, generation: int | None) -> None:
    """Delete the schedule; its executions stay.

    Raises:
        NotFound: there is no such schedule.
        Stale: it is not at ``generation``, the one the caller saw (If-Match).
    """
    as_seen("schedule", s.schedules.get(project_id, schedule_id), generation)
    s.schedules.delete(project_id, schedule_id, generation=generation)
