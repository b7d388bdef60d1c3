"""Alarms and their history in memory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.core.alarm import Alarm, Backend
from chalicelib.core.alarm_history import AlarmHistoryEntry
from chalicelib.core.errors import Invalid, Stale
from chalicelib.core.ids import AlarmHistoryId, AlarmId, GroupId, PolicyId, ProjectId
from chalicelib.core.quota import Quota
from chalicelib.ports.storage import Page
from tests.fakes.memory import Memory, create_in, get_from, owned, page_of
from tests.fakes.port import Port, atomic


class FakeAlarms(Port):
    def __init__(self, memory: Memory, shards: int = 8) -> None:
        super().__init__(memory)
        self._shards = shards

    @atomic
    def get(self, project_id: ProjectId, alarm_id: AlarmId) -> Alarm:
        return get_from(self._memory.alarms, project_id, alarm_id, "alarm")

    @atomic
    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Alarm]:
        alarms = owned(self._memory.alarms, project_id)
        return page_of((a for a in alarms if group_id in (None, a.group_id)), limit, marker)

    def of_group(self, project_id: ProjectId, group_id: GroupId) -> Sequence[Alarm]:
        return self.page(project_id, group_id, 1000, None).items

    @atomic
    def create(self, new: Alarm, quota: Quota, entry: AlarmHistoryEntry) -> Alarm:
        def check() -> None:
            held = self._memory.groups.get((new.project_id, new.group_id))
            if held is None or held.group.deleting:
                raise Invalid("alarm.no_such_group", "There is no such group, or it is being deleted.")
            self._require_policies(new, new.actions)
            self._memory.room(new.project_id, quota, alarms=1)

        stored, is_new = create_in(self._memory.alarms, new, check)
        if is_new:
            self._remember(entry)
        return stored

    @atomic
    def change(self, was: Alarm, new: Alarm, entry: AlarmHistoryEntry | None) -> Alarm:
        self._require_unchanged(was)
        self._require_policies(new, new.actions - was.actions)
        written = replace(new, generation=was.generation + 1)
        self._memory.alarms[was.project_id, was.id] = written
        if entry is not None:
            self._remember(entry)
        return written

    @atomic
    def heard(self, alarm: Alarm, at: datetime) -> None:
        stored = self._memory.alarms.get((alarm.project_id, alarm.id))
        if stored is not None:
            self._memory.alarms[alarm.project_id, alarm.id] = replace(stored, heard_at=at)

    @atomic
    def delete(self, was: Alarm, entry: AlarmHistoryEntry) -> None:
        self._require_unchanged(was)
        del self._memory.alarms[was.project_id, was.id]
        self._remember(entry)

    @atomic
    def watched(self, shard: int, after: str | None, limit: int) -> Page[Alarm]:
        places = {
            f"{alarm.group_id}#{alarm.id}": alarm
            for alarm in self._memory.alarms.values()
            if alarm.enabled and alarm.backend is Backend.BUILTIN
            if zlib.crc32(alarm.group_id.encode()) % self._shards == shard
        }
        rest = sorted(place for place in places if after is None or place > after)
        marker = rest[limit - 1] if len(rest) > limit else None
        return Page(tuple(places[place] for place in rest[:limit]), marker)

    def _require_unchanged(self, was: Alarm) -> None:
        if self.get(was.project_id, was.id).generation != was.generation:
            raise Stale("alarm.stale", "The alarm was changed meanwhile; read it again.")

    def _require_policies(self, alarm: Alarm, policy_ids: frozenset[PolicyId]) -> None:
        for policy_id in policy_ids:
            policy = self._memory.policies.get((alarm.project_id, policy_id))
            if policy is None or policy.group_id != alarm.group_id:
                raise Invalid("alarm.no_such_policy", "There is no such policy in the alarm's group.")

    def _remember(self, entry: AlarmHistoryEntry) -> None:
        self._memory.alarm_history[entry.project_id, entry.alarm_id, entry.id] = entry


class FakeAlarmHistory(Port):
    @atomic
    def of_alarm(
        self, project_id: ProjectId, alarm_id: AlarmId, limit: int, marker: AlarmHistoryId | None
    ) -> Page[AlarmHistoryEntry]:
        found = [
            e
            for e in self._memory.alarm_history.values()
            if (e.project_id, e.alarm_id) == (project_id, alarm_id)
        ]
        rest = sorted((e for e in found if marker is None or e.id < marker), key=lambda e: e.id)[::-1]
        return Page(tuple(rest[:limit]), rest[limit - 1].id if len(rest) > limit else None)
