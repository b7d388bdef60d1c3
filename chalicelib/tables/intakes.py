"""The table of intakes, and the one of their tokens.

A token's row says by itself where it leads and when it ends, for each request with samples looks it up. It
is written and deleted in the transactions of its intake.
"""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.core.intake import Intake
from chalicelib.core.token import TokenHash
from chalicelib.ports.samples import Admission
from chalicelib.ports.storage import GroupKey
from chalicelib.tables.calls import Transaction, perform
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import GroupRow
from chalicelib.tables.rows import DocumentAttribute, Row
from chalicelib.tables.table import Table, taken
from chalicelib.tables.tokens import follow


class IntakeRow(Row):
    """The intake of one group."""

    table = "intakes"

    project_id = UnicodeAttribute(hash_key=True)
    group_id = UnicodeAttribute(range_key=True)
    tokens = DocumentAttribute(tuple[TokenHash, ...])
    sealed_token = UnicodeAttribute()
    base = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    generation = NumberAttribute()


class IntakeTokenRow(Row):
    """Where a token's hash leads; DynamoDB drops it some time after its end, which therefore stands in it."""

    table = "intake-tokens"

    sha256 = UnicodeAttribute(hash_key=True)
    project_id = UnicodeAttribute()
    group_id = UnicodeAttribute()
    ends_at = UTCDateTimeAttribute(null=True)
    expires_at = TTLAttribute(null=True)


class IntakeTable:
    """Intakes and their tokens in DynamoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = Table(database, IntakeRow, Intake, "intake")
        self._tokens = database.bind(IntakeTokenRow)
        self._groups = database.bind(GroupRow)

    def get(self, project_id: ProjectId, group_id: GroupId) -> Intake:
        """Return the group's intake, read consistently."""
        found = self.find(project_id, group_id)
        if found is None:
            raise NotFound("intake.not_found", f"The group {group_id} has no intake.")
        return found

    def find(self, project_id: ProjectId, group_id: GroupId) -> Intake | None:
        """Return the group's intake, or None."""
        return self._table.find(project_id, group_id)

    def by_token(self, sha256: str) -> Admission | None:
        """Return where this token hash leads, or None."""
        try:
            token = perform(lambda: self._tokens.get(sha256, consistent_read=True))
        except self._tokens.DoesNotExist:
            return None
        key = GroupKey(project_id=ProjectId(token.project_id), group_id=GroupId(token.group_id))
        return Admission(key=key, expires_at=token.ends_at)

    def create(self, new: Intake) -> tuple[Intake, bool]:
        """Write the intake and the index of its tokens; its group must exist and not be going (NotFound)."""

        def no_group(_stored: GroupRow | None) -> NotFound:
            return NotFound("group.not_found", f"There is no group {new.group_id}, or it is being deleted.")

        transaction = Transaction(self._database)
        transaction.put(self._table.rows.of(new), IntakeRow.group_id.does_not_exist(), taken)
        alive = GroupRow.deleting == False  # noqa: E712  (an expression for DynamoDB)
        transaction.check(self._groups(new.project_id, new.group_id), alive, no_group)
        self._index(transaction, None, new)
        try:
            transaction.commit()
        except Conflict:
            return self.get(new.project_id, new.group_id), False
        return new, True

    def change(self, was: Intake, new: Intake) -> Intake:
        """Write ``new`` in place of ``was``, tokens and index alike; return it, or raise Stale."""
        written = replace(new, generation=was.generation + 1)
        transaction = Transaction(self._database)
        unchanged = IntakeRow.generation == was.generation
        transaction.put(self._table.rows.of(written), unchanged, self._table.stale(was.group_id))
        self._index(transaction, was, written)
        transaction.commit()
        return written

    def delete(self, project_id: ProjectId, group_id: GroupId) -> None:
        """Delete the intake with its tokens; Stale if it changed meanwhile."""
        intake = self.get(project_id, group_id)
        transaction = Transaction(self._database)
        unchanged = IntakeRow.generation == intake.generation
        transaction.delete(self._table.rows(project_id, group_id), unchanged, self._table.stale(group_id))
        self._index(transaction, intake, None)
        transaction.commit()

    def _index(self, transaction: Transaction, was: Intake | None, new: Intake | None) -> None:
        """Let the tokens' rows follow from ``was`` to ``new``; an end that moved is rewritten."""
        rows = {token.sha256: self._token_row(new, token) for token in new.tokens} if new else {}
        follow(transaction, self._tokens, was.tokens if was else (), rows)

    def _token_row(self, intake: Intake, token: TokenHash) -> IntakeTokenRow:
        return self._tokens(
            token.sha256,
            project_id=intake.project_id,
            group_id=intake.group_id,
            ends_at=token.expires_at,
            expires_at=token.expires_at,
        )
