"""The table of policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.capacity import Adjustment
from chalicelib.core.errors import Invalid
from chalicelib.core.forecast import Predictive
from chalicelib.core.ids import GroupId, PolicyId, ProjectId
from chalicelib.core.policy import Policy, PolicyMode
from chalicelib.core.quota import Quota
from chalicelib.core.steps import StepScaling
from chalicelib.core.tracking import TargetTracking
from chalicelib.ports.storage import Page
from chalicelib.tables.calls import Transaction, perform
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import GroupRow, shard_of
from chalicelib.tables.rows import OneOfAttribute, Row, RowIndex, WordAttribute, joined
from chalicelib.tables.table import Table, create, taken
from chalicelib.tables.usage import UsageCounter


class _ByGroup(RowIndex):
    group_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class _Watched(RowIndex):
    watch_shard = NumberAttribute(hash_key=True)
    watch_key = UnicodeAttribute(range_key=True)


class PolicyRow(Row):
    """One policy; only one that is watched has a place in the index for that."""

    table = "policies"

    by_group = _ByGroup()
    watched = _Watched()

    project_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    group_key = UnicodeAttribute()
    group_id = UnicodeAttribute()
    name = UnicodeAttribute()
    rule = OneOfAttribute(
        {"adjustment": Adjustment, "steps": StepScaling, "tracking": TargetTracking, "predictive": Predictive}
    )
    cooldown_seconds = NumberAttribute()
    mode = WordAttribute(PolicyMode)
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    generation = NumberAttribute()
    fingerprint = UnicodeAttribute(null=True)

    watch_shard = NumberAttribute(null=True)
    watch_key = UnicodeAttribute(null=True)


class PolicyTable:
    """Policies in DynamoDB.

    Args:
        shards: how many parts the index of what is watched has; a group's policies are all in one.
    """

    def __init__(self, database: Database, shards: int = 8) -> None:
        self._database = database
        self._shards = shards
        self._table = Table(database, PolicyRow, Policy, "policy")
        self._groups = database.bind(GroupRow)
        self._usage = UsageCounter(database)

    def get(self, project_id: ProjectId, policy_id: PolicyId) -> Policy:
        """Return the policy, read consistently."""
        return self._table.get(project_id, policy_id)

    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Policy]:
        """Return up to ``limit`` policies, of one group if it is named, in the order of their ids."""
        if group_id is None:
            return self._table.page(project_id, limit, marker, key=PolicyRow.id)
        owner = joined(project_id, group_id)
        return self._table.page(owner, limit, marker, key=PolicyRow.id, index="by_group")

    def of_group(self, project_id: ProjectId, group_id: GroupId) -> Sequence[Policy]:
        """Return all policies of the group, in the order of their ids."""
        owner = joined(project_id, group_id)
        rows = perform(lambda: list(self._table.rows.query(owner, index_name="by_group")))
        return [row.to(Policy) for row in rows]

    def watched(self, shard: int, after: str | None, limit: int) -> Page[Policy]:
        """Return up to ``limit`` of the shard's policies that are watched, group by group."""
        return self._table.watched(shard, after, limit, key="watch_key")

    def create(self, new: Policy, quota: Quota) -> Policy:
        """Write it, or return the one that the same request made before; its group must exist (Invalid)."""

        def no_group(_stored: GroupRow | None) -> Invalid:
            return Invalid(
                "policy.no_such_group", f"There is no group {new.group_id}, or it is being deleted."
            )

        transaction = Transaction(self._database)
        transaction.put(self._row(new), PolicyRow.id.does_not_exist(), taken)
        alive = GroupRow.deleting == False  # noqa: E712  (an expression for DynamoDB)
        transaction.check(self._groups(new.project_id, new.group_id), alive, no_group)
        self._usage.count(transaction, new.project_id, quota, policies=1)
        stored, _ = create(transaction, new, lambda: self._table.find(new.project_id, new.id))
        return stored

    def change(self, was: Policy, new: Policy) -> Policy:
        """Write ``new`` in place of ``was``; return it at its next generation, or raise Stale."""
        written = replace(new, generation=was.generation + 1)
        transaction = Transaction(self._database)
        unchanged = PolicyRow.generation == was.generation
        transaction.put(self._row(written), unchanged, self._table.stale(was.id))
        transaction.commit()
        return written

    def delete(self, project_id: ProjectId, policy_id: PolicyId, *, generation: int | None = None) -> None:
        """Delete the policy and take it out of the count; NotFound if it is gone, or Stale."""
        transaction = Transaction(self._database)
        row = self._table.rows(project_id, policy_id)
        as_seen = PolicyRow.id.exists() if generation is None else PolicyRow.generation == generation
        transaction.delete(row, as_seen, self._table.stale(policy_id))
        self._usage.count(transaction, project_id, None, policies=-1)
        transaction.commit()

    def _row(self, policy: Policy) -> PolicyRow:
        watched = policy.watched
        return self._table.rows.of(
            policy,
            group_key=joined(policy.project_id, policy.group_id),
            watch_shard=shard_of(policy.group_id, self._shards) if watched else None,
            watch_key=joined(policy.group_id, policy.id) if watched else None,
        )
