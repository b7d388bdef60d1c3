"""What a round of convergence comes to: what is noted about the group, and when it is looked at again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core.cooldown import completed
from chalicelib.core.group import Group, Observed, Trouble, TroubleKind
from chalicelib.core.plan import Plan

REOBSERVE_AFTER = timedelta(seconds=240)
"""A settled group is looked at again after this and at most a minute's tick: within five minutes."""

_LOOK_SOONEST = timedelta(seconds=1)
_LOOK_LATEST = timedelta(seconds=20)

_LONGEST_WISH = timedelta(minutes=15)
"""A cloud's Retry-After is heeded up to this; more would be as good as giving up."""

_BACK_OFF = {
    TroubleKind.BUILD: (timedelta(seconds=10), timedelta(minutes=30)),
    TroubleKind.CLOUD: (timedelta(seconds=5), timedelta(minutes=5)),
    TroubleKind.CREDENTIAL: (timedelta(minutes=1), timedelta(minutes=5)),
    TroubleKind.REMOVAL: (timedelta(seconds=30), timedelta(minutes=30)),
}
"""First and longest wait of each kind; what is refused outright waits for a change instead."""

_UNTIL_SETTLED = (TroubleKind.BUILD, TroubleKind.REMOVAL)
"""What one good round does not end: what was tried again may still go wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """What went wrong in a round.

    Attributes:
        for_good: trying again by itself cannot help; only a change can.
        retry_after: the cloud's own wish, where it has one.
    """

    kind: TroubleKind
    reason: str
    for_good: bool = False
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How a round leaves its group.

    Attributes:
        group: the group with what was observed, and, when a change completed, its cooldowns started anew.
        look_again_at: when the next round is due.
    """

    group: Group
    look_again_at: datetime


def back_off(kind: TroubleKind, attempts: int, jitter: float) -> timedelta:
    """Return how long to wait after ``attempts`` failures in a row.

    Doubles from a first wait to a longest one; ``jitter`` (0 to 1) spreads groups that failed together
    over the upper half of the wait.
    """
    first, longest = _BACK_OFF[kind]
    doubled = min(first * (1 << min(attempts - 1, 20)), longest)
    return doubled * (0.5 + jitter / 2)


def conclude(
    group: Group,
    plan: Plan | None,
    setback: Setback | None,
    *,
    now: datetime,
    jitter: float,
    cut_short: bool,
    began_at: datetime | None = None,
) -> Conclusion:
    """Return how the round that followed ``plan`` leaves ``group``.

    Args:
        plan: None when the cloud could not even be looked at: what was known stays known.
        setback: what went wrong, beside the servers that failed to build.
        cut_short: the round ran out of time before it ran out of steps.
        began_at: when a refresh's batch began that is under way; else what is under way began with the
            group's latest change.
    """
    if setback is None and plan is not None:
        setback = _seen(group, plan)
    settled = plan is not None and plan.settled and setback is None
    trouble = None if settled else _trouble(group, setback, now, jitter)
    before = group.observed
    observed = Observed(
        generation=group.generation,
        settled=settled,
        current_size=plan.current_size if plan else before.current_size,
        in_service=plan.in_service if plan else before.in_service,
        outdated=plan.outdated if plan else before.outdated,
        trouble=trouble,
        asked=before.asked,
    )
    after = replace(group, observed=observed)
    if settled:
        after = replace(after, cooldowns=completed(group.cooldowns, now))
    look_again_at = now if cut_short and setback is None else _look_again(after, plan, now, began_at)
    return Conclusion(group=after, look_again_at=look_again_at)


def _seen(group: Group, plan: Plan) -> Setback | None:
    """Return what the cloud shows to have gone wrong: builds that failed, else what cannot be deleted.

    The latter keeps nobody waiting: it replaces no trouble that does, as long as members are missing.
    """
    if plan.failed_builds:
        return Setback(kind=TroubleKind.BUILD, reason=_said("Members fail to build", plan.failed_builds))
    known = group.trouble
    held_up = known is not None and known.kind in (TroubleKind.BUILD, TroubleKind.REFUSED)
    complete = plan.in_service == plan.current_size == group.wanted_capacity()
    if plan.stuck and (complete or not held_up):
        return Setback(kind=TroubleKind.REMOVAL, reason=_said("What is to go cannot be deleted", plan.stuck))
    return None


def _trouble(group: Group, setback: Setback | None, now: datetime, jitter: float) -> Trouble | None:
    """Return the trouble that the group is in now.

    A round without a setback ends trouble with the cloud or the credential. What was refused stays refused
    until something changes, and builds and deletions count as failing until the group is complete; a change
    lets them be tried again at once, for as many rounds as it takes.
    """
    known = group.observed.trouble
    if setback is None:
        if known is not None and known.kind in _UNTIL_SETTLED:
            return known if group.trouble is known else replace(known, retry_at=now)
        refused = group.trouble is not None and group.trouble.kind is TroubleKind.REFUSED
        return known if refused else None
    again = known is not None and known.kind is setback.kind
    if known is not None and again and setback.kind in _UNTIL_SETTLED and _still_waiting(group, now):
        return replace(known, reason=setback.reason)
    attempts = known.attempts + 1 if known is not None and again else 1
    waits_for_change = setback.for_good or setback.kind is TroubleKind.REFUSED
    wait = None if waits_for_change else _wait(setback, attempts, jitter)
    return Trouble(
        kind=setback.kind,
        reason=setback.reason,
        since=known.since if known is not None and again else now,
        attempts=attempts,
        retry_at=None if wait is None else now + wait,
    )


def _still_waiting(group: Group, now: datetime) -> bool:
    """Return whether the wait for the next try is still on: what fails now was asked for in the same try."""
    return group.trouble is not None and not group.may_retry(now)


def _wait(setback: Setback, attempts: int, jitter: float) -> timedelta:
    """Return how long to wait: as the cloud wishes, within reason, or else ever longer."""
    if setback.retry_after is not None:
        return min(setback.retry_after, _LONGEST_WISH)
    return back_off(setback.kind, attempts, jitter)


def _look_again(group: Group, plan: Plan | None, now: datetime, began_at: datetime | None) -> datetime:
    """Return when the group is due: soon while something moves, else when its hold ends, else by routine.

    A cloud that turned us away is left in peace for as long as it was promised, whatever moves. A frozen
    group is not looked at for trouble's sake, nor a troubled one for a freeze that is over: neither could
    do anything, every second.
    """
    routine = now + REOBSERVE_AFTER
    if group.settled:
        return routine
    trouble = group.trouble
    turned_away = trouble is not None and trouble.kind in (TroubleKind.CLOUD, TroubleKind.CREDENTIAL)
    if plan is not None and plan.moves and not turned_away:
        age = now - max(group.updated_at, began_at or group.updated_at)
        return now + max(_LOOK_SOONEST, min(age / 8, _LOOK_LATEST))
    if trouble is None or group.frozen(now):
        hold = group.freeze.until if group.freeze is not None else None
    else:
        hold = trouble.retry_at
    return max(now + _LOOK_SOONEST, min(routine, hold or routine))


def _said(what: str, resources: tuple[str, ...]) -> str:
    more = f" (and {len(resources) - 1} more)" if len(resources) > 1 else ""
    return f"{what}: {resources[0]}{more}"
