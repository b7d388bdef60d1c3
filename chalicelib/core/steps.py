"""Step scaling: how far a metric is beyond its threshold decides how much is added or taken away.

Source:
    Amazon EC2 Auto Scaling user guide, "Step and simple scaling policies".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from chalicelib.core.capacity import Adjustment, AdjustmentType, raw_capacity
from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Rule, Step, Verdict

STEPS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One step: from ``lower`` to ``upper``, both relative to the alarm's threshold; None is without end."""

    lower: float | None
    upper: float | None
    amount: Fraction

    def __post_init__(self) -> None:
        ends = [end for end in (self.lower, self.upper) if end is not None]
        if not all(math.isfinite(end) for end in ends):
            raise _refused("A bound is a number; null is without end.")
        if not ends:
            raise _refused("A step needs a lower or an upper bound.")
        if ends != sorted(set(ends)):
            raise _refused(f"A step's lower bound {self.lower:g} must be below its upper {self.upper:g}.")

    def __str__(self) -> str:
        """Return the interval as an explanation names it, like ``10 to 20`` or ``20 and more``."""
        if self.lower is None:
            return f"{self.upper:g} and less"
        return f"{self.lower:g} and more" if self.upper is None else f"{self.lower:g} to {self.upper:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScaling:
    """A change whose size depends on the size of the breach.

    Attributes:
        type: how the amounts are meant.
        steps: in the order of their bounds, without overlap and without gap, 20 at most.
        min_step: for PERCENT only, the least number of members to change by.
        warmup_seconds: how long a new member counts as on its way, so that it is not asked for again;
            None: as long as the group's cooldown.

    Raises:
        Invalid: the bounds leave a gap, overlap, or end although the metric may go further.
    """

    type: AdjustmentType
    steps: tuple[Interval, ...]
    min_step: int = 1
    warmup_seconds: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= STEPS_MAX:
            raise _refused(f"A policy has 1 to {STEPS_MAX} steps.")
        for step in self.steps:
            self.adjustment(step)
        for before, after in pairwise(self.steps):
            if before.upper is None or after.lower is None or before.upper != after.lower:
                raise _refused(f"The steps {before} and {after} overlap, or leave a gap between them.")
        first, last = self.steps[0].lower, self.steps[-1].upper
        if first is not None and first < 0:
            raise _refused(
                f"The lowest step begins at {first:g}: below the threshold it needs no lower bound."
            )
        if last is not None and last > 0:
            raise _refused(f"The highest step ends at {last:g}: above the threshold it needs no upper bound.")

    def adjustment(self, step: Interval) -> Adjustment:
        """Return what one of the steps asks for."""
        return Adjustment(type=self.type, amount=step.amount, min_step=self.min_step)


def in_order(steps: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the steps in the order of their bounds."""
    return tuple(sorted(steps, key=lambda step: -math.inf if step.lower is None else step.lower))


def chosen(rule: StepScaling, breach: float) -> Interval | None:
    """Return the step that a breach falls into, or None where no step begins so near to the threshold.

    Above the threshold a step holds its lower bound and not its upper one, below it the other way round:
    the bound that is further away opens the next step. At the threshold itself the step above comes first.
    """
    for step in rule.steps:
        lower = -math.inf if step.lower is None else step.lower
        upper = math.inf if step.upper is None else step.upper
        if lower <= breach < upper if breach >= 0 else lower < breach <= upper:
            return step
    last = rule.steps[-1]
    return last if breach == 0 and last.upper == 0 else None


def asked_capacity(rule: StepScaling, desired: int, warming: int, breach: float) -> int:
    """Return the capacity that a breach asks for, before any clamping.

    Args:
        warming: how many of ``desired`` this policy added that still warm up. They count as on their way: a
            breach in the same step asks for nothing more, one in a larger step for the difference. While any
            warms, nothing is taken away.
    """
    step = chosen(rule, breach)
    if step is None:
        return desired
    asked = raw_capacity(rule.adjustment(step), desired - warming)
    return max(asked, desired) if warming else asked


def asked_in_words(rule: StepScaling, desired: int, warming: int, breach: float) -> tuple[Step, ...]:
    """Return why ``asked_capacity`` gives what it gives."""
    step = chosen(rule, breach)
    if step is None:
        detail = f"The metric is {breach:+g} from the threshold, where no step is: nothing is asked for."
        return (Step(rule=Rule.ADJUSTMENT, verdict=Verdict.PASS, detail=detail),)
    adjustment = rule.adjustment(step)
    asked = asked_capacity(rule, desired, warming, breach)
    where = f"The metric is {breach:+g} from the threshold, in the step {step}"
    if not warming:
        detail = f"{where}: {adjustment} on {desired} asks for {asked}."
        return (Step(rule=Rule.ADJUSTMENT, verdict=Verdict.PASS, detail=detail),)
    base = desired - warming
    full = raw_capacity(adjustment, base)
    if full < base:
        warm = f"{warming} members still warm up: until they are warm, nothing is taken away."
    elif asked == desired:
        warm = f"{warming} members of {desired} still warm up and are as many as this step asks for."
    else:
        warm = (
            f"{warming} members of {desired} still warm up and count: {asked - desired} more are asked for."
        )
    return (
        Step(rule=Rule.WARM_UP, verdict=Verdict.HOLD if asked == desired else Verdict.CLAMPED, detail=warm),
        Step(
            rule=Rule.ADJUSTMENT, verdict=Verdict.PASS, detail=f"{where}: {adjustment} on {base} is {full}."
        ),
    )


def _refused(detail: str) -> Invalid:
    return Invalid("policy.steps", detail)
