from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.alarm import (
    Alarm,
    AlarmState,
    Backend,
    Comparison,
    CompositeRule,
    LowSamples,
    MissingData,
    ThresholdRule,
    TimeConstraint,
)
from chalicelib.core.datapoint import Datapoint
from chalicelib.core.ids import AlarmId
from chalicelib.core.judgement import (
    evaluation_range,
    is_judged,
    judge,
    judged,
    reading_range,
    silence,
    silence_after,
)
from tests.core.factories import NOW, a_threshold, an_alarm, seconds

thorough = settings(max_examples=300, derandomize=True, deadline=None)

OK, ALARM, UNKNOWN = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
KEEP = None
MISSING, IGNORE = MissingData.MISSING, MissingData.IGNORE
BREACHING, NOT_BREACHING = MissingData.BREACHING, MissingData.NOT_BREACHING

Points = tuple[Datapoint | None, ...]


def points(row: str) -> Points:
    """Return what a row of the tables stands for, against a threshold of 80: X breaches, 0 does not."""
    return tuple({"X": Datapoint(95, 10), "0": Datapoint(5, 10), "-": None}[mark] for mark in row.split())


CELLS: list[tuple[int, str, tuple[AlarmState | None, ...]]] = [
    (3, "0 - X - X", (OK, OK, OK, OK)),
    (3, "0 - - - -", (OK, OK, OK, OK)),
    (3, "- - - - -", (UNKNOWN, KEEP, ALARM, OK)),
    (3, "0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
    (3, "- - X - -", (ALARM, KEEP, ALARM, OK)),
    (2, "0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
    (2, "0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
    (2, "0 - X - -", (OK, OK, ALARM, OK)),
    (2, "- - - - 0", (OK, OK, ALARM, OK)),
    (2, "- - - X -", (ALARM, KEEP, ALARM, OK)),
]
"""CloudWatch's published examples for N = 3: M, the datapoints, and the state for each of MODES."""
MODES = (MISSING, IGNORE, BREACHING, NOT_BREACHING)


@pytest.mark.parametrize("was", AlarmState)
@pytest.mark.parametrize(
    ("needed", "row", "mode", "expected"),
    [
        (needed, row, mode, state)
        for needed, row, states in CELLS
        for mode, state in zip(MODES, states, strict=True)
    ],
)
def test_missing_data_is_treated_as_cloudwatch_publishes_it(
    needed: int, row: str, mode: MissingData, expected: AlarmState | None, was: AlarmState
) -> None:
    rule = a_threshold(datapoints_to_alarm=needed, treat_missing_data=mode)
    assert evaluation_range(rule) == 5
    assert judge(rule, points(row), was).state is (expected or was)


@pytest.mark.parametrize("was", AlarmState)
def test_a_young_breach_alone_keeps_the_state_until_it_is_m_periods_old(was: AlarmState) -> None:
    rule = a_threshold(datapoints_to_alarm=3)
    assert judge(rule, points("- - - - X"), was).state is was
    assert judge(rule, points("- - - X -"), was).state is was
    assert judge(rule, points("- - X - -"), was).state is ALARM


@pytest.mark.parametrize(
    ("comparison", "states", "breach"),
    [
        (Comparison.GT, (OK, OK, ALARM), 0.5),
        (Comparison.GE, (OK, ALARM, ALARM), 0.5),
        (Comparison.LT, (ALARM, OK, OK), -0.5),
        (Comparison.LE, (ALARM, ALARM, OK), -0.5),
    ],
)
def test_the_four_comparisons_below_at_and_above_the_threshold(
    comparison: Comparison, states: tuple[AlarmState, ...], breach: float
) -> None:
    rule = a_threshold(comparison=comparison, evaluation_periods=1, datapoints_to_alarm=1)
    found = [judge(rule, [Datapoint(value, 1)], OK) for value in (79.5, 80.0, 80.5)]
    assert tuple(judgement.state for judgement in found) == states
    assert breach in [judgement.breach for judgement in found]
    assert [judgement.breach for judgement in found if judgement.state is OK].count(None) == states.count(OK)


def test_the_breach_is_that_of_the_newest_datapoint_that_breaches() -> None:
    values = [Datapoint(99, 1), Datapoint(85.5, 1), None, Datapoint(10, 1)]
    assert judge(a_threshold(), values, OK).breach == 5.5
    assert judge(a_threshold(), points("- - - - 0"), OK).breach is None


@pytest.mark.parametrize(
    ("row", "changes", "reason"),
    [
        (
            "0 X 0 X X",
            {},
            (
                "2 of 3 datapoints of cpu (average of 60 s) are above 80; 2 of 3 make an alarm. "
                "Newest last: 5, 95, 5, 95, 95."
            ),
        ),
        (
            "- - 0 X -",
            {"comparison": Comparison.LE, "treat_missing_data": BREACHING},
            (
                "1 of 2 datapoints of cpu (average of 60 s) are at or below 80; 1 missing, "
                "treat_missing_data is breaching; 2 of 3 make an alarm. Newest last: none, none, 5, 95, none."
            ),
        ),
        (
            "- - - - -",
            {},
            (
                "cpu (average of 60 s) has no datapoint in the last 5 periods; treat_missing_data is "
                "missing, 2 of 3 make an alarm."
            ),
        ),
    ],
)
def test_the_reason_says_what_was_seen_and_what_is_needed(
    row: str, changes: dict[str, Any], reason: str
) -> None:
    assert judge(a_threshold(**changes), points(row), OK).reason == reason


def test_a_long_reason_shows_the_newest_values_only() -> None:
    rule = a_threshold(evaluation_periods=100, datapoints_to_alarm=100)
    reason = judge(rule, [Datapoint(float(value), 1) for value in range(102)], OK).reason
    assert reason.startswith("21 of 100 datapoints")
    assert reason.endswith("Newest last: …, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101.")


@pytest.mark.parametrize(
    ("statistic", "enough"), [("p99", 1000), ("p90", 100), ("p99.9", 10_000), ("p50", 20), ("p10", 100)]
)
def test_a_percentile_needs_ten_samples_beyond_it_to_change_the_state(statistic: str, enough: int) -> None:
    rule = a_threshold(
        statistic=statistic, evaluation_periods=1, datapoints_to_alarm=1, low_samples=LowSamples.IGNORE
    )
    high, low = Datapoint(95, enough), Datapoint(95, enough - 1)
    for was in AlarmState:
        assert judge(rule, [high], was).state is ALARM
        assert judge(rule, [low], was).state is was
        evaluated = replace(rule, low_samples=LowSamples.EVALUATE)
        assert judge(evaluated, [low], was).state is ALARM


def test_datapoints_of_enough_samples_decide_where_the_others_cannot_matter() -> None:
    rule = a_threshold(statistic="p50", low_samples=LowSamples.IGNORE)
    breach, fine, unclear = Datapoint(95, 20), Datapoint(5, 20), Datapoint(95, 19)
    assert judge(rule, [breach, unclear, breach], OK).state is ALARM
    assert judge(rule, [fine, unclear, fine], ALARM).state is OK
    for was in AlarmState:
        found = judge(rule, [fine, unclear, breach], was)
        assert found.state is was
        assert "1 of too few samples to count" in found.reason
        assert found.breach == 15


values = st.integers(0, 160).map(float)
datapoints = st.builds(Datapoint, values, st.integers(1, 2000))
states = st.sampled_from(AlarmState)


@st.composite
def rules(draw: st.DrawFn, /, **fixed: object) -> ThresholdRule:
    periods = draw(st.integers(1, 6))
    drawn = {
        "evaluation_periods": periods,
        "datapoints_to_alarm": draw(st.integers(1, periods)),
        "comparison": draw(st.sampled_from(Comparison)),
        "treat_missing_data": draw(st.sampled_from(MissingData)),
        "statistic": draw(st.sampled_from(["average", "p90"])),
        "low_samples": draw(st.sampled_from(LowSamples)),
    }
    return a_threshold(**{**drawn, **fixed})


@st.composite
def ranges(draw: st.DrawFn, /, **fixed: object) -> tuple[ThresholdRule, Points]:
    rule = draw(rules(**fixed))
    length = evaluation_range(rule)
    found = draw(st.lists(st.none() | datapoints, min_size=length, max_size=length))
    return rule, tuple(found)


def breaches(rule: ThresholdRule, point: Datapoint | None) -> bool:
    alone = replace(rule, evaluation_periods=1, datapoints_to_alarm=1, low_samples=LowSamples.EVALUATE)
    return point is not None and judge(alone, [point], OK).state is ALARM


@thorough
@given(ranges(), states, st.data())
def test_more_breaching_never_ends_an_alarm(
    case: tuple[ThresholdRule, Points], was: AlarmState, data: st.DataObject
) -> None:
    rule, found = case
    real = [place for place, point in enumerate(found) if point is not None]
    beyond = 200.0 if rule.comparison in (Comparison.GT, Comparison.GE) else -200.0
    worse = list(found)
    for place in data.draw(st.sets(st.sampled_from(real))) if real else ():
        point = worse[place]
        assert point is not None
        worse[place] = Datapoint(beyond, point.samples)
    if judge(rule, found, was).state is ALARM:
        assert judge(rule, worse, was).state is ALARM


@thorough
@given(ranges(), states, st.integers(-1000, 1000))
def test_only_the_distance_from_the_threshold_counts_so_missing_is_never_zero(
    case: tuple[ThresholdRule, Points], was: AlarmState, by: int
) -> None:
    rule, found = case
    moved = [None if point is None else Datapoint(point.value + by, point.samples) for point in found]
    here, there = judge(rule, found, was), judge(replace(rule, threshold=rule.threshold + by), moved, was)
    assert (here.state, here.breach) == (there.state, there.breach)


@thorough
@given(ranges(), states)
def test_breaching_and_not_breaching_bound_what_missing_data_can_mean(
    case: tuple[ThresholdRule, Points], was: AlarmState
) -> None:
    rule, found = case
    worst, mildest = (
        judge(replace(rule, treat_missing_data=mode), found, was).state for mode in (BREACHING, NOT_BREACHING)
    )
    if mildest is ALARM:
        assert worst is ALARM
        assert judge(rule, found, was).state is ALARM


@thorough
@given(ranges(low_samples=LowSamples.EVALUATE), states, st.data())
def test_where_enough_is_real_the_place_of_what_is_missing_does_not_matter(
    case: tuple[ThresholdRule, Points], was: AlarmState, data: st.DataObject
) -> None:
    rule, found = case
    real = [point for point in found if point is not None]
    if len(real) < rule.evaluation_periods:
        return
    shuffled: list[Datapoint | None] = list(real)
    for _ in range(len(found) - len(real)):
        shuffled.insert(data.draw(st.integers(0, len(shuffled))), None)
    counted = sum(breaches(rule, point) for point in real[-rule.evaluation_periods :])
    expected = ALARM if counted >= rule.datapoints_to_alarm else OK
    assert judge(rule, found, was).state is judge(rule, shuffled, was).state is expected


@thorough
@given(ranges(treat_missing_data=IGNORE, low_samples=LowSamples.EVALUATE), states)
def test_where_too_little_is_real_only_premature_alarms_look_at_the_order(
    case: tuple[ThresholdRule, Points], was: AlarmState
) -> None:
    rule, found = case
    if sum(point is not None for point in found) >= rule.evaluation_periods:
        return
    for mode in (IGNORE, BREACHING, NOT_BREACHING):
        each = replace(rule, treat_missing_data=mode)
        orders = itertools.islice(itertools.permutations(found), 20)
        assert {judge(each, order, was).state for order in orders} == {judge(each, found, was).state}


@thorough
@given(ranges(), states)
def test_nothing_but_the_evaluation_range_counts(case: tuple[ThresholdRule, Points], was: AlarmState) -> None:
    rule, found = case
    for older in (Datapoint(0, 1), Datapoint(160, 5000), None):
        assert judge(rule, [older, older, *found], was) == judge(rule, found, was)


def stepped(alarm: Alarm, row: str, after: float = 0) -> Alarm:
    return judged(alarm, points(row), {}, NOW + seconds(after))


def test_a_change_of_state_is_written_down_with_its_time_and_reason() -> None:
    was = an_alarm(generation=7)
    new = stepped(was, "0 0 0 X X")
    reason = judge(a_threshold(), points("0 0 0 X X"), was.state).reason
    assert new == replace(was, state=ALARM, state_reason=reason, state_changed_at=NOW)


@pytest.mark.parametrize(
    ("state", "row"), [(ALARM, "0 0 0 X X"), (OK, "0 0 0 0 X"), (UNKNOWN, "- - - - -"), (OK, "- - - - X")]
)
def test_what_stays_as_it_is_is_the_very_same_alarm(state: AlarmState, row: str) -> None:
    was = an_alarm(state=state)
    assert stepped(was, row) is was


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"backend": Backend.AODH},
        {"time_constraints": (TimeConstraint(name="night", start="0 0 * * *", duration_seconds=3600),)},
    ],
)
def test_what_is_not_judged_keeps_its_state(changes: dict[str, Any]) -> None:
    was = an_alarm(state=ALARM, **changes)
    assert not is_judged(was, NOW)
    assert stepped(was, "0 0 0 0 0") is was
    assert is_judged(an_alarm(), NOW)


