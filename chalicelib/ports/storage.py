"""What flows need of storage; policies, history, alarms, schedules and samples have modules of their own.

Every ``project_id`` is part of a key: no call can reach another project's row. ``get`` and everything
that writes an existing row raise NotFound when there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chalicelib.core.activity import Activity
    from chalicelib.core.credential import Credential
    from chalicelib.core.execution import Execution
    from chalicelib.core.group import Group
    from chalicelib.core.ids import (
        CredentialId,
        GroupId,
        LaunchConfigurationId,
        MemberId,
        ProjectId,
    )
    from chalicelib.core.launch import LaunchConfiguration
    from chalicelib.core.member import Member
    from chalicelib.core.quota import Quota

T = TypeVar("T")

MEMBERS_MAX_IN_ONE_WRITE = 50
"""How many members ``Members.plan`` writes at once; a transaction of DynamoDB takes 100 items."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list.

    Attributes:
        marker: the id to go on after; None on the last page.
    """

    items: tuple[T, ...]
    marker: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupKey:
    """What names a group across projects; what the queue and the due-time index carry."""

    project_id: ProjectId
    group_id: GroupId


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to run rounds for one group, for a while.

    Attributes:
        owner: unique for each round, so that a round that slept past its lease is told apart.
    """

    key: GroupKey
    owner: str


class Groups(Protocol):
    """Groups: what is wanted is guarded by the generation, what is observed by the lease."""

    def get(self, project_id: ProjectId, group_id: GroupId) -> Group:
        """Return the group, read consistently."""

    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[Group]:
        """Return up to ``limit`` groups of the project, in the order of their ids."""

    def create(self, group: Group, quota: Quota, activity: Activity) -> Group:
        """Write a new group, due at once, and count it, all or nothing.

        Counts one group and ``max_size`` members against ``quota``, and one use of the launch
        configuration and of the credential, both of which must exist in the project.

        Returns:
            The stored group: the one of an earlier call with the same id and fingerprint, else ``group``.

        Raises:
            Conflict: the id is taken by a different request (its client_token was used before).
            Forbidden: the quota is used up.
            Invalid: there is no such launch configuration or credential in the project.
        """

    def change(self, was: Group, new: Group, quota: Quota, activity: Activity) -> Group:
        """Write ``new`` in place of ``was``, due at once; return it at its next generation.

        Counts (max_size, uses of launch configuration and credential) follow, all or nothing.

        Raises:
            Stale: the group was written after ``was`` was read.
            Forbidden, Invalid: as for ``create``.
        """

    def decide(self, was: Group, new: Group, execution: Execution, quota: Quota | None = None) -> Group:
        """Write an execution and, if ``new`` is not ``was``, the group, due at once; all or nothing.

        Args:
            quota: needed where ``max_size`` may change, which is counted.

        Raises:
            Forbidden: the quota is used up.
            Stale: the group was written after ``was`` was read.
            AlreadyDecided: the execution's id exists; nothing is written.
        """

    def lease(self, key: GroupKey, owner: str, now: datetime, until: datetime) -> Group | None:
        """Take the lease until ``until``, and be due again then; None if it is held or the group is gone.

        The owner itself may take it again: its first try may have succeeded without an answer.
        """

    def note(self, lease: Lease, group: Group) -> None:
        """Write what was observed while the round goes on.

        Raises:
            LeaseLost: another round has begun; ask the cloud for nothing.
        """

    def conclude(self, lease: Lease, was: Group, group: Group, due_at: datetime) -> bool:
        """End the lease: write what was observed and when the group is due.

        If what is wanted changed since ``was`` was read, the group is instead left due at once and only
        ``observed`` is written. Where cooldowns changed, they are written at the next generation.

        Returns:
            False when the group changed meanwhile (look again at once), True otherwise. A lease that was
            lost writes nothing and returns True: somebody else is at work.
        """

    def remove(self, lease: Lease, group: Group) -> None:
        """Delete the group, whose members are gone, and take it out of all counts; idempotent.

        Nothing is written when the lease was lost or the group was written meanwhile: a later round does it.
        """

    def due(self, shard: int, now: datetime, limit: int) -> Sequence[GroupKey]:
        """Return up to ``limit`` groups of the shard that are due at ``now``, the longest due first."""


