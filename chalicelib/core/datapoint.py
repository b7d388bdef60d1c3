"""A datapoint: what a statistic makes of the samples of one period."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Datapoint:
    """The value of one period; a period without samples has none (None, never zero).

    Attributes:
        value: in the unit of the metric, finite.
        samples: how many samples it is made of, at least one.
    """

    value: float
    samples: int