def test_a_composite_follows_the_others() -> None:
    other = AlarmId("other")
    was = an_alarm(CompositeRule(expression='{"not": {"alarm": "other"}}'))
    new = judged(was, (), {other: OK}, NOW, {other: "deploying"})
    assert (new.state, new.state_reason) == (ALARM, "Of the parts: not (deploying is ok).")
    assert judged(new, (), {other: OK}, NOW) is new
    gone = judged(new, (), {}, NOW)
    assert (gone.state, gone.state_reason) == (UNKNOWN, "Of the parts: not (other is gone).")


def test_a_reason_fits_the_alarms_row_however_much_there_is_to_name() -> None:
    """It was stored before there was a limit of parts."""
    part = {"alarm": "other"}
    tree = {"or": [{"and": [{"or": [part] * 20}] * 20}] * 20}
    was = an_alarm(CompositeRule(expression=json.dumps(tree)))
    new = judged(was, (), {AlarmId("other"): ALARM}, NOW, {AlarmId("other"): "n" * 255})
    assert new.state is ALARM
    assert new.state_reason.startswith("Of the parts: (((nnn")
    assert new.state_reason.endswith("n…")
    assert len(new.state_reason) == 1024


@pytest.mark.parametrize(
    ("period", "periods", "silent_after", "range_"),
    [
        (60, 1, 300, 6),
        (60, 3, 300, 6),
        (60, 10, 300, 12),
        (10, 1, 300, 31),
        (300, 1, 900, 4),
        (3600, 5, 10800, 7),
    ],
)
def test_how_far_back_is_read(period: int, periods: int, silent_after: int, range_: int) -> None:
    rule = a_threshold(period_seconds=period, evaluation_periods=periods, datapoints_to_alarm=1)
    assert silence_after(rule) == seconds(silent_after)
    assert reading_range(rule) == range_
    assert reading_range(rule) >= evaluation_range(rule)


