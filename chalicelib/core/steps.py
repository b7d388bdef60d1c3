"""Step scaling: how far a metric is beyond its threshold decides how much is added or taken away."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from chalicelib.core.capacity import AdjustmentType


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One step: from ``lower`` to ``upper``, both relative to the alarm's threshold; None is without end."""

    lower: float | None
    upper: float | None
    amount: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScaling:
    """A change whose size depends on the size of the breach.

    Attributes:
        type: how the amounts are meant.
        steps: in the order of their bounds, without overlap and without gap.
        min_step: for PERCENT only, the least number of members to change by.
        warmup_seconds: how long a new member counts as on its way, so that it is not asked for again.
    """

    type: AdjustmentType
    steps: tuple[Interval, ...]
    min_step: int = 1
    warmup_seconds: int = 0
