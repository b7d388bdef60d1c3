"""What flows need of storage for refreshes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chalicelib.core.activity import Activity
    from chalicelib.core.group import Group
    from chalicelib.core.ids import RefreshId
    from chalicelib.core.refresh import Refresh
    from chalicelib.ports.storage import GroupKey, Lease, Page


class Refreshes(Protocol):
    """Refreshes: what is wanted of one is written with its group, progress under the group's lease.

    One that is over is kept as long as other history.
    """

    def get(self, key: GroupKey, refresh_id: RefreshId) -> Refresh:
        """Return the refresh of the group; NotFound when there is none."""

    def find(self, key: GroupKey, refresh_id: RefreshId) -> Refresh | None:
        """Return the refresh of the group, or None."""

    def of_group(self, key: GroupKey, limit: int, marker: RefreshId | None) -> Page[Refresh]:
        """Return up to ``limit`` refreshes of the group, newest first.

        Raises:
            Invalid: the group has no refresh ``marker``.
        """

    def begin(self, new: Refresh, was: Group, group: Group, activity: Activity) -> Refresh:
        """Write a new refresh, and ``group`` in place of ``was``, due at once; all or nothing.

        Returns:
            The stored refresh: the one of an earlier call with the same id and fingerprint, else ``new``.

        Raises:
            Conflict: the id is taken by a different request (its client_token was used before).
            Stale: the group was written after ``was`` was read.
        """

    def change(self, old: Refresh, new: Refresh, was: Group, group: Group, activity: Activity) -> Refresh:
        """Write the status of ``new`` with its reason, and the group as ``begin`` does.

        Returns:
            ``new`` at its next generation; what was noted meanwhile stays noted.

        Raises:
            Stale: the refresh or the group was written after it was read.
        """

    def note(self, lease: Lease, old: Refresh, new: Refresh) -> None:
        """Write the progress of ``new``: all that rounds find out.

        Nothing is written where somebody has changed it since ``old`` was read: the next round sees to it.

        Raises:
            LeaseLost: another round has begun.
        """
