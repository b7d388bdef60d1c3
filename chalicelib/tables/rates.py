"""The table of tallies: how often somebody called in a minute, written seldom, never read by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute

from chalicelib.core.rates import MINUTE_SECONDS
from chalicelib.tables.calls import perform
from chalicelib.tables.database import Database
from chalicelib.tables.rows import Row

_KEEP = timedelta(hours=1)


class TallyRow(Row):
    """The calls of one scope in one minute."""

    table = "rates"

    scope = UnicodeAttribute(hash_key=True)
    minute = NumberAttribute(range_key=True)
    calls = NumberAttribute(default=0)
    expires_at = TTLAttribute()


class TallyTable:
    """Tallies in DynamoDB: one write adds and tells what it came to."""

    def __init__(self, database: Database) -> None:
        self._rows = database.bind(TallyRow)

    def add(self, scope: str, minute: int, calls: int) -> int:
        """Add calls to a count; return what it has come to."""
        row = self._rows(scope, minute)
        began = datetime.fromtimestamp(minute * MINUTE_SECONDS, UTC)
        perform(lambda: row.update([TallyRow.calls.add(calls), TallyRow.expires_at.set(began + _KEEP)]))
        return int(row.calls)
