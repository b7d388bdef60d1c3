from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import Invalid
from chalicelib.core.forecast import (
    HOURS_AHEAD,
    VERIFIED_MAX,
    Accuracy,
    Expected,
    Forecast,
    Predictive,
    Verified,
    accuracy,
    forecast,
    hour_of,
    needed,
    verified,
)
from tests.core.factories import NOW, seconds

HOUR = timedelta(hours=1)
RULE = Predictive(metric="cpu", target=50)


def past(hours: int, load: Callable[[datetime], float], now: datetime = NOW) -> list[tuple[datetime, float]]:
    """Return the load of so many hours before ``now``."""
    return [(now - n * HOUR, load(now - n * HOUR)) for n in range(hours, 0, -1)]


def by_day(at: datetime) -> float:
    return 500 + 300 * math.sin(2 * math.pi * at.hour / 24)


def by_week(at: datetime) -> float:
    return by_day(at) * (1 if at.weekday() < 5 else 0.2)


def made(*loads: float, at: datetime = NOW) -> Forecast:
    return Forecast(
        made_at=at,
        hours=tuple(
            Expected(hour=hour_of(at) + n * HOUR, load=load, low=load, high=load)
            for n, load in enumerate(loads)
        ),
    )


@pytest.mark.parametrize(("load", "weeks"), [(by_day, 1), (by_week, 3)])
def test_what_repeats_is_foreseen(load: Callable[[datetime], float], weeks: int) -> None:
    foreseen = forecast(past(weeks * 168, load), NOW)
    assert len(foreseen.hours) == HOURS_AHEAD
    assert [each.hour for each in foreseen.hours] == [NOW + n * HOUR for n in range(HOURS_AHEAD)]
    for each in foreseen.hours:
        assert each.load == pytest.approx(load(each.hour), rel=0.01)


def test_one_odd_day_does_not_count() -> None:
    odd = {NOW.date() - timedelta(days=3)}
    history = past(14 * 24, lambda at: 5000 if at.date() in odd else by_day(at))
    for each in forecast(history, NOW).hours:
        assert each.load == pytest.approx(by_day(each.hour), rel=0.1)


def test_a_new_level_counts_for_the_next_hours() -> None:
    since = NOW - 5 * HOUR
    history = past(21 * 24, lambda at: by_day(at) + (300 if at >= since else 0))
    assert forecast(history, NOW).hours[0].load > by_day(NOW) + 100


def test_a_load_without_season_is_foreseen_in_its_middle() -> None:
    history = past(14 * 24, lambda at: 100 + (at.timestamp() // 3600 * 7919) % 41 - 20)
    for each in forecast(history, NOW).hours:
        assert 85 < each.load < 115
        assert each.low < 100 < each.high


@pytest.mark.parametrize("hours", [0, 1, 23])
def test_less_than_a_day_of_samples_foresees_nothing_and_says_so(hours: int) -> None:
    foreseen = forecast(past(hours, by_day), NOW)
    assert foreseen.hours == ()
    assert foreseen.reason == f"A forecast needs 24 hours of samples; there are {hours}."
    assert needed(RULE, foreseen, NOW) is None


def test_a_day_of_samples_is_enough() -> None:
    foreseen = forecast(past(24, by_day), NOW)
    assert foreseen.reason is None
    assert len(foreseen.hours) == HOURS_AHEAD


def test_a_metric_that_fell_silent_foresees_nothing() -> None:
    foreseen = forecast(past(14 * 24, by_day, NOW - 26 * HOUR), NOW)
    assert foreseen.reason == "There were no samples for a day: nothing is foreseen."


def test_the_hour_in_progress_is_foreseen_not_looked_at() -> None:
    history = past(7 * 24, by_day)
    later = NOW + timedelta(minutes=40)
    assert forecast([*history, (NOW, 9e9)], later).hours == forecast(history, later).hours


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 1000),
        st.floats(-1e6, 1e9, allow_nan=False),
        min_size=24,
        max_size=60,
    )
)
def test_whatever_the_history_the_forecast_is_whole_and_never_negative(history: dict[int, float]) -> None:
    foreseen = forecast([(NOW - n * HOUR, load) for n, load in history.items()], NOW)
    assert (foreseen.reason is None) == (len(foreseen.hours) == HOURS_AHEAD)
    for each in foreseen.hours:
        assert 0 <= each.low <= each.load <= each.high


@pytest.mark.parametrize(
    ("minutes", "lead_minutes", "expected"),
    [
        (0, 5, 2),  # 100 now
        (50, 5, 2),
        (55, 5, 5),  # 201 in five minutes
        (56, 5, 5),
        (0, 120, 7),  # the most on the way
        (59, 121, 7),
        (185, 0, None),  # past all that was foreseen
    ],
)
def test_the_most_that_is_needed_until_the_lead_is_over(
    minutes: int, lead_minutes: int, expected: int | None
) -> None:
    rule = Predictive(metric="cpu", target=50, lead_seconds=lead_minutes * 60)
    assert needed(rule, made(100, 201, 301), NOW + timedelta(minutes=minutes)) == expected


def test_a_forecast_is_due_when_an_hour_has_ended() -> None:
    assert not made(1, at=NOW + seconds(10)).is_due(NOW + seconds(3599))
    assert made(1, at=NOW + seconds(10)).is_due(NOW + seconds(3600))


def test_hours_are_verified_once_they_have_ended() -> None:
    earlier = made(100, 200, 300)
    history = [(NOW, 110.0), (NOW + HOUR, 190.0), (NOW - 24 * HOUR, 50.0)]
    now = NOW + 2 * HOUR - seconds(1)
    first = Verified(hour=NOW, foreseen=100, actual=110, day_before=50)
    assert verified((), earlier, history, now) == (first,)
    now = NOW + 2 * HOUR
    second = Verified(hour=NOW + HOUR, foreseen=200, actual=190, day_before=None)
    assert verified((first,), earlier, history, now) == (first, second)
    assert verified((first, second), earlier, history, now) == (first, second), "twice changes nothing"


def test_a_week_of_verified_hours_is_kept() -> None:
    old = tuple(
        Verified(hour=NOW - n * HOUR, foreseen=1, actual=1, day_before=1) for n in range(VERIFIED_MAX, 0, -1)
    )
    kept = verified(old, made(5), [(NOW, 6)], NOW + HOUR)
    assert len(kept) == VERIFIED_MAX
    assert (kept[0].hour, kept[-1].actual) == (old[1].hour, 6)


def test_accuracy() -> None:
    hours = [
        Verified(hour=NOW, foreseen=110, actual=100, day_before=150),
        Verified(hour=NOW, foreseen=180, actual=200, day_before=None),
        Verified(hour=NOW, foreseen=10, actual=0, day_before=10),
    ]
    expected = (3, (0.1 + 0.1) / 2, 40 / 300, 0, 60 / 100)
    assert astuple(accuracy(hours)) == pytest.approx(expected)
    assert accuracy([]) == Accuracy(hours=0, mape=None, wape=None, bias=None, day_before_wape=None)


@pytest.mark.parametrize("target", [0, -1, math.nan, math.inf])
def test_a_target_is_greater_than_zero(target: float) -> None:
    with pytest.raises(Invalid) as refused:
        Predictive(metric="cpu", target=target)
    assert refused.value.code == "autoscaling.policy.target"
