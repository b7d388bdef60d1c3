from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from chalicelib.core.capacity import Bounds
from chalicelib.core.heat_steps import impossible, walk
from tests.core.heat_factories import steps

TEN = Bounds(min_size=0, max_size=10)


@pytest.mark.parametrize(
    ("adjustments", "size", "wanted", "first", "after", "end"),
    [
        ((1, -1), 2, 5, 1, 3, 5),
        ((1, -1, 5), 2, 8, 1, 3, 8),
        ((1, -1, 5), 2, 7, 5, 7, 7),
        ((1, -1), 5, 2, -1, 4, 2),
        ((2, -2), 2, 5, 2, 4, 4),  # as near as it comes, without passing it
        ((2, -2), 4, 5, None, 4, 4),
        ((5, -1), 2, 5, 5, 7, 5),  # passes it for a while, and comes back
        ((3, -2), 3, 2, 3, 6, 2),  # never fewer than wanted on the way: 6, 4, 2
        ((1,), 5, 2, None, 5, 5),
        ((5, -5), 8, 10, None, 8, 8),  # 13, 8, ... leads nowhere
        ((-3,), 10, 2, -3, 7, 4),
        ((1, -1), 4, 4, None, 4, 4),
    ],
)
def test_the_policy_that_is_signalled_next(
    adjustments: tuple[int, ...], size: int, wanted: int, first: int | None, after: int, end: int
) -> None:
    way = walk(steps(*adjustments), size, wanted, TEN)
    assert (way.first.adjustment if way.first else None, way.size, way.end) == (first, after, end)


def test_a_group_outside_its_bounds_is_walked_back_in() -> None:
    assert walk(steps(1, -1), 14, 10, TEN).end == 10


@pytest.mark.parametrize(
    ("adjustments", "size", "said"),
    [((2, -2), 2, "1, 3, 5, 7, 9"), ((5,), 2, "0 to 1, 3 to 6, 8 to 10"), ((5, -1), 2, "5")],
)
def test_sizes_that_cannot_be_made_are_named(adjustments: tuple[int, ...], size: int, said: str) -> None:
    assert impossible(steps(*adjustments), size, 5, TEN) == said


def test_many_sizes_that_cannot_be_made_are_named_in_part() -> None:
    said = impossible(steps(2, -2), 0, 1, Bounds(min_size=0, max_size=100))
    assert said.endswith("17, 19, ...")


@given(
    adjustments=st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=4, unique=True),
    size=st.integers(0, 30),
    wanted=st.integers(0, 20),
)
def test_signals_in_turn_end_where_the_first_plan_said(
    adjustments: list[int], size: int, wanted: int
) -> None:
    """Each signal is planned anew from the size that the one before led to, and none leads below both."""
    bounds = Bounds(min_size=0, max_size=20)
    policies = steps(*adjustments)
    promised = walk(policies, size, wanted, bounds).end
    here = size
    for _ in range(60):
        way = walk(policies, here, wanted, bounds)
        if way.first is None:
            break
        assert way.size == here + way.first.adjustment
        here = way.size
        assert min(size, wanted) <= here <= max(size, bounds.max_size)
    assert here == promised
    assert abs(here - wanted) <= abs(size - wanted)
