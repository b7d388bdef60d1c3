from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.behavior import (
    CHANGES_MAX,
    Advice,
    Change,
    Window,
    advised,
    changed,
    followed,
    limited,
    stabilized,
)
from chalicelib.core.execution import Rule, Verdict
from chalicelib.core.pace import Behavior, RateType, Select
from tests.core.factories import NOW, seconds
from tests.core.test_worked_examples import climb, limits, members, tracking

thorough = settings(max_examples=200, derandomize=True, deadline=None)
MINUTE = seconds(60)

FIVE_MINUTES_IN = tracking(60)
EITHER = tracking(60, out=Behavior(stabilization_seconds=180), into=Behavior(stabilization_seconds=300))
AT_ONCE = tracking(60, into=Behavior(stabilization_seconds=0))


def test_a_first_look_holds_the_size_for_the_whole_window() -> None:
    """Nothing is known of the minutes before, so the present size counts as right."""
    seen, window, now = members(*[30] * 10), Window(), NOW
    sizes = []
    for _ in range(7):
        said = followed(FIVE_MINUTES_IN, window, seen, now)
        sizes.append(said.capacity)
        window, now = said.window, now + MINUTE
    assert sizes == [10, 10, 10, 10, 10, 5, 5]


def test_a_scale_out_is_followed_at_once() -> None:
    said = followed(FIVE_MINUTES_IN, Window(), members(120, 120), NOW)
    assert (said.recommended, said.capacity, said.value) == (4, 4, 120)
    assert [step.rule for step in said.steps] == [Rule.METRIC, Rule.TOLERANCE]


def test_a_hold_says_when_it_ends_if_nothing_else_comes() -> None:
    first = followed(FIVE_MINUTES_IN, Window(), members(60, 60), NOW)
    said = followed(FIVE_MINUTES_IN, first.window, members(20, 20), NOW + MINUTE)
    assert (said.recommended, said.capacity) == (1, 2)
    hold = said.steps[-1]
    assert (hold.rule, hold.verdict, hold.until) == (Rule.STABILIZATION, Verdict.HOLD, NOW + seconds(300))
    assert hold.detail == "1 members are recommended, but more were within the last 300 s: 2."


def test_an_unknown_metric_begins_the_wait_anew() -> None:
    window, now = Window(), NOW
    for value in (60, 20, 20, None, 20):
        seen = members(*([] if value is None else [value] * 3), missing=3 if value is None else 0)
        said = followed(FIVE_MINUTES_IN, window, seen, now)
        window, now = said.window, now + MINUTE
        assert said.capacity == (None if value is None else 3)
    lost_at = NOW + 3 * MINUTE
    assert said.steps[-1].until == lost_at + seconds(300)


def test_after_a_long_silence_of_ours_the_wait_begins_anew() -> None:
    first = followed(FIVE_MINUTES_IN, Window(), members(20, 20), NOW)
    later = followed(FIVE_MINUTES_IN, first.window, members(20, 20), NOW + timedelta(hours=2))
    assert later.capacity == 2


def test_a_window_shorter_than_a_minute_still_ends() -> None:
    rule = tracking(60, into=Behavior(stabilization_seconds=30))
    first = followed(rule, Window(), members(20, 20), NOW)
    assert first.capacity == 2
    assert followed(rule, first.window, members(20, 20), NOW + MINUTE).capacity == 1


def test_looking_twice_in_the_same_minute_is_looking_once() -> None:
    seen = members(20, 20, 20)
    once = followed(FIVE_MINUTES_IN, Window(), seen, NOW)
    assert followed(FIVE_MINUTES_IN, once.window, seen, NOW) == once


def test_a_policy_that_never_scales_in_says_how_far_others_may() -> None:
    rule = replace(AT_ONCE, scale_in=False)
    first = followed(rule, Window(), members(20, 20, 20), NOW)
    assert first.capacity == 1
    assert (first.steps[-1].rule, first.steps[-1].verdict) == (Rule.SCALE_IN, Verdict.HOLD)


def test_advice_that_can_no_longer_decide_is_dropped() -> None:
    window, now = Window(), NOW
    for capacity in [5] * 30:
        window = advised(EITHER, window, now, 5, capacity)
        now += seconds(5)
    assert [each.capacity for each in window.advice] == [5]


advice = st.lists(st.tuples(st.integers(1, 90), st.none() | st.integers(0, 20)), min_size=1, max_size=60)


@thorough
@given(advice, st.integers(0, 20))
def test_dropping_advice_changes_no_recommendation(told: list[tuple[int, int | None]], current: int) -> None:
    """The thinned window decides as the whole one would, at each moment, and says the same end of a hold."""
    thin, now = Window(), NOW
    everything: list[Advice] = []
    for wait, capacity in told:
        now += seconds(wait)
        thin = advised(EITHER, thin, now, current, capacity)
        everything = everything or [Advice(at=now, capacity=current)]
        everything.append(Advice(at=now, capacity=current if capacity is None else capacity))
        newest = everything[-1].capacity
        whole = Window(advice=tuple(everything))
        assert stabilized(EITHER, thin, now, current, newest) == stabilized(
            EITHER, whole, now, current, newest
        )
        assert len(thin.advice) <= 42


