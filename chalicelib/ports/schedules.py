"""What flows need of the storage of schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chalicelib.core.ids import GroupId, ProjectId, ScheduleId
    from chalicelib.core.quota import Quota
    from chalicelib.core.schedule import LastFiring, Schedule
    from chalicelib.ports.storage import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleKey:
    """What names a schedule across projects; what the due-time index carries."""

    project_id: ProjectId
    schedule_id: ScheduleId


class Schedules(Protocol):
    """Schedules: what owners want is guarded by the generation, what firing writes by the due time."""

    def get(self, project_id: ProjectId, schedule_id: ScheduleId) -> Schedule:
        """Return the schedule, read consistently."""

    def find(self, key: ScheduleKey) -> Schedule | None:
        """Return the schedule, read consistently, or None."""

    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Schedule]:
        """Return up to ``limit`` schedules, of one group if it is named, in the order of their ids."""

    def create(self, new: Schedule, quota: Quota) -> Schedule:
        """Write it, or return the one that the same request made before.

        Raises:
            Invalid: there is no such group, it is being deleted, or it has no such policy.
            Conflict, Forbidden: as for ``Groups.create``.
        """

    def change(self, was: Schedule, new: Schedule) -> Schedule:
        """Write ``new`` in place of ``was``; return it at its next generation.

        How it last fired stays as it is stored; so does when it is due next, unless it is ``retimed``.

        Raises:
            Stale: an owner changed the schedule after ``was`` was read.
            Invalid: its group has no such policy.
        """

    def advance(self, was: Schedule, next_due_at: datetime | None, last_firing: LastFiring | None) -> None:
        """Write what came of firing, unless the schedule was changed, advanced or deleted since ``was``."""

    def delete(
        self, project_id: ProjectId, schedule_id: ScheduleId, *, generation: int | None = None
    ) -> None:
        """Delete the schedule and take it out of the count.

        Raises:
            NotFound: it is gone.
            Stale: it is not at ``generation``; None is any.
        """

    def due(self, shard: int, now: datetime, limit: int) -> Sequence[ScheduleKey]:
        """Return up to ``limit`` schedules of the shard that are due at ``now``, the longest due first.

        All schedules of a group are in one shard. One that has just been written may be missing for a moment,
        one that was advanced or deleted may still be there.
        """
