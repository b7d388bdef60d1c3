"""A refresh: all of a group's members replaced in batches, while enough of them serve.

Which members are old and how far a batch has come is seen afresh in every round (``rolling``). What is
remembered is what cannot be seen: that it is wanted, when a batch began or was complete, and how often in a
row new members failed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.group import Group, TroubleKind
from chalicelib.core.ids import GroupId, LaunchConfigurationId, ProjectId, RefreshId
from chalicelib.core.plan import Plan
from chalicelib.core.rolling import Rolling, Turn

ATTEMPTS_MAX = 5
"""So many builds in a row may fail before a refresh is given up."""

_LOOK_SOONEST = timedelta(seconds=1)
_LOOK_WHILE_STUCK = timedelta(seconds=20)


class RefreshStatus(StrEnum):
    """Where a refresh stands."""

    RUNNING = "running"
    PAUSED = "paused"  # by a person; a batch under way is completed, no other begins
    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """One refresh of a group; of what is wanted only the status changes.

    Attributes:
        status_reason: how it ended, or what it waits for.
        batch_size: so many members are replaced at a time.
        min_in_service: so many serve meanwhile; None: all that are wanted but a batch.
        pause_seconds: from when a batch is complete until the next one begins.
        replace_all: members of the group's configuration are replaced, too, if they were made before.
        launch_configuration_id: what members were last replaced by.
        replaced: members in service that were made for it.
        remaining: members that are still to be replaced.
        spared: old members that are left as they are, for they are protected.
        batches: how many batches were begun.
        batch_began_at: when the batch under way began; None while none is.
        rested_at: when the last batch was complete; None while one is under way.
        attempts: builds that failed in a row.
        generation: goes up by one with every change of what is wanted, not with progress.
    """

    project_id: ProjectId
    group_id: GroupId
    id: RefreshId
    status: RefreshStatus
    batch_size: int
    min_in_service: int | None
    pause_seconds: int
    replace_all: bool
    launch_configuration_id: LaunchConfigurationId
    created_at: datetime
    updated_at: datetime
    status_reason: str | None = None
    replaced: int = 0
    remaining: int = 0
    spared: int = 0
    batches: int = 0
    batch_began_at: datetime | None = None
    rested_at: datetime | None = None
    attempts: int = 0
    generation: int = 1
    fingerprint: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.status not in (RefreshStatus.RUNNING, RefreshStatus.PAUSED)

    @property
    def resumes_at(self) -> datetime | None:
        """When the pause behind the last batch ends; None while one is under way, and before the first."""
        return None if self.rested_at is None else self.rested_at + timedelta(seconds=self.pause_seconds)

    def rolling(self, group: Group, steps_max: int, now: datetime) -> Rolling:
        """Return how a round at ``now`` may replace members.

        A batch is no larger than what one round may do. None begins while the group is frozen or in trouble:
        old members do not go while new ones cannot come.
        """
        under_way = self.batch_began_at is not None
        pause_is_over = self.pause_seconds == 0 if under_way else now >= (self.resumes_at or now)
        running = self.status is RefreshStatus.RUNNING and not group.frozen(now) and group.trouble is None
        return Rolling(
            batch_size=min(self.batch_size, steps_max),
            min_in_service=self.min_in_service,
            began_at=self.created_at,
            replace_all=self.replace_all,
            under_way=under_way,
            may_begin=running and pause_is_over,
        )


def require_fits(refresh: Refresh, group: Group) -> None:
    """Refuse a refresh during which more members would have to serve than the group may want.

    Raises:
        Invalid: min_in_service is larger than max_size.
    """
    least = refresh.min_in_service
    if least is not None and least > group.bounds.max_size:
        raise Invalid(
            "refresh.min_in_service",
            f"min_in_service {least} is larger than the group's max_size {group.bounds.max_size}.",
        )


def require_under_way(refresh: Refresh) -> None:
    """Refuse to change a refresh that is over.

    Raises:
        Conflict: it is.
    """
    if refresh.ended:
        raise Conflict("refresh.ended", f"The refresh has {_HAS[refresh.status]}; begin another one.")


_HAS = {
    RefreshStatus.SUCCEEDED: "succeeded",
    RefreshStatus.ABORTED: "been aborted",
    RefreshStatus.FAILED: "failed",
}


def with_batch_begun(refresh: Refresh, now: datetime) -> Refresh:
    """Return the refresh with its next batch begun; written before the batch's first step is taken.

    Who dies before that step has begun a batch of nobody: it is complete, and the pause is kept.
    """
    return replace(refresh, batches=refresh.batches + 1, batch_began_at=now, rested_at=None)


def after_round(refresh: Refresh, was: Group, group: Group, plan: Plan | None, now: datetime) -> Refresh:
    """Return the refresh as a round leaves it.

    It succeeds when nobody is left to be replaced and the group is as wanted; it fails when the cloud refuses
    new members outright, or too many builds in a row have failed. ``updated_at`` and ``generation`` stay for
    whoever writes it.

    Args:
        was: the group before the round.
        group: the group with what the round observed.
        plan: None when the cloud could not be looked at.
    """
    turn = None if plan is None else plan.turn
    seen = replace(
        refresh,
        launch_configuration_id=group.owned_configuration_id,
        attempts=_attempts(refresh, was, group, turn),
    )
    if turn is not None:
        seen = _with_progress(seen, turn, now)
        if turn.remaining == 0 and group.settled:
            return replace(seen, status=RefreshStatus.SUCCEEDED, status_reason=_left(turn.spared))
    trouble = group.trouble
    if trouble is not None and trouble.kind is TroubleKind.REFUSED:
        return replace(seen, status=RefreshStatus.FAILED, status_reason=trouble.reason)
    if trouble is not None and seen.attempts >= ATTEMPTS_MAX:
        reason = f"{seen.attempts} builds in a row failed. {trouble.reason}"
        return replace(seen, status=RefreshStatus.FAILED, status_reason=reason)
    if seen.status is RefreshStatus.PAUSED:
        return seen
    return replace(seen, status_reason=_waits_for(seen, group, turn, now))


def look_again_at(
    refresh: Refresh, group: Group, plan: Plan | None, otherwise: datetime, now: datetime
) -> datetime:
    """Return when the group is to be looked at for the sake of its refresh, ``otherwise`` at the latest.

    Between two batches the group is settled, and would not be looked at soon by itself.
    """
    turn = None if plan is None else plan.turn
    if refresh.status is not RefreshStatus.RUNNING or not group.settled or turn is None:
        return otherwise
    next_batch = now + _LOOK_WHILE_STUCK if turn.stuck else refresh.resumes_at or now
    if group.freeze is not None and group.frozen(now):
        next_batch = max(next_batch, group.freeze.until or otherwise)
    return min(otherwise, max(next_batch, now + _LOOK_SOONEST))


def _attempts(refresh: Refresh, was: Group, group: Group, turn: Turn | None) -> int:
    """Return how many builds have failed in a row; it starts anew when one comes off, or with other plans."""
    came_off = turn is not None and turn.replaced > refresh.replaced
    afresh = came_off or refresh.launch_configuration_id != group.launch_configuration_id
    before = 0 if afresh else refresh.attempts
    old, new = was.observed.trouble, group.observed.trouble
    if new is None or new.kind is not TroubleKind.BUILD:
        return before
    again = old is not None and old.kind is new.kind and old.attempts == new.attempts
    return before if again else before + 1


def _with_progress(refresh: Refresh, turn: Turn, now: datetime) -> Refresh:
    """Return the refresh with what was seen of it, and with its batch complete if that was seen."""
    seen = replace(refresh, replaced=turn.replaced, remaining=turn.remaining, spared=turn.spared)
    complete = turn.at_rest and not turn.begins and seen.batch_began_at is not None
    return replace(seen, batch_began_at=None, rested_at=now) if complete else seen


def _left(spared: int) -> str | None:
    if not spared:
        return None
    return f"{spared} protected member{' was' if spared == 1 else 's were'} left as before."


def _waits_for(refresh: Refresh, group: Group, turn: Turn | None, now: datetime) -> str | None:
    """Return what a running refresh waits for, beside the members of its batch."""
    if group.frozen(now):
        return "It waits: the group is frozen."
    if group.trouble is not None:
        return f"It waits: {group.trouble.reason}"
    if turn is not None and turn.stuck:
        return "It waits: without any one of those in service there would be too few."
    if turn is None or refresh.batch_began_at is not None:
        return None
    if refresh.resumes_at is not None and now < refresh.resumes_at:
        return f"It pauses until {refresh.resumes_at:%Y-%m-%dT%H:%M:%SZ}."
    return None
