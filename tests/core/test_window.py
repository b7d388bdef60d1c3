from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.alarm import TimeConstraint
from chalicelib.core.errors import Invalid
from chalicelib.core.window import require_valid, within
from tests.core.factories import NOW, seconds

thorough = settings(max_examples=100, derandomize=True, deadline=None)


def window(
    start: str = "0 23 * * *", duration: int = 10_800, timezone: str = "UTC", name: str = "night"
) -> TimeConstraint:
    return TimeConstraint(name=name, start=start, duration_seconds=duration, timezone=timezone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_without_constraints_it_is_always_time() -> None:
    assert within((), NOW)


@pytest.mark.parametrize(
    ("now", "open_"),
    [
        ("2026-03-01T22:59:59.999", False),
        ("2026-03-01T23:00:00", True),
        ("2026-03-02T01:59:59.999", True),
        ("2026-03-02T02:00:00", False),
        ("2026-03-02T02:00:00.5", False),
    ],
)
def test_a_window_is_open_from_its_start_to_its_end(now: str, open_: bool) -> None:
    assert within([window()], utc(now)) is open_


def test_one_open_window_is_enough() -> None:
    windows = [window("0 9 * * 1-5", 3600, name="a"), window("0 12 * * *", 3600, name="b")]
    assert [within(windows, utc(f"2026-03-02T{hour}:30")) for hour in ("09", "10", "12")] == [
        True,
        False,
        True,
    ]
    assert [within(windows, utc(f"2026-03-01T{hour}:30")) for hour in ("09", "12")] == [False, True]


def test_a_window_that_is_longer_than_its_interval_never_closes() -> None:
    always = [window("0 * * * *", 3600)]
    assert all(within(always, NOW + seconds(second)) for second in range(0, 7200, 30))


def test_the_zones_clock_counts() -> None:
    office = [window("0 9 * * *", 3600, "Europe/Ljubljana")]
    assert within(office, utc("2026-01-15T08:30"))
    assert not within(office, utc("2026-07-15T08:30"))
    assert within(office, utc("2026-07-15T07:30"))


@pytest.mark.parametrize(
    ("now", "open_"),
    [
        ("2026-03-29T00:59:59", False),
        ("2026-03-29T01:00:00", True),
        ("2026-03-29T01:59:59", True),
        ("2026-03-29T02:00:00", False),
    ],
)
def test_a_start_in_the_hour_that_is_skipped_is_when_the_clock_has_jumped(now: str, open_: bool) -> None:
    """In Ljubljana 02:00 becomes 03:00 at 01:00 UTC."""
    assert within([window("30 2 * * *", 3600, "Europe/Ljubljana")], utc(now)) is open_


@pytest.mark.parametrize(
    ("now", "open_"),
    [
        ("2026-10-25T00:29:59", False),
        ("2026-10-25T00:30:00", True),
        ("2026-10-25T00:59:59", True),
        ("2026-10-25T01:00:00", False),
        ("2026-10-25T01:30:00", False),
        ("2026-10-25T01:45:00", False),
        ("2026-10-25T02:15:00", False),
    ],
)
def test_a_start_in_the_hour_that_comes_twice_counts_once(now: str, open_: bool) -> None:
    """In Ljubljana 03:00 becomes 02:00 at 01:00 UTC: 02:30 is at 00:30 and at 01:30."""
    assert within([window("30 2 * * *", 1800, "Europe/Ljubljana")], utc(now)) is open_


def test_a_window_over_a_change_of_the_clock_lasts_as_long_as_ever() -> None:
    night = [window("0 0 * * *", 4 * 3600, "Europe/Ljubljana")]
    spring, autumn = utc("2026-03-28T23:00"), utc("2026-10-24T22:00")
    for start in (spring, autumn):
        assert not within(night, start - seconds(1))
        assert within(night, start)
        assert within(night, start + seconds(4 * 3600 - 1))
        assert not within(night, start + seconds(4 * 3600))


@thorough
@given(
    st.sampled_from(["UTC", "Europe/Ljubljana", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(1, 86_400),
    st.integers(0, 366 * 1440),
)
def test_a_daily_window_is_open_at_least_and_at_most_so_long_each_day(
    timezone: str, hour: int, minute: int, duration: int, later: int
) -> None:
    """Counted in minutes over the three days around any moment of a year, changes of the clock included."""
    daily = [window(f"{minute} {hour} * * *", duration, timezone)]
    first = utc("2026-01-01T00:00") + seconds(60 * later)
    opened = [within(daily, first + seconds(300 * step)) for step in range(3 * 288)]
    assert abs(sum(opened) * 300 - 3 * duration) <= 3 * 300 + duration + 3600


@pytest.mark.parametrize(
    "bad",
    [
        [window(), window("0 1 * * *")],
        [window(timezone="Europe/Atlantis")],
        [window(timezone="Europe")],
        [window(timezone="../../etc/passwd")],
        [window(timezone="")],
        [window(timezone="\x00")],
        [window("* * * *")],
        [window("0 0 0 * * *")],
        [window("61 * * * *")],
        [window("a b c d e")],
        [window("0 0 30 2 *")],
        [window("")],
        [window(duration=0)],
        [window(duration=8 * 86_400)],
        [window(name=str(number)) for number in range(11)],
    ],
)
def test_windows_that_no_clock_can_tell_are_refused(bad: list[TimeConstraint]) -> None:
    with pytest.raises(Invalid) as refused:
        require_valid(bad)
    assert refused.value.code == "autoscaling.alarm.time_constraints"


def test_windows_of_different_names_are_fine() -> None:
    require_valid(
        [window(), window(name="other", timezone="Europe/Ljubljana"), window("0 0 29 2 *", name="leap")]
    )
