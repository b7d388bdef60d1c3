"""The table of schedules. The index of due times is sparse: what is spent or disabled is not in it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.indexes import KeysOnlyProjection

from chalicelib.core.cron import Cron
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import GroupId, ProjectId, ScheduleId
from chalicelib.core.policy import Policy
from chalicelib.core.quota import Quota
from chalicelib.core.schedule import ExecutePolicy, LastFiring, Once, Schedule, SetSizes, retimed
from chalicelib.ports.schedules import ScheduleKey
from chalicelib.ports.storage import Page
from chalicelib.tables.calls import Refused, Transaction, perform
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import GroupRow, shard_of
from chalicelib.tables.policies import PolicyRow
from chalicelib.tables.rows import DocumentAttribute, OneOfAttribute, Row, RowIndex, joined
from chalicelib.tables.table import Table, create, taken
from chalicelib.tables.usage import UsageCounter


class _ByGroup(RowIndex):
    group_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class _Due(RowIndex, projection=KeysOnlyProjection()):
    due_shard = NumberAttribute(hash_key=True)
    next_due_at = UTCDateTimeAttribute(range_key=True)


class ScheduleRow(Row):
    """One schedule."""

    table = "schedules"

    by_group = _ByGroup()
    due = _Due()

    project_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    group_key = UnicodeAttribute()
    group_id = UnicodeAttribute()
    name = UnicodeAttribute()
    timing = OneOfAttribute({"once": Once, "cron": Cron})
    action = OneOfAttribute({"sizes": SetSizes, "policy": ExecutePolicy})
    enabled = BooleanAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    next_due_at = UTCDateTimeAttribute(null=True)
    last_firing = DocumentAttribute(LastFiring, null=True)
    generation = NumberAttribute()
    fingerprint = UnicodeAttribute(null=True)

    due_shard = NumberAttribute()


_WANTED = {field.name for field in fields(Schedule)} - {
    *("project_id", "id", "group_id", "created_at"),
    *("next_due_at", "last_firing"),
}
"""What an owner's change always writes."""


class ScheduleTable:
    """Schedules in DynamoDB.

    Args:
        shards: as for groups.
    """

    def __init__(self, database: Database, shards: int = 8) -> None:
        self._database = database
        self._shards = shards
        self._table = Table(database, ScheduleRow, Schedule, "schedule")
        self._groups = database.bind(GroupRow)
        self._policies: Table[PolicyRow, Policy] = Table(database, PolicyRow, Policy, "policy")
        self._usage = UsageCounter(database)

    def get(self, project_id: ProjectId, schedule_id: ScheduleId) -> Schedule:
        """Return the schedule, read consistently."""
        return self._table.get(project_id, schedule_id)

    def find(self, key: ScheduleKey) -> Schedule | None:
        """Return the schedule, read consistently, or None."""
        return self._table.find(key.project_id, key.schedule_id)

    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Schedule]:
        """Return up to ``limit`` schedules, of one group if it is named, in the order of their ids."""
        if group_id is None:
            return self._table.page(project_id, limit, marker, key=ScheduleRow.id)
        owner = joined(project_id, group_id)
        return self._table.page(owner, limit, marker, key=ScheduleRow.id, index="by_group")

    def create(self, new: Schedule, quota: Quota) -> Schedule:
        """Write it, or return the one that the same request made before; its group and policy must exist."""

        def no_group(_stored: GroupRow | None) -> Invalid:
            return Invalid(
                "schedule.no_such_group", f"There is no group {new.group_id}, or it is being deleted."
            )

        transaction = Transaction(self._database)
        transaction.put(self._row(new), ScheduleRow.id.does_not_exist(), taken)
        alive = GroupRow.deleting == False  # noqa: E712  (an expression for DynamoDB)
        transaction.check(self._groups(new.project_id, new.group_id), alive, no_group)
        self._require_policy(transaction, new)
        self._usage.count(transaction, new.project_id, quota, schedules=1)
        stored, _ = create(transaction, new, lambda: self._table.find(new.project_id, new.id))
        return stored

    def change(self, was: Schedule, new: Schedule) -> Schedule:
        """Write ``new`` in place of ``was``; return it at its next generation, or raise Stale."""
        written = replace(new, generation=was.generation + 1)
        names = {*_WANTED, *({"next_due_at"} if retimed(was, new) else ())}
        row = self._row(written)
        transaction = Transaction(self._database)
        unchanged = ScheduleRow.generation == was.generation
        transaction.update(row, row.rewriting(names), unchanged, self._table.stale(was.id))
        if new.action != was.action:
            self._require_policy(transaction, new)
        transaction.commit()
        return written

    def advance(self, was: Schedule, next_due_at: datetime | None, last_firing: LastFiring | None) -> None:
        """Write what came of firing, unless the schedule was changed, advanced or deleted since ``was``."""
        row = self._row(replace(was, next_due_at=next_due_at, last_firing=last_firing))
        as_it_was = (ScheduleRow.generation == was.generation) & (ScheduleRow.next_due_at == was.next_due_at)
        with suppress(Refused):
            perform(lambda: row.update(row.setting(("next_due_at", "last_firing")), as_it_was))

    def delete(
        self, project_id: ProjectId, schedule_id: ScheduleId, *, generation: int | None = None
    ) -> None:
        """Delete the schedule and take it out of the count; NotFound if it is gone, or Stale."""
        transaction = Transaction(self._database)
        row = self._table.rows(project_id, schedule_id)
        as_seen = ScheduleRow.id.exists() if generation is None else ScheduleRow.generation == generation
        transaction.delete(row, as_seen, self._table.stale(schedule_id))
        self._usage.count(transaction, project_id, None, schedules=-1)
        transaction.commit()

    def due(self, shard: int, now: datetime, limit: int) -> Sequence[ScheduleKey]:
        """Return up to ``limit`` schedules of the shard that are due at ``now``, the longest due first."""
        query = self._table.rows.query
        rows = perform(
            lambda: list(query(shard, ScheduleRow.next_due_at <= now, index_name="due", limit=limit))
        )
        return [
            ScheduleKey(project_id=ProjectId(row.project_id), schedule_id=ScheduleId(row.id)) for row in rows
        ]

    def _require_policy(self, transaction: Transaction, schedule: Schedule) -> None:
        """Let the transaction be refused (Invalid) where the schedule's group has no such policy."""
        if not isinstance(schedule.action, ExecutePolicy):
            return
        policy_id = schedule.action.policy_id

        def no_policy(_stored: PolicyRow | None) -> Invalid:
            return Invalid("schedule.no_such_policy", f"The group has no policy {policy_id}.")

        row = self._policies.rows(schedule.project_id, policy_id)
        transaction.check(row, PolicyRow.group_id == schedule.group_id, no_policy)

    def _row(self, schedule: Schedule) -> ScheduleRow:
        return self._table.rows.of(
            schedule,
            group_key=joined(schedule.project_id, schedule.group_id),
            due_shard=shard_of(schedule.group_id, self._shards),
        )
