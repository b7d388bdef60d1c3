"""The cases that others publish about their autoscalers, with what each is expected to come to.

Ids are rows of the collection these were taken from, then the source: AWS's user guides, the unit tests of
Kubernetes' replica calculator (k8s), its KEP-853 (kep), Azure's documentation, Google's, KEDA's. Rows 1 to 3
are in test_capacity.py. Left out are alarms' rows, and 46: there is no threshold that wakes a group up.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from chalicelib.core.alarm import Comparison
from chalicelib.core.behavior import Advice, Window, changed, limited, stabilized
from chalicelib.core.capacity import AdjustmentType, Bounds, raw_capacity
from chalicelib.core.flapping import OutCondition, safe_scale_in
from chalicelib.core.ids import PolicyId
from chalicelib.core.pace import Behavior, RateLimit, RateType, Select
from chalicelib.core.reconcile import Want, reconciled
from chalicelib.core.steps import Interval, StepScaling, asked_capacity
from chalicelib.core.tracking import MetricKind, Observation, TargetTracking, recommended
from tests.core.factories import NOW, by, by_percent, seconds

BY_PERCENT = StepScaling(
    type=AdjustmentType.PERCENT,
    steps=(
        Interval(lower=None, upper=-20, amount=Fraction(-30)),
        Interval(lower=-20, upper=-10, amount=Fraction(-10)),
        Interval(lower=-10, upper=0, amount=Fraction(0)),
        Interval(lower=0, upper=10, amount=Fraction(0)),
        Interval(lower=10, upper=20, amount=Fraction(10)),
        Interval(lower=20, upper=None, amount=Fraction(30)),
    ),
)


def tracking(target: float, kind: MetricKind = MetricKind.AVERAGE, **more: Any) -> TargetTracking:
    return TargetTracking(metric="m", target=target, kind=kind, **more)


def members(*values: float, desired: int = 0, unready: int = 0, missing: int = 0) -> Observation:
    """Return what so many members report, so many more being too young, and so many silent."""
    return Observation(
        desired=desired or len(values) + unready + missing,
        ready={f"ready-{number}": value for number, value in enumerate(values)},
        unready=frozenset(f"unready-{number}" for number in range(unready)),
        missing=frozenset(f"missing-{number}" for number in range(missing)),
    )


def one(value: float, desired: int, in_service: int | None = None) -> Observation:
    return Observation(desired=desired, value=value, in_service=desired if in_service is None else in_service)


def test_row_4_aws_step_scaling_by_percent() -> None:
    """A threshold of 50, ten members, and a metric of 60, 70, 40, 30 in turn."""
    size, seen = 10, []
    for metric in (60, 70, 40, 30):
        size = asked_capacity(BY_PERCENT, size, warming=0, breach=metric - 50)
        seen.append(size)
    assert seen == [11, 14, 13, 10]


def test_row_9_aws_the_same_step_asks_for_nothing_more_while_one_warms() -> None:
    assert asked_capacity(BY_PERCENT, 11, warming=1, breach=12) == 11
    assert asked_capacity(BY_PERCENT, 11, warming=1, breach=20) == 13, (
        "30 % of 10 are 3, and one is on its way"
    )
    assert asked_capacity(BY_PERCENT, 11, warming=1, breach=-30) == 11


AVERAGE = [
    ("20-k8s", tracking(300), members(300, 500, 700), 5),
    ("21-k8s", tracking(300), members(500, 700, unready=1), 4),
    ("22-k8s", tracking(300), members(400, unready=2), 3),
    ("23-k8s", tracking(15), members(20, 10, 30), 4),
    ("28-k8s", tracking(500), members(100, 300, 500, 250, 250), 3),
    ("30-k8s", tracking(500), members(100, 300, 500, unready=2), 2),
    ("31-k8s", tracking(1000), members(1010, 1030, 1020), 3),
    ("32-k8s", tracking(1000), members(400, 95, missing=2), 3),
    ("33a-k8s", tracking(1000), members(1000, missing=1), 2),
    ("33b-k8s", tracking(1000), members(1900, missing=1), 2),
    ("33c-k8s", tracking(1000), members(600, missing=1), 2),
    # Of a utilisation a silent member counts as all of its request, here 1000, when the group would shrink.
    ("34a-k8s", tracking(500, missing_value=1000), members(450, unready=1, missing=1), 3),
    ("34b-k8s", tracking(500, missing_value=1000), members(2000, unready=1, missing=1), 4),
    ("34c-k8s", tracking(500, missing_value=1000), members(100, 100, unready=1, missing=1), 3),
    ("34a1-k8s", tracking(1000, tolerance_in=0, tolerance_out=0), members(909, 1010, 1111), 4),
    ("34a2-k8s", tracking(1000, tolerance_in=0.1, tolerance_out=2.0), members(1890, 1910, 1900), 3),
    ("34a3-k8s", tracking(1000, tolerance_in=2.0, tolerance_out=0.08), members(1100, 1080, 1090), 4),
    ("34b1-k8s", tracking(1000, tolerance_in=0.36, tolerance_out=0.1), members(660, 640, 650), 3),
    ("34b2-k8s", tracking(1000, tolerance_in=0.34, tolerance_out=0.1), members(660, 640, 650), 2),
    ("34c1-k8s", tracking(20000, tolerance_out=0.01), members(20000, 21000, 21000), 4),
    ("34d3-k8s", tracking(1000), members(4000, 9500, 3000, 7000), 24),
    ("6-aws-out", tracking(60), members(*[69] * 10), 12),
    ("6-aws-in", tracking(60), members(*[51] * 10), 9),
]

TOTAL, VALUE = MetricKind.TOTAL, MetricKind.VALUE
ONE_VALUE = [
    ("5-aws", tracking(100, TOTAL), one(1500, 10), 15),
    ("24a-k8s", tracking(15, VALUE), one(20, 3), 4),
    ("24b-k8s", tracking(5000, TOTAL), one(20000, 3), 4),
    ("25-k8s", tracking(10, VALUE), one(50, 3, in_service=1), 5),
    # Kubernetes says 2: at nearly twice the target it shrinks three to two, for one of them is ready. A group
    # over its target never shrinks here.
    ("26-k8s-corrected", tracking(4400, VALUE), one(8600, 3, in_service=1), 3),
    ("27-k8s", tracking(2150, TOTAL), one(8600, 3), 4),
    ("29a-k8s", tracking(20, VALUE), one(12, 5), 3),
    ("29b-k8s", tracking(14334, VALUE), one(8600, 5), 3),
    ("31b-k8s", tracking(8888, VALUE), one(8600, 3), 3),
    ("34c2-k8s", tracking(20000, VALUE, tolerance_out=0.01), one(20666, 3), 4),
    ("34c3-k8s", tracking(5000, TOTAL, tolerance_out=0.01), one(20208, 4), 5),
    ("34c4-k8s", tracking(8800, VALUE, tolerance_out=0.01), one(8900, 3), 4),
    ("34c5-k8s", tracking(2800, TOTAL, tolerance_out=0.01), one(8600, 3), 4),
    ("34d1-k8s", tracking(5000, TOTAL), one(20166, 4), 4),
    ("34d2-k8s", tracking(2900, TOTAL), one(8600, 3), 3),
    ("45a-keda", tracking(5, TOTAL), one(20, 3), 4),
    ("45b-keda", tracking(5, VALUE), one(20, 3), 12),
]


@pytest.mark.parametrize(
    ("rule", "seen", "expected"), [pytest.param(*case[1:], id=case[0]) for case in [*AVERAGE, *ONE_VALUE]]
)
def test_the_size_that_brings_a_metric_to_its_target(
    rule: TargetTracking, seen: Observation, expected: int
) -> None:
    assert recommended(rule, seen).capacity == expected


def advice(*capacities: int, every: int = 1) -> Window:
    """Return a window with a recommendation each ``every`` seconds, the last of them at NOW."""
    last = len(capacities) - 1
    return Window(
        advice=tuple(
            Advice(at=NOW - seconds((last - number) * every), capacity=capacity)
            for number, capacity in enumerate(capacities)
        )
    )


@pytest.mark.parametrize(
    ("out_seconds", "in_seconds", "current", "capacities", "expected"),
    [
        pytest.param(0, 10, 10, [10, 9, 8, 9, 9, 8, 9, 8, 9, 8], 10, id="35a-kep"),
        pytest.param(0, 10, 10, [9, 8, 9, 9, 8, 9, 8, 9, 8, 7], 9, id="35b-kep"),
        pytest.param(10, 0, 2, [2, 3, 19, 10, 3, 4], 2, id="36a-kep"),
        pytest.param(10, 0, 2, [7, 3, 19, 10, 3, 4], 3, id="36b-kep"),
    ],
)
def test_a_recommendation_has_to_last(
    out_seconds: int, in_seconds: int, current: int, capacities: list[int], expected: int
) -> None:
    rule = tracking(
        1,
        out=Behavior(stabilization_seconds=out_seconds),
        into=Behavior(stabilization_seconds=in_seconds),
    )
    assert stabilized(rule, advice(*capacities), NOW, current, capacities[-1]).capacity == expected


def test_row_47_google_a_peak_holds_for_the_stabilization_window() -> None:
    rule = tracking(1, into=Behavior(stabilization_seconds=600))
    held = stabilized(rule, advice(10, 4, 4, every=240), NOW, 10, 4)
    assert held.capacity == 10
    assert held.step is not None
    assert held.step.until == NOW + seconds(120)
    later = NOW + seconds(120)
    assert stabilized(rule, advice(10, 4, 4, every=240), later, 10, 4).capacity == 4


def climb(rule: TargetTracking, start: int, goal: int, every: int) -> list[int]:
    """Return the sizes on the way from ``start`` to ``goal``, one move each ``every`` seconds."""
    sizes, window, now = [start], Window(), NOW
    while sizes[-1] != goal and len(sizes) < 50:
        size = limited(rule, window, now, sizes[-1], goal).capacity
        assert limited(rule, window, now, sizes[-1], goal).capacity == size
        window = changed(rule, window, now, sizes[-1], size)
        sizes.append(size)
        now += seconds(every)
    return sizes


def limits(*limits: tuple[RateType, int], period: int = 60, select: Select = Select.MAX) -> Behavior:
    return Behavior(
        stabilization_seconds=0,
        limits=tuple(RateLimit(type=type_, value=value, period_seconds=period) for type_, value in limits),
        select=select,
    )


def test_row_37_kep_nine_hundred_percent_a_minute() -> None:
    rule = tracking(1, out=limits((RateType.PERCENT, 900)))
    assert climb(rule, 1, 1000, every=60) == [1, 10, 100, 1000]


def test_row_38_kep_down_by_four_or_ten_percent_a_minute_whichever_is_more() -> None:
    rule = tracking(1, into=limits((RateType.MEMBERS, 4), (RateType.PERCENT, 10)))
    expected = [80, 72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 10]
    assert climb(rule, 80, 10, every=60) == expected


def test_row_48_google_scale_in_by_ten_in_twenty_minutes() -> None:
    rule = tracking(1, into=limits((RateType.MEMBERS, 10), period=1200))
    assert limited(rule, Window(), NOW, 100, 50).capacity == 90


@pytest.mark.parametrize(
    ("value", "current", "candidate", "comparison", "threshold", "expected"),
    [
        pytest.param(575, 3, 2, Comparison.GT, 600, 3, id="39-azure"),
        pytest.param(60, 3, 2, Comparison.GT, 80, 3, id="40a-azure"),
        pytest.param(50, 3, 2, Comparison.GT, 80, 2, id="40b-azure"),
        pytest.param(28, 2, 1, Comparison.GT, 50, 2, id="41-azure"),
        pytest.param(1250 / 3, 3, 2, Comparison.GE, 600, 3, id="42a-azure"),
        pytest.param(1180 / 3, 3, 2, Comparison.GE, 600, 2, id="42b-azure"),
        # Azure's page says 27, where its own estimate is 30 * 65 / 27 = 72.2 %, over the limit of 70 %.
        pytest.param(65, 30, 27, Comparison.GT, 70, 28, id="43-azure-corrected"),
    ],
)
def test_a_scale_in_does_not_set_off_a_scale_out(
    value: float, current: int, candidate: int, comparison: Comparison, threshold: float, expected: int
) -> None:
    condition = OutCondition(comparison=comparison, threshold=threshold)
    assert safe_scale_in(value, current, candidate, [condition])[0] == expected


def want(name: str, capacity: int | None, **more: Any) -> Want:
    return Want(policy_id=PolicyId(name), name=name, capacity=capacity, **more)


def test_row_7_aws_the_forecast_and_the_present_need_whichever_is_larger() -> None:
    wants = [want("forecast", 10, never_in=True), want("dynamic", 8)]
    assert reconciled(wants, current=8).capacity == 10
    assert reconciled(wants, current=12).capacity == 10


def test_row_8_aws_with_a_buffer_of_none_a_forecast_stays_within_max_size() -> None:
    """AWS lets a forecast of 50 go beyond a maximum of 40, to 55 where a policy has a buffer of 10 %.

    Ours never does: max_size is what the owner pays for at most, and what the quota is counted by.
    """
    assert Bounds(min_size=1, max_size=40).clamp(50) == 40


def test_row_44_azure_of_several_rules_the_largest_size() -> None:
    out = [want("a", raw_capacity(by(3), 10)), want("b", raw_capacity(by(5), 10))]
    assert reconciled(out, current=10).capacity == 15
    into = [want("a", raw_capacity(by_percent(-50), 10)), want("b", raw_capacity(by(-3), 10))]
    assert reconciled(into, current=10).capacity == 7


def test_aws_several_target_tracking_policies_out_if_any_in_if_all() -> None:
    assert reconciled([want("cpu", 3), want("queue", 6), want("net", 5)], current=4).capacity == 6
    assert reconciled([want("cpu", 2), want("queue", 3)], current=4).capacity == 3
    assert reconciled([want("cpu", 2), want("queue", 4)], current=4).capacity == 4


def test_kubernetes_a_metric_that_is_unknown_blocks_in_and_not_out() -> None:
    unknown = want("queue", None)
    assert reconciled([want("cpu", 2), unknown], current=4).capacity == 4
    assert reconciled([want("cpu", 6), unknown], current=4).capacity == 6


def test_the_default_of_a_silent_member_is_the_target() -> None:
    """Row 34c with the raw metric's rule: a silent member counts as the target, not as all of its request."""
    rule = tracking(500, missing_value=1000)
    seen = members(100, 100, unready=1, missing=1)
    assert recommended(replace(rule, missing_value=None), seen).capacity == 2
