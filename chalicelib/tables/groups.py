"""The table of groups: what is wanted is guarded by the generation, what is observed by the lease."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pynamodb.expressions.condition import Condition

from chalicelib.core.activity import Activity
from chalicelib.core.execution import Execution
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.core.quota import Quota
from chalicelib.ports.storage import AlreadyDecided, GroupKey, Lease, LeaseLost, Page
from chalicelib.tables.activities import activity_row
from chalicelib.tables.calls import Refused, Transaction, perform
from chalicelib.tables.credentials import CredentialRow
from chalicelib.tables.database import Database
from chalicelib.tables.executions import ExecutionRow, execution_row
from chalicelib.tables.group_rows import GroupRow, concluding, rewrite, shard_of
from chalicelib.tables.launch_configurations import LaunchConfigurationRow
from chalicelib.tables.table import Table, create, taken
from chalicelib.tables.usage import UsageCounter
from chalicelib.tables.uses import UsedRow, change_use


class GroupTable:
    """Groups in DynamoDB.

    Args:
        shards: how many parts the due-time index has. It may grow while groups exist, never shrink: a group
            stays in the shard it was created in.
    """

    def __init__(self, database: Database, shards: int = 8) -> None:
        self._database = database
        self._shards = shards
        self._table = Table(database, GroupRow, Group, "group")
        self._used: dict[str, type[UsedRow]] = {
            "launch_configuration": database.bind(LaunchConfigurationRow),
            "credential": database.bind(CredentialRow),
        }
        self._usage = UsageCounter(database)

    def get(self, project_id: ProjectId, group_id: GroupId) -> Group:
        """Return the group, read consistently."""
        return self._table.get(project_id, group_id)

    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[Group]:
        """Return up to ``limit`` groups of the project, in the order of their ids."""
        return self._table.page(project_id, limit, marker, key=GroupRow.id)

    def create(self, group: Group, quota: Quota, activity: Activity) -> Group:
        """Write a new group, due at once, and count it, all or nothing."""
        row = self._table.rows.of(group, due_at=group.updated_at, due_shard=shard_of(group.id, self._shards))
        transaction = Transaction(self._database)
        transaction.put(row, GroupRow.id.does_not_exist(), taken)
        self._usage.count(transaction, group.project_id, quota, groups=1, members=group.bounds.max_size)
        self._use(transaction, group.project_id, None, group)
        transaction.put(activity_row(self._database, activity))
        stored, _ = create(transaction, group, lambda: self._table.find(group.project_id, group.id))
        return stored

    def change(self, was: Group, new: Group, quota: Quota, activity: Activity) -> Group:
        """Write ``new`` in place of ``was``, due at once; return it at its next generation."""
        transaction = Transaction(self._database)
        written = rewrite(transaction, self._table, was, new)
        self._usage.count(
            transaction, new.project_id, quota, members=new.bounds.max_size - was.bounds.max_size
        )
        self._use(transaction, new.project_id, was, new)
        transaction.put(activity_row(self._database, activity))
        transaction.commit()
        return written

    def decide(self, was: Group, new: Group, execution: Execution, quota: Quota | None = None) -> Group:
        """Write an execution and, if ``new`` is not ``was``, the group, due at once; all or nothing."""

        def decided(stored: ExecutionRow | None) -> AlreadyDecided:
            assert stored is not None, "the condition was that there is none"
            return AlreadyDecided(stored.to(Execution))

        transaction = Transaction(self._database)
        row = execution_row(self._database, execution)
        transaction.put(row, ExecutionRow.id.does_not_exist(), decided)
        written = was if new is was else rewrite(transaction, self._table, was, new)
        growth = new.bounds.max_size - was.bounds.max_size
        self._usage.count(transaction, new.project_id, quota, members=growth)
        transaction.commit()
        return written

    def lease(self, key: GroupKey, owner: str, now: datetime, until: datetime) -> Group | None:
        """Take the lease until ``until``, and be due again then; None if it is held or the group is gone.

        The owner itself may take it again: its first try may have succeeded without an answer.
        """
        free = (
            GroupRow.lease_owner.does_not_exist()
            | (GroupRow.lease_until <= now)
            | (GroupRow.lease_owner == owner)
        )
        row = self._table.rows(key.project_id, key.group_id)
        row.lease_owner, row.lease_until, row.due_at = owner, until, until
        actions = row.setting(("lease_owner", "lease_until", "due_at"))
        try:
            perform(lambda: row.update(actions, GroupRow.id.exists() & free))
        except Refused:
            return None
        return row.to(Group)

    def note(self, lease: Lease, group: Group) -> None:
        """Write what was observed while the round goes on, if the lease still holds (else LeaseLost)."""
        row = self._table.rows.of(group)
        try:
            perform(lambda: row.update(row.setting(["observed"]), GroupRow.lease_owner == lease.owner))
        except Refused:
            raise LeaseLost from None

    def conclude(self, lease: Lease, was: Group, group: Group, due_at: datetime) -> bool:
        """End the lease: write what was observed and when the group is due."""
        names = ["observed", "due_at", "lease_owner", "lease_until"]
        concluded = group
        if group.former_pools != was.former_pools:
            names += ["former_pools"]
        if group.cooldowns != was.cooldowns:
            names += ["cooldowns", "generation"]
            generation = was.generation + 1
            concluded = replace(
                group, generation=generation, observed=replace(group.observed, generation=generation)
            )
        ours = GroupRow.lease_owner == lease.owner
        unchanged = GroupRow.generation == was.generation
        if self._end_lease(concluded, due_at, names, ours & unchanged):
            return True
        at_once = was.updated_at
        return not self._end_lease(group, at_once, ["observed", "due_at", "lease_owner", "lease_until"], ours)

    def remove(self, lease: Lease, group: Group) -> None:
        """Delete the group, whose members are gone, and take it out of all counts; idempotent.

        Nothing is written when the lease was lost or the group was written meanwhile: a later round does it.
        """
        transaction = Transaction(self._database)
        transaction.delete(
            self._table.rows(group.project_id, group.id),
            (GroupRow.lease_owner == lease.owner) & (GroupRow.generation == group.generation),
            lambda _: LeaseLost(),
        )
        self._usage.count(transaction, group.project_id, None, groups=-1, members=-group.bounds.max_size)
        self._use(transaction, group.project_id, group, None)
        try:
            transaction.commit()
        except LeaseLost:
            return

    def due(self, shard: int, now: datetime, limit: int) -> Sequence[GroupKey]:
        """Return up to ``limit`` groups of the shard that are due at ``now``, the longest due first."""
        query = self._table.rows.query
        rows = perform(lambda: list(query(shard, GroupRow.due_at <= now, index_name="due", limit=limit)))
        return [GroupKey(project_id=ProjectId(row.project_id), group_id=GroupId(row.id)) for row in rows]

    def _end_lease(self, group: Group, due_at: datetime, names: list[str], condition: Condition) -> bool:
        """Write these attributes and end the lease; return False when the condition does not hold."""
        row = concluding(self._table.rows.of(group), due_at)
        actions = row.setting(names)
        try:
            perform(lambda: row.update(actions, condition))
        except Refused:
            return False
        return True

    def _use(
        self, transaction: Transaction, project_id: ProjectId, was: Group | None, new: Group | None
    ) -> None:
        """Let the uses of launch configuration and credential follow from ``was`` to ``new``."""
        changes: Counter[tuple[str, str]] = Counter()
        for group, by in ((new, 1), (was, -1)):
            if group is not None:
                if group.launch_configuration_id is not None:
                    changes["launch_configuration", group.launch_configuration_id] += by
                changes["credential", group.credential_id] += by
        for (noun, id_), by in changes.items():
            if by:
                change_use(transaction, self._used[noun](project_id, id_), by, noun)
