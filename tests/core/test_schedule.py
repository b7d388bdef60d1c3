from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.capacity import Bounds
from chalicelib.core.cron import Cron
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import ScheduleId
from chalicelib.core.schedule import (
    GRACE,
    MISSED_MAX,
    Once,
    Pending,
    SetSizes,
    armed,
    bounds_set,
    due_times,
    event_id,
    execution_id,
    firings,
    next_due,
    pending,
    require_future,
    retimed,
)
from tests.core.factories import NOW, a_schedule, seconds

thorough = settings(max_examples=200, derandomize=True, deadline=None)

EVERY_MINUTE = Cron(expression="* * * * *", timezone="UTC")
HOURLY = Cron(expression="0 * * * *", timezone="UTC")
DAILY = Cron(expression="0 7 * * *", timezone="Europe/Ljubljana")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("sizes", "good"),
    [
        ({"min_size": 0}, True),
        ({"desired_capacity": 3}, True),
        ({"min_size": 2, "max_size": 2, "desired_capacity": 2}, True),
        ({}, False),
        ({"min_size": 3, "max_size": 2}, False),
        ({"min_size": 3, "desired_capacity": 2}, False),
        ({"max_size": 1, "desired_capacity": 2}, False),
        ({"min_size": -1}, False),
    ],
)
def test_sizes_fit_each_other(sizes: dict[str, int], good: bool) -> None:
    if good:
        assert SetSizes(**sizes)
        return
    with pytest.raises(Invalid) as refused:
        SetSizes(**sizes)
    assert refused.value.code == "autoscaling.schedule.sizes"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"min_size": 4}, (4, 10)),
        ({"max_size": 4}, (1, 4)),
        ({"desired_capacity": 4}, (1, 10)),
        ({"min_size": 20, "max_size": 30}, (20, 30)),
        ({"min_size": 11}, None),
        ({"max_size": 0}, None),
    ],
)
def test_sizes_set_some_bounds_and_leave_others(
    sizes: dict[str, int], expected: tuple[int, int] | None
) -> None:
    bounds = Bounds(min_size=1, max_size=10)
    if expected is None:
        with pytest.raises(Invalid):
            bounds_set(SetSizes(**sizes), bounds)
        return
    assert bounds_set(SetSizes(**sizes), bounds) == Bounds(min_size=expected[0], max_size=expected[1])


def test_a_schedule_that_is_due_once() -> None:
    once = a_schedule(Once(at=NOW))
    assert next_due(once, NOW - seconds(1)) == NOW
    assert next_due(once, NOW) is None
    assert due_times(once, NOW - seconds(1), NOW, 5) == (NOW,)
    assert due_times(once, NOW - seconds(2), NOW - seconds(1), 5) == ()
    assert firings(once, NOW - seconds(1), 5) == (NOW,)


def test_due_times_are_after_the_one_and_up_to_the_other_at_most_so_many() -> None:
    schedule = a_schedule(HOURLY)
    hours = [NOW + timedelta(hours=n) for n in range(1, 6)]
    assert due_times(schedule, NOW, hours[2], 9) == tuple(hours[:3])
    assert due_times(schedule, NOW, hours[4], 2) == tuple(hours[:2])
    assert firings(schedule, NOW, 5) == tuple(hours)
    assert firings(replace(schedule, enabled=False), NOW, 5) == ()


def test_arming() -> None:
    assert armed(a_schedule(HOURLY), NOW).next_due_at == NOW + timedelta(hours=1)
    assert armed(a_schedule(HOURLY, enabled=False), NOW).next_due_at is None
    assert armed(a_schedule(Once(at=NOW - seconds(1)), enabled=False), NOW).next_due_at is None
    with pytest.raises(Invalid) as past:
        armed(a_schedule(Once(at=NOW)), NOW)
    assert past.value.code == "autoscaling.schedule.at"
    with pytest.raises(Invalid) as never:
        require_future(replace(HOURLY, end=NOW + seconds(1)), NOW)
    assert never.value.code == "autoscaling.schedule.never_due"


