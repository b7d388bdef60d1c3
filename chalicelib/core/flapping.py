"""Flapping: would the group, made smaller, at once ask to grow again?

Both answers hold for a metric that each member reports of its share of a load which does not depend on the
number of members, such as CPU. A queue's length or a latency is not such a metric, nor is a load that moves
while members boot.

Source:
    Azure Monitor, "Flapping in autoscale", for the estimate before a scale-in. (Its own example ends at 27
    of 30 members, which its estimate of 72.2 % over a limit of 70 % forbids; 28 is right.) The proof is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import ceil

from chalicelib.core.alarm import Comparison
from chalicelib.core.capacity import Adjustment, AdjustmentType, Bounds, raw_capacity
from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.tracking import TargetTracking, exact


@dataclass(frozen=True, slots=True, kw_only=True)
class OutCondition:
    """What makes the group grow: each member's value beyond a threshold.

    Attributes:
        comparison: GT or GE; one that grows the group on small values cannot fire because of a scale-in.
    """

    comparison: Comparison
    threshold: float

    def fires(self, value: Fraction) -> bool:
        """Return whether a value sets it off."""
        threshold = exact(self.threshold)
        beyond = self.comparison is Comparison.GT and value > threshold
        return beyond or (self.comparison is Comparison.GE and value >= threshold)


def out_condition_of(rule: TargetTracking) -> OutCondition:
    """Return what makes target tracking grow its group: a value beyond its tolerance."""
    threshold = exact(rule.target) * (1 + exact(rule.tolerance_out))
    return OutCondition(comparison=Comparison.GT, threshold=float(threshold))


def safe_scale_in(
    value: float, current: int, candidate: int, conditions: Sequence[OutCondition]
) -> tuple[int, Step]:
    """Return the smallest size from ``candidate`` on at which no out condition would fire, and why.

    Args:
        value: the metric's mean over the ``current`` members.
        candidate: the size that is wanted, less than ``current``.
    """
    load = exact(value) * current
    for size in range(candidate, current):
        if not _fires(conditions, load, size):
            return size, _safe(load, current, candidate, size)
    estimate = _estimate(load, max(1, current - 1))
    detail = (
        f"At {value:g} for each of {current} members, {current - 1} would be at {estimate:.4g}, "
        f"which scales out again: no scale-in."
    )
    return current, Step(rule=Rule.FLAPPING, verdict=Verdict.HOLD, detail=detail)


def _safe(load: Fraction, current: int, candidate: int, size: int) -> Step:
    value = f"{float(load / current):.4g}"
    estimate = _estimate(load, size)
    if size == candidate:
        detail = f"At {value} for each of {current} members, {size} would be at {estimate:.4g}: no flapping."
        return Step(rule=Rule.FLAPPING, verdict=Verdict.PASS, detail=detail)
    wanted = _estimate(load, candidate)
    detail = (
        f"At {value} for each of {current} members, {candidate} would be at {wanted:.4g}, which scales out "
        f"again; {size} would be at {estimate:.4g}."
    )
    return Step(rule=Rule.FLAPPING, verdict=Verdict.CLAMPED, detail=detail)


def _fires(conditions: Iterable[OutCondition], load: Fraction, size: int) -> bool:
    """Return whether any condition would fire; a load that nobody carries is more than any threshold."""
    if size == 0:
        return load > 0
    return any(condition.fires(load / size) for condition in conditions)


def _estimate(load: Fraction, size: int) -> float:
    if size == 0:
        return float("inf") if load > 0 else 0.0
    return float(load / size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two policies and their thresholds on one metric: ``grow`` above ``high``, ``shrink`` below ``low``."""

    high: float
    grow: Adjustment
    low: float
    shrink: Adjustment


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap:
    """A load at which a pair of policies undoes what it did.

    Attributes:
        size, value: the size and each member's value that set the first policy off.
        next_size, next_value: the size it leads to, and what sets the other one off there.
        high, low: the least ``high``, or the greatest ``low``, at which the pair is safe, to four digits.
        min_size: the least ``min_size`` at which it is, None where none within the bounds is.
    """

    size: int
    value: float
    next_size: int
    next_value: float
    high: float
    low: float
    min_size: int | None

    def __str__(self) -> str:
        """Return the example and what would help, as sentences."""
        back = "out" if self.next_size < self.size else "in"
        more = "" if self.min_size is None else f", min_size to at least {self.min_size}"
        return (
            f"At {self.size} members with {self.value:.4g} the group would go to {self.next_size} with "
            f"{self.next_value:.4g}, which scales {back} again. It is safe with the upper threshold at "
            f"{self.high:.4g} or more, the lower at {self.low:.4g} or less{more}. (This holds for a metric "
            f"that is each member's share of a load.)"
        )


