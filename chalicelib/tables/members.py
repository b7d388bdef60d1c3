"""The table of members, written under the lease of the round that works on their group."""

from __future__ import annotations

from collections.abc import Sequence

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.core.activity import Activity
from chalicelib.core.group import Group
from chalicelib.core.ids import MemberId, PoolId
from chalicelib.core.launch import LaunchType
from chalicelib.core.member import TO_GO, Member, MemberState
from chalicelib.ports.storage import GroupKey, Lease, LeaseLost, Page
from chalicelib.tables.activities import activity_row
from chalicelib.tables.calls import Refused, Transaction, perform
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import GroupRow, rewrite
from chalicelib.tables.rows import DocumentAttribute, Row, WordAttribute, joined
from chalicelib.tables.table import Table


class MemberRow(Row):
    """One member; ``group_key`` is project and group."""

    table = "members"

    group_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    project_id = UnicodeAttribute()
    group_id = UnicodeAttribute()
    name = UnicodeAttribute()
    state = WordAttribute(MemberState)
    launch_configuration_id = UnicodeAttribute(null=True)
    availability_zone = UnicodeAttribute(null=True)
    requested_at = UTCDateTimeAttribute()
    created_at = UTCDateTimeAttribute()
    kind = WordAttribute(LaunchType)
    resource_id = UnicodeAttribute(null=True)
    labelled = BooleanAttribute()
    protected = BooleanAttribute()
    deleting_because = UnicodeAttribute(null=True)
    draining_since = UTCDateTimeAttribute(null=True)
    quiet_since = UTCDateTimeAttribute(null=True)
    missing_from = DocumentAttribute(tuple[PoolId, ...], default=())


_OF_ROUNDS = (
    "state",
    "resource_id",
    "labelled",
    "deleting_because",
    "draining_since",
    "quiet_since",
    "missing_from",
)


class MemberTable:
    """Members in DynamoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = Table(database, MemberRow, Member, "member")
        self._groups = Table(database, GroupRow, Group, "group")

    def of_group(self, key: GroupKey) -> Sequence[Member]:
        """Return all members of the group, read consistently."""
        rows = perform(lambda: list(self._table.rows.query(_owner(key), consistent_read=True)))
        return [row.to(Member) for row in rows]

    def get(self, key: GroupKey, member_id: MemberId) -> Member:
        """Return the member."""
        return self._table.get(_owner(key), member_id)

    def page(self, key: GroupKey, limit: int, marker: str | None) -> Page[Member]:
        """Return up to ``limit`` members in the order of their ids."""
        return self._table.page(_owner(key), limit, marker, key=MemberRow.id)

    def plan(self, lease: Lease, members: Sequence[Member]) -> None:
        """Write up to 50 new members, all or nothing, if the lease still holds (else LeaseLost)."""
        group = self._groups.rows(lease.key.project_id, lease.key.group_id)
        transaction = Transaction(self._database)
        transaction.check(group, GroupRow.lease_owner == lease.owner, lambda _: LeaseLost())
        for member in members:
            transaction.put(self._row(member))
        transaction.commit()

    def update(self, member: Member) -> None:
        """Write the round's part of an existing member; what is to go stays so, and gone stays gone."""
        self._write_if(MemberRow.id.exists(), member)

    def part(self, member: Member) -> bool:
        """Write as ``update`` that a member is to go, unless it is protected; return whether it does."""
        return self._write_if(MemberRow.protected == False, member)  # noqa: E712  (for DynamoDB)

    def protect(self, key: GroupKey, member_id: MemberId, protected: bool) -> Member:
        """Set whether the member may be removed to make the group smaller; return it as it is now."""
        row = self._table.rows(_owner(key), member_id)
        try:
            perform(lambda: row.update([MemberRow.protected.set(protected)], MemberRow.id.exists()))
        except Refused:
            raise self._table.missing(member_id) from None
        return row.to(Member)

    def dismiss(self, was: Group, new: Group, member: Member, activity: Activity) -> Group:
        """Write that the member is to go, and the group (as ``Groups.change``), all or nothing."""
        row = self._row(member)
        transaction = Transaction(self._database)
        transaction.update(
            row,
            row.setting(("state", "deleting_because", "draining_since", "quiet_since")),
            MemberRow.id.exists(),
            lambda _: self._table.missing(member.id),
        )
        written = rewrite(transaction, self._groups, was, new)
        transaction.put(activity_row(self._database, activity))
        transaction.commit()
        return written

    def strike(self, member: Member) -> None:
        """Delete the member's row; one already gone is a success."""
        row = self._row(member)
        perform(row.delete)

    def _write_if(self, condition: Condition, member: Member) -> bool:
        row = self._row(member)
        actions = row.setting(_OF_ROUNDS)
        if member.state is not MemberState.DELETING:
            condition &= MemberRow.state != MemberState.DELETING
        if member.state not in TO_GO:
            condition &= MemberRow.state != MemberState.DRAINING
        try:
            perform(lambda: row.update(actions, condition))
        except Refused:
            return False
        return True

    def _row(self, member: Member) -> MemberRow:
        return self._table.rows.of(member, group_key=joined(member.project_id, member.group_id))


def _owner(key: GroupKey) -> str:
    return joined(key.project_id, key.group_id)
