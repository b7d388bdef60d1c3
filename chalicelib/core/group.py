"""The group: how many members are wanted, and what was last seen of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from chalicelib.core.capacity import Bounds
from chalicelib.core.cooldown import Stamp, shrunk
from chalicelib.core.errors import Invalid
from chalicelib.core.heat import Asked, HeatTarget, require_resizable
from chalicelib.core.ids import CredentialId, GroupId, LaunchConfigurationId, PoolId, ProjectId, RefreshId
from chalicelib.core.launch import LaunchType
from chalicelib.core.pool import OVERDUE_AFTER, PENDING_LONGEST, GroupPools, Pool


class RemovalOrder(StrEnum):
    """Which of the members in service goes first when there are too many."""

    OLDEST = "oldest"
    NEWEST = "newest"
    OLDEST_CONFIGURATION = "oldest_configuration"


class GroupStatus(StrEnum):
    """What a caller reads first."""

    ACTIVE = "active"
    CONVERGING = "converging"
    ERROR = "error"
    CREDENTIAL_ERROR = "credential_error"
    FROZEN = "frozen"
    DELETING = "deleting"


class TroubleKind(StrEnum):
    """Whose fault it is that a group cannot get what it wants."""

    CREDENTIAL = "credential"  # Keystone no longer lets us act for the owner
    REFUSED = "refused"  # the cloud refuses the request itself: quota, unknown image, policy
    BUILD = "build"  # servers are accepted and then fail to build
    REMOVAL = "removal"  # what is to go cannot be deleted; new members may well be made
    CLOUD = "cloud"  # the cloud is busy, broken or out of reach
    BALANCER = "balancer"  # members cannot enter or leave a pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a group does not get what it wants at present.

    Attributes:
        reason: a sentence for the owner, with the cloud's own words.
        attempts: how often in a row it went wrong.
        retry_at: when it is tried again by itself; None waits for a change or a request to converge.
    """

    kind: TroubleKind
    reason: str
    since: datetime
    attempts: int
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Nobody and nothing may change the group until ``until`` (None: until thawed)."""

    reason: str
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        """Return whether the freeze is still on."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Members that a policy added (removed, where it is negative) at a time."""

    at: datetime
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the last round of convergence saw; written under its lease.

    Attributes:
        generation: the group's generation that the round worked for.
        settled: nothing was left to do for that generation.
        current_size: members that count, in service or on their way.
        in_service: members that serve.
        pool_trouble: why members cannot enter or leave a pool; servers come and go all the same.
        pools_busy_since: since when a load balancer has been PENDING while something was due.
        outdated: members that count and are of another launch configuration than the group's.
        asked: what Heat was asked for last, of a group in Heat, until its effect is seen.
        unsettled_since: since when the members are not as this generation wants them; None when they are.
    """

    generation: int = 0
    settled: bool = False
    current_size: int = 0
    in_service: int = 0
    outdated: int = 0
    trouble: Trouble | None = None
    pool_trouble: Trouble | None = None
    pools_busy_since: datetime | None = None
    asked: Asked | None = None
    unsettled_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What an owner wants; written only on the ``generation`` it was read at.

    Attributes:
        kind: what its members are: what its first launch configuration describes; it never changes.
        launch_configuration_id: what members that we own are made from; None of a group in Heat.
        heat: the group in a Heat stack that is resized from outside; None where we own the members.
        desired_capacity: the single truth about how many members there should be.
        cooldown_seconds: the group's own cooldown, which holds beside the policy's.
        availability_zones: the Nova zones to spread over; none leaves it to Nova's scheduler.
        build_timeout_seconds: how long a server may build before it is replaced.
        load_balancers: the pools that its members in service stand in.
        former_pools: pools taken off that list, which members may not have left yet.
        judged_at: the tick whose judging of alarms and metrics changed the size last: one change a tick.
        refresh_id: the refresh that replaces its members, while one has not ended.
        changes: what policies lately added and removed, oldest first; what limits of pace look at.
        generation: goes up by one with every change of what is wanted.
    """

    project_id: ProjectId
    id: GroupId
    name: str
    launch_configuration_id: LaunchConfigurationId | None
    credential_id: CredentialId
    bounds: Bounds
    desired_capacity: int
    cooldown_seconds: int
    removal_order: RemovalOrder
    availability_zones: tuple[str, ...]
    build_timeout_seconds: int
    created_at: datetime
    updated_at: datetime
    kind: LaunchType = LaunchType.SERVER
    generation: int = 1
    deleting: bool = False
    freeze: Freeze | None = None
    cooldowns: tuple[Stamp, ...] = ()
    judged_at: datetime | None = None
    changes: tuple[Change, ...] = ()
    refresh_id: RefreshId | None = None
    observed: Observed = field(default_factory=Observed)
    heat: HeatTarget | None = None
    fingerprint: str | None = None
    load_balancers: tuple[Pool, ...] = ()
    former_pools: tuple[PoolId, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the members are as this very generation wants them."""
        return self.observed.settled and self.observed.generation == self.generation

    @property
    def trouble(self) -> Trouble | None:
        """What keeps the group from what this very generation wants: any change arms it again."""
        return self.observed.trouble if self.observed.generation == self.generation else None

    @property
    def pool_trouble(self) -> Trouble | None:
        """What keeps members from entering or leaving a pool; any change has it tried again at once."""
        return self.observed.pool_trouble if self.observed.generation == self.generation else None

    def pools(self, now: datetime) -> GroupPools | None:
        """Return where members are to stand and where no more; None if there is no pool to look at.

        A group that goes waits for its pools like its members do, and once more as long for what is left
        there of servers that are gone.
        """
        if not self.load_balancers and not self.former_pools:
            return None
        longest = max((pool.drain for pool in self.load_balancers), default=timedelta())
        busy_since = self.observed.pools_busy_since
        return GroupPools(
            group_id=self.id,
            wanted=self.load_balancers,
            former=self.former_pools,
            ends=self.deleting,
            given_up=self.deleting and now - self.updated_at >= longest + 2 * OVERDUE_AFTER,
            stuck=busy_since is not None and now - busy_since >= PENDING_LONGEST,
        )

    @property
    def owned_configuration_id(self) -> LaunchConfigurationId:
        """What new members are made from; only for a group whose members we own."""
        assert self.launch_configuration_id is not None, "a group in Heat launches nothing"
        return self.launch_configuration_id

    def may_create(self, now: datetime) -> bool:
        """Return whether new members may be asked for at ``now``, as far as trouble goes."""
        trouble = self.trouble
        return trouble is None or trouble.kind is TroubleKind.REMOVAL or self.may_retry(now)

    def may_retry(self, now: datetime) -> bool:
        """Return whether what failed may be tried again at ``now``."""
        trouble = self.trouble
        return trouble is None or (trouble.retry_at is not None and trouble.retry_at <= now)

    def frozen(self, now: datetime) -> bool:
        """Return whether the group is frozen at ``now``."""
        return self.freeze is not None and self.freeze.holds(now)

    def wanting(self, capacity: int) -> Self:
        """Return the group with another desired capacity; members that are not wanted do not warm up."""
        fewer = max(0, self.desired_capacity - capacity)
        return replace(self, desired_capacity=capacity, cooldowns=shrunk(self.cooldowns, fewer))

    def wanted_capacity(self) -> int:
        """Return how many members to converge to: none once the group is being deleted."""
        return 0 if self.deleting else self.desired_capacity

    def status(self, now: datetime) -> tuple[GroupStatus, str | None]:
        """Return the status and, where there is one, the reason for it."""
        trouble = self.trouble
        reason = trouble.reason if trouble else None
        pools = self.pool_trouble
        if self.deleting:
            return GroupStatus.DELETING, reason or (pools.reason if pools else None)
        if trouble and trouble.kind is TroubleKind.CREDENTIAL:
            return GroupStatus.CREDENTIAL_ERROR, reason
        if self.freeze is not None and self.freeze.holds(now):
            return GroupStatus.FROZEN, self.freeze.reason
        if trouble and trouble.kind is not TroubleKind.CLOUD:
            return GroupStatus.ERROR, reason
        if trouble is None and pools is not None:
            again = pools.attempts > 1
            return (GroupStatus.ERROR if again else GroupStatus.CONVERGING), pools.reason
        return (GroupStatus.ACTIVE if self.settled else GroupStatus.CONVERGING), reason


CHANGES_MAX = 60
"""How many changes of each direction a group remembers; beyond, the oldest count as one."""

_CHANGES_KEPT = timedelta(hours=1)


def remembered(changes: tuple[Change, ...], now: datetime) -> tuple[Change, ...]:
    """Return the changes of the last hour, which is as far back as any limit of pace looks."""
    recent = [change for change in changes if now - change.at < _CHANGES_KEPT]
    out, into = ([c for c in recent if c.by > 0], [c for c in recent if c.by < 0])
    return tuple(sorted([*_bounded(out), *_bounded(into)], key=lambda change: change.at))


def _bounded(changes: list[Change]) -> list[Change]:
    """Return the changes of one direction, the oldest as one where they are too many."""
    many, few = changes[: 1 - CHANGES_MAX], changes[1 - CHANGES_MAX :]
    return [Change(at=many[-1].at, by=sum(c.by for c in many)), *few] if many else few


def require_within(bounds: Bounds, desired_capacity: int) -> None:
    """Refuse a desired capacity outside ``bounds``.

    Raises:
        Invalid: it is smaller than min_size or larger than max_size.
    """
    if bounds.clamp(desired_capacity) != desired_capacity:
        raise Invalid(
            "group.desired_outside_bounds",
            f"desired_capacity {desired_capacity} is outside min_size {bounds.min_size} "
            f"and max_size {bounds.max_size}.",
        )


def require_possible(group: Group) -> None:
    """Refuse a group that wants what it may not, or could come to want what it cannot have.

    Raises:
        Invalid: as ``require_within``, or as ``heat.require_resizable``.
    """
    require_within(group.bounds, group.desired_capacity)
    if group.heat is not None:
        require_resizable(group.heat, group.bounds)