@thorough
@given(advice, st.integers(0, 20))
def test_what_remains_lies_between_the_present_and_the_recommended(
    told: list[tuple[int, int | None]], current: int
) -> None:
    window, now = Window(), NOW
    for wait, capacity in told:
        now += seconds(wait)
        window = advised(EITHER, window, now, current, capacity)
        wanted = current if capacity is None else capacity
        held = stabilized(EITHER, window, now, current, wanted)
        assert min(current, wanted) <= held.capacity <= max(current, wanted)
        assert (held.step is None) == (held.capacity == wanted)
        if held.step is not None:
            assert held.step.until is not None
            assert held.step.until > now


def test_limits_choose_the_farthest_the_nearest_or_none() -> None:
    four, tenth = (RateType.MEMBERS, 4), (RateType.PERCENT, 10)
    for select, out, into in ((Select.MAX, 110, 90), (Select.MIN, 104, 96), (Select.DISABLED, 100, 100)):
        rule = tracking(1, out=limits(four, tenth, select=select), into=limits(four, tenth, select=select))
        assert limited(rule, Window(), NOW, 100, 1000).capacity == out
        assert limited(rule, Window(), NOW, 100, 0).capacity == into


def test_a_disabled_direction_says_so() -> None:
    rule = tracking(1, out=Behavior(stabilization_seconds=0, select=Select.DISABLED))
    held = limited(rule, Window(), NOW, 2, 5)
    assert held.step is not None
    assert (held.step.verdict, held.step.until) == (Verdict.HOLD, None)
    assert held.step.detail == "5 members are wanted, but scaling out is disabled."


def test_without_limits_any_size_is_reached_at_once() -> None:
    assert limited(tracking(1), Window(), NOW, 2, 1000).capacity == 1000
    assert limited(tracking(1), Window(), NOW, 2, 2).step is None


def test_a_percentage_of_nothing_is_one_member() -> None:
    """With Kubernetes' formula a group at zero could never grow by percent."""
    rule = tracking(1, out=limits((RateType.PERCENT, 50)))
    assert climb(rule, 0, 10, every=60) == [0, 1, 2, 3, 5, 8, 10]


def test_a_limit_counts_what_was_changed_within_its_period() -> None:
    rule = tracking(1, out=limits((RateType.MEMBERS, 4), period=120))
    window = changed(rule, Window(), NOW, 10, 13)
    now = NOW + MINUTE
    held = limited(rule, window, now, 13, 20)
    assert held.capacity == 14
    assert held.step is not None
    assert held.step.until == NOW + seconds(120)
    assert held.step.detail == "20 members are wanted; 4 members in 120 s allow 14."
    window = changed(rule, window, now, 13, 14)
    held = limited(rule, window, now, 14, 20)
    assert (held.capacity, held.step.verdict if held.step else None) == (14, Verdict.HOLD)
    assert limited(rule, window, NOW + seconds(120), 14, 20).capacity == 17
    assert limited(rule, window, now, 14, 0).capacity == 0, "what was added is nothing to scaling in"


def test_changes_that_no_limit_looks_at_are_dropped() -> None:
    rule = tracking(1, out=limits((RateType.MEMBERS, 4), period=120))
    window = changed(rule, Window(), NOW, 10, 13)
    assert changed(rule, window, NOW + seconds(120), 13, 13) == Window()
    assert changed(tracking(1), Window(), NOW, 10, 13) == Window()


def test_the_window_stays_small_however_often_the_size_changes() -> None:
    rule = tracking(
        1, out=limits((RateType.MEMBERS, 4), period=3600), into=limits((RateType.MEMBERS, 4), period=3600)
    )
    window = Window()
    for number in range(400):
        window = changed(rule, window, NOW + seconds(number), number % 2, (number + 1) % 2)
    assert len(window.changes) == 2 * CHANGES_MAX
    assert sum(change.by for change in window.changes if change.by > 0) == 200, "none is forgotten"
    assert list(window.changes) == sorted(window.changes, key=lambda change: change.at)


@thorough
@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(-9, 9).filter(bool)), max_size=20),
    st.integers(0, 100),
    st.integers(0, 200),
    st.sampled_from(Select),
)
def test_a_limit_never_turns_a_change_round(
    made: list[tuple[int, int]], current: int, wanted: int, select: Select
) -> None:
    changes = tuple(Change(at=NOW - seconds(ago), by=by) for ago, by in sorted(made, reverse=True))
    behavior = limits((RateType.MEMBERS, 4), (RateType.PERCENT, 10), select=select)
    rule = tracking(1, out=behavior, into=behavior)
    held = limited(rule, Window(changes=changes), NOW, current, wanted)
    assert min(current, wanted) <= held.capacity <= max(current, wanted)
    assert (held.step is None) == (held.capacity == wanted)
