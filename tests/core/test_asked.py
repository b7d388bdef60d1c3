"""The four ways to a size in one decision: what each asks, what it waits for, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from chalicelib.core.alarm import Comparison
from chalicelib.core.asked import Proposal
from chalicelib.core.capacity import AdjustmentType, Direction
from chalicelib.core.cooldown import completed, warming
from chalicelib.core.decision import Decision, Event, Guard, decide
from chalicelib.core.execution import Outcome, Rule, Step, Verdict
from chalicelib.core.flapping import OutCondition
from chalicelib.core.policy import PolicyMode
from chalicelib.core.resize import resize
from chalicelib.core.schedule import SetSizes
from chalicelib.core.steps import Interval, StepScaling
from chalicelib.core.tracking import TargetTracking
from tests.core.factories import NOW, POLICY, a_group, a_policy, a_stamp, by, seconds

TRACKING = TargetTracking(metric="cpu", target=60)
HIGHER = StepScaling(
    type=AdjustmentType.CHANGE,
    steps=(
        Interval(lower=0, upper=10, amount=Fraction(1)),
        Interval(lower=10, upper=None, amount=Fraction(3)),
    ),
    warmup_seconds=120,
)
LOWER = StepScaling(
    type=AdjustmentType.CHANGE,
    steps=(Interval(lower=None, upper=0, amount=Fraction(-1)),),
    warmup_seconds=120,
)
WORDS = Step(rule=Rule.METRIC, verdict=Verdict.PASS, detail="cpu is 90.")


def proposed(capacity: int | None) -> Event:
    return Event(proposal=Proposal(capacity=capacity, steps=(WORDS,)))


def stepped(breach: float | None, rule: StepScaling = HIGHER, **group: object) -> Decision:
    policy = a_policy(rule, cooldown_seconds=0)
    return decide(policy, a_group(max_size=20, **group), Event(breach=breach), NOW)


@pytest.mark.parametrize(("breach", "size"), [(0, 5), (9.9, 5), (10, 7), (99, 7)])
def test_the_size_of_the_breach_decides_how_many_are_added(breach: float, size: int) -> None:
    decision = stepped(breach, desired_capacity=4)
    assert (decision.outcome, decision.wanted) == (Outcome.EXECUTED, size)


def test_without_a_measure_a_policy_of_steps_asks_for_nothing() -> None:
    decision = stepped(None)
    assert (decision.outcome, decision.wanted) == (Outcome.NO_DATA, None)


def test_what_warms_up_counts_so_a_breach_that_lasts_adds_nothing_and_a_larger_one_the_rest() -> None:
    first = stepped(5, desired_capacity=4).group
    again = decide(a_policy(HIGHER, cooldown_seconds=0), first, Event(breach=5), NOW + seconds(60))
    assert again.outcome is Outcome.NO_CHANGE
    larger = decide(a_policy(HIGHER, cooldown_seconds=0), first, Event(breach=15), NOW + seconds(60))
    assert (larger.outcome, larger.wanted) == (Outcome.EXECUTED, 7)
    assert warming(larger.group.cooldowns, POLICY, NOW + seconds(60)) == 3


@pytest.mark.parametrize(("left", "size"), [(7, 7), (5, 7), (4, 7), (2, 5)])
def test_members_that_were_taken_away_do_not_warm_up(left: int, size: int) -> None:
    """What steps count from is what was there without them, however the group came to be smaller."""
    grown = stepped(15, desired_capacity=4).group
    fewer = resize(SetSizes(desired_capacity=left), grown, NOW + seconds(10)).group
    again = decide(a_policy(HIGHER, cooldown_seconds=0), fewer, Event(breach=15), NOW + seconds(20))
    assert again.group.desired_capacity == size


def test_the_warm_up_begins_when_the_members_are_in_service() -> None:
    grown = stepped(5, desired_capacity=4).group
    later = NOW + seconds(200)
    assert warming(grown.cooldowns, POLICY, later) == 1, "still being made"
    served = replace(grown, cooldowns=completed(grown.cooldowns, later))
    warm = (warming(served.cooldowns, POLICY, later + seconds(n)) for n in (119, 120))
    assert tuple(warm) == (1, 0)


def test_steps_down_wait_for_the_warm_up_of_what_they_added() -> None:
    stamp = a_stamp(policy_id=POLICY, direction=Direction.OUT, added=2)
    group = a_group(desired_capacity=4, cooldowns=(stamp,))
    decision = decide(a_policy(LOWER, cooldown_seconds=0), group, Event(breach=-5), NOW)
    assert decision.outcome in (Outcome.NO_CHANGE, Outcome.IN_COOLDOWN)
    assert decision.group is group


def test_steps_grow_without_regard_to_the_groups_cooldown_and_leave_it_alone() -> None:
    decision = stepped(5, cooldowns=(a_stamp(),))
    assert decision.outcome is Outcome.EXECUTED
    assert [stamp.policy_id for stamp in decision.group.cooldowns] == [None, POLICY]


def test_a_policy_of_steps_without_a_warm_up_takes_the_groups_cooldown_for_it() -> None:
    decision = stepped(5, replace(HIGHER, warmup_seconds=None))
    assert [(s.seconds, s.added) for s in decision.group.cooldowns] == [(300, 1)]


def test_target_tracking_neither_waits_for_nor_starts_the_groups_cooldown() -> None:
    group = a_group(cooldowns=(a_stamp(),))
    decision = decide(a_policy(TRACKING, cooldown_seconds=0), group, proposed(5), NOW)
    assert (decision.outcome, decision.group.cooldowns) == (Outcome.EXECUTED, group.cooldowns)
    assert decision.explanation.steps[5] == WORDS


def test_target_tracking_has_its_own_cooldown_where_it_is_given_one() -> None:
    policy = a_policy(TRACKING, cooldown_seconds=60)
    grown = decide(policy, a_group(), proposed(5), NOW).group
    assert decide(policy, grown, proposed(6), NOW + seconds(30)).outcome is Outcome.IN_COOLDOWN


@pytest.mark.parametrize("event", [Event(), proposed(None)])
def test_unknown_never_scales(event: Event) -> None:
    decision = decide(a_policy(TRACKING), a_group(), event, NOW)
    assert (decision.outcome, decision.group) == (Outcome.NO_DATA, a_group())


def test_a_tick_changes_a_group_once() -> None:
    event = Event(tick=NOW)
    policy = a_policy(by(1), cooldown_seconds=0)
    grown = decide(policy, a_group(cooldown_seconds=0), event, NOW).group
    assert grown.judged_at == NOW
    again = decide(policy, grown, event, NOW + seconds(1))
    assert (again.outcome, again.group) == (Outcome.OUTVOTED, grown)
    assert decide(policy, grown, Event(tick=NOW + seconds(60)), NOW).outcome is Outcome.EXECUTED


HOT = OutCondition(comparison=Comparison.GT, threshold=80)


@pytest.mark.parametrize(
    ("value", "amount", "outcome", "size"),
    [
        (60, -1, Outcome.WOULD_FLAP, 3),  # 3 at 60 % are 2 at 90 %
        (50, -1, Outcome.EXECUTED, 2),
        (40, -2, Outcome.EXECUTED, 2),  # one alone would be at 120 %
        (95, 1, Outcome.EXECUTED, 4),  # growing flaps never
    ],
)
def test_a_scale_in_that_would_not_last_is_held_or_made_smaller(
    value: float, amount: int, outcome: Outcome, size: int
) -> None:
    event = Event(guard=Guard(value=value, conditions=(HOT,)))
    decision = decide(a_policy(by(amount)), a_group(desired_capacity=3), event, NOW)
    assert (decision.outcome, decision.group.desired_capacity) == (outcome, size)


def test_what_others_want_to_remain_remains() -> None:
    words = Step(rule=Rule.RECONCILE, verdict=Verdict.CLAMPED, detail="another policy wants 4.")
    event = Event(at_least=Proposal(capacity=4, steps=(words,)))
    decision = decide(a_policy(by(-3)), a_group(desired_capacity=6), event, NOW)
    assert decision.wanted == 4
    assert words in decision.explanation.steps


def test_a_shadow_says_what_it_would_have_done_with_a_metric() -> None:
    decision = decide(a_policy(TRACKING, mode=PolicyMode.SHADOW), a_group(), proposed(5), NOW)
    assert (decision.outcome, decision.wanted) == (Outcome.SHADOW, 5)
    assert "from 2 to 5" in decision.explanation.summary
