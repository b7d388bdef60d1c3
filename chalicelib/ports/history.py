"""What flows need of storage for what was decided, and what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.core.activity import Activity
    from chalicelib.core.execution import Execution
    from chalicelib.core.ids import ActivityId, ExecutionId, GroupId, PolicyId, ProjectId
    from chalicelib.ports.storage import Page


class Executions(Protocol):
    """Executions; written by ``Groups.decide``."""

    def get(self, project_id: ProjectId, execution_id: ExecutionId) -> Execution:
        """Return the execution."""

    def of_group(
        self, project_id: ProjectId, group_id: GroupId, limit: int, marker: ExecutionId | None
    ) -> Page[Execution]:
        """Return up to ``limit`` executions of the group, newest first."""

    def of_policy(
        self, project_id: ProjectId, policy_id: PolicyId, limit: int, marker: ExecutionId | None
    ) -> Page[Execution]:
        """Return up to ``limit`` executions of the policy, newest first."""


class Activities(Protocol):
    """Activities."""

    def add(self, activities: Sequence[Activity]) -> None:
        """Write them; writing one twice is a success."""

    def of_group(
        self, project_id: ProjectId, group_id: GroupId, limit: int, marker: ActivityId | None
    ) -> Page[Activity]:
        """Return up to ``limit`` activities of the group, newest first."""
