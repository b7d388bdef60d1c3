"""Executions, activities and usage in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.core.activity import Activity
from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Execution
from chalicelib.core.ids import ActivityId, ExecutionId, GroupId, PolicyId, ProjectId
from chalicelib.core.quota import Quota
from chalicelib.ports.storage import Page
from tests.fakes.memory import get_from, group_of, remember
from tests.fakes.port import Port, atomic


class FakeExecutions(Port):
    @atomic
    def get(self, project_id: ProjectId, execution_id: ExecutionId) -> Execution:
        return get_from(self._memory.executions, project_id, execution_id, "execution")

    @atomic
    def of_group(
        self, project_id: ProjectId, group_id: GroupId, limit: int, marker: ExecutionId | None
    ) -> Page[Execution]:
        found = (e for e in self._memory.executions.values() if group_of(e) == (project_id, group_id))
        return self._newest(project_id, found, limit, marker)

    @atomic
    def of_policy(
        self, project_id: ProjectId, policy_id: PolicyId, limit: int, marker: ExecutionId | None
    ) -> Page[Execution]:
        own = (e for e in self._memory.executions.values() if e.project_id == project_id)
        return self._newest(project_id, (e for e in own if e.policy_id == policy_id), limit, marker)

    def _newest(
        self, project_id: ProjectId, found: Iterable[Execution], limit: int, marker: ExecutionId | None
    ) -> Page[Execution]:
        if marker is not None and (project_id, marker) not in self._memory.executions:
            raise Invalid("marker", "There is no such execution to go on after.")
        after = None if marker is None else _age(self._memory.executions[project_id, marker])
        rest = sorted((e for e in found if after is None or _age(e) < after), key=_age, reverse=True)
        return Page(tuple(rest[:limit]), rest[limit - 1].id if len(rest) > limit else None)


class FakeActivities(Port):
    @atomic
    def add(self, activities: Sequence[Activity]) -> None:
        for activity in activities:
            remember(self._memory, activity)

    @atomic
    def of_group(
        self, project_id: ProjectId, group_id: GroupId, limit: int, marker: ActivityId | None
    ) -> Page[Activity]:
        found = [a for a in self._memory.activities.values() if group_of(a) == (project_id, group_id)]
        rest = sorted((a for a in found if marker is None or a.id < marker), key=lambda a: a.id)[::-1]
        return Page(tuple(rest[:limit]), rest[limit - 1].id if len(rest) > limit else None)


class FakeUsage(Port):
    @atomic
    def of_project(self, project_id: ProjectId) -> Quota:
        return self._memory.usage(project_id)

    def reachable(self) -> bool:
        return True


def _age(execution: Execution) -> tuple[datetime, str]:
    return execution.created_at, execution.id
