from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chalicelib.core.datapoint import Datapoint
from chalicelib.core.fold import WHOLE_GROUP, Fold, folded
from chalicelib.core.ids import MemberId
from chalicelib.core.series import Statistic
from chalicelib.core.statistics import by_member, datapoints, reaching_back
from tests.core.factories import NOW, seconds
from tests.core.test_fold import A, B, reading


def folds_of(*values: tuple[float, float, MemberId], fine: bool = False) -> Sequence[Fold]:
    """Return the folds of (seconds after NOW, value, member)."""
    metrics = frozenset({"cpu"}) if fine else frozenset[str]()
    readings = [reading(value, at=at, member=member) for at, value, member in values]
    return [fold for _, fold in folded(readings, b"batch", metrics)]


def points(folds: Sequence[Fold], statistic: str, count: int = 1, **how: Any) -> list[float | None]:
    period, until = how.get("period", 60), NOW + seconds(how.get("until", 60))
    found = datapoints(folds, Statistic(statistic), period, count, until)
    return [None if point is None else point.value for point in found]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("average", 3), ("sum", 9), ("minimum", 1), ("maximum", 5), ("sample_count", 3), ("p100", 5), ("p0", 1)],
)
def test_each_statistic_of_one_period(statistic: str, expected: float) -> None:
    folds = folds_of((0, 1, A), (10, 5, B), (20, 3, WHOLE_GROUP))
    assert points(folds, statistic) == [pytest.approx(expected, rel=0.01)]


def test_there_are_always_as_many_as_asked_for_the_oldest_first() -> None:
    folds = folds_of((0, 1, A), (120, 3, A))
    assert points(folds, "average", 4, until=180) == [None, 1, None, 3]


@pytest.mark.parametrize(("until", "expected"), [(119.9, [1.0]), (120, [2.0]), (179, [2.0])])
def test_the_newest_period_is_one_that_is_complete(until: float, expected: list[float]) -> None:
    folds = folds_of((0, 1, A), (60, 2, A), (120, 3, A))
    assert points(folds, "average", until=until) == expected


def test_a_datapoint_says_how_many_samples_it_is_made_of() -> None:
    found = datapoints(folds_of((0, 1, A), (1, 2, B)), Statistic("average"), 60, 1, NOW + seconds(60))
    assert found == (Datapoint(1.5, 2),)


def test_longer_periods_are_made_of_shorter_ones() -> None:
    folds = folds_of((0, 1, A), (60, 2, A), (240, 6, A), (300, 9, A))
    assert points(folds, "average", 2, period=300, until=600) == [3, 9]
    fine = folds_of((0, 1, A), (10, 2, A), (50, 6, A), fine=True)
    assert points(fine, "average") == [3]
    assert points(fine, "average", 6, period=10) == [1, 2, None, None, None, 6]


def test_shorter_periods_are_not_made_of_longer_ones() -> None:
    assert points(folds_of((0, 1, A)), "average", 6, period=10) == [None] * 6


def test_shards_of_one_period_are_one_period() -> None:
    folds = [*folds_of((0, 1, A)), *folds_of((5, 3, A), (6, 8, B))]
    assert points(folds, "average") == [4]
    assert points(folds, "maximum") == [8]


def test_a_rate_is_the_growth_per_second_averaged_over_the_members() -> None:
    folds = folds_of((0, 100, A), (60, 700, A), (30, 0, B), (90, 120, B))
    assert points(folds, "rate", until=120) == [(10 + 2) / 2]


def test_a_rate_takes_the_last_values_of_both_periods_and_the_time_between_them() -> None:
    folds = folds_of((0, 1, A), (50, 100, A), (60, 150, A), (90, 300, A))
    assert points(folds, "rate", until=120) == [(300 - 100) / 40]


def test_a_counter_that_fell_began_again_at_zero() -> None:
    assert points(folds_of((0, 1000, A), (60, 30, A)), "rate", until=120) == [0.5]


def test_a_member_without_the_period_before_has_no_rate() -> None:
    folds = folds_of((0, 100, A), (60, 700, A), (90, 10, B))
    assert points(folds, "rate", until=120) == [10]
    assert points(folds_of((90, 10, B)), "rate", until=120) == [None]
    assert points(folds_of((0, 10, B), (120, 20, B)), "rate", until=180) == [None]


def test_a_rate_needs_one_period_more() -> None:
    until = NOW + seconds(61)
    assert reaching_back(Statistic("average"), 60, 3, until) == NOW - seconds(120)
    assert reaching_back(Statistic("rate"), 60, 3, until) == NOW - seconds(180)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("average", {A: 2, B: 8}),
        ("sum", {A: 4, B: 8}),
        ("minimum", {A: 1, B: 8}),
        ("maximum", {A: 3, B: 8}),
        ("sample_count", {A: 2, B: 1}),
        ("p99", {A: 2, B: 8}),
    ],
)
def test_each_member_has_its_own_value(statistic: str, expected: dict[MemberId, float]) -> None:
    folds = folds_of((0, 1, A), (10, 3, A), (20, 8, B), (30, 99, WHOLE_GROUP))
    assert by_member(folds, Statistic(statistic), 60, NOW + seconds(60)) == expected


def test_only_members_that_reported_in_the_latest_period_have_a_value() -> None:
    folds = folds_of((0, 1, A), (60, 5, B))
    assert by_member(folds, Statistic("average"), 60, NOW + seconds(120)) == {B: 5}
    assert by_member(folds, Statistic("average"), 60, NOW + seconds(200)) == {}


def test_each_member_has_its_own_rate() -> None:
    folds = folds_of((0, 0, A), (60, 60, A), (0, 0, B), (60, 600, B))
    assert by_member(folds, Statistic("rate"), 60, NOW + seconds(120)) == {A: 1, B: 10}
