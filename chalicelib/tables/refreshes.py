"""The table of refreshes: what is wanted is written with the group, progress under its lease."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)

from chalicelib.core.activity import Activity
from chalicelib.core.errors import Invalid
from chalicelib.core.group import Group
from chalicelib.core.ids import RefreshId
from chalicelib.core.refresh import Refresh, RefreshStatus
from chalicelib.ports.storage import GroupKey, Lease, LeaseLost, Page
from chalicelib.tables.activities import activity_row
from chalicelib.tables.calls import Transaction
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import GroupRow, rewrite
from chalicelib.tables.rows import Row, RowIndex, WordAttribute, joined
from chalicelib.tables.table import Table, create, taken


class _ByAge(RowIndex):
    group_key = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class RefreshRow(Row):
    """One refresh; ``group_key`` is project and group, ``place`` is its time and id, so that it sorts."""

    table = "refreshes"

    by_age = _ByAge()

    group_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    place = UnicodeAttribute()
    project_id = UnicodeAttribute()
    group_id = UnicodeAttribute()
    status = WordAttribute(RefreshStatus)
    status_reason = UnicodeAttribute(null=True)
    batch_size = NumberAttribute()
    min_in_service = NumberAttribute(null=True)
    pause_seconds = NumberAttribute()
    replace_all = BooleanAttribute()
    launch_configuration_id = UnicodeAttribute()
    replaced = NumberAttribute()
    remaining = NumberAttribute()
    spared = NumberAttribute()
    batches = NumberAttribute()
    batch_began_at = UTCDateTimeAttribute(null=True)
    rested_at = UTCDateTimeAttribute(null=True)
    attempts = NumberAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    generation = NumberAttribute()
    fingerprint = UnicodeAttribute(null=True)
    expires_at = TTLAttribute(null=True)


_WANTED = {"status", "status_reason", "updated_at", "generation", "expires_at"}
_PROGRESS = {
    "status_reason",
    "launch_configuration_id",
    "replaced",
    "remaining",
    "spared",
    "batches",
    "batch_began_at",
    "rested_at",
    "attempts",
    "updated_at",
}


class RefreshTable:
    """Refreshes in DynamoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = Table(database, RefreshRow, Refresh, "refresh")
        self._groups = Table(database, GroupRow, Group, "group")

    def get(self, key: GroupKey, refresh_id: RefreshId) -> Refresh:
        """Return the refresh of the group."""
        return self._table.get(_owner(key), refresh_id)

    def find(self, key: GroupKey, refresh_id: RefreshId) -> Refresh | None:
        """Return the refresh of the group, or None."""
        return self._table.find(_owner(key), refresh_id)

    def of_group(self, key: GroupKey, limit: int, marker: RefreshId | None) -> Page[Refresh]:
        """Return up to ``limit`` refreshes of the group, newest first."""
        after = None
        if marker is not None:
            known = self.find(key, marker)
            if known is None:
                raise Invalid("marker", f"There is no refresh {marker} to go on after.")
            after = _place(known)
        return self._table.page(
            _owner(key), limit, after, key=RefreshRow.place, index="by_age", newest_first=True
        )

    def begin(self, new: Refresh, was: Group, group: Group, activity: Activity) -> Refresh:
        """Write a new refresh and its group, all or nothing."""
        transaction = Transaction(self._database)
        transaction.put(self._row(new), RefreshRow.id.does_not_exist(), taken)
        rewrite(transaction, self._groups, was, group)
        transaction.put(activity_row(self._database, activity))
        key = GroupKey(project_id=new.project_id, group_id=new.group_id)
        stored, _ = create(transaction, new, lambda: self.find(key, new.id))
        return stored

    def change(self, old: Refresh, new: Refresh, was: Group, group: Group, activity: Activity) -> Refresh:
        """Write the status of ``new`` and its group, all or nothing; return it at its next generation."""
        written = replace(new, generation=old.generation + 1)
        row = self._row(written)
        transaction = Transaction(self._database)
        unchanged = RefreshRow.generation == old.generation
        transaction.update(row, row.rewriting(_WANTED), unchanged, self._table.stale(old.id))
        rewrite(transaction, self._groups, was, group)
        transaction.put(activity_row(self._database, activity))
        transaction.commit()
        return written

    def note(self, lease: Lease, old: Refresh, new: Refresh) -> None:
        """Write the progress of a refresh that nobody has changed since, if the lease still holds."""
        row = self._row(new)
        group = self._groups.rows(lease.key.project_id, lease.key.group_id)
        transaction = Transaction(self._database)
        transaction.check(group, GroupRow.lease_owner == lease.owner, lambda _: LeaseLost())
        transaction.update(
            row,
            row.setting(_PROGRESS),
            RefreshRow.generation == old.generation,
            lambda _: _ChangedMeanwhile(),
        )
        try:
            transaction.commit()
        except _ChangedMeanwhile:
            return

    def _row(self, refresh: Refresh) -> RefreshRow:
        return self._table.rows.of(
            refresh,
            group_key=joined(refresh.project_id, refresh.group_id),
            place=_place(refresh),
            expires_at=self._database.expiry(refresh.updated_at) if refresh.ended else None,
        )


class _ChangedMeanwhile(Exception):
    """Somebody has changed the refresh since it was read."""


def _owner(key: GroupKey) -> str:
    return joined(key.project_id, key.group_id)


def _place(refresh: Refresh) -> str:
    return f"{refresh.created_at:%Y-%m-%dT%H:%M:%S.%f}#{refresh.id}"
