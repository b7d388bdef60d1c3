"""What flows need of the storage of alarms; every write is one transaction with its entry in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chalicelib.core.alarm import Alarm
    from chalicelib.core.alarm_history import AlarmHistoryEntry
    from chalicelib.core.ids import AlarmHistoryId, AlarmId, GroupId, ProjectId
    from chalicelib.core.quota import Quota
    from chalicelib.ports.storage import Page

ALARMS_OF_GROUP_MAX = 1000
"""How many alarms a group can have; no project's quota may be more."""


class Alarms(Protocol):
    """Alarms, written only on the generation they were read at."""

    def get(self, project_id: ProjectId, alarm_id: AlarmId) -> Alarm:
        """Return the alarm, read consistently."""

    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Alarm]:
        """Return up to ``limit`` alarms, of one group if it is named, in the order of their ids."""

    def of_group(self, project_id: ProjectId, group_id: GroupId) -> Sequence[Alarm]:
        """Return all alarms of the group, up to ALARMS_OF_GROUP_MAX, maybe as they were a moment ago."""

    def create(self, new: Alarm, quota: Quota, entry: AlarmHistoryEntry) -> Alarm:
        """Write it, or return the one that the same request made before (see ``Groups.create``).

        Raises:
            Invalid: there is no such group, or it is being deleted; a policy in an action is not the group's.
        """

    def change(self, was: Alarm, new: Alarm, entry: AlarmHistoryEntry | None) -> Alarm:
        """Write ``new`` in place of ``was``; return it at its next generation.

        Args:
            entry: None where nothing happened that its owner would look for, as when a backend's id is noted.

        Raises:
            Stale: the alarm was written after ``was`` was read.
            Invalid: a policy that is new in the actions is not the group's.
        """

    def heard(self, alarm: Alarm, at: datetime) -> None:
        """Write when its backend called, at whatever generation it is; one that is gone stays gone."""

    def delete(self, was: Alarm, entry: AlarmHistoryEntry) -> None:
        """Delete the alarm and take it out of the count; its history stays until it expires.

        Raises:
            Stale: the alarm was written after ``was`` was read.
        """

    def watched(self, shard: int, after: str | None, limit: int) -> Page[Alarm]:
        """Return up to ``limit`` alarms of the shard that we judge, in the order of their groups, then ids.

        All of a group are in one shard, side by side. They are as they were a moment ago: a write on what has
        changed since is refused.

        Args:
            after: the marker of the page before; it is the index's own, no id.
        """


class AlarmHistory(Protocol):
    """What happened to alarms; written by ``Alarms``."""

    def of_alarm(
        self, project_id: ProjectId, alarm_id: AlarmId, limit: int, marker: AlarmHistoryId | None
    ) -> Page[AlarmHistoryEntry]:
        """Return up to ``limit`` entries of the alarm, newest first; also of one that is gone."""
