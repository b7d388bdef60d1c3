"""Target tracking: keep a metric at its target, as the Kubernetes horizontal autoscaler does.

Source:
    kubernetes/kubernetes, pkg/controller/podautoscaler/replica_calculator.go; KEP-4951 for a tolerance per
    direction. In three places this departs from it:

    - A ratio above 1 never shrinks a group, whatever is ready. There, a value of twice its target shrinks
      three pods to two when only one is ready.
    - Utilisation is not truncated to whole percents before it is divided by the target: none of the published
      cases needs it, and it would lose up to a percent of the tolerance.
    - Numbers are exact to twelve digits, so that 5.000000000000001 members are 5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.pace import Behavior
from chalicelib.core.series import Statistic

CAPACITY_MOST = 1_000_000
"""No more is ever recommended; a group's bounds are far below."""

_TARGET_LEAST = 1e-9
_VALUE_MOST = 1e30
_SHORT_PERIODS = (10, 20, 30)
_MINUTE, _HOUR = 60, 3600


class MetricKind(StrEnum):
    """What the metric's value is about."""

    AVERAGE = "average"  # each member reports its own; the mean over members is held at the target (CPU)
    TOTAL = "total"  # one value for the whole group; its share per member is held (a queue's length)
    VALUE = "value"  # one value that is itself held at the target, whatever the size (a latency)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTracking:
    """What is held, and how.

    Attributes:
        target: in the unit of the metric, greater than zero.
        period_seconds: the latest complete period of this length is looked at.
        tolerance_out, tolerance_in: how far the ratio of value and target may be from 1 without a change.
        unready_seconds: how long a new member's samples are not believed when the group would grow.
        missing_value: what a member without samples counts as when the group would shrink, such as 100 for a
            percentage; None is the target. (When it would grow, such a member counts as 0.)
        scale_in: False never shrinks the group.
    """

    metric: str
    target: float
    kind: MetricKind = MetricKind.AVERAGE
    dimensions: tuple[tuple[str, str], ...] = ()
    statistic: str = "average"
    period_seconds: int = 60
    tolerance_out: float = 0.1
    tolerance_in: float = 0.1
    unready_seconds: int = 300
    missing_value: float | None = None
    scale_in: bool = True
    out: Behavior = field(default_factory=lambda: Behavior(stabilization_seconds=0))
    into: Behavior = field(default_factory=lambda: Behavior(stabilization_seconds=300))

    def __post_init__(self) -> None:
        require_target(self.target)
        Statistic(self.statistic)
        period = self.period_seconds
        if period not in _SHORT_PERIODS and not (period % _MINUTE == 0 and _MINUTE <= period <= _HOUR):
            raise Invalid("policy.period", "period is 10, 20, 30, or a multiple of 60 up to 3600 seconds.")


