"""Desired capacity after a change: by n, by percent (and which way it rounds), to n; clamped to bounds.

Arithmetic starts from the desired capacity, not from what is active: two fast requests then add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from chalicelib.core.errors import Invalid


class AdjustmentType(StrEnum):
    """How a policy's number is meant."""

    CHANGE = "change_in_capacity"
    PERCENT = "percent_change_in_capacity"
    EXACT = "exact_capacity"


class Direction(StrEnum):
    """Which way a group changes: out is more members, in is fewer."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The smallest and the largest number of members a group may want."""

    min_size: int
    max_size: int

    def __post_init__(self) -> None:
        if not 0 <= self.min_size <= self.max_size:
            raise Invalid(
                "group.bounds",
                f"min_size {self.min_size} and max_size {self.max_size} do not fit: "
                "0 <= min_size <= max_size is needed.",
            )

    def clamp(self, capacity: int) -> int:
        """Return the capacity within the bounds that is nearest to ``capacity``."""
        return max(self.min_size, min(self.max_size, capacity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What a policy asks for.

    Attributes:
        type: how ``amount`` is meant.
        amount: members for CHANGE and EXACT (a whole number), percent of the desired capacity for PERCENT.
        min_step: for PERCENT only, the least number of members to change by.
    """

    type: AdjustmentType
    amount: Fraction
    min_step: int = 1

    def __post_init__(self) -> None:
        if self.type is not AdjustmentType.PERCENT and self.amount.denominator != 1:
            raise Invalid("policy.adjustment", f"{self.type} takes a whole number of members.")
        if self.type is AdjustmentType.EXACT and self.amount < 0:
            raise Invalid("policy.adjustment", "exact_capacity cannot be negative.")
        if self.min_step < 1:
            raise Invalid("policy.min_adjustment_step", "min_adjustment_step is at least 1.")

    def __str__(self) -> str:
        """Return the adjustment as an explanation names it, like ``change_in_capacity +2``."""
        match self.type:
            case AdjustmentType.EXACT:
                return f"{self.type} {float(self.amount):g}"
            case AdjustmentType.CHANGE:
                return f"{self.type} {float(self.amount):+g}"
            case AdjustmentType.PERCENT:
                return f"{self.type} {float(self.amount):+g} % (at least {self.min_step})"


def raw_capacity(adjustment: Adjustment, desired: int) -> int:
    """Return the capacity that ``adjustment`` makes of ``desired``, before any clamping.

    Percent rounds a change smaller than one member away from zero and truncates a larger one toward
    zero, as Heat and AWS do; the least step then applies. The sign is the request's own, so a group at
    zero grows by the least step (in Heat it never could).
    """
    match adjustment.type:
        case AdjustmentType.EXACT:
            return int(adjustment.amount)
        case AdjustmentType.CHANGE:
            return desired + int(adjustment.amount)
        case AdjustmentType.PERCENT:
            if adjustment.amount == 0:
                return desired
            whole = int(abs(desired * adjustment.amount) / 100)
            step = max(whole, adjustment.min_step)
            return desired + (step if adjustment.amount > 0 else -step)


def direction_of(before: int, after: int) -> Direction | None:
    """Return which way the group changes, or None when it does not."""
    if after == before:
        return None
    return Direction.OUT if after > before else Direction.IN
