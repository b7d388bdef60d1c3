"""Aggregates: what is kept of many values, so that merging two is adding, and percentiles stay known.

The sketch is DDSketch's: a value falls into the bin of its logarithm, and a bin is a count. Bins are so
narrow that the middle of one is within ``RELATIVE_ERROR`` of every value in it.

Source:
    Masson, Rim, Lee: DDSketch, a fast and fully-mergeable quantile sketch with relative-error guarantees
    (PVLDB 12, 2019), sections 2.1 to 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.core.sample import Measure

RELATIVE_ERROR = 0.01
BINS_MAX = 1024
"""For each sign; 1024 neighbouring bins reach from 1 to 780 million."""

_BASE = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_BASE = math.log(_BASE)
_MIDDLE = 2 / (_BASE + 1)
_SMALLEST = 1e-300
"""What is nearer to zero counts as zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What is kept of at least one value.

    Attributes:
        positive: how many values fell into each bin.
        negative: the same for values below zero, by their absolute value.
        zeros: how many were zero.
    """

    count: int
    sum: float
    minimum: float
    maximum: float
    positive: Mapping[int, int]
    negative: Mapping[int, int]
    zeros: int

    @property
    def average(self) -> float:
        """The mean of the values."""
        return self.sum / self.count

    def quantile(self, quantile: float) -> float:
        """Return about the value below or at which the part ``quantile`` (0 to 1) of the values lies.

        With n values it is within 1 % (relative) of the one of rank ``floor(quantile * (n - 1))``, counted
        from 0 for the smallest, and never outside of [minimum, maximum]. The bound holds for the values
        that lie in the ``BINS_MAX`` bins farthest from zero, on either side.
        """
        below = math.floor(
            quantile * (sum(self.negative.values()) + self.zeros + sum(self.positive.values()) - 1)
        )
        value = self.maximum
        for middle, count in self._from_the_smallest():
            below -= count
            if below < 0:
                value = middle
                break
        return min(max(value, self.minimum), self.maximum)

    def _from_the_smallest(self) -> Iterable[tuple[float, int]]:
        for index in sorted(self.negative, reverse=True):
            yield -_middle(index), self.negative[index]
        yield 0.0, self.zeros
        for index in sorted(self.positive):
            yield _middle(index), self.positive[index]


def aggregate(measures: Iterable[Measure]) -> Aggregate:
    """Return the aggregate of at least one measure; one without a spread counts with its mean."""
    measures = tuple(measures)
    positive: dict[int, int] = {}
    negative: dict[int, int] = {}
    zeros = 0
    for measure in measures:
        for value, count in measure.spread or ((measure.sum / measure.count, measure.count),):
            if abs(value) < _SMALLEST:
                zeros += count
            else:
                bins = positive if value > 0 else negative
                index = math.ceil(math.log(abs(value)) / _LOG_BASE)
                bins[index] = bins.get(index, 0) + count
    return Aggregate(
        count=sum(measure.count for measure in measures),
        sum=math.fsum(measure.sum for measure in measures),
        minimum=min(measure.minimum for measure in measures),
        maximum=max(measure.maximum for measure in measures),
        positive=_bounded(positive),
        negative=_bounded(negative),
        zeros=zeros,
    )


def merged(aggregates: Iterable[Aggregate]) -> Aggregate:
    """Return the aggregate of all that at least one aggregate stands for."""
    first, *rest = aggregates
    if not rest:
        return first
    every = (first, *rest)
    return Aggregate(
        count=sum(each.count for each in every),
        sum=math.fsum(each.sum for each in every),
        minimum=min(each.minimum for each in every),
        maximum=max(each.maximum for each in every),
        positive=_added(each.positive for each in every),
        negative=_added(each.negative for each in every),
        zeros=sum(each.zeros for each in every),
    )


def _middle(index: int) -> float:
    """Return the value that is equally far, relatively, from both ends of a bin."""
    return _MIDDLE * math.exp(index * _LOG_BASE)


def _added(sketches: Iterable[Mapping[int, int]]) -> Mapping[int, int]:
    total: dict[int, int] = {}
    for bins in sketches:
        for index, count in bins.items():
            total[index] = total.get(index, 0) + count
    return _bounded(total)


def _bounded(bins: dict[int, int]) -> Mapping[int, int]:
    """Return the bins, of too many those nearest to zero made into one."""
    if len(bins) <= BINS_MAX:
        return bins
    by_size = sorted(bins)
    nearest, kept = by_size[: 1 - BINS_MAX], by_size[1 - BINS_MAX :]
    return {nearest[-1]: sum(bins[index] for index in nearest)} | {index: bins[index] for index in kept}
