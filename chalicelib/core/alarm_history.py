"""What happened to an alarm. Immutable; it outlives the alarm, for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.core.alarm import Alarm, AlarmState
from chalicelib.core.ids import (
    AlarmHistoryId,
    AlarmId,
    GroupId,
    ProjectId,
    UserId,
    derived_id,
    time_sorted_id,
)


class AlarmEvent(StrEnum):
    """What kind of thing happened."""

    CREATION = "creation"
    RULE_CHANGE = "rule_change"
    STATE_CHANGE = "state_change"
    MANUAL_STATE = "manual_state"
    SILENCE = "silence"
    DELETION = "deletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmHistoryEntry:
    """One thing that happened to an alarm.

    Attributes:
        id: sorts by time.
        state_before: None at the creation.
        state_after: None at the deletion.
        reason: a sentence; of a judgement, with the datapoints that were looked at.
        user_id: who did it; None where nobody did.
    """

    project_id: ProjectId
    group_id: GroupId
    alarm_id: AlarmId
    id: AlarmHistoryId
    event: AlarmEvent
    state_before: AlarmState | None
    state_after: AlarmState | None
    reason: str
    user_id: UserId | None
    created_at: datetime


def created(new: Alarm, user_id: UserId, now: datetime) -> AlarmHistoryEntry:
    """Return the first entry of an alarm."""
    return _entry(AlarmEvent.CREATION, None, new, f"The alarm {new.name!r} was created.", user_id, now)


def changed(was: Alarm, new: Alarm, user_id: UserId, now: datetime) -> AlarmHistoryEntry:
    """Return the entry of a change that its owner makes, which names what is changed."""
    edited = [name for name in _EDITABLE if getattr(was, name) != getattr(new, name)]
    reason = f"Changed: {', '.join(edited) or 'nothing'}."
    return _entry(AlarmEvent.RULE_CHANGE, was, new, reason, user_id, now)


def set_by_hand(was: Alarm, new: Alarm, user_id: UserId, now: datetime) -> AlarmHistoryEntry:
    """Return the entry of a state that somebody sets."""
    return _entry(AlarmEvent.MANUAL_STATE, was, new, new.state_reason, user_id, now)


def found(was: Alarm, new: Alarm, now: datetime) -> AlarmHistoryEntry:
    """Return the entry of what ``judgement.judged`` makes of an alarm: another state, silence, or its end."""
    if new.state is not was.state:
        return _entry(AlarmEvent.STATE_CHANGE, was, new, new.state_reason, None, now)
    if new.silent_since is None:
        return _entry(AlarmEvent.SILENCE, was, new, "There are samples of the metric again.", None, now)
    reason = f"The metric has had no samples since {new.silent_since:%Y-%m-%dT%H:%M:%SZ}."
    return _entry(AlarmEvent.SILENCE, was, new, reason, None, now)


def deleted(was: Alarm, user_id: UserId | None, now: datetime) -> AlarmHistoryEntry:
    """Return the last entry of an alarm; nobody deletes it where its group has ended."""
    reason = "The alarm was deleted." if user_id else "The group was deleted, and the alarm with it."
    return _entry(AlarmEvent.DELETION, was, None, reason, user_id, now)


_EDITABLE = (
    "name",
    "rule",
    "enabled",
    "severity",
    "alarm_actions",
    "ok_actions",
    "insufficient_data_actions",
    "time_constraints",
)


def _entry(
    event: AlarmEvent,
    was: Alarm | None,
    new: Alarm | None,
    reason: str,
    user_id: UserId | None,
    now: datetime,
) -> AlarmHistoryEntry:
    """Return an entry that is named by the generation it leads to, which two writers cannot both reach."""
    alarm = new or was
    assert alarm is not None, "something happened to an alarm"
    generation = was.generation + 1 if was else 1
    unique = int(derived_id(alarm.project_id, alarm.id, str(generation)).replace("-", ""), 16)
    return AlarmHistoryEntry(
        project_id=alarm.project_id,
        group_id=alarm.group_id,
        alarm_id=alarm.id,
        id=AlarmHistoryId(time_sorted_id(int(now.timestamp() * 1000), unique & (2**74 - 1))),
        event=event,
        state_before=was.state if was else None,
        state_after=new.state if new else None,
        reason=reason,
        user_id=user_id,
        created_at=now,
    )
