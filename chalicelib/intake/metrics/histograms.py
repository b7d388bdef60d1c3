"""Histograms into measures: a value for each bucket, in the middle of what it covers.

What a bucket covers is narrowed by the smallest and the largest value, where the sender says them, so that an
outermost bucket is not open on one side. The middle is the geometric one, which halves the largest relative
error, unless the bucket reaches across zero.

Source:
    OpenTelemetry specification, "Metrics Data Model": Histogram, ExponentialHistogram.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise

from chalicelib.core.sample import Measure
from chalicelib.intake.metrics.reading import Rejected

_LARGEST_EXPONENT = 1024
"""Two to the power of it is the first that is no float."""

_SCALE_MAX = 32
"""Senders use -10 (one bucket holds all floats above 1) to 20."""

Bucket = tuple[float, float, int]
"""Above what, up to what, and how many values, at least one; ordered, and open to both sides at the ends."""


def explicit(bounds: Sequence[float], counts: Sequence[int]) -> list[Bucket]:
    """Return the buckets that are not empty, of a histogram with explicit bounds; none if it has no bounds.

    Raises:
        Rejected: the bounds are not in order, or not one fewer than the counts.
    """
    if not bounds and len(counts) <= 1:
        return []
    if len(counts) != len(bounds) + 1:
        raise Rejected("a histogram has one bucket more than it has bounds")
    edges = [-math.inf, *bounds, math.inf]
    if not all(low < high for low, high in pairwise(edges)):
        raise Rejected("the bounds of a histogram are numbers in rising order")
    return [(low, high, count) for (low, high), count in zip(pairwise(edges), counts, strict=True) if count]


def exponential(
    scale: int,
    negative: tuple[int, Sequence[int]],
    zeros: tuple[float, int],
    positive: tuple[int, Sequence[int]],
) -> list[Bucket]:
    """Return the buckets that are not empty, of a base-2 exponential histogram.

    Args:
        negative: the index of the first bucket, and the counts.
        zeros: up to what a value counts as zero, and how many did.
        positive: as ``negative``.

    Raises:
        Rejected: the scale is one that no float needs, or the threshold is below zero.
    """
    if abs(scale) > _SCALE_MAX:
        raise Rejected(f"the scale of a histogram is from -{_SCALE_MAX} to {_SCALE_MAX}")
    below = [(-high, -low, count) for low, high, count in _powers(scale, *negative)]
    threshold, count = zeros
    if not 0 <= threshold < math.inf:
        raise Rejected("the zero threshold of a histogram is a number, not below zero")
    around = [(-threshold, threshold, count)] if count else []
    return [*reversed(below), *around, *_powers(scale, *positive)]


def _powers(scale: int, offset: int, counts: Sequence[int]) -> Iterator[Bucket]:
    for index, count in enumerate(counts, offset):
        if count:
            yield _power(scale, index), _power(scale, index + 1), count


def _power(scale: int, index: int) -> float:
    """Return the base, 2 ** (2 ** -scale), to the power of ``index``; the largest float at most."""
    exponent = math.ldexp(index, -scale)
    return 2.0**exponent if exponent < _LARGEST_EXPONENT else sys.float_info.max


def measure(
    buckets: Sequence[Bucket],
    count: int,
    total: float | None,
    minimum: float | None,
    maximum: float | None,
) -> Measure:
    """Return what the histogram says of ``count`` values, at least one.

    Args:
        total: their sum; None where it is not said, as when values may be negative: then it is estimated.
        minimum: the smallest; None where it is not said: then it is where the buckets begin.
        maximum: as ``minimum``.

    Raises:
        Rejected: it contradicts itself, or says nothing but how many there are.
    """
    if any(said is not None and not math.isfinite(said) for said in (total, minimum, maximum)):
        raise Rejected("the sum, the minimum and the maximum of a histogram are finite")
    if not buckets:
        return _without_buckets(count, total, minimum, maximum)
    if sum(of_bucket for _, _, of_bucket in buckets) != count:
        raise Rejected("the counts of a histogram's buckets add up to its count")
    lowest = _begin(buckets[0]) if minimum is None else minimum
    highest = _end(buckets[-1]) if maximum is None else maximum
    if lowest > highest:
        raise Rejected("the minimum of a histogram is not above its maximum")
    spread = tuple(
        (_middle(_clamped(low, lowest, highest), _clamped(high, lowest, highest)), of_bucket)
        for low, high, of_bucket in buckets
    )
    estimated = sum(value * of_value for value, of_value in spread)
    total = estimated if total is None else total
    if not math.isfinite(total):
        raise Rejected("the values of a histogram are too large to be added")
    return Measure(count=count, sum=total, minimum=lowest, maximum=highest, spread=spread)


def _without_buckets(
    count: int, total: float | None, minimum: float | None, maximum: float | None
) -> Measure:
    if total is None:
        raise Rejected("a histogram without buckets has a sum")
    mean = total / count
    lowest, highest = mean if minimum is None else minimum, mean if maximum is None else maximum
    if lowest > highest:
        raise Rejected("the minimum of a histogram is not above its maximum")
    spread = ((_clamped(mean, lowest, highest), count),)
    return Measure(count=count, sum=total, minimum=lowest, maximum=highest, spread=spread)


def _begin(bucket: Bucket) -> float:
    """Return where a bucket begins: at zero, or its end if that is lower, where it is open."""
    low, high, _ = bucket
    return low if math.isfinite(low) else min(high, 0.0)


def _end(bucket: Bucket) -> float:
    """Return where a bucket ends: at its beginning, or zero if that is higher, where it is open."""
    low, high, _ = bucket
    return high if math.isfinite(high) else max(low, 0.0)


def _clamped(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)


def _middle(low: float, high: float) -> float:
    if low > 0:
        value = math.sqrt(low) * math.sqrt(high)
    elif high < 0:
        value = -math.sqrt(-low) * math.sqrt(-high)
    else:
        value = low / 2 + high / 2
    return _clamped(value, low, high)
