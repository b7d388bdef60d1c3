from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.alarm import Comparison
from chalicelib.core.capacity import Adjustment, Bounds, raw_capacity
from chalicelib.core.execution import Verdict
from chalicelib.core.flapping import (
    OutCondition,
    Pair,
    flap_proof,
    out_condition_of,
    safe_scale_in,
)
from tests.core.factories import by, by_percent, to
from tests.core.test_worked_examples import tracking

thorough = settings(max_examples=200, derandomize=True, deadline=None)


def above(threshold: float) -> OutCondition:
    return OutCondition(comparison=Comparison.GT, threshold=threshold)


@pytest.mark.parametrize(
    ("value", "candidate", "verdict", "detail"),
    [
        (50, 2, Verdict.PASS, "At 50 for each of 3 members, 2 would be at 75: no flapping."),
        (
            60,
            1,
            Verdict.HOLD,
            "At 60 for each of 3 members, 2 would be at 90, which scales out again: no scale-in.",
        ),
        (
            50,
            1,
            Verdict.CLAMPED,
            "At 50 for each of 3 members, 1 would be at 150, which scales out again; 2 would be at 75.",
        ),
    ],
)
def test_why_a_scale_in_is_safe_or_not(value: float, candidate: int, verdict: Verdict, detail: str) -> None:
    _, step = safe_scale_in(value, 3, candidate, [above(80)])
    assert (step.verdict, step.detail) == (verdict, detail)


def test_the_last_member_goes_only_without_any_load() -> None:
    assert safe_scale_in(0, 1, 0, [above(80)])[0] == 0
    assert safe_scale_in(0.1, 1, 0, [above(80)])[0] == 1
    assert safe_scale_in(0.1, 3, 0, [above(80)])[0] == 1


def test_every_out_condition_counts_and_none_that_fires_on_small_values() -> None:
    low = OutCondition(comparison=Comparison.LT, threshold=1000)
    assert safe_scale_in(50, 3, 2, [above(80), above(70)])[0] == 3
    assert safe_scale_in(50, 3, 2, [low])[0] == 2
    assert safe_scale_in(50, 3, 2, [])[0] == 2


def test_at_the_threshold_it_depends_on_the_comparison() -> None:
    at_least = OutCondition(comparison=Comparison.GE, threshold=75)
    assert safe_scale_in(50, 3, 2, [above(75)])[0] == 2
    assert safe_scale_in(50, 3, 2, [at_least])[0] == 3


def test_target_tracking_grows_beyond_its_tolerance() -> None:
    condition = out_condition_of(tracking(60, tolerance_out=0.1))
    assert (condition.comparison, condition.threshold) == (Comparison.GT, 66)


@thorough
@given(st.integers(0, 1000), st.integers(1, 40), st.data(), st.integers(0, 1000))
def test_the_smallest_safe_size_is_taken(
    value: int, current: int, data: st.DataObject, threshold: int
) -> None:
    candidate = data.draw(st.integers(0, current - 1))
    allowed, step = safe_scale_in(value, current, candidate, [above(threshold)])
    load = value * current
    safe = [n for n in range(candidate, current) if load <= threshold * n and (n > 0 or load == 0)]
    assert allowed == min(safe, default=current)
    assert (step.verdict is Verdict.HOLD) == (allowed == current)


def flaps(pair: Pair, bounds: Bounds, values: int = 100) -> bool:
    """Try all sizes, and many values at each: does one policy's change set the other one off?"""
    for size in range(max(1, bounds.min_size), bounds.max_size + 1):
        for number in range(values):
            value = Fraction(number)
            smaller = max(1, bounds.clamp(raw_capacity(pair.shrink, size)))
            larger = bounds.clamp(raw_capacity(pair.grow, size))
            if value < pair.low and smaller < size and value * size / smaller > pair.high:
                return True
            if value > pair.high and larger > size and value * size / larger < pair.low:
                return True
    return False


CHANGES: list[tuple[Adjustment, Adjustment]] = [
    *((by(out), by(-into)) for out, into in itertools.product((1, 2, 5), (1, 3))),
    (by_percent(25), by_percent(-25)),
    (by_percent(100, min_step=2), by_percent(-30)),
    (by(1), to(2)),
]


@pytest.mark.parametrize("bounds", [(1, 4), (2, 6), (5, 12), (0, 3), (3, 3)], ids=str)
@pytest.mark.parametrize("change", CHANGES, ids=lambda pair: f"{pair[0]} {pair[1]}")
def test_the_proof_agrees_with_trying_everything(
    change: tuple[Adjustment, Adjustment], bounds: tuple[int, int]
) -> None:
    within = Bounds(min_size=bounds[0], max_size=bounds[1])
    grow, shrink = change
    for low, high in itertools.product((5, 20, 40), (10, 45, 80)):
        pair = Pair(high=high, grow=grow, low=low, shrink=shrink)
        flap = flap_proof(pair, within)
        if flap is None:
            assert not flaps(pair, within)
            continue
        back = flap.value * flap.size / flap.next_size
        assert flap.next_value == pytest.approx(back)
        if flap.next_size < flap.size:
            assert flap.value < low
            assert flap.next_value > high
        else:
            assert flap.value > high
            assert flap.next_value < low


@thorough
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_what_would_help_does(low: int, high: int, out: int, into: int, least: int) -> None:
    bounds = Bounds(min_size=least, max_size=40)
    pair = Pair(high=high, grow=by(out), low=low, shrink=by(-into))
    flap = flap_proof(pair, bounds)
    if flap is None:
        return
    assert flap_proof(Pair(high=flap.high, grow=pair.grow, low=low, shrink=pair.shrink), bounds) is None
    assert flap_proof(Pair(high=high, grow=pair.grow, low=flap.low, shrink=pair.shrink), bounds) is None
    if flap.min_size is not None:
        assert flap_proof(pair, Bounds(min_size=flap.min_size, max_size=40)) is None
        assert flap_proof(pair, Bounds(min_size=flap.min_size - 1, max_size=40)) is not None


@pytest.mark.parametrize(
    ("low", "high", "min_size", "safe"),
    [(30, 70, 1, True), (40, 80, 1, True), (40, 60, 1, False), (40, 60, 2, True)],
)
def test_the_examples_of_the_proof(low: float, high: float, min_size: int, safe: bool) -> None:
    pair = Pair(high=high, grow=by(1), low=low, shrink=by(-1))
    assert (flap_proof(pair, Bounds(min_size=min_size, max_size=10)) is None) is safe


def test_an_example_reads_as_a_sentence() -> None:
    flap = flap_proof(Pair(high=60, grow=by(1), low=40, shrink=by(-1)), Bounds(min_size=1, max_size=10))
    assert str(flap) == (
        "At 2 members with 35 the group would go to 1 with 70, which scales out again. It is safe with the "
        "upper threshold at 80 or more, the lower at 30 or less, min_size to at least 2. (This holds for a "
        "metric that is each member's share of a load.)"
    )