def test_silence_begins_after_a_while_and_ends_with_the_first_sample() -> None:
    alarm = an_alarm(a_threshold(treat_missing_data=NOT_BREACHING), state=OK)
    empty = reading_range(a_threshold()) * " -"
    assert stepped(alarm, empty[:-2]) is alarm, "too short to tell"
    silent = stepped(alarm, empty)
    assert silent == replace(alarm, silent_since=NOW - seconds(360))
    assert stepped(silent, empty, after=60) is silent
    assert stepped(silent, "- - - - 0", after=120) == alarm


def test_a_new_alarm_is_not_silent_before_there_was_time_to_speak() -> None:
    alarm = an_alarm(created_at=NOW - seconds(359))
    empty = reading_range(a_threshold()) * " -"
    assert stepped(alarm, empty) is alarm
    assert stepped(alarm, empty, after=1).silent_since == NOW - seconds(359)


def test_a_source_is_silent_when_samples_or_calls_stay_away() -> None:
    assert silence(an_alarm(), NOW) is None
    assert silence(an_alarm(silent_since=NOW - seconds(400)), NOW) == (
        NOW - seconds(400),
        "there have been no samples of cpu",
    )
    aodh = an_alarm(backend=Backend.AODH, created_at=NOW - seconds(60), updated_at=NOW - seconds(60))
    assert silence(aodh, NOW) is None, "it may still be on its way"
    assert silence(aodh, NOW + seconds(1140)) == (NOW - seconds(60), "aodh has not called")
    assert silence(replace(aodh, heard_at=NOW + seconds(600)), NOW + seconds(1140)) is None


def test_a_backend_that_need_not_call_is_not_missed() -> None:
    """It is disabled, was changed a minute ago, or none of its windows is open, or has been for long."""
    aodh = an_alarm(backend=Backend.AODH, created_at=NOW - seconds(90_000), updated_at=NOW - seconds(90_000))
    assert silence(aodh, NOW) is not None
    assert silence(replace(aodh, enabled=False), NOW) is None
    assert silence(replace(aodh, updated_at=NOW - seconds(60)), NOW) is None
    window = TimeConstraint(name="at noon", start="55 11 * * *", duration_seconds=3600)
    timed = replace(aodh, time_constraints=(window,))
    assert [silence(timed, NOW + seconds(at)) is not None for at in (-600, 0, 960, 4000)] == [
        False,
        False,
        True,
        False,
    ]
