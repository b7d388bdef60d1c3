"""What a round of convergence comes to: what is noted about the group, and when it is looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core.cooldown import completed
from chalicelib.core.group import Group, Observed, Trouble, TroubleKind
from chalicelib.core.plan import Plan
from chalicelib.core.pool import PENDING_LONGEST

REOBSERVE_AFTER = timedelta(seconds=240)
"""A settled group is looked at again after this and at most a minute's tick: within five minutes."""

_LOOK_SOONEST = timedelta(seconds=1)
_LOOK_LATEST = timedelta(seconds=20)

_LOOKS_APART = 5
"""In multiples of what a look takes: the cloud makes servers meanwhile, and looks are not to keep it busy."""

_POOLS_SOON = timedelta(seconds=2)
"""When pools are looked at again while a change of theirs is under way or another is due."""

_LONGEST_WISH = timedelta(minutes=15)
"""A cloud's Retry-After is heeded up to this; more would be as good as giving up."""

_BACK_OFF = {
    TroubleKind.REFUSED: (timedelta(minutes=1), timedelta(minutes=30)),
    TroubleKind.BUILD: (timedelta(seconds=10), timedelta(minutes=30)),
    TroubleKind.CLOUD: (timedelta(seconds=5), timedelta(minutes=5)),
    TroubleKind.CREDENTIAL: (timedelta(minutes=1), timedelta(minutes=5)),
    TroubleKind.BALANCER: (timedelta(seconds=5), timedelta(minutes=5)),
    TroubleKind.REMOVAL: (timedelta(seconds=30), timedelta(minutes=30)),
}
"""First and longest wait of each kind; what is refused waits for a change instead, but for want of quota."""

_UNTIL_SETTLED = (TroubleKind.BUILD, TroubleKind.REMOVAL)
"""What one good round does not end: what was tried again may still go wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """What went wrong in a round.

    Attributes:
        for_good: trying again by itself cannot help; only a change can.
        over_quota: it was refused because a quota is used up, which may be raised without our being told.
        retry_after: the cloud's own wish, where it has one.
    """

    kind: TroubleKind
    reason: str
    for_good: bool = False
    over_quota: bool = False
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How a round leaves its group.

    Attributes:
        group: the group with what was observed, and, when a change completed, its cooldowns started anew.
        look_again_at: when the next round is due.
        lag: for how long the members were not as they are wanted, up to this round.
    """

    group: Group
    look_again_at: datetime
    lag: timedelta


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
    pool_setback: Setback | None = None,
    round_began_at: datetime | None = None,
    began_at: datetime | None = None,
    looked: timedelta = timedelta(),
) -> Conclusion:
    """Return how the round that followed ``plan`` leaves ``group``.

    Args:
        plan: None when the cloud could not even be looked at: what was known stays known.
        setback: what went wrong, beside the servers that failed to build.
        pool_setback: what went wrong as a pool was changed.
        cut_short: the round ran out of time before it ran out of steps.
        round_began_at: what had ended by then held nothing up in this round; None: ``now``.
        began_at: when a refresh's batch began that is under way; else what is under way began with the
            group's latest change, or with the latest request for members.
        looked: how long it took to look at the cloud.
    """
    if setback is None and plan is not None:
        setback = _seen(group, plan)
    settled = plan is not None and plan.settled and setback is None and pool_setback is None
    over = settled or (setback is None and _needs_no_more(group, plan))
    trouble = None if over else _trouble(group, setback, now, jitter)
    before, since = group.observed, _unsettled_since(group, now)
    pool_trouble, pools_busy_since = _pool_trouble(group, plan, pool_setback, now, jitter)
    observed = Observed(
        generation=group.generation,
        settled=settled,
        current_size=plan.current_size if plan else before.current_size,
        in_service=plan.in_service if plan else before.in_service,
        outdated=plan.outdated if plan else before.outdated,
        trouble=trouble,
        asked=before.asked,
        pool_trouble=pool_trouble,
        pools_busy_since=pools_busy_since,
        unsettled_since=None if settled else since,
    )
    left = plan.pools.left if plan else ()
    former = tuple(id_ for id_ in group.former_pools if id_ not in left)
    after = replace(group, observed=observed, former_pools=former)
    if settled:
        after = replace(after, cooldowns=completed(group.cooldowns, now))
    if cut_short and setback is None:
        look_again_at = now
    else:
        look_again_at = _look_again(after, plan, now, round_began_at or now, began_at, looked)
    return Conclusion(group=after, look_again_at=look_again_at, lag=now - since)


def _unsettled_since(group: Group, now: datetime) -> datetime:
    """Return since when the members are not as wanted: the change, or when it was first seen; or ``now``."""
    before = group.observed
    if before.generation == group.generation and before.unsettled_since is not None:
        return before.unsettled_since
    return now if group.settled else group.updated_at


def _seen(group: Group, plan: Plan) -> Setback | None:
    """Return what the cloud shows to have gone wrong: builds that failed, else what cannot be deleted.

    The latter keeps nobody waiting: it replaces no trouble that does, as long as members are missing.
    """
    if plan.failed_builds:
        return Setback(kind=TroubleKind.BUILD, reason=_said("Members fail to build", plan.failed_builds))
    known = group.trouble
    held_up = known is not None and known.kind in (TroubleKind.BUILD, TroubleKind.REFUSED)
    if plan.stuck and (_is_complete(group, plan) or not held_up):
        return Setback(kind=TroubleKind.REMOVAL, reason=_said("What is to go cannot be deleted", plan.stuck))
    return None


