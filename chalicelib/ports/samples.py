"""What flows need of storage for samples: folds, intakes, meters, and who the members are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from chalicelib.core.fold import Fold, Hour
    from chalicelib.core.ids import GroupId, MemberId, ProjectId
    from chalicelib.core.intake import Intake
    from chalicelib.core.meters import Meters, Name
    from chalicelib.core.series import Series
    from chalicelib.ports.storage import GroupKey

SAMPLES_SHARDS_MAX = 64
"""A period's shards are all read together."""


class Folds(Protocol):
    """Folds, each in the shard of its period that its batch belongs to; dropped after some days."""

    def add(self, folds: Sequence[tuple[Series, Fold]]) -> Mapping[int, str]:
        """Add folds of one batch each to what is stored; a batch that is in there already changes nothing.

        Each fold is written all or nothing. If this raises, some may have been written and others not: the
        same call again makes it whole.

        Returns:
            Why a fold was refused (its period is full), by its place in ``folds``.
        """

    def read(self, series: Series, since: datetime, until: datetime) -> Sequence[Fold]:
        """Return the folds of all resolutions that start in [since, until), in the order of their starts.

        There are as many as shards for each period that has samples.
        """

    def first_since(self, series: Series, since: datetime) -> datetime | None:
        """Return the start of the first fold that starts at ``since`` or later."""

    def write_hour(self, series: Series, hour: Hour) -> None:
        """Write a whole hour, in place of one that is there."""

    def read_hours(self, series: Series, since: datetime, until: datetime) -> Sequence[Hour]:
        """Return the whole hours that start in [since, until), in their order."""

    def newest_hour(self, series: Series) -> datetime | None:
        """Return the start of the last whole hour that was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Where a live or dead token leads.

    Attributes:
        expires_at: when it ends; None is never.
    """

    key: GroupKey
    expires_at: datetime | None


class Intakes(Protocol):
    """Intakes, and the index of their tokens' hashes."""

    def get(self, project_id: ProjectId, group_id: GroupId) -> Intake:
        """Return the group's intake, read consistently."""

    def find(self, project_id: ProjectId, group_id: GroupId) -> Intake | None:
        """Return the group's intake, or None."""

    def by_token(self, sha256: str) -> Admission | None:
        """Return where this token hash leads, or None; one read, for every request with samples makes it."""

    def create(self, new: Intake) -> tuple[Intake, bool]:
        """Write the intake and the index of its tokens; its group must exist and not be going (NotFound).

        Returns:
            The intake and True; or the one that is there already, and False.
        """

    def change(self, was: Intake, new: Intake) -> Intake:
        """Write ``new`` in place of ``was``, tokens and index alike; return it, or raise Stale."""

    def delete(self, project_id: ProjectId, group_id: GroupId) -> None:
        """Delete the intake with its tokens; Stale if it changed meanwhile."""


class MeterBooks(Protocol):
    """The meters of each group."""

    def admit(self, key: GroupKey, names: Collection[Name], now: datetime) -> Meters:
        """Return the group's meters once those of ``names`` that there is room for are in there.

        What was read is kept for half a minute, so most calls read and write nothing; ``fine`` may be
        as old as that.
        """

    def of_group(self, key: GroupKey) -> Meters:
        """Return the group's meters, read consistently."""

    def watch(self, key: GroupKey, metric: str, *, fine: bool) -> None:
        """Have samples of the metric kept in periods of 10 s from now on (within half a minute), or of 60 s.

        A period of 60 s never answers for one of 10 s; periods of 10 s answer for longer ones.
        """

    def forget(self, key: GroupKey) -> None:
        """Delete the group's meters; none is a success."""


class Roster(Protocol):
    """The members of groups, by every name that their servers may call themselves."""

    def find(self, key: GroupKey, sources: Collection[str]) -> Mapping[str, MemberId]:
        """Return which member each of ``sources`` is, without those that are nobody's.

        A source is a server's id, its name as it was asked for, or a member's id. What was read is kept for
        half a minute; an unknown source has it read afresh, but not more often than each few seconds.
        """
