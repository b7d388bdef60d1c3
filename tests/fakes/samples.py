"""Folds, intakes and meters in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.core.errors import NotFound, Stale
from chalicelib.core.fold import Fold, Hour
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.core.intake import Intake
from chalicelib.core.meters import Meters, Name
from chalicelib.core.series import Series
from chalicelib.ports.samples import Admission
from chalicelib.ports.storage import GroupKey
from tests.fakes.memory import Memory
from tests.fakes.port import Port, atomic


class FakeFolds(Port):
    @atomic
    def add(self, folds: Sequence[tuple[Series, Fold]]) -> Mapping[int, str]:
        refused = {}
        for place, (series, fold) in enumerate(folds):
            held = self._memory.folds.setdefault(series, {})
            known = held.get((fold.start, fold.seconds))
            if known is not None and fold.batches <= known.batches:
                continue
            together = fold if known is None else known.plus(fold)
            reason = together.too_large()
            if reason is None:
                held[fold.start, fold.seconds] = together
            else:
                refused[place] = reason
        return refused

    @atomic
    def read(self, series: Series, since: datetime, until: datetime) -> Sequence[Fold]:
        held = self._memory.folds.get(series, {})
        return [held[place] for place in sorted(held) if since <= place[0] < until]

    @atomic
    def first_since(self, series: Series, since: datetime) -> datetime | None:
        starts = [start for start, _ in self._memory.folds.get(series, {}) if start >= since]
        return min(starts, default=None)

    @atomic
    def write_hour(self, series: Series, hour: Hour) -> None:
        self._memory.hours.setdefault(series, {})[hour.start] = hour

    @atomic
    def read_hours(self, series: Series, since: datetime, until: datetime) -> Sequence[Hour]:
        held = self._memory.hours.get(series, {})
        return [held[start] for start in sorted(held) if since <= start < until]

    @atomic
    def newest_hour(self, series: Series) -> datetime | None:
        return max(self._memory.hours.get(series, {}), default=None)


class FakeIntakes(Port):
    @atomic
    def get(self, project_id: ProjectId, group_id: GroupId) -> Intake:
        found = self.find(project_id, group_id)
        if found is None:
            raise NotFound("intake.not_found", "The group has no intake.")
        return found

    @atomic
    def find(self, project_id: ProjectId, group_id: GroupId) -> Intake | None:
        return self._memory.intakes.get((project_id, group_id))

    @atomic
    def by_token(self, sha256: str) -> Admission | None:
        for intake in self._memory.intakes.values():
            for token in intake.tokens:
                if token.sha256 == sha256:
                    key = GroupKey(project_id=intake.project_id, group_id=intake.group_id)
                    return Admission(key=key, expires_at=token.expires_at)
        return None

    @atomic
    def create(self, new: Intake) -> tuple[Intake, bool]:
        known = self.find(new.project_id, new.group_id)
        if known is not None:
            return known, False
        if self._memory.held(new.project_id, new.group_id).group.deleting:
            raise NotFound("group.not_found", "The group is being deleted.")
        self._memory.intakes[new.project_id, new.group_id] = new
        return new, True

    @atomic
    def change(self, was: Intake, new: Intake) -> Intake:
        if self.get(was.project_id, was.group_id).generation != was.generation:
            raise Stale("intake.stale", "The intake was changed meanwhile; read it again.")
        written = replace(new, generation=was.generation + 1)
        self._memory.intakes[was.project_id, was.group_id] = written
        return written

    @atomic
    def delete(self, project_id: ProjectId, group_id: GroupId) -> None:
        self.get(project_id, group_id)
        del self._memory.intakes[project_id, group_id]


class FakeMeters(Port):
    """Keeps nothing for a while: it reads afresh each time."""

    def __init__(self, memory: Memory, keep: timedelta) -> None:
        super().__init__(memory)
        self._keep = keep

    @atomic
    def admit(self, key: GroupKey, names: Collection[Name], now: datetime) -> Meters:
        meters = self.of_group(key)
        if meters.is_news(names, now, self._keep):
            meters = self._memory.meters[key] = meters.seeing(names, now, self._keep)
        return meters

    @atomic
    def of_group(self, key: GroupKey) -> Meters:
        return self._memory.meters.get(key, Meters())

    @atomic
    def watch(self, key: GroupKey, metric: str, *, fine: bool) -> None:
        self._memory.meters[key] = self.of_group(key).watching(metric, fine=fine)

    @atomic
    def forget(self, key: GroupKey) -> None:
        self._memory.meters.pop(key, None)