def flap_proof(pair: Pair, bounds: Bounds) -> Flap | None:
    """Return an example of how the pair flaps between ``bounds``, or None: it is proven not to.

    Shrinking from n to m is safe iff ``low * n / m <= high``, growing from n to m iff
    ``low * m / n <= high``. With a fixed number of members the worst case is at the smallest size;
    percentages round, so each size is looked at. The last member is never thought away: none carries no load.
    """
    low, high = exact(pair.low), exact(pair.high)
    moves = _moves(pair, bounds)
    if not moves:
        return None
    factor, size, becomes = max(moves)
    if low * factor <= high:
        return None
    value = _between(low, high, size, becomes)
    return Flap(
        size=size,
        value=float(value),
        next_size=becomes,
        next_value=float(value * size / becomes),
        high=_to_four_digits(low * factor, ROUND_CEILING),
        low=_to_four_digits(high / factor, ROUND_FLOOR),
        min_size=_safe_min_size(pair, bounds),
    )


def _to_four_digits(value: Fraction, rounding: str) -> float:
    """Return the number with four digits, rounded to the side that was asked for: what is told must hold."""
    told = Context(prec=4, rounding=rounding).divide(Decimal(value.numerator), Decimal(value.denominator))
    return float(told)


def _between(low: Fraction, high: Fraction, size: int, becomes: int) -> Fraction:
    """Return a value at which ``size`` moves to ``becomes`` and back: midway of all such values."""
    other_end = (high if becomes < size else low) * becomes / size
    return ((low if becomes < size else high) + other_end) / 2


def _moves(pair: Pair, bounds: Bounds) -> list[tuple[Fraction, int, int]]:
    """Return by how much each move changes each member's value, up or down, the size, and the next one."""
    found = []
    for size in _sizes_to_look_at(pair, bounds):
        smaller = max(1, bounds.clamp(raw_capacity(pair.shrink, size)))
        larger = bounds.clamp(raw_capacity(pair.grow, size))
        found += [(Fraction(size, smaller), size, smaller)] if smaller < size else []
        found += [(Fraction(larger, size), size, larger)] if larger > size else []
    return found


def _sizes_to_look_at(pair: Pair, bounds: Bounds) -> Iterable[int]:
    least = max(1, bounds.min_size)
    kinds = {pair.shrink.type, pair.grow.type}
    if kinds != {AdjustmentType.CHANGE}:
        return range(least, bounds.max_size + 1)
    from_above = least + max(0, -int(pair.shrink.amount))
    return sorted({least, min(from_above, bounds.max_size)})


def _safe_min_size(pair: Pair, bounds: Bounds) -> int | None:
    """Return the least min_size at which the pair is safe, for policies that change by a fixed number.

    At n = min_size the factor is ``min(n + k, max) / n``; so safe is every n that is at least
    ``k * low / (high - low)``, or at least ``max * low / high``.
    """
    low, high = exact(pair.low), exact(pair.high)
    fixed = pair.shrink.type is pair.grow.type is AdjustmentType.CHANGE
    if not fixed or low >= high:
        return None
    step = max(-pair.shrink.amount, pair.grow.amount)
    least = min(ceil(step * low / (high - low)), ceil(bounds.max_size * low / high))
    return least if bounds.min_size < least <= bounds.max_size else None
