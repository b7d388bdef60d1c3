from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.core.rates import minute_of, reported_at_once, seconds_left


@pytest.mark.parametrize(("second", "left"), [(0, 60), (1, 59), (30, 30), (59, 1)])
def test_a_minute_is_one_of_the_clock(second: int, left: int) -> None:
    now = datetime(2026, 11, 22, 16, 3, second, 999_999, tzinfo=UTC)
    assert minute_of(now) == minute_of(datetime(2026, 11, 22, 16, 3, tzinfo=UTC))
    assert minute_of(now) == minute_of(datetime(2026, 11, 22, 16, 4, tzinfo=UTC)) - 1
    assert seconds_left(now) == left


@pytest.mark.parametrize(
    ("per_minute", "at_once"), [(1, 1), (20, 1), (39, 1), (40, 2), (120, 6), (200, 10), (30_000, 10)]
)
def test_a_process_takes_a_twentieth_before_it_asks_and_at_most_ten(per_minute: int, at_once: int) -> None:
    assert reported_at_once(per_minute) == at_once