class AlreadyDecided(Exception):
    """An execution of this id exists: the event was handled before."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(execution.id)
        self.execution = execution


class Members(Protocol):
    """Members, written under the lease of the round that works on their group."""

    def of_group(self, key: GroupKey) -> Sequence[Member]:
        """Return all members of the group, read consistently."""

    def get(self, key: GroupKey, member_id: MemberId) -> Member:
        """Return the member."""

    def page(self, key: GroupKey, limit: int, marker: str | None) -> Page[Member]:
        """Return up to ``limit`` members in the order of their ids."""

    def plan(self, lease: Lease, members: Sequence[Member]) -> None:
        """Write up to 50 new members, all or nothing.

        Raises:
            LeaseLost: another round has begun; ask the cloud for nothing.
        """

    def update(self, member: Member) -> None:
        """Write the round's part of an existing member: all but what it was planned as and ``protected``.

        A member that is DELETING stays so, one that is DRAINING does not come back, and one that is gone
        stays gone: then nothing is written.
        """

    def part(self, member: Member) -> bool:
        """Write as ``update`` that a member is to go, unless it is protected; return whether it does."""

    def protect(self, key: GroupKey, member_id: MemberId, protected: bool) -> Member:
        """Set whether the member may be removed to make the group smaller; return it as it is now."""

    def dismiss(self, was: Group, new: Group, member: Member, activity: Activity) -> Group:
        """Write that ``member`` is to go (DRAINING or DELETING), and the group; all or nothing.

        The group is written as by ``Groups.change``.
        """

    def strike(self, member: Member) -> None:
        """Delete the member's row; one already gone is a success."""


class LeaseLost(Exception):
    """The lease ran out or another round has it."""


class LaunchConfigurations(Protocol):
    """Launch configurations: immutable."""

    def get(self, project_id: ProjectId, id_: LaunchConfigurationId) -> LaunchConfiguration:
        """Return the launch configuration."""

    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[LaunchConfiguration]:
        """Return up to ``limit`` in the order of their ids."""

    def create(self, new: LaunchConfiguration, quota: Quota) -> LaunchConfiguration:
        """Write it, or return the one that the same request made before (see ``Groups.create``)."""

    def delete(self, project_id: ProjectId, id_: LaunchConfigurationId) -> None:
        """Delete it.

        Raises:
            Conflict: a group uses it.
        """


class Credentials(Protocol):
    """Credentials; secrets are sealed before they come here."""

    def get(self, project_id: ProjectId, id_: CredentialId) -> Credential:
        """Return the credential."""

    def find(self, project_id: ProjectId, id_: CredentialId) -> Credential | None:
        """Return the credential, or None."""

    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[Credential]:
        """Return up to ``limit`` in the order of their ids."""

    def create(self, new: Credential, quota: Quota) -> Credential:
        """Write it, or return the one that the same request made before (see ``Groups.create``)."""

    def note(self, credential: Credential) -> None:
        """Write status, status_reason and checked_at; one that is gone stays gone."""

    def delete(self, project_id: ProjectId, id_: CredentialId) -> None:
        """Delete it.

        Raises:
            Conflict: a group uses it.
        """

    def require_unused(self, project_id: ProjectId, id_: CredentialId) -> None:
        """Refuse with Conflict when a group uses it; NotFound when there is none."""


class Usage(Protocol):
    """What each project uses of its quota."""

    def of_project(self, project_id: ProjectId) -> Quota:
        """Return what is in use."""

    def reachable(self) -> bool:
        """Return whether the tables answer; for the health check."""