def _is_complete(group: Group, plan: Plan) -> bool:
    return plan.in_service == plan.current_size == group.wanted_capacity()


def _needs_no_more(group: Group, plan: Plan | None) -> bool:
    """Return whether what was refused, or failed to build, is there now, whatever else is still to be done.

    A refresh asks for members beyond those that are wanted; what Heat refused is not seen in a size.
    """
    known = group.observed.trouble
    if plan is None or known is None or group.refresh_id is not None or group.heat is not None:
        return False
    return known.kind in (TroubleKind.BUILD, TroubleKind.REFUSED) and _is_complete(group, plan)


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
    waits_for_change = setback.for_good or (setback.kind is TroubleKind.REFUSED and not setback.over_quota)
    wait = None if waits_for_change else _wait(setback, attempts, jitter)
    return Trouble(
        kind=setback.kind,
        reason=setback.reason,
        since=known.since if known is not None and again else now,
        attempts=attempts,
        retry_at=None if wait is None else now + wait,
    )


def _pool_trouble(
    group: Group, plan: Plan | None, setback: Setback | None, now: datetime, jitter: float
) -> tuple[Trouble | None, datetime | None]:
    """Return the trouble with the group's pools, and since when one of their load balancers is PENDING.

    It stands beside the other trouble, for it keeps no server from coming or going. While Octavia does not
    answer, or refused a change, its kind is CLOUD, and it is left in peace until ``retry_at``; otherwise it
    may be looked at in every round.
    """
    known = group.observed.pool_trouble
    if plan is None or (plan.pools.unasked and setback is None):
        return known, group.observed.pools_busy_since
    pools = plan.pools
    busy_since = (group.observed.pools_busy_since or now) if pools.busy else None
    reasons = [*([setback.reason] if setback else []), *pools.troubles]
    if busy_since is not None and now - busy_since >= PENDING_LONGEST:
        reasons += [f"{busy} since {busy_since:%H:%M:%S} UTC or longer." for busy in pools.busy]
    if not reasons:
        return None, busy_since
    attempts = known.attempts + 1 if known is not None else 1
    in_peace = setback is not None or pools.unreachable
    wait = _wait(setback or Setback(kind=TroubleKind.BALANCER, reason=reasons[0]), attempts, jitter)
    trouble = Trouble(
        kind=TroubleKind.CLOUD if in_peace else TroubleKind.BALANCER,
        reason=_counted(reasons),
        since=known.since if known is not None else now,
        attempts=attempts,
        retry_at=now + wait,
    )
    return trouble, busy_since


def _still_waiting(group: Group, now: datetime) -> bool:
    """Return whether the wait for the next try is still on: what fails now was asked for in the same try."""
    return group.trouble is not None and not group.may_retry(now)


def _wait(setback: Setback, attempts: int, jitter: float) -> timedelta:
    """Return how long to wait: as the cloud wishes, within reason, or else ever longer."""
    if setback.retry_after is not None:
        return min(setback.retry_after, _LONGEST_WISH)
    return back_off(setback.kind, attempts, jitter)


def _look_again(
    group: Group,
    plan: Plan | None,
    now: datetime,
    round_began_at: datetime,
    began_at: datetime | None,
    looked: timedelta,
) -> datetime:
    """Return when the group is due: soon while something moves, else when its hold ends, else by routine.

    What moves is looked at less often the longer it takes, and the longer a look takes.

    A cloud that turned us away is left in peace for as long as it was promised, whatever moves. A frozen
    group is not looked at for trouble's sake, and no group for a hold that had ended before this round: what
    this one had nothing to do for, the next would not either, every second.
    """
    routine = now + REOBSERVE_AFTER
    if group.settled:
        return routine
    trouble = group.trouble
    turned_away = trouble is not None and trouble.kind in (TroubleKind.CLOUD, TroubleKind.CREDENTIAL)
    if plan is not None and plan.moves and not turned_away:
        began = (group.updated_at, began_at, plan.asked_at)
        age = now - max(at for at in began if at is not None)
        latest = _POOLS_SOON if plan.pools.steps or plan.pools.busy or plan.pools.notes else _LOOK_LATEST
        return now + max(_LOOK_SOONEST, min(max(age / 8, _LOOKS_APART * looked), latest))
    if trouble is None or group.frozen(now):
        hold = group.freeze.until if group.freeze is not None else None
    else:
        hold = trouble.retry_at
    holds = [hold] if turned_away else [hold, *_of_pools(group, plan)]
    ahead = [at for at in holds if at is not None and at >= round_began_at]
    return max(now + _LOOK_SOONEST, min([routine, *ahead]))


def _of_pools(group: Group, plan: Plan | None) -> tuple[datetime | None, datetime | None]:
    """Return when trouble with the group's pools is looked at again, and when a drain ends."""
    trouble = group.pool_trouble
    return (trouble.retry_at if trouble else None), (plan.pools.drained_at if plan else None)


def _said(what: str, resources: tuple[str, ...]) -> str:
    return f"{what}: {_counted(resources)}"


def _counted(sentences: Sequence[str]) -> str:
    """Return the first sentence, and how many more there are."""
    return sentences[0] + (f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else "")
