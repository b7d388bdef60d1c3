from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.capacity import AdjustmentType
from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Rule, Verdict
from chalicelib.core.steps import (
    Interval,
    StepScaling,
    asked_capacity,
    asked_in_words,
    chosen,
    in_order,
)

thorough = settings(max_examples=200, derandomize=True, deadline=None)


def step(lower: float | None, upper: float | None, amount: int = 1) -> Interval:
    return Interval(lower=lower, upper=upper, amount=Fraction(amount))


def steps(*intervals: Interval, type_: AdjustmentType = AdjustmentType.CHANGE) -> StepScaling:
    return StepScaling(type=type_, steps=intervals)


OUT = steps(step(0, 10, 1), step(10, 20, 2), step(20, None, 4))
BOTH = steps(step(None, -10, -2), step(-10, 0, -1), step(0, 10, 1), step(10, None, 2))
IN = steps(step(None, -10, -2), step(-10, 0, -1))


@pytest.mark.parametrize(
    "intervals",
    [
        [],
        [step(0, 10)],  # a positive end, and nothing beyond
        [step(-10, 0)],  # a negative beginning, and nothing below
        [step(0, 10), step(5, None)],  # overlap
        [step(0, 10), step(11, None)],  # gap
        [step(0, None), step(0, None)],
        [step(None, 0), step(None, 5), step(5, None)],
        [step(0, None), step(10, None)],
        [step(10, None), step(0, 10)],  # out of order
        [*(step(n, n + 1) for n in range(20)), step(20, None)],  # 21
    ],
)
def test_bounds_that_do_not_fit_are_refused(intervals: list[Interval]) -> None:
    with pytest.raises(Invalid) as refused:
        steps(*intervals)
    assert refused.value.code == "autoscaling.policy.steps"


@pytest.mark.parametrize(("lower", "upper"), [(None, None), (5, 5), (6, 5), (math.nan, None), (0, math.inf)])
def test_a_step_that_is_none_is_refused(lower: float | None, upper: float | None) -> None:
    with pytest.raises(Invalid) as refused:
        step(lower, upper)
    assert refused.value.code == "autoscaling.policy.steps"


def test_amounts_are_held_to_their_type() -> None:
    with pytest.raises(Invalid):
        StepScaling(type=AdjustmentType.CHANGE, steps=(Interval(lower=0, upper=None, amount=Fraction(1, 2)),))
    with pytest.raises(Invalid):
        steps(step(0, None, -1), type_=AdjustmentType.EXACT)


@pytest.mark.parametrize(
    "rule",
    [
        OUT,
        BOTH,
        IN,
        steps(step(0, None)),
        steps(step(None, 0)),
        steps(step(5, None)),
        steps(step(None, 10), step(10, None)),  # across the threshold
        steps(*(step(n, n + 1) for n in range(19)), step(19, None)),  # 20
    ],
)
def test_bounds_that_fit(rule: StepScaling) -> None:
    assert in_order(reversed(rule.steps)) == rule.steps


@pytest.mark.parametrize(
    ("rule", "breach", "amount"),
    [
        (OUT, 0, 1),
        (OUT, 9.99, 1),
        (OUT, 10, 2),  # above, the lower bound is within
        (OUT, 20, 4),
        (OUT, 1e12, 4),
        (OUT, -0.01, None),
        (IN, 0, -1),  # an alarm for "at most" fires at the threshold
        (IN, -9.99, -1),
        (IN, -10, -2),  # below, the upper bound is within
        (IN, -1e12, -2),
        (IN, 0.01, None),
        (BOTH, 0, 1),
        (BOTH, -0.01, -1),
        (steps(step(5, None)), 4.9, None),
        (steps(step(5, None)), 5, 1),
        (steps(step(None, -5)), 0, None),
        (steps(step(None, 10), step(10, None, 2)), -3, 1),
    ],
)
def test_the_step_that_a_breach_falls_into(rule: StepScaling, breach: float, amount: int | None) -> None:
    found = chosen(rule, breach)
    assert (None if found is None else found.amount) == amount


@pytest.mark.parametrize(
    ("desired", "warming", "breach", "expected"),
    [
        (10, 0, 5, 11),
        (11, 1, 5, 11),  # the same step: it is on its way
        (11, 1, 12, 12),  # a larger step: the difference
        (11, 1, 25, 14),
        (14, 4, 5, 14),  # a smaller step: nothing is taken back
        (11, 1, -5, 11),  # nothing is taken away while one warms
        (11, 0, -5, 10),
    ],
)
def test_what_warms_up_counts(desired: int, warming: int, breach: float, expected: int) -> None:
    assert asked_capacity(BOTH_LARGE, desired, warming, breach) == expected


BOTH_LARGE = steps(step(None, 0, -1), step(0, 10, 1), step(10, 20, 2), step(20, None, 4))


@thorough
@given(st.integers(0, 100), st.integers(0, 20), st.floats(-1e6, 1e6))
def test_while_anything_warms_the_group_never_shrinks(desired: int, warming: int, breach: float) -> None:
    warming = min(warming, desired)
    asked = asked_capacity(BOTH_LARGE, desired, warming, breach)
    assert asked >= desired or not warming
    assert asked <= asked_capacity(BOTH_LARGE, desired, 0, breach) or warming


@pytest.mark.parametrize(
    ("desired", "warming", "breach", "words"),
    [
        (10, 0, 12, [(Rule.ADJUSTMENT, Verdict.PASS, "in the step 10 to 20: change_in_capacity +2 on 10")]),
        (10, 0, 30, [(Rule.ADJUSTMENT, Verdict.PASS, "in the step 20 and more")]),
        (11, 1, 5, [(Rule.WARM_UP, Verdict.HOLD, "as many as this step asks for"), (None, None, "is 11")]),
        (11, 1, 12, [(Rule.WARM_UP, Verdict.CLAMPED, "1 more are asked for"), (None, None, "on 10 is 12")]),
        (11, 1, -5, [(Rule.WARM_UP, Verdict.HOLD, "nothing is taken away"), (None, None, "0 and less")]),
    ],
)
def test_why_so_many_are_asked_for(
    desired: int, warming: int, breach: float, words: list[tuple[Rule | None, Verdict | None, str]]
) -> None:
    said = asked_in_words(BOTH_LARGE, desired, warming, breach)
    assert len(said) == len(words)
    for each, (rule, verdict, part) in zip(said, words, strict=True):
        assert part in each.detail
        assert rule in (None, each.rule)
        assert verdict in (None, each.verdict)


def test_where_no_step_is_nothing_is_asked_for() -> None:
    assert asked_capacity(OUT, 7, 0, -3) == 7
    (said,) = asked_in_words(OUT, 7, 0, -3)
    assert said.detail == "The metric is -3 from the threshold, where no step is: nothing is asked for."