def require_target(target: float) -> None:
    """Refuse a target that nothing can be divided by."""
    if not (math.isfinite(target) and target >= _TARGET_LEAST):
        raise Invalid("policy.target", f"A target is greater than zero, at least {_TARGET_LEAST:g}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is known of a group and its metric in one period.

    Attributes:
        desired: how many members the group wants.
        ready: what each member reports that is believed; for AVERAGE.
        unready: the members that are still being made, or too young to be believed.
        missing: the members that should report and do not.
        value: the one value for the whole group, None where nobody reported; for TOTAL and VALUE.
        in_service: how many members serve; for VALUE.
    """

    desired: int
    ready: Mapping[str, float] = field(default_factory=dict)
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    value: float | None = None
    in_service: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The size that would bring the metric to its target.

    Attributes:
        capacity: None is no opinion: the metric is unknown, so the group may not shrink either.
        value: what was held against the target: the mean, the share per member, or the value.
        steps: how it came about, in words.
    """

    capacity: int | None
    value: float | None
    steps: tuple[Step, ...]


def observed(
    rule: TargetTracking,
    *,
    desired: int,
    in_service_since: Mapping[str, datetime],
    awaited: Iterable[str],
    values: Mapping[str, float],
    now: datetime,
) -> Observation:
    """Return what the members and their values come to; values of strangers are left out.

    Args:
        in_service_since: the members that serve, and since when.
        awaited: the members that are still being made.
        values: by member, the statistic of the period, as far as they reported.
    """
    young = {
        member
        for member, since in in_service_since.items()
        if now - since < timedelta(seconds=rule.unready_seconds)
    }
    old = in_service_since.keys() - young
    return Observation(
        desired=desired,
        ready={member: values[member] for member in sorted(old & values.keys())},
        unready=frozenset(young.union(awaited)),
        missing=frozenset(old - values.keys()),
        in_service=len(in_service_since),
    )


def exact(value: float) -> Fraction:
    """Return the number as written with twelve digits: what sums of floats add beyond is noise.

    Beyond 1e30 all are alike, so that ratios remain numbers that floats can show.
    """
    return Fraction(f"{max(-_VALUE_MOST, min(value, _VALUE_MOST)):.12g}")


def recommended(rule: TargetTracking, seen: Observation) -> Recommendation:
    """Return the size that would bring the metric to its target, before any hold, limit or clamp.

    Unknown is never zero: without a single value there is no opinion. What is not finite is unknown.
    """
    seen = _finite(seen)
    match rule.kind:
        case MetricKind.AVERAGE:
            return _for_average(rule, seen)
        case MetricKind.TOTAL:
            return _for_total(rule, seen)
        case MetricKind.VALUE:
            return _for_value(rule, seen)


def _finite(seen: Observation) -> Observation:
    """Return the observation without values that are no numbers; whose they are, is silent."""
    odd = {member for member, value in seen.ready.items() if not math.isfinite(value)}
    return replace(
        seen,
        ready={member: value for member, value in seen.ready.items() if member not in odd},
        missing=seen.missing | odd,
        value=seen.value if seen.value is not None and math.isfinite(seen.value) else None,
    )


def _for_average(rule: TargetTracking, seen: Observation) -> Recommendation:
    """Hold the mean of the members: who is silent or too young counts for whatever changes least."""
    if not seen.ready:
        who = f"{len(seen.missing)} are silent, {len(seen.unready)} too new to be believed"
        return _unknown(f"No member's {rule.metric} is known: {who}.")
    target = exact(rule.target)
    values = [exact(value) for value in seen.ready.values()]
    mean = sum(values, Fraction()) / len(values)
    ratio = first = mean / target
    words = f"The mean {rule.metric} of {len(values)} members is {_number(mean)}, the target {rule.target:g}."
    if seen.missing or (seen.unready and ratio > 1):
        fill = _filled(rule, seen, first)
        values += fill
        ratio = sum(values, Fraction()) / len(values) / target
        words += (
            f" With {len(fill)} members that are silent or new, counted as {_number(max(fill, default=0))},"
            f" it would be {_number(ratio * target)}."
        )
    if (first < 1 < ratio) or (ratio < 1 < first):
        words += " That is on the other side of the target: no change."
        return _settled(seen.desired, float(mean), words)
    return _from_ratio(rule, seen.desired, ratio, _members(ratio * len(values)), float(mean), words)


def _filled(rule: TargetTracking, seen: Observation, ratio: Fraction) -> list[Fraction]:
    """Return what the members count as whose values are not known: they never hasten a change."""
    if ratio > 1:
        return [Fraction(0)] * (len(seen.missing) + len(seen.unready))
    if ratio == 1:
        return []
    full = rule.target if rule.missing_value is None else rule.missing_value
    return [exact(full)] * len(seen.missing)


def _for_total(rule: TargetTracking, seen: Observation) -> Recommendation:
    """Hold each wanted member's share of the one value."""
    if seen.value is None:
        return _unknown(f"{rule.metric} has no value in this period.")
    total, target = exact(seen.value), exact(rule.target)
    words = f"{rule.metric} is {seen.value:g}, the target for each member {rule.target:g}."
    if seen.desired == 0:
        capacity = _members(total / target)
        return Recommendation(capacity=capacity, value=seen.value, steps=(_step(words),))
    share = total / seen.desired
    return _from_ratio(rule, seen.desired, share / target, _members(total / target), float(share), words)


def _for_value(rule: TargetTracking, seen: Observation) -> Recommendation:
    """Hold the one value itself, by the members that serve."""
    if seen.value is None:
        return _unknown(f"{rule.metric} has no value in this period.")
    words = f"{rule.metric} is {seen.value:g}, the target {rule.target:g}."
    if seen.desired > 0 and seen.in_service == 0:
        words += " No member serves yet, so it says nothing about their number: no change."
        return _settled(seen.desired, seen.value, words)
    ratio = exact(seen.value) / exact(rule.target)
    capacity = _members(ratio * (seen.in_service if seen.desired else 1))
    return _from_ratio(rule, seen.desired, ratio, capacity, seen.value, words)


def _from_ratio(
    rule: TargetTracking, desired: int, ratio: Fraction, capacity: int, value: float, words: str
) -> Recommendation:
    """Return the recommendation unless the ratio is within tolerance, or the size goes the other way."""
    lowest, highest = 1 - exact(rule.tolerance_in), 1 + exact(rule.tolerance_out)
    measured = _step(words)
    if lowest <= ratio <= highest:
        within = f"The ratio {_number(ratio)} is within {_number(lowest)} and {_number(highest)}: no change."
        tolerated = Step(rule=Rule.TOLERANCE, verdict=Verdict.HOLD, detail=within)
        return Recommendation(capacity=desired, value=value, steps=(measured, tolerated))
    if (ratio > 1 and capacity < desired) or (ratio < 1 and capacity > desired):
        return _settled(
            desired,
            value,
            f"{words} {capacity} members would go against the ratio {_number(ratio)}: no change.",
        )
    beyond = f"The ratio {_number(ratio)} is beyond {_number(lowest)} and {_number(highest)}."
    wanted = Step(rule=Rule.TOLERANCE, verdict=Verdict.PASS, detail=f"{beyond} {capacity} members would do.")
    return Recommendation(capacity=capacity, value=value, steps=(measured, wanted))


def _members(number: Fraction) -> int:
    """Return the whole members that do for so many, within what is ever recommended."""
    return max(0, min(math.ceil(number), CAPACITY_MOST))


def _settled(desired: int, value: float, words: str) -> Recommendation:
    hold = Step(rule=Rule.METRIC, verdict=Verdict.HOLD, detail=words)
    return Recommendation(capacity=desired, value=value, steps=(hold,))


def _unknown(words: str) -> Recommendation:
    hold = Step(rule=Rule.METRIC, verdict=Verdict.HOLD, detail=f"{words} Unknown is not zero: no scale-in.")
    return Recommendation(capacity=None, value=None, steps=(hold,))


def _step(words: str) -> Step:
    return Step(rule=Rule.METRIC, verdict=Verdict.PASS, detail=words)


def _number(value: Fraction | float) -> str:
    return f"{float(value):.4g}"
