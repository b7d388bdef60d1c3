"""Cooldowns: how long must a change still wait for the ones before it?

A change leaves one stamp for the group and one for its policy, apart for each direction. A stamp holds
from acceptance until its cooldown has passed, and while its change is still under way; when the change
completes, the cooldown starts anew. So a slow first scale-out is not repeated (Heat bug 1375156), and
the wait that was promised does not move when somebody edits a policy (it is stored as a time).

A policy of steps leaves a stamp that says how many members it added: until their warm-up has passed they
count as there for the next scale-out, instead of holding it (``warming``).

A scale-out waits for scale-outs only; a scale-in waits for both: shrinking right after growing is how
groups flap, and growing must never be late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core.capacity import Direction
from chalicelib.core.ids import PolicyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One change that later ones may have to wait for.

    Attributes:
        policy_id: the policy whose own cooldown this is; None for the group's.
        direction: which way the change went.
        seconds: the cooldown as it was when the change was accepted.
        until: when the hold ends, were the change complete.
        under_way_until: while the change runs, the latest time it is waited for; None once it completed.
        added: members that are counted while they warm up, instead of holding the next scale-out.
    """

    policy_id: PolicyId | None
    direction: Direction
    seconds: int
    until: datetime
    under_way_until: datetime | None
    added: int = 0

    def ends_at(self) -> datetime:
        """Return when the hold ends at the latest, as far as is known now."""
        return max(self.until, self.under_way_until or self.until)

    def retry_at(self, now: datetime) -> datetime:
        """Return when asking again makes sense: the promised end; past it, the end of the slowest build."""
        return self.until if now < self.until else self.ends_at()


def stamps_of_change(
    *,
    policy_id: PolicyId,
    direction: Direction,
    group_seconds: int,
    policy_seconds: int,
    build_timeout_seconds: int,
    now: datetime,
    warming: int = 0,
) -> tuple[Stamp, ...]:
    """Return the stamps that a change accepted at ``now`` leaves; a cooldown of zero leaves none.

    Args:
        warming: what the policy's own stamp counts as added; zero makes it one that holds.
    """
    under_way_until = now + timedelta(seconds=build_timeout_seconds)
    return tuple(
        Stamp(
            policy_id=owner,
            direction=direction,
            seconds=seconds,
            until=now + timedelta(seconds=seconds),
            under_way_until=under_way_until,
            added=warming if owner is not None else 0,
        )
        for owner, seconds in ((None, group_seconds), (policy_id, policy_seconds))
        if seconds > 0
    )


def holding(
    stamps: Iterable[Stamp], policy_id: PolicyId, direction: Direction, now: datetime
) -> Stamp | None:
    """Return the stamp that makes a change of ``policy_id`` wait longest, or None when it may go ahead.

    The one with the latest promised end: asking when any other one ends would be in vain.
    """
    holds = [
        stamp
        for stamp in stamps
        if stamp.policy_id in (None, policy_id)
        and (stamp.direction is Direction.OUT or direction is Direction.IN)
        and not (stamp.added and direction is Direction.OUT)
        and now < stamp.ends_at()
    ]
    return max(holds, key=lambda stamp: stamp.retry_at(now), default=None)


def warming(stamps: Iterable[Stamp], policy_id: PolicyId, now: datetime) -> int:
    """Return how many members that the policy added are still to be counted as on their way."""
    return sum(s.added for s in stamps if s.policy_id == policy_id and now < s.ends_at())


def stamped(stamps: Iterable[Stamp], new: Iterable[Stamp], now: datetime) -> tuple[Stamp, ...]:
    """Return ``stamps`` with ``new`` in place of those they follow, and without those that have ended."""
    new = tuple(new)
    renewed = {(stamp.policy_id, stamp.direction) for stamp in new}
    kept = (s for s in stamps if (s.policy_id, s.direction) not in renewed and now < s.ends_at())
    return (*kept, *new)


def shrunk(stamps: Sequence[Stamp], by: int) -> tuple[Stamp, ...]:
    """Return the stamps as they stand when ``by`` members fewer are wanted.

    So many fewer warm up, whoever leaves: what else there was stays what a policy's steps count from. Of
    those that have nobody left to count, none stays.
    """
    less = (replace(stamp, added=max(0, stamp.added - by)) if stamp.added else stamp for stamp in stamps)
    return tuple(new for old, new in zip(stamps, less, strict=True) if new.added or not old.added)


def completed(stamps: Iterable[Stamp], now: datetime) -> tuple[Stamp, ...]:
    """Return the stamps as they stand when what was under way completed at ``now``: the wait starts anew."""
    return tuple(
        stamp
        if stamp.under_way_until is None
        else replace(
            stamp, until=max(stamp.until, now + timedelta(seconds=stamp.seconds)), under_way_until=None
        )
        for stamp in stamps
    )
