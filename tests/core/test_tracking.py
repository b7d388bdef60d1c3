from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Rule, Verdict
from chalicelib.core.tracking import (
    CAPACITY_MOST,
    MetricKind,
    Observation,
    TargetTracking,
    exact,
    observed,
    recommended,
)
from tests.core.factories import NOW, seconds
from tests.core.test_worked_examples import members, one, tracking

thorough = settings(max_examples=300, derandomize=True, deadline=None)
KINDS = list(MetricKind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_without_a_single_value_there_is_no_opinion(kind: MetricKind, value: float | None) -> None:
    """Also a number that is none is unknown, never zero."""
    ready = {} if value is None else {"a": value}
    seen = Observation(desired=3, ready=ready, missing=frozenset({"b"}), value=value, in_service=3)
    said = recommended(tracking(50, kind), seen)
    assert (said.capacity, said.value) == (None, None)
    assert said.steps[0].rule is Rule.METRIC
    assert said.steps[0].verdict is Verdict.HOLD
    assert said.steps[0].detail.endswith("Unknown is not zero: no scale-in.")


def test_one_members_value_that_is_no_number_makes_it_silent() -> None:
    rule = tracking(100)
    seen = Observation(desired=2, ready={"a": 10.0, "b": math.nan})
    silent = Observation(desired=2, ready={"a": 10.0}, missing=frozenset({"b"}))
    assert recommended(rule, seen) == recommended(rule, silent)


def test_whole_members_are_counted_exactly() -> None:
    """In floating point 0.1 + 0.2 is a little more than three tenths, which would cost a fourth member."""
    assert recommended(tracking(0.1, MetricKind.TOTAL), one(0.1 + 0.2, 1)).capacity == 3
    assert recommended(tracking(30), members(50, 50, 50)).capacity == 5


def test_at_the_very_edge_of_the_tolerance_nothing_changes() -> None:
    rule = tracking(60)
    assert recommended(rule, members(66, 66, 66, 66)).capacity == 4, "a ratio of 1.1"
    assert recommended(rule, members(54, 54, 54, 54)).capacity == 4, "a ratio of 0.9"
    assert recommended(rule, members(66.1, 66.1, 66.1, 66.1)).capacity == 5
    assert recommended(rule, members(*[53.9] * 12)).capacity == 11


def test_a_group_at_zero_grows_for_a_total_and_for_a_value() -> None:
    assert recommended(tracking(5, MetricKind.TOTAL), one(12, 0)).capacity == 3
    assert recommended(tracking(5, MetricKind.TOTAL), one(0, 0)).capacity == 0
    assert recommended(tracking(5, MetricKind.VALUE), one(12, 0)).capacity == 3


def test_a_value_says_nothing_while_no_member_serves() -> None:
    said = recommended(tracking(5, MetricKind.VALUE), one(1, 4, in_service=0))
    assert said.capacity == 4
    assert "No member serves yet" in said.steps[0].detail


def test_members_that_are_still_being_made_do_not_make_a_loaded_group_shrink() -> None:
    """Three serve at 1.2 times the target, three more are on their way: four would do, six are wanted."""
    seen = members(72, 72, 72, desired=6)
    assert recommended(tracking(60), seen).capacity == 6


def test_what_is_recommended_is_bounded() -> None:
    assert recommended(tracking(1e-9, MetricKind.TOTAL), one(1e300, 1)).capacity == CAPACITY_MOST
    assert recommended(tracking(5, MetricKind.TOTAL), one(-1e300, 1)).capacity == 0


@pytest.mark.parametrize("target", [0, -1, math.nan, math.inf])
def test_a_target_is_greater_than_zero(target: float) -> None:
    with pytest.raises(Invalid) as refused:
        tracking(target)
    assert refused.value.code == "autoscaling.policy.target"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"period_seconds": 90}, "policy.period"),
        ({"period_seconds": 0}, "policy.period"),
        ({"period_seconds": 7200}, "policy.period"),
        ({"statistic": "median"}, "statistic"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        tracking(1, **changes)
    assert refused.value.code == f"autoscaling.{code}"


def test_who_is_believed() -> None:
    rule = tracking(60, unready_seconds=300)
    seen = observed(
        rule,
        desired=5,
        in_service_since={
            "old": NOW - seconds(300),
            "silent": NOW - seconds(900),
            "young": NOW - seconds(299),
        },
        awaited=["building", "planned"],
        values={"old": 50.0, "young": 99.0, "stranger": 1000.0, "building": 3.0},
        now=NOW,
    )
    assert seen == Observation(
        desired=5,
        ready={"old": 50.0},
        unready=frozenset({"young", "building", "planned"}),
        missing=frozenset({"silent"}),
        in_service=3,
    )


@pytest.mark.parametrize(
    ("seen", "detail"),
    [
        (members(30, 30), "The mean m of 2 members is 30, the target 60."),
        (
            members(90, 90, unready=1, missing=1),
            "With 2 members that are silent or new, counted as 0, it would be 45. That is on the other side",
        ),
        (members(30, 30, missing=1), "With 1 members that are silent or new, counted as 60, it would be 40."),
    ],
)
def test_the_explanation_says_what_was_counted(seen: Observation, detail: str) -> None:
    assert detail in recommended(tracking(60), seen).steps[0].detail


def test_a_tolerated_ratio_is_explained() -> None:
    said = recommended(tracking(60), members(63, 63))
    assert [(step.rule, step.verdict) for step in said.steps] == [
        (Rule.METRIC, Verdict.PASS),
        (Rule.TOLERANCE, Verdict.HOLD),
    ]
    assert said.steps[1].detail == "The ratio 1.05 is within 0.9 and 1.1: no change."


values = st.floats(0, 1e6, allow_nan=False)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    ready = draw(st.lists(values, max_size=12))
    seen = members(*ready, unready=draw(st.integers(0, 5)), missing=draw(st.integers(0, 5)))
    return replace(
        seen,
        desired=draw(st.integers(0, 30)),
        value=draw(st.none() | values),
        in_service=draw(st.integers(0, 30)),
    )


rules = st.builds(
    TargetTracking,
    metric=st.just("m"),
    target=st.floats(1e-3, 1e6),
    kind=st.sampled_from(KINDS),
    tolerance_out=st.floats(0, 2),
    tolerance_in=st.floats(0, 2),
    missing_value=st.none() | values,
)


@thorough
@given(rules, observations())
def test_the_group_never_goes_against_its_metric(rule: TargetTracking, seen: Observation) -> None:
    """Over the target it never shrinks, under it it never grows; whoever is ready, new or silent."""
    said = recommended(rule, seen)
    if said.capacity is None:
        assert said.value is None
        return
    assert 0 <= said.capacity <= CAPACITY_MOST
    assert said.value is not None
    if exact(said.value) > exact(rule.target):
        assert said.capacity >= seen.desired
    elif said.value < rule.target and seen.desired:
        assert said.capacity <= seen.desired


@thorough
@given(st.lists(values, min_size=1, max_size=12), st.floats(1e-2, 1e5), st.integers(1, 1000))
def test_scaling_all_values_and_the_target_alike_changes_nothing(
    loads: list[float], target: float, by: int
) -> None:
    loads, target = [round(load, 3) for load in loads], round(target, 3)
    plain = recommended(tracking(target), members(*loads)).capacity
    scaled = recommended(tracking(target * by), members(*(load * by for load in loads))).capacity
    assert plain == scaled


@thorough
@given(st.lists(values, min_size=1, max_size=12), st.integers(1, 5))
def test_silence_never_hastens_a_change(loads: list[float], silent: int) -> None:
    """A silent member changes the size by no more than one that reports what the others do."""
    loads = [round(load) for load in loads]
    size, mean = len(loads) + silent, sum(loads) / len(loads)
    cautious = recommended(tracking(1000), members(*loads, missing=silent)).capacity
    if mean == 1000:
        assert cautious == size
    elif mean > 1000:
        assert cautious in range(size, math.ceil(mean * size / 1000) + 1)
    else:
        assert cautious in range(math.ceil(mean * size / 1000 - 1e-9), size + 1)


@thorough
@given(st.integers(1, 50), st.floats(1, 1e4), st.floats(1, 1e4))
def test_a_constant_load_settles_at_once(size: int, load: float, target: float) -> None:
    """After one step each member's share is at most the tolerated target, and the size stays."""
    rule = tracking(target)
    first = recommended(rule, members(*[load / size] * size)).capacity
    assert first is not None
    first = max(1, first)
    again = recommended(rule, members(*[load / first] * first)).capacity
    assert again is not None
    settled = max(1, again)
    assert recommended(rule, members(*[load / settled] * settled)).capacity in (settled, 0)
    assert load / settled <= target * 1.1 * (1 + 1e-9)
