"""What groups use: launch configurations and credentials, each with a counter of its groups.

The counter is kept by the transactions that write groups, so "is it in use?" has an exact answer at the very
moment a row is deleted.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.core.credential import Credential
from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.ids import ProjectId
from chalicelib.core.launch import LaunchConfiguration
from chalicelib.core.quota import Quota
from chalicelib.ports.storage import Page
from chalicelib.tables.calls import Transaction
from chalicelib.tables.database import Database
from chalicelib.tables.rows import Row
from chalicelib.tables.table import Table, create, taken
from chalicelib.tables.usage import UsageCounter


class UsedRow(Row):
    """A row that knows how many groups use it."""

    project_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    uses = NumberAttribute(default=0)


R = TypeVar("R", bound=UsedRow)
V = TypeVar("V", LaunchConfiguration, Credential)


def change_use(transaction: Transaction, row: UsedRow, by: int, noun: str) -> None:
    """Count uses of a row, of which only the key matters; one that does not exist refuses (Invalid)."""

    def missing(_stored: UsedRow | None) -> Invalid:
        return Invalid(
            f"group.no_such_{noun}", f"There is no {noun.replace('_', ' ')} {row.id} in this project."
        )

    transaction.update(row, [UsedRow.uses.add(by)], UsedRow.id.exists(), missing)


class UsedTable(Generic[R, V]):
    """What launch configurations and credentials have in common.

    Args:
        counter: the field of Quota that counts them.
    """

    def __init__(self, database: Database, row: type[R], value: type[V], noun: str, counter: str) -> None:
        self._database = database
        self._table: Table[R, V] = Table(database, row, value, noun)
        self._usage = UsageCounter(database)
        self._counted_as = counter

    def get(self, project_id: ProjectId, id_: str) -> V:
        """Return it."""
        return self._table.get(project_id, id_)

    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[V]:
        """Return up to ``limit`` in the order of their ids."""
        return self._table.page(project_id, limit, marker, key=UsedRow.id)

    def create(self, new: V, quota: Quota) -> V:
        """Write it, or return the one that the same request made before."""
        transaction = Transaction(self._database)
        transaction.put(self._table.rows.of(new), UsedRow.id.does_not_exist(), taken)
        self._usage.count(transaction, new.project_id, quota, **{self._counted_as: 1})
        stored, _ = create(transaction, new, lambda: self._table.find(new.project_id, new.id))
        return stored

    def delete(self, project_id: ProjectId, id_: str) -> None:
        """Delete it; Conflict when a group uses it."""
        transaction = Transaction(self._database)
        unused: Any = UsedRow.id.exists() & (UsedRow.uses == 0)
        transaction.delete(self._table.rows(project_id, id_), unused, lambda stored: self._used(stored, id_))
        self._usage.count(transaction, project_id, None, **{self._counted_as: -1})
        transaction.commit()

    def require_unused(self, project_id: ProjectId, id_: str) -> None:
        """Refuse with Conflict when a group uses it; NotFound when there is none."""
        row = self._table.row(project_id, id_)
        if row is None or row.uses:
            raise self._used(row, id_)

    def _used(self, stored: R | None, id_: str) -> Exception:
        if stored is None:
            return self._table.missing(id_)
        noun = self._table.noun
        return Conflict(f"{noun}.in_use", f"The {noun.replace('_', ' ')} is used by {stored.uses} groups.")
