"""The table of what policies remember."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.behavior import Window
from chalicelib.core.errors import Stale
from chalicelib.core.forecast import Forecast, Verified
from chalicelib.core.ids import PolicyId, ProjectId
from chalicelib.core.policy_state import Evaluation, PolicyState
from chalicelib.tables.calls import Refused, perform
from chalicelib.tables.database import Database
from chalicelib.tables.rows import DocumentAttribute, Row
from chalicelib.tables.table import Table


class PolicyStateRow(Row):
    """What one policy remembers."""

    table = "policy-states"

    project_id = UnicodeAttribute(hash_key=True)
    policy_id = UnicodeAttribute(range_key=True)
    window = DocumentAttribute(Window)
    last = DocumentAttribute(Evaluation, null=True)
    forecast = DocumentAttribute(Forecast, null=True)
    past = DocumentAttribute(tuple[Verified, ...])
    version = NumberAttribute()
    updated_at = UTCDateTimeAttribute()
    expires_at = TTLAttribute()


class PolicyStateTable:
    """What policies remember, in DynamoDB; dropped as history is, for nobody writes it any more then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = Table(database, PolicyStateRow, PolicyState, "policy_state")

    def get(self, project_id: ProjectId, policy_id: PolicyId) -> PolicyState | None:
        """Return what the policy remembers, read consistently, or None."""
        return self._table.find(project_id, policy_id)

    def put(self, state: PolicyState, expected: int) -> PolicyState:
        """Write the state in place of the one at version ``expected``, or raise Stale."""
        written = replace(state, version=expected + 1)
        row = self._table.rows.of(written, expires_at=self._database.expiry(state.updated_at))
        known = PolicyStateRow.version == expected if expected else PolicyStateRow.version.does_not_exist()
        try:
            perform(lambda: row.save(condition=known))
        except Refused:
            raise Stale("policy_state.stale", "The policy was judged by another meanwhile.") from None
        return written

    def delete(self, project_id: ProjectId, policy_id: PolicyId) -> None:
        """Forget it; what is forgotten already is a success."""
        row = self._table.rows(project_id, policy_id)
        perform(row.delete)
