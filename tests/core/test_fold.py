from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.fold import (
    BATCHES_MAX,
    MEMBERS_MAX,
    WHOLE_GROUP,
    Fold,
    Reading,
    folded,
    period_of,
    whole_hour,
)
from chalicelib.core.ids import GroupId, MemberId
from chalicelib.core.sample import Measure, one
from chalicelib.core.series import Series
from tests.core.factories import NOW, PROJECT, seconds

CPU = Series(project_id=PROJECT, group_id=GroupId("group-1"), metric="cpu")
A, B = MemberId("a"), MemberId("b")


def reading(value: float, *, at: float = 0, member: MemberId = A, series: Series = CPU) -> Reading:
    return Reading(series=series, member=member, at=NOW + seconds(at), measure=one(value))


def only(readings: list[Reading], fine: frozenset[str] = frozenset()) -> Fold:
    [(_, fold)] = folded(readings, b"batch", fine)
    return fold


def test_periods_are_counted_from_the_epoch() -> None:
    moment = NOW + seconds(59.999)
    assert period_of(moment, 60) == NOW
    assert period_of(moment, 10) == NOW + seconds(50)
    assert period_of(moment, 3600) == NOW


def test_a_fold_keeps_the_total_and_each_members_part() -> None:
    fold = only([reading(1), reading(5, at=30), reading(3, at=10), reading(7, member=B)])
    assert (fold.start, fold.seconds, fold.batches) == (NOW, 60, frozenset({b"batch"}))
    assert (fold.total.count, fold.total.sum) == (4, 16)
    part = fold.members[A]
    assert (part.count, part.sum, part.minimum, part.maximum) == (3, 9, 1, 5)
    assert (part.last, part.last_at) == (5, NOW + seconds(30))
    assert fold.members[B].count == 1


def test_a_batch_makes_a_fold_for_each_series_and_period() -> None:
    other = replace(CPU, dimensions=(("core", "1"),))
    found = folded([reading(1), reading(2, at=60), reading(3, series=other)], b"batch", frozenset())
    assert {(series, fold.start) for series, fold in found} == {
        (CPU, NOW),
        (CPU, NOW + seconds(60)),
        (other, NOW),
    }


def test_a_metric_that_somebody_watches_closely_has_short_periods() -> None:
    fold = only([reading(1, at=25)], fine=frozenset({"cpu"}))
    assert (fold.start, fold.seconds) == (NOW + seconds(20), 10)


def test_a_summary_leaves_its_mean_as_the_last_value() -> None:
    summary = Measure(count=4, sum=8.0, minimum=1.0, maximum=5.0, spread=((1.0, 2), (3.0, 2)))
    fold = only([replace(reading(0), measure=summary)])
    assert (fold.members[A].count, fold.members[A].last) == (4, 2)


parts = st.lists(
    st.tuples(st.integers(-100, 100), st.integers(0, 59), st.sampled_from([A, B, WHOLE_GROUP])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(parts, st.integers(0, 30))
def test_two_batches_come_to_the_same_as_one(values: list[tuple[int, int, MemberId]], cut: int) -> None:
    readings = [reading(value, at=at, member=member) for value, at, member in values]
    whole = only(readings)
    one_part, other_part = readings[: cut % len(readings)], readings[cut % len(readings) :]
    if one_part:
        assert only(one_part).plus(only(other_part)) == whole
        assert only(other_part).plus(only(one_part)) == whole


def test_a_fold_says_when_it_is_too_large() -> None:
    fold = only([reading(1)])
    assert fold.too_large() is None
    crowd = {MemberId(str(number)): fold.members[A] for number in range(MEMBERS_MAX + 1)}
    assert "members" in (replace(fold, members=crowd).too_large() or "")
    batches = frozenset(number.to_bytes(8, "big") for number in range(BATCHES_MAX + 1))
    assert "requests" in (replace(fold, batches=batches).too_large() or "")


def test_an_hours_load_is_what_all_members_had_to_bear() -> None:
    """Two members at 50 and then four at 25 bear the same."""
    start = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    crowd = [MemberId(name) for name in "abcd"]
    first = [reading(50, member=member, at=at) for member in crowd[:2] for at in (0, 30)]
    second = [reading(25, member=member, at=60) for member in crowd]
    third = [reading(40, member=crowd[0], at=120)]
    folds = [fold for _, fold in folded([*first, *second, *third], b"batch", frozenset())]
    hour = whole_hour(start, folds)
    assert hour.load == pytest.approx((100 + 100 + 40) / 3)
    assert hour.load_maximum == 100
    assert (hour.start, hour.total.count) == (start, 9)


def test_the_load_does_not_depend_on_how_samples_were_kept() -> None:
    readings = [reading(value, at=3 * value, member=m) for m in (A, B) for value in range(20)]
    fine = [fold for _, fold in folded(readings, b"batch", frozenset({"cpu"}))]
    coarse = [fold for _, fold in folded(readings, b"batch", frozenset())]
    assert len(fine) > len(coarse)
    assert whole_hour(NOW, fine).load == pytest.approx(whole_hour(NOW, coarse).load)


def test_the_last_value_is_kept_to_the_millisecond() -> None:
    moment = NOW + timedelta(microseconds=1_234_567)
    assert only([replace(reading(1), at=moment)]).members[A].last_at == NOW + timedelta(milliseconds=1234)
