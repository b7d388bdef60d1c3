"""Schedules in memory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.core.errors import Invalid, Stale
from chalicelib.core.ids import GroupId, ProjectId, ScheduleId
from chalicelib.core.quota import Quota
from chalicelib.core.schedule import ExecutePolicy, LastFiring, Schedule, retimed
from chalicelib.ports.schedules import ScheduleKey
from chalicelib.ports.storage import Page
from tests.fakes.memory import Memory, create_in, get_from, owned, page_of
from tests.fakes.port import Port, atomic


class FakeSchedules(Port):
    def __init__(self, memory: Memory, shards: int = 8) -> None:
        super().__init__(memory)
        self._shards = shards

    @atomic
    def get(self, project_id: ProjectId, schedule_id: ScheduleId) -> Schedule:
        return get_from(self._memory.schedules, project_id, schedule_id, "schedule")

    @atomic
    def find(self, key: ScheduleKey) -> Schedule | None:
        return self._memory.schedules.get((key.project_id, key.schedule_id))

    @atomic
    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Schedule]:
        schedules = owned(self._memory.schedules, project_id)
        return page_of((x for x in schedules if group_id in (None, x.group_id)), limit, marker)

    @atomic
    def create(self, new: Schedule, quota: Quota) -> Schedule:
        def check() -> None:
            held = self._memory.groups.get((new.project_id, new.group_id))
            if held is None or held.group.deleting:
                raise Invalid("schedule.no_such_group", "There is no such group, or it is being deleted.")
            self._require_policy(new)
            self._memory.room(new.project_id, quota, schedules=1)

        return create_in(self._memory.schedules, new, check)[0]

    @atomic
    def change(self, was: Schedule, new: Schedule) -> Schedule:
        stored = self.get(was.project_id, was.id)
        if stored.generation != was.generation:
            raise Stale("schedule.stale", "The schedule was changed meanwhile; read it again.")
        if new.action != was.action:
            self._require_policy(new)
        written = replace(new, generation=was.generation + 1)
        next_due_at = new.next_due_at if retimed(was, new) else stored.next_due_at
        kept = replace(written, next_due_at=next_due_at, last_firing=stored.last_firing)
        self._memory.schedules[was.project_id, was.id] = kept
        return written

    @atomic
    def advance(self, was: Schedule, next_due_at: datetime | None, last_firing: LastFiring | None) -> None:
        stored = self._memory.schedules.get((was.project_id, was.id))
        if stored is None:
            return
        if (stored.generation, stored.next_due_at) == (was.generation, was.next_due_at):
            self._memory.schedules[was.project_id, was.id] = replace(
                stored, next_due_at=next_due_at, last_firing=last_firing
            )

    @atomic
    def delete(
        self, project_id: ProjectId, schedule_id: ScheduleId, *, generation: int | None = None
    ) -> None:
        if generation not in (None, self.get(project_id, schedule_id).generation):
            raise Stale("schedule.stale", "The schedule was changed meanwhile; read it again.")
        del self._memory.schedules[project_id, schedule_id]

    @atomic
    def due(self, shard: int, now: datetime, limit: int) -> Sequence[ScheduleKey]:
        due = sorted(
            (schedule.next_due_at, schedule.project_id, schedule.id)
            for schedule in self._memory.schedules.values()
            if zlib.crc32(schedule.group_id.encode()) % self._shards == shard
            and schedule.next_due_at is not None
            and schedule.next_due_at <= now
        )
        return [ScheduleKey(project_id=project, schedule_id=id_) for _, project, id_ in due[:limit]]

    def _require_policy(self, schedule: Schedule) -> None:
        if not isinstance(schedule.action, ExecutePolicy):
            return
        policy = self._memory.policies.get((schedule.project_id, schedule.action.policy_id))
        if policy is None or policy.group_id != schedule.group_id:
            raise Invalid("schedule.no_such_policy", "The group has no such policy.")
