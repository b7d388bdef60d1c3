from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.capacity import (
    Adjustment,
    AdjustmentType,
    Bounds,
    Direction,
    direction_of,
    raw_capacity,
)
from chalicelib.core.errors import Invalid
from tests.core.factories import by, by_percent, to

thorough = settings(max_examples=200, derandomize=True, deadline=None)

WIDE = Bounds(min_size=0, max_size=1000)

HEAT_AND_AWS = [  # as Heat's own formula computes them, between 0 and 1000
    (5, "10", 1, 6),
    (5, "25", 1, 6),
    (5, "50", 1, 7),
    (7, "20", 1, 8),
    (10, "15", 1, 11),
    (10, "127", 1, 22),
    (10, "-7", 1, 9),
    (10, "-15", 1, 9),
    (10, "-67", 1, 4),
    (15, "-66.7", 1, 5),
    (3, "-50", 1, 2),
    (1, "-10", 1, 0),
    (4, "25", 2, 6),
    (8, "1", 3, 11),
    (8, "-1", 3, 5),
]


@pytest.mark.parametrize(("desired", "percent", "min_step", "expected"), HEAT_AND_AWS)
def test_percent_rounds_as_heat_and_aws_do(desired: int, percent: str, min_step: int, expected: int) -> None:
    assert WIDE.clamp(raw_capacity(by_percent(percent, min_step), desired)) == expected


@pytest.mark.parametrize(("min_step", "expected"), [(1, 1), (2, 2)])
def test_a_group_at_zero_grows_by_the_least_step(min_step: int, expected: int) -> None:
    """Heat stays at 0 in both cases: it takes the sign from the change, which is 0, not from the request."""
    assert raw_capacity(by_percent(50, min_step), 0) == expected


@pytest.mark.parametrize(
    ("desired", "percent", "change"),
    [
        (10, "127", +12),  # 12.7
        (1, "67", +1),  # 0.67
        (1, "-58", -1),  # -0.58
        (10, "-66.7", -6),  # -6.67
    ],
)
def test_the_examples_of_the_aws_guide(desired: int, percent: str, change: int) -> None:
    assert raw_capacity(by_percent(percent), desired) == desired + change


@pytest.mark.parametrize(
    ("adjustment", "desired", "expected"),
    [
        (by_percent(25, min_step=2), 4, 6),
        (by(5), 3, 8),
        (to(5), 3, 5),
        (by(-2), 3, 1),
        (by(-5), 3, -2),  # clamping is the next step, not this one
        (by(0), 3, 3),
        (to(0), 3, 0),
        (by_percent(0, min_step=4), 3, 3),  # nothing asked, nothing changed, whatever the least step
        (by_percent(100), 3, 6),
        (by_percent(-100), 3, 0),
        (by_percent("33.4"), 3, 4),
        (by_percent("66.7"), 3, 5),
        (by_percent(300), 1, 4),
    ],
)
def test_what_an_adjustment_makes_of_a_capacity(adjustment: Adjustment, desired: int, expected: int) -> None:
    assert raw_capacity(adjustment, desired) == expected


def test_percent_is_exact_where_floating_point_is_not() -> None:
    """64.6 % of 1000 is 645.9999999999999 in floating point, which would truncate to 645."""
    assert raw_capacity(by_percent("64.6"), 1000) == 1646
    assert raw_capacity(by_percent(29), 100) == 129


percents = st.decimals(-500, 500, places=2, allow_nan=False).map(str)
sizes = st.integers(0, 2000)
steps = st.integers(1, 20)


@thorough
@given(sizes, percents, steps)
def test_percent_goes_the_way_that_was_asked_at_least_by_the_least_step(
    desired: int, percent: str, min_step: int
) -> None:
    change = raw_capacity(by_percent(percent, min_step), desired) - desired
    asked = Fraction(percent)
    if asked == 0:
        assert change == 0
        return
    assert (change > 0) == (asked > 0)
    assert abs(change) >= min_step
    exact = abs(asked) * desired / 100
    assert abs(change) == min_step or exact - 1 < abs(change) <= exact


@thorough
@given(sizes, percents, steps)
def test_percent_out_and_in_are_mirror_images(desired: int, percent: str, min_step: int) -> None:
    there = raw_capacity(by_percent(percent, min_step), desired) - desired
    back = raw_capacity(by_percent(str(-Fraction(percent)), min_step), desired) - desired
    assert there == -back


@pytest.mark.parametrize(
    ("capacity", "expected"), [(-3, 2), (0, 2), (2, 2), (3, 3), (10, 10), (11, 10), (99, 10)]
)
def test_a_capacity_is_clamped_to_the_nearest_bound(capacity: int, expected: int) -> None:
    assert Bounds(min_size=2, max_size=10).clamp(capacity) == expected


@pytest.mark.parametrize(
    ("desired", "adjustment", "expected"),
    [
        (9, by_percent(50), 10),  # a partial clamp uses the headroom
        (10, by(1), 10),
        (12, by(-1), 10),  # outside its bounds already: back to the bound, not to 11
        (1, by(-1), 1),
    ],
)
def test_clamping_as_heat_does(desired: int, adjustment: Adjustment, expected: int) -> None:
    assert Bounds(min_size=1, max_size=10).clamp(raw_capacity(adjustment, desired)) == expected


@pytest.mark.parametrize(("low", "high"), [(-1, 3), (4, 3), (-2, -1)])
def test_bounds_that_do_not_fit_are_refused(low: int, high: int) -> None:
    with pytest.raises(Invalid) as caught:
        Bounds(min_size=low, max_size=high)
    assert caught.value.code == "autoscaling.group.bounds"


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 3), (0, 1000)])
def test_bounds_may_touch(low: int, high: int) -> None:
    assert Bounds(min_size=low, max_size=high).clamp(500) == min(500, high)


@pytest.mark.parametrize(
    ("type_", "amount", "min_step", "code"),
    [
        (AdjustmentType.CHANGE, Fraction(3, 2), 1, "autoscaling.policy.adjustment"),
        (AdjustmentType.EXACT, Fraction(3, 2), 1, "autoscaling.policy.adjustment"),
        (AdjustmentType.EXACT, Fraction(-1), 1, "autoscaling.policy.adjustment"),
        (AdjustmentType.PERCENT, Fraction(10), 0, "autoscaling.policy.min_adjustment_step"),
    ],
)
def test_an_adjustment_that_makes_no_sense_is_refused(
    type_: AdjustmentType, amount: Fraction, min_step: int, code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        Adjustment(type=type_, amount=amount, min_step=min_step)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("adjustment", "words"),
    [
        (by(2), "change_in_capacity +2"),
        (by(-1), "change_in_capacity -1"),
        (to(5), "exact_capacity 5"),
        (by_percent("12.5"), "percent_change_in_capacity +12.5 % (at least 1)"),
        (by_percent(-20, min_step=2), "percent_change_in_capacity -20 % (at least 2)"),
    ],
)
def test_an_adjustment_reads_as_an_explanation_names_it(adjustment: Adjustment, words: str) -> None:
    assert str(adjustment) == words


@pytest.mark.parametrize(
    ("before", "after", "expected"), [(2, 3, Direction.OUT), (3, 2, Direction.IN), (2, 2, None)]
)
def test_the_direction_of_a_change(before: int, after: int, expected: Direction | None) -> None:
    assert direction_of(before, after) is expected
