"""The table of activities: each group's story, kept for a while."""

from __future__ import annotations

from collections.abc import Sequence

from pynamodb.attributes import TTLAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.ids import ActivityId, GroupId, MemberId, ProjectId
from chalicelib.ports.storage import Page
from chalicelib.tables.calls import perform
from chalicelib.tables.database import Database
from chalicelib.tables.rows import DocumentAttribute, Row, WordAttribute, joined
from chalicelib.tables.table import Table


class ActivityRow(Row):
    """One activity; ``group_key`` is project and group, ``id`` sorts by time."""

    table = "activities"

    group_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    project_id = UnicodeAttribute()
    group_id = UnicodeAttribute()
    kind = WordAttribute(ActivityKind)
    detail = UnicodeAttribute()
    members = DocumentAttribute(tuple[MemberId, ...])
    request_id = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    expires_at = TTLAttribute()


def activity_row(database: Database, activity: Activity) -> ActivityRow:
    """Return the row of an activity, with the time at which it is dropped."""
    return database.bind(ActivityRow).of(
        activity,
        group_key=joined(activity.project_id, activity.group_id),
        expires_at=database.expiry(activity.created_at),
    )


class ActivityTable:
    """Activities in DynamoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = Table(database, ActivityRow, Activity, "activity")

    def add(self, activities: Sequence[Activity]) -> None:
        """Write them; writing one twice is a success."""
        rows = [activity_row(self._database, activity) for activity in activities]

        def write() -> None:
            with self._table.rows.batch_write() as batch:
                for row in rows:
                    batch.save(row)

        perform(write)

    def of_group(
        self, project_id: ProjectId, group_id: GroupId, limit: int, marker: ActivityId | None
    ) -> Page[Activity]:
        """Return up to ``limit`` activities of the group, newest first."""
        owner = joined(project_id, group_id)
        return self._table.page(owner, limit, marker, key=ActivityRow.id, newest_first=True)
