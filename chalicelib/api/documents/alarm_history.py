"""The history of alarms as documents."""

from __future__ import annotations

from typing import Literal

import msgspec

from chalicelib.api.documents.common import Link, Time, utc
from chalicelib.core.alarm_history import AlarmHistoryEntry

State = Literal["ok", "alarm", "insufficient_data"]


class AlarmHistoryDocument(msgspec.Struct, kw_only=True):
    """One thing that happened to an alarm; ``user_id`` is null where nobody did it."""

    id: str
    alarm_id: str
    event: Literal["creation", "rule_change", "state_change", "manual_state", "silence", "deletion"]
    state_before: State | None
    state_after: State | None
    reason: str
    user_id: str | None
    created_at: Time


class AlarmHistoryList(msgspec.Struct, kw_only=True):
    """Part of an alarm's history, newest first."""

    history: list[AlarmHistoryDocument]
    links: list[Link]


def alarm_history_document(entry: AlarmHistoryEntry) -> AlarmHistoryDocument:
    """Return the entry as it is shown."""
    return AlarmHistoryDocument(
        id=entry.id,
        alarm_id=entry.alarm_id,
        event=entry.event.value,
        state_before=entry.state_before.value if entry.state_before else None,
        state_after=entry.state_after.value if entry.state_after else None,
        reason=entry.reason,
        user_id=entry.user_id,
        created_at=utc(entry.created_at),
    )
