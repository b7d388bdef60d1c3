"""The table of executions: every request to scale and its explanation, kept for a while."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Execution, Explanation, Outcome
from chalicelib.core.ids import ExecutionId, GroupId, PolicyId, ProjectId
from chalicelib.ports.storage import Page
from chalicelib.tables.database import Database
from chalicelib.tables.rows import DocumentAttribute, Row, RowIndex, WordAttribute, joined
from chalicelib.tables.table import Table


class _ByGroup(RowIndex):
    group_key = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class _ByPolicy(RowIndex):
    policy_key = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class ExecutionRow(Row):
    """One execution; ``place`` is its time and id, so that it sorts."""

    table = "executions"

    by_group = _ByGroup()
    by_policy = _ByPolicy()

    project_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    group_key = UnicodeAttribute()
    policy_key = UnicodeAttribute(null=True)
    place = UnicodeAttribute()
    policy_id = UnicodeAttribute(null=True)
    group_id = UnicodeAttribute()
    source = UnicodeAttribute()
    event_id = UnicodeAttribute(null=True)
    outcome = WordAttribute(Outcome)
    capacity_before = NumberAttribute()
    capacity_after = NumberAttribute()
    retry_at = UTCDateTimeAttribute(null=True)
    explanation = DocumentAttribute(Explanation)
    request_id = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    expires_at = TTLAttribute()


def execution_row(database: Database, execution: Execution) -> ExecutionRow:
    """Return the row of an execution, with its index keys and the time at which it is dropped."""
    project_id, policy_id = execution.project_id, execution.policy_id
    return database.bind(ExecutionRow).of(
        execution,
        group_key=joined(project_id, execution.group_id),
        policy_key=None if policy_id is None else joined(project_id, policy_id),
        place=_place(execution),
        expires_at=database.expiry(execution.created_at),
    )


def _place(execution: Execution) -> str:
    return f"{execution.created_at:%Y-%m-%dT%H:%M:%S.%f}#{execution.id}"


class ExecutionTable:
    """Executions in DynamoDB; they are written where groups are."""

    def __init__(self, database: Database) -> None:
        self._table = Table(database, ExecutionRow, Execution, "execution")

    def get(self, project_id: ProjectId, execution_id: ExecutionId) -> Execution:
        """Return the execution."""
        return self._table.get(project_id, execution_id)

    def of_group(
        self, project_id: ProjectId, group_id: GroupId, limit: int, marker: ExecutionId | None
    ) -> Page[Execution]:
        """Return up to ``limit`` executions of the group, newest first."""
        return self._newest(joined(project_id, group_id), "by_group", limit, self._after(project_id, marker))

    def of_policy(
        self, project_id: ProjectId, policy_id: PolicyId, limit: int, marker: ExecutionId | None
    ) -> Page[Execution]:
        """Return up to ``limit`` executions of the policy, newest first."""
        return self._newest(
            joined(project_id, policy_id), "by_policy", limit, self._after(project_id, marker)
        )

    def _newest(self, owner: str, index: str, limit: int, after: str | None) -> Page[Execution]:
        return self._table.page(owner, limit, after, key=ExecutionRow.place, index=index, newest_first=True)

    def _after(self, project_id: ProjectId, marker: ExecutionId | None) -> str | None:
        """Return the place of the execution that the marker names."""
        if marker is None:
            return None
        execution = self._table.find(project_id, marker)
        if execution is None:
            raise Invalid("marker", f"There is no execution {marker} to go on after.")
        return _place(execution)
