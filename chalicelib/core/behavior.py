"""How fast a recommendation is followed: stabilization, rate limits, and the window they remember.

A recommendation has to last: the group grows to the smallest of those within the window of scale-out, and
shrinks to the largest within that of scale-in. Rate limits then bound how far one period may go. What was
recommended and changed is kept in a window that is stored, so that nothing is forgotten between two minutes.

Source:
    kubernetes/enhancements, KEP-853 (configurable scale velocity). In one place this departs from it: a
    percentage of nothing is one member, or a group at zero could never grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from chalicelib.core.capacity import Direction
from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.pace import Behavior, RateLimit, RateType, Select
from chalicelib.core.tracking import Observation, TargetTracking
from chalicelib.core.tracking import recommended as recommendation_for

CHANGES_MAX = 60
"""How many changes of each direction a window remembers; beyond, the oldest count as one."""

GAP_SECONDS = 300
"""After so long without a look (or the longest window, if that is longer) a window of advice begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What was recommended, and when."""

    at: datetime
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """By how many members a group was changed, and when; fewer members are a negative number."""

    at: datetime
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a policy has recommended and done of late, oldest first."""

    advice: tuple[Advice, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The size that remains of a recommendation.

    Attributes:
        step: what was held or cut short, and until when; None when nothing was.
    """

    capacity: int
    step: Step | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What target tracking comes to in one evaluation.

    Attributes:
        recommended: the size that would bring the metric to its target; None while that is unknown.
        capacity: what remains of it after holds and limits, before any clamping; None is no opinion. Of a
            policy that does not scale in, it is what others may not go below (``reconcile.Want.never_in``).
        value: what was held against the target.
        steps: how it came about, in words.
        window: with this recommendation noted; a change that is then made is noted by ``changed``.
    """

    recommended: int | None
    capacity: int | None
    value: float | None
    steps: tuple[Step, ...]
    window: Window


def followed(rule: TargetTracking, window: Window, seen: Observation, now: datetime) -> Followed:
    """Return what the policy wants at ``now``: recommended, stabilized, limited.

    While the metric is unknown, the present size is noted as advice: when it is known again, a scale-in has
    to last as long as ever.
    """
    advice = recommendation_for(rule, seen)
    window = advised(rule, window, now, seen.desired, advice.capacity)
    if advice.capacity is None:
        return Followed(recommended=None, capacity=None, value=None, steps=advice.steps, window=window)
    stable = stabilized(rule, window, now, seen.desired, advice.capacity)
    within = limited(rule, window, now, seen.desired, stable.capacity)
    steps = [*advice.steps, *(held.step for held in (stable, within) if held.step is not None)]
    if within.capacity < seen.desired and not rule.scale_in:
        detail = f"{within.capacity} members would do, but the policy never scales in by itself."
        steps.append(Step(rule=Rule.SCALE_IN, verdict=Verdict.HOLD, detail=detail))
    return Followed(
        recommended=advice.capacity,
        capacity=within.capacity,
        value=advice.value,
        steps=tuple(steps),
        window=window,
    )


def advised(
    rule: TargetTracking, window: Window, now: datetime, current: int, capacity: int | None
) -> Window:
    """Return the window with one more recommendation, and without what no longer counts.

    Noting the same again at the same time changes nothing.

    Args:
        capacity: None, while the metric is unknown, notes the present size, and so does a first look.
    """
    longest = max(rule.out.stabilization_seconds, rule.into.stabilization_seconds)
    earlier = [each for each in window.advice if each.at < now]
    if not earlier or not _within(earlier[-1].at, now, max(longest, GAP_SECONDS)):
        earlier = [Advice(at=now, capacity=current)]
    newest = Advice(at=now, capacity=current if capacity is None else capacity)
    kept = [each for each in earlier if _within(each.at, now, longest)]
    return replace(_pruned(rule, window, now), advice=_telling([*kept, newest]))


def changed(rule: TargetTracking, window: Window, now: datetime, before: int, after: int) -> Window:
    """Return the window with a change noted that was made at ``now``."""
    changes = (*window.changes, Change(at=now, by=after - before)) if after != before else window.changes
    return _pruned(rule, replace(window, changes=changes), now)


def stabilized(rule: TargetTracking, window: Window, now: datetime, current: int, recommended: int) -> Held:
    """Return what the recommendations of late leave of the present one, which may be among them."""
    up_to = min(_recent(window, rule.out, now), default=recommended)
    down_to = max(_recent(window, rule.into, now), default=recommended)
    capacity = min(max(current, min(up_to, recommended)), max(down_to, recommended))
    if capacity == recommended:
        return Held(capacity=capacity)
    out = recommended > current
    behavior = rule.out if out else rule.into
    against = (a.at for a in window.advice if (a.capacity < recommended if out else a.capacity > recommended))
    until = max(against, default=now) + timedelta(seconds=behavior.stabilization_seconds)
    most = "fewer" if out else "more"
    detail = (
        f"{recommended} members are recommended, but {most} were within the last "
        f"{behavior.stabilization_seconds} s: {capacity}."
    )
    return Held(capacity=capacity, step=_held(Rule.STABILIZATION, detail, current, capacity, until))


def limited(rule: TargetTracking, window: Window, now: datetime, current: int, wanted: int) -> Held:
    """Return what the rate limits leave of a wanted size."""
    if wanted == current:
        return Held(capacity=current)
    out = wanted > current
    behavior = rule.out if out else rule.into
    if behavior.select is Select.DISABLED:
        detail = (
            f"{wanted} members are wanted, but scaling {Direction.OUT if out else Direction.IN} is disabled."
        )
        return Held(capacity=current, step=_held(Rule.RATE, detail, current, current, None))
    reach = {limit: _reach(limit, window, now, current, out=out) for limit in behavior.limits}
    if not reach:
        return Held(capacity=wanted)
    highest = (behavior.select is Select.MAX) is out
    limit, bound = (max if highest else min)(reach.items(), key=lambda item: item[1])
    bound = max(bound, current) if out else min(bound, current)
    capacity = min(wanted, bound) if out else max(wanted, bound)
    if capacity == wanted:
        return Held(capacity=capacity)
    counted = [change.at for change in _counted(limit, window, now, out=out)]
    until = min(counted, default=now) + timedelta(seconds=limit.period_seconds)
    unit = "%" if limit.type is RateType.PERCENT else "members"
    detail = (
        f"{wanted} members are wanted; {limit.value} {unit} in {limit.period_seconds} s allow {capacity}."
    )
    return Held(capacity=capacity, step=_held(Rule.RATE, detail, current, capacity, until))


def _reach(limit: RateLimit, window: Window, now: datetime, current: int, *, out: bool) -> int:
    """Return how far one limit lets the group go, from the size it had at the start of the period."""
    start = current - sum(change.by for change in _counted(limit, window, now, out=out))
    if limit.type is RateType.MEMBERS:
        return start + limit.value if out else start - limit.value
    part = Fraction(start * limit.value, 100)
    if out:
        return max(math.ceil(start + part), start + min(1, limit.value))
    return math.floor(start - part)


def _counted(limit: RateLimit, window: Window, now: datetime, *, out: bool) -> Iterable[Change]:
    """Return the changes in one direction within the limit's period."""
    return (c for c in window.changes if (c.by > 0) is out and _within(c.at, now, limit.period_seconds))


def _recent(window: Window, behavior: Behavior, now: datetime) -> Iterable[int]:
    return (a.capacity for a in window.advice if _within(a.at, now, behavior.stabilization_seconds))


def _within(at: datetime, now: datetime, seconds: int) -> bool:
    return at > now - timedelta(seconds=seconds)


def _telling(advice: list[Advice]) -> tuple[Advice, ...]:
    """Return the advice without what can be neither the largest nor the smallest of any window.

    A window ends now; so one that is followed by a larger (or as large) and by a smaller (or as small) one
    never decides. A steady metric keeps two, whatever the window's length.
    """
    kept: list[Advice] = []
    high, low = -math.inf, math.inf
    for each in reversed(advice):
        if each.capacity > high or each.capacity < low:
            kept.append(each)
        high, low = max(high, each.capacity), min(low, each.capacity)
    return tuple(reversed(kept))


def _pruned(rule: TargetTracking, window: Window, now: datetime) -> Window:
    """Return the window without the changes that no limit looks at any more, and bounded."""
    longest = max((limit.period_seconds for b in (rule.out, rule.into) for limit in b.limits), default=0)
    recent = [change for change in window.changes if _within(change.at, now, longest)]
    out, into = ([c for c in recent if c.by > 0], [c for c in recent if c.by < 0])
    changes = sorted([*_bounded(out), *_bounded(into)], key=lambda change: change.at)
    return replace(window, changes=tuple(changes))


def _bounded(changes: list[Change]) -> list[Change]:
    """Return the changes of one direction, the oldest as one where they are too many."""
    many, few = changes[: 1 - CHANGES_MAX], changes[1 - CHANGES_MAX :]
    return [Change(at=many[-1].at, by=sum(c.by for c in many)), *few] if many else few


def _held(rule: Rule, detail: str, current: int, capacity: int, until: datetime | None) -> Step:
    verdict = Verdict.HOLD if capacity == current else Verdict.CLAMPED
    return Step(rule=rule, verdict=verdict, detail=detail, until=until)