def test_what_arms_a_schedule_anew() -> None:
    was = a_schedule(HOURLY)
    assert not retimed(was, replace(was, name="other", action=SetSizes(min_size=9)))
    assert retimed(was, replace(was, timing=DAILY))
    assert retimed(was, replace(was, enabled=False))


@pytest.mark.parametrize(
    ("late", "acted_on", "missed"),
    [
        (seconds(-1), None, 0),
        (seconds(0), 0, 0),
        (seconds(59), 0, 0),
        (minutes(1), 1, 1),
        (minutes(5.5), 5, 5),
        (minutes(60), 60, 10),
        (minutes(24 * 60), 24 * 60, 10),
    ],
)
def test_of_what_came_every_minute_the_latest_is_acted_on(
    late: timedelta, acted_on: int | None, missed: int
) -> None:
    found = pending(a_schedule(EVERY_MINUTE, next_due_at=NOW), NOW + late)
    assert found.due_at == (None if acted_on is None else NOW + minutes(acted_on))
    assert found.missed == tuple(NOW + minutes(n) for n in range(missed))
    assert found.more_missed is (late >= minutes(60))


@pytest.mark.parametrize(
    ("late", "acted_on", "missed"),
    [(GRACE, True, False), (GRACE + seconds(1), False, True), (timedelta(days=400), False, True)],
)
def test_what_is_due_once_is_made_up_for_within_an_hour(
    late: timedelta, acted_on: bool, missed: bool
) -> None:
    found = pending(a_schedule(Once(at=NOW), next_due_at=NOW), NOW + late)
    assert found == Pending(due_at=NOW if acted_on else None, missed=(NOW,) if missed else ())


def test_what_is_spent_or_disabled_is_not_pending() -> None:
    assert pending(a_schedule(EVERY_MINUTE, next_due_at=None), NOW) == Pending()


def test_a_due_time_that_was_promised_is_kept_when_the_zones_rules_change() -> None:
    """As stored; by the rules of today the hour would be another one."""
    promised = NOW + minutes(30)
    assert pending(a_schedule(DAILY, next_due_at=promised), promised).due_at == promised


@thorough
@given(
    st.sampled_from([EVERY_MINUTE, HOURLY, DAILY, Cron(expression="*/7 */3 * * *", timezone="UTC")]),
    st.integers(0, 4 * 24 * 60 * 60),
)
def test_no_due_time_is_forgotten_and_none_is_acted_on_late(timing: Cron, late: int) -> None:
    schedule = armed(a_schedule(timing), NOW - timedelta(days=1))
    first = schedule.next_due_at
    assert first is not None
    now = first + seconds(late)
    found = pending(schedule, now)
    all_due = (first, *due_times(schedule, first, now, 10_000))
    in_grace = [due_at for due_at in all_due if due_at >= now - GRACE]
    assert found.due_at == (in_grace[-1] if in_grace else None)
    rest = tuple(due_at for due_at in all_due if due_at != found.due_at)
    assert found.missed == rest[:MISSED_MAX]
    assert found.more_missed is (len(rest) > MISSED_MAX)


def test_one_due_time_of_one_schedule_has_one_execution() -> None:
    schedule = a_schedule(HOURLY)
    assert execution_id(schedule, NOW) == execution_id(replace(schedule, name="other"), NOW)
    others = {
        execution_id(schedule, NOW),
        execution_id(schedule, NOW + seconds(1)),
        execution_id(replace(schedule, id=ScheduleId("2")), NOW),
    }
    assert len(others) == 3


@pytest.mark.parametrize(
    ("due_at", "name"),
    [(NOW, "2026-03-01T12:00:00Z"), (NOW + seconds(0.5), "2026-03-01T12:00:00.500000Z")],
)
def test_due_times_have_names(due_at: datetime, name: str) -> None:
    assert event_id(due_at) == name
