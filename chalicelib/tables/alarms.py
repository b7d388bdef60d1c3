"""The table of alarms.

Those that we judge have two more attributes, which form the index that the minute's watch reads: the shard
of their group, and their place in it. So the others cost the watch nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.alarm import (
    Alarm,
    AlarmHook,
    AlarmState,
    Backend,
    CompositeRule,
    Severity,
    ThresholdRule,
    TimeConstraint,
)
from chalicelib.core.alarm_history import AlarmHistoryEntry
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import AlarmId, GroupId, PolicyId, ProjectId
from chalicelib.core.quota import Quota
from chalicelib.ports.alarms import ALARMS_OF_GROUP_MAX
from chalicelib.ports.storage import Page
from chalicelib.tables.alarm_history import alarm_history_row
from chalicelib.tables.calls import Refused, Transaction, perform
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import GroupRow, shard_of
from chalicelib.tables.policies import PolicyRow
from chalicelib.tables.rows import DocumentAttribute, OneOfAttribute, Row, RowIndex, WordAttribute, joined
from chalicelib.tables.table import Table, create, taken
from chalicelib.tables.usage import UsageCounter


class _ByGroup(RowIndex):
    group_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class _Watched(RowIndex):
    watch_shard = NumberAttribute(hash_key=True)
    watch_place = UnicodeAttribute(range_key=True)


class AlarmRow(Row):
    """One alarm."""

    table = "alarms"

    by_group = _ByGroup()
    watched = _Watched()

    project_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    group_key = UnicodeAttribute()
    group_id = UnicodeAttribute()
    name = UnicodeAttribute()
    backend = WordAttribute(Backend)
    rule = OneOfAttribute({"threshold": ThresholdRule, "composite": CompositeRule})
    enabled = BooleanAttribute()
    severity = WordAttribute(Severity)
    alarm_actions = DocumentAttribute(tuple[PolicyId, ...])
    ok_actions = DocumentAttribute(tuple[PolicyId, ...])
    insufficient_data_actions = DocumentAttribute(tuple[PolicyId, ...])
    time_constraints = DocumentAttribute(tuple[TimeConstraint, ...])
    state = WordAttribute(AlarmState)
    state_reason = UnicodeAttribute()
    state_changed_at = UTCDateTimeAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    silent_since = UTCDateTimeAttribute(null=True)
    external_id = UnicodeAttribute(null=True)
    hook = DocumentAttribute(AlarmHook, null=True)
    heard_at = UTCDateTimeAttribute(null=True)
    generation = NumberAttribute()
    fingerprint = UnicodeAttribute(null=True)

    watch_shard = NumberAttribute(null=True)
    watch_place = UnicodeAttribute(null=True)


_FIXED = {"project_id", "id", "group_id", "created_at"}
_CHANGING = {field.name for field in fields(Alarm)} - _FIXED | {"watch_shard", "watch_place"}


class AlarmTable:
    """Alarms in DynamoDB.

    Args:
        shards: how many parts the watched index has. When it grows, an alarm moves when it is next written:
            until then a group's alarms may lie in two shards.
    """

    def __init__(self, database: Database, shards: int = 8) -> None:
        self._database = database
        self._shards = shards
        self._table = Table(database, AlarmRow, Alarm, "alarm")
        self._groups = database.bind(GroupRow)
        self._policies = database.bind(PolicyRow)
        self._usage = UsageCounter(database)

    def get(self, project_id: ProjectId, alarm_id: AlarmId) -> Alarm:
        """Return the alarm, read consistently."""
        return self._table.get(project_id, alarm_id)

    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Alarm]:
        """Return up to ``limit`` alarms, of one group if it is named, in the order of their ids."""
        if group_id is None:
            return self._table.page(project_id, limit, marker, key=AlarmRow.id)
        owner = joined(project_id, group_id)
        return self._table.page(owner, limit, marker, key=AlarmRow.id, index="by_group")

    def of_group(self, project_id: ProjectId, group_id: GroupId) -> Sequence[Alarm]:
        """Return all alarms of the group, maybe as they were a moment ago."""
        return self.page(project_id, group_id, ALARMS_OF_GROUP_MAX, None).items

    def create(self, new: Alarm, quota: Quota, entry: AlarmHistoryEntry) -> Alarm:
        """Write it, or return the one that the same request made before; group and policies must exist."""

        def no_group(_stored: GroupRow | None) -> Invalid:
            return Invalid(
                "alarm.no_such_group", f"There is no group {new.group_id}, or it is being deleted."
            )

        transaction = Transaction(self._database)
        transaction.put(self._row(new), AlarmRow.id.does_not_exist(), taken)
        alive = GroupRow.deleting == False  # noqa: E712  (an expression for DynamoDB)
        transaction.check(self._groups(new.project_id, new.group_id), alive, no_group)
        self._require_policies(transaction, new, new.actions)
        self._usage.count(transaction, new.project_id, quota, alarms=1)
        transaction.put(alarm_history_row(self._database, entry))
        stored, _ = create(transaction, new, lambda: self._table.find(new.project_id, new.id))
        return stored

    def change(self, was: Alarm, new: Alarm, entry: AlarmHistoryEntry | None) -> Alarm:
        """Write ``new`` in place of ``was``; return it at its next generation, or raise Stale."""
        written = replace(new, generation=was.generation + 1)
        row = self._row(written)
        transaction = Transaction(self._database)
        unchanged = AlarmRow.generation == was.generation
        transaction.update(row, row.rewriting(_CHANGING), unchanged, self._table.stale(was.id))
        self._require_policies(transaction, new, new.actions - was.actions)
        if entry is not None:
            transaction.put(alarm_history_row(self._database, entry))
        transaction.commit()
        return written

    def heard(self, alarm: Alarm, at: datetime) -> None:
        """Write when its backend called; one that is gone stays gone."""
        row = self._table.rows(alarm.project_id, alarm.id)
        with suppress(Refused):
            perform(lambda: row.update([AlarmRow.heard_at.set(at)], AlarmRow.id.exists()))

    def delete(self, was: Alarm, entry: AlarmHistoryEntry) -> None:
        """Delete the alarm and take it out of the count, or raise Stale; its history stays."""
        transaction = Transaction(self._database)
        unchanged = AlarmRow.generation == was.generation
        row = self._table.rows(was.project_id, was.id)
        transaction.delete(row, unchanged, self._table.stale(was.id))
        self._usage.count(transaction, was.project_id, None, alarms=-1)
        transaction.put(alarm_history_row(self._database, entry))
        transaction.commit()

    def watched(self, shard: int, after: str | None, limit: int) -> Page[Alarm]:
        """Return up to ``limit`` alarms of the shard that we judge, in the order of groups, then ids."""
        return self._table.watched(shard, after, limit, key="watch_place")

    def _require_policies(
        self, transaction: Transaction, alarm: Alarm, policy_ids: frozenset[PolicyId]
    ) -> None:
        for policy_id in sorted(policy_ids):

            def no_policy(_stored: PolicyRow | None, policy_id: PolicyId = policy_id) -> Invalid:
                return Invalid(
                    "alarm.no_such_policy", f"There is no policy {policy_id} in the alarm's group."
                )

            row = self._policies(alarm.project_id, policy_id)
            transaction.check(row, PolicyRow.group_id == alarm.group_id, no_policy)

    def _row(self, alarm: Alarm) -> AlarmRow:
        return self._table.rows.of(
            alarm,
            group_key=joined(alarm.project_id, alarm.group_id),
            watch_shard=shard_of(alarm.group_id, self._shards) if alarm.watched else None,
            watch_place=joined(alarm.group_id, alarm.id) if alarm.watched else None,
        )
