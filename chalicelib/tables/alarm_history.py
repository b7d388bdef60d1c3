"""The table of what happened to alarms, kept for a while."""

from __future__ import annotations

from pynamodb.attributes import TTLAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.alarm import AlarmState
from chalicelib.core.alarm_history import AlarmEvent, AlarmHistoryEntry
from chalicelib.core.ids import AlarmHistoryId, AlarmId, ProjectId
from chalicelib.ports.storage import Page
from chalicelib.tables.database import Database
from chalicelib.tables.rows import Row, WordAttribute, joined
from chalicelib.tables.table import Table


class AlarmHistoryRow(Row):
    """One entry; ``alarm_key`` is project and alarm, ``id`` sorts by time."""

    table = "alarm-history"

    alarm_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    project_id = UnicodeAttribute()
    group_id = UnicodeAttribute()
    alarm_id = UnicodeAttribute()
    event = WordAttribute(AlarmEvent)
    state_before = WordAttribute(AlarmState, null=True)
    state_after = WordAttribute(AlarmState, null=True)
    reason = UnicodeAttribute()
    user_id = UnicodeAttribute(null=True)
    created_at = UTCDateTimeAttribute()
    expires_at = TTLAttribute()


def alarm_history_row(database: Database, entry: AlarmHistoryEntry) -> AlarmHistoryRow:
    """Return the row of an entry, with the time at which it is dropped."""
    return database.bind(AlarmHistoryRow).of(
        entry,
        alarm_key=joined(entry.project_id, entry.alarm_id),
        expires_at=database.expiry(entry.created_at),
    )


class AlarmHistoryTable:
    """What happened to alarms, in DynamoDB; it is written where alarms are."""

    def __init__(self, database: Database) -> None:
        self._table = Table(database, AlarmHistoryRow, AlarmHistoryEntry, "alarm_history_entry")

    def of_alarm(
        self, project_id: ProjectId, alarm_id: AlarmId, limit: int, marker: AlarmHistoryId | None
    ) -> Page[AlarmHistoryEntry]:
        """Return up to ``limit`` entries of the alarm, newest first; also of one that is gone."""
        owner = joined(project_id, alarm_id)
        return self._table.page(owner, limit, marker, key=AlarmHistoryRow.id, newest_first=True)
