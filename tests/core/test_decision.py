from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.capacity import Adjustment, Direction
from chalicelib.core.cooldown import holding
from chalicelib.core.decision import Decision, Event, decide
from chalicelib.core.execution import Outcome, Rule, Step, Verdict
from chalicelib.core.group import Change, Freeze, Group, TroubleKind
from chalicelib.core.ids import PolicyId
from chalicelib.core.policy import DirectionLimit, Policy, PolicyMode
from tests.core.factories import (
    NOW,
    POLICY,
    a_group,
    a_policy,
    a_stamp,
    a_trouble,
    by,
    by_percent,
    seconds,
    to,
)

thorough = settings(max_examples=200, derandomize=True, deadline=None)

OUT, IN = Direction.OUT, Direction.IN
OTHER = PolicyId("policy-2")


def the_step(decision: Decision, rule: Rule) -> Step:
    """Return the last step of ``rule``."""
    return [step for step in decision.explanation.steps if step.rule is rule][-1]


def test_an_alarm_scales_the_group_and_stamps_the_change() -> None:
    group = a_group(desired_capacity=2)
    decision = decide(a_policy(by(1)), group, Event(), NOW)
    assert decision.outcome is Outcome.EXECUTED
    assert decision.retry_at is None
    assert decision.group.desired_capacity == 3
    assert decision.group.updated_at == NOW
    assert [(s.policy_id, s.direction, s.until) for s in decision.group.cooldowns] == [
        (None, OUT, NOW + seconds(300)),
        (POLICY, OUT, NOW + seconds(60)),
    ]
    assert all(s.under_way_until == NOW + seconds(600) for s in decision.group.cooldowns)


def test_an_executed_change_touches_only_the_size_and_what_tells_of_it() -> None:
    group = a_group(generation=7, freeze=Freeze(reason="over", until=NOW))
    after = decide(a_policy(by(1)), group, Event(), NOW).group
    untouched = replace(
        after,
        desired_capacity=group.desired_capacity,
        cooldowns=group.cooldowns,
        changes=group.changes,
        updated_at=group.updated_at,
    )
    assert untouched == group
    assert after.changes == (Change(at=NOW, by=1),)


@pytest.mark.parametrize(
    ("adjustment", "before", "after"),
    [
        (by(1), 2, 3),
        (by(-1), 2, 1),
        (by(5), 9, 10),
        (to(7), 2, 7),
        (to(99), 2, 10),
        (to(0), 2, 1),
        (by_percent(50), 9, 10),  # a partial clamp is a change
        (by_percent(-90), 10, 1),
        (by(-1), 12, 10),  # outside its bounds: to the bound, not to 11
    ],
)
def test_what_a_policy_makes_of_a_group_of_one_to_ten(
    adjustment: Adjustment, before: int, after: int
) -> None:
    decision = decide(a_policy(adjustment), a_group(desired_capacity=before), Event(), NOW)
    assert decision.outcome is Outcome.EXECUTED
    assert decision.group.desired_capacity == after
    assert decision.group.cooldowns != ()


def test_arithmetic_starts_from_what_is_wanted_not_from_what_serves() -> None:
    """Two fast requests add up although no server has come up between them."""
    group = a_group(desired_capacity=2, cooldown_seconds=0)
    policy = a_policy(by(1), cooldown_seconds=0)
    for _ in range(2):
        group = decide(policy, group, Event(), NOW).group
    assert (group.desired_capacity, group.observed.in_service) == (4, 2)


@pytest.mark.parametrize(
    ("adjustment", "desired"), [(by(1), 10), (by(-1), 1), (to(2), 2), (by(0), 5), (by_percent(0), 5)]
)
def test_nothing_to_change_starts_no_cooldown(adjustment: Adjustment, desired: int) -> None:
    group = a_group(desired_capacity=desired)
    decision = decide(a_policy(adjustment), group, Event(), NOW)
    assert decision.outcome is Outcome.NO_CHANGE
    assert decision.group is group
    assert the_step(decision, Rule.CHANGE).verdict is Verdict.REFUSE


def test_a_cooldown_of_zero_is_no_cooldown() -> None:
    group = a_group(cooldown_seconds=0)
    assert decide(a_policy(cooldown_seconds=0), group, Event(), NOW).group.cooldowns == ()


# --- the order of the rules


Scene = tuple[Policy, Group, Event]


def not_alarm(scene: Scene) -> Scene:
    policy, group, event = scene
    return policy, group, replace(event, firing=False)


def deleting(scene: Scene) -> Scene:
    policy, group, event = scene
    return policy, replace(group, deleting=True), event


def disabled(scene: Scene) -> Scene:
    policy, group, event = scene
    return replace(policy, mode=PolicyMode.DISABLED), group, event


def frozen(scene: Scene) -> Scene:
    policy, group, event = scene
    return policy, replace(group, freeze=Freeze(reason="Release day.", until=None)), event


def credential_broken(scene: Scene) -> Scene:
    policy, group, event = scene
    trouble = a_trouble(TroubleKind.CREDENTIAL)
    return policy, replace(group, observed=replace(group.observed, trouble=trouble)), event


def shadow(scene: Scene) -> Scene:
    policy, group, event = scene
    return replace(policy, mode=PolicyMode.SHADOW), group, event


def at_its_bound(scene: Scene) -> Scene:
    policy, group, event = scene
    return policy, replace(group, desired_capacity=group.bounds.max_size), event


def wrong_direction(scene: Scene) -> Scene:
    policy, group, event = scene
    return policy, group, replace(event, direction=DirectionLimit.IN)


def in_cooldown(scene: Scene) -> Scene:
    policy, group, event = scene
    return policy, replace(group, cooldowns=(a_stamp(OUT),)), event


IN_ORDER: list[tuple[Outcome, Callable[[Scene], Scene]]] = [
    (Outcome.NOT_ALARM, not_alarm),
    (Outcome.GROUP_DELETING, deleting),
    (Outcome.DISABLED, disabled),
    (Outcome.FROZEN, frozen),
    (Outcome.CREDENTIAL_ERROR, credential_broken),
    (Outcome.SHADOW, shadow),
    (Outcome.NO_CHANGE, at_its_bound),
    (Outcome.DIRECTION_REFUSED, wrong_direction),
    (Outcome.IN_COOLDOWN, in_cooldown),
]
PAIRS = [
    pytest.param(first, second, expected, id=f"{expected} before {later}")
    for (expected, first), (later, second) in combinations(IN_ORDER, 2)
    if (expected, later) != (Outcome.DISABLED, Outcome.SHADOW)  # one mode at a time
]


def a_scene() -> Scene:
    return a_policy(by(1)), a_group(), Event()


@pytest.mark.parametrize(("expected", "apply"), [pytest.param(*row, id=row[0]) for row in IN_ORDER])
def test_each_rule_alone_gives_its_own_outcome_and_changes_nothing(
    expected: Outcome, apply: Callable[[Scene], Scene]
) -> None:
    policy, group, event = apply(a_scene())
    decision = decide(policy, group, event, NOW)
    assert decision.outcome is expected
    assert decision.group is group


@pytest.mark.parametrize(("first", "second", "expected"), PAIRS)
def test_where_two_rules_apply_the_earlier_one_speaks(
    first: Callable[[Scene], Scene], second: Callable[[Scene], Scene], expected: Outcome
) -> None:
    assert decide(*first(second(a_scene())), NOW).outcome is expected
    assert decide(*second(first(a_scene())), NOW).outcome is expected


def test_where_all_rules_apply_they_speak_in_their_order() -> None:
    """Mending the first thing that is wrong brings up the next."""
    for number, (expected, _) in enumerate(IN_ORDER):
        scene = a_scene()
        for _, apply in reversed(IN_ORDER[number:]):
            scene = apply(scene)
        assert decide(*scene, NOW).outcome is expected


# --- explanations


@pytest.mark.parametrize(
    ("outcome", "apply", "rules"),
    [
        (Outcome.NOT_ALARM, not_alarm, [Rule.EVENT]),
        (Outcome.IN_COOLDOWN, in_cooldown, None),
        (Outcome.NO_CHANGE, at_its_bound, None),
        (Outcome.FROZEN, frozen, None),
        (Outcome.CREDENTIAL_ERROR, credential_broken, None),
        (Outcome.DIRECTION_REFUSED, wrong_direction, None),
        (Outcome.EXECUTED, lambda scene: scene, None),
    ],
)
def test_the_steps_stand_in_the_order_in_which_the_rules_are_asked(
    outcome: Outcome, apply: Callable[[Scene], Scene], rules: list[Rule] | None
) -> None:
    decision = decide(*apply(a_scene()), NOW)
    asked = [step.rule for step in decision.explanation.steps]
    assert decision.outcome is outcome
    assert asked == sorted(set(asked), key=list(Rule).index)
    assert rules is None or asked == rules


@pytest.mark.parametrize(
    ("outcome", "apply"),
    [pytest.param(*row, id=row[0]) for row in [*IN_ORDER, (Outcome.EXECUTED, lambda scene: scene)]],
)
def test_the_summary_is_one_sentence_and_the_last_step_says_the_same(
    outcome: Outcome, apply: Callable[[Scene], Scene]
) -> None:
    explanation = decide(*apply(a_scene()), NOW).explanation
    assert explanation.summary[0].isupper()
    assert explanation.summary.endswith(".")
    assert "\n" not in explanation.summary
    assert ". " not in explanation.summary
    if outcome is not Outcome.EXECUTED:
        assert explanation.steps[-1].detail == explanation.summary
        assert explanation.steps[-1].verdict in (Verdict.REFUSE, Verdict.HOLD)
    assert all(step.verdict in (Verdict.PASS, Verdict.CLAMPED) for step in explanation.steps[:-1])


def test_an_executed_change_is_explained_from_the_request_to_the_clamp() -> None:
    decision = decide(a_policy(by(5), name="surge"), a_group(desired_capacity=9), Event(), NOW)
    assert decision.explanation.summary == "Policy 'surge' scales out from 9 to 10."
    adjustment, clamp = the_step(decision, Rule.ADJUSTMENT), the_step(decision, Rule.CLAMP)
    assert adjustment.detail == "change_in_capacity +5 on 9 asks for 14."
    assert clamp.verdict is Verdict.CLAMPED
    assert clamp.detail == "14 is outside min_size 1 and max_size 10: 10."
    assert the_step(decision, Rule.CHANGE).detail == "9 becomes 10."
    assert {step.until for step in decision.explanation.steps} == {None}


def test_a_capacity_within_its_bounds_is_not_called_clamped() -> None:
    decision = decide(a_policy(by(1)), a_group(desired_capacity=9), Event(), NOW)
    assert the_step(decision, Rule.CLAMP).verdict is Verdict.PASS


def test_a_sender_that_says_all_is_well_is_quoted_and_never_scales() -> None:
    decision = decide(a_policy(), a_group(), Event(firing=False, said="resolved"), NOW)
    assert decision.outcome is Outcome.NOT_ALARM
    assert "'resolved'" in decision.explanation.summary


@pytest.mark.parametrize("until", [None, NOW + seconds(30)])
def test_a_freeze_says_why_and_until_when(until: datetime | None) -> None:
    group = a_group(freeze=Freeze(reason="Release day.", until=until))
    decision = decide(a_policy(), group, Event(), NOW)
    assert decision.outcome is Outcome.FROZEN
    assert decision.retry_at == until
    step = decision.explanation.steps[-1]
    assert (step.rule, step.verdict, step.until) == (Rule.FREEZE, Verdict.HOLD, until)
    assert "Release day." in step.detail
    assert ("2026-03-01T12:00:30Z" in step.detail) is (until is not None)


def test_a_freeze_that_is_over_holds_nothing() -> None:
    group = a_group(freeze=Freeze(reason="Release day.", until=NOW))
    assert decide(a_policy(), group, Event(), NOW).outcome is Outcome.EXECUTED


def test_a_broken_credential_is_named_with_its_cause() -> None:
    group = a_group(trouble=a_trouble(TroubleKind.CREDENTIAL, reason="The trust was deleted."))
    decision = decide(a_policy(), group, Event(), NOW)
    assert decision.outcome is Outcome.CREDENTIAL_ERROR
    assert "The trust was deleted." in decision.explanation.summary


def test_any_change_of_the_group_lets_its_credential_be_tried_again() -> None:
    group = a_group(trouble=a_trouble(TroubleKind.CREDENTIAL))
    assert decide(a_policy(), replace(group, generation=2), Event(), NOW).outcome is Outcome.EXECUTED


@pytest.mark.parametrize("kind", [TroubleKind.BUILD, TroubleKind.CLOUD, TroubleKind.REFUSED])
def test_other_trouble_does_not_stop_what_is_wanted_from_changing(kind: TroubleKind) -> None:
    assert decide(a_policy(), a_group(trouble=a_trouble(kind)), Event(), NOW).outcome is Outcome.EXECUTED


@pytest.mark.parametrize(
    ("limit", "adjustment", "outcome"),
    [
        (DirectionLimit.ANY, by(1), Outcome.EXECUTED),
        (DirectionLimit.ANY, by(-1), Outcome.EXECUTED),
        (DirectionLimit.OUT, by(1), Outcome.EXECUTED),
        (DirectionLimit.OUT, by(-1), Outcome.DIRECTION_REFUSED),
        (DirectionLimit.IN, by(1), Outcome.DIRECTION_REFUSED),
        (DirectionLimit.IN, by(-1), Outcome.EXECUTED),
        (DirectionLimit.OUT, to(1), Outcome.DIRECTION_REFUSED),  # what counts is what would happen
    ],
)
def test_a_webhook_sets_nothing_in_motion_beyond_its_limit(
    limit: DirectionLimit, adjustment: Adjustment, outcome: Outcome
) -> None:
    decision = decide(a_policy(adjustment), a_group(), Event(direction=limit), NOW)
    assert decision.outcome is outcome
    assert decision.retry_at is None


# --- cooldowns


def test_a_cooldown_says_whose_it_is_and_when_it_ends() -> None:
    group = a_group(cooldowns=(a_stamp(OUT, policy_id=POLICY, seconds=60, until=NOW + seconds(45)),))
    decision = decide(a_policy(), group, Event(), NOW)
    step = decision.explanation.steps[-1]
    assert decision.outcome is Outcome.IN_COOLDOWN
    assert decision.retry_at == step.until == NOW + seconds(45)
    assert (step.rule, step.verdict) == (Rule.COOLDOWN, Verdict.HOLD)
    assert step.detail == (
        "The change is held: the policy's own cooldown of 60 s after a scale-out, until 2026-03-01T12:00:45Z."
    )


def test_a_change_that_is_still_under_way_holds_past_its_cooldown() -> None:
    """A slow first scale-out is not repeated (Heat bug 1375156)."""
    stamp = a_stamp(OUT, until=NOW - seconds(1), under_way_until=NOW + seconds(500))
    decision = decide(a_policy(), a_group(cooldowns=(stamp,)), Event(), NOW)
    assert decision.outcome is Outcome.IN_COOLDOWN
    assert decision.retry_at == NOW + seconds(500)
    assert "still under way, until 2026-03-01T12:08:20Z" in decision.explanation.summary


@pytest.mark.parametrize(
    ("stamped", "adjustment", "outcome"),
    [
        (OUT, by(1), Outcome.IN_COOLDOWN),
        (OUT, by(-1), Outcome.IN_COOLDOWN),
        (IN, by(-1), Outcome.IN_COOLDOWN),
        (IN, by(1), Outcome.EXECUTED),  # growing is never late
    ],
)
def test_out_and_in_are_stamped_apart(stamped: Direction, adjustment: Adjustment, outcome: Outcome) -> None:
    group = a_group(desired_capacity=5, cooldowns=(a_stamp(stamped),))
    assert decide(a_policy(adjustment), group, Event(), NOW).outcome is outcome


def test_one_policys_cooldown_does_not_hold_another() -> None:
    group = a_group(cooldowns=(a_stamp(OUT, policy_id=OTHER),))
    assert decide(a_policy(), group, Event(), NOW).outcome is Outcome.EXECUTED


def test_the_groups_cooldown_holds_every_policy() -> None:
    first = decide(a_policy(), a_group(), Event(), NOW).group
    second = decide(a_policy(id=OTHER), first, Event(), NOW + seconds(61))
    assert second.outcome is Outcome.IN_COOLDOWN
    assert second.retry_at == NOW + seconds(300)


def test_the_longer_of_both_cooldowns_is_promised() -> None:
    policy = a_policy(cooldown_seconds=400)
    first = decide(policy, a_group(), Event(), NOW).group
    assert decide(policy, first, Event(), NOW + seconds(1)).retry_at == NOW + seconds(400)


def test_editing_a_cooldown_does_not_move_a_promised_time() -> None:
    policy = a_policy(cooldown_seconds=400)
    group = decide(policy, a_group(), Event(), NOW).group
    longer, shorter = 9000, 1
    for length in (longer, shorter):
        edited = replace(policy, cooldown_seconds=length)
        changed = replace(group, cooldown_seconds=length)
        assert decide(edited, changed, Event(), NOW + seconds(1)).retry_at == NOW + seconds(400)


def test_a_scale_out_in_between_leaves_the_scale_ins_stamp() -> None:
    group = a_group(desired_capacity=5, cooldowns=(a_stamp(IN),))
    after = decide(a_policy(by(1)), group, Event(), NOW).group
    assert a_stamp(IN) in after.cooldowns
    assert {stamp.direction for stamp in after.cooldowns} == {OUT, IN}


def test_stamps_do_not_pile_up() -> None:
    group, policy = a_group(max_size=1000), a_policy()
    for number in range(50):
        decision = decide(policy, group, Event(), NOW + seconds(1000 * number))
        assert decision.outcome is Outcome.EXECUTED
        group = decision.group
    assert len(group.cooldowns) == 2


# --- shadow


@pytest.mark.parametrize(
    ("policy", "group", "event", "words"),
    [
        (a_policy(by(1)), a_group(), Event(), "it would scale out from 2 to 3"),
        (a_policy(by(-1)), a_group(), Event(), "it would scale in from 2 to 1"),
        (a_policy(by(20)), a_group(), Event(), "it would scale out from 2 to 10"),
        (a_policy(to(2)), a_group(), Event(), "it would leave the group at 2"),
        (
            a_policy(by(1)),
            a_group(),
            Event(direction=DirectionLimit.IN),
            "it would scale out, which this webhook may not",
        ),
        (
            a_policy(by(1)),
            a_group(cooldowns=(a_stamp(OUT),)),
            Event(),
            "it would be held: the group's cooldown of 300 s after a scale-out, until 2026-03-01T12:01:40Z",
        ),
    ],
)
def test_a_shadow_says_what_it_would_do_and_does_nothing(
    policy: Policy, group: Group, event: Event, words: str
) -> None:
    decision = decide(replace(policy, mode=PolicyMode.SHADOW), group, event, NOW)
    assert decision.outcome is Outcome.SHADOW
    assert decision.group is group
    assert decision.explanation.summary == f"The policy is in shadow mode: {words}."
    assert decision.retry_at is None
    assert {Rule.ADJUSTMENT, Rule.CLAMP} <= {step.rule for step in decision.explanation.steps}


# --- laws


adjustments = st.one_of(
    st.integers(-30, 30).map(by),
    st.integers(0, 30).map(to),
    st.builds(by_percent, st.integers(-300, 300), st.integers(1, 5)),
)
stamps = st.lists(
    st.builds(
        a_stamp,
        st.sampled_from(Direction),
        policy_id=st.sampled_from([None, POLICY, OTHER]),
        until=st.integers(-100, 100).map(lambda s: NOW + seconds(s)),
        under_way_until=st.none() | st.integers(-100, 100).map(lambda s: NOW + seconds(s)),
    ),
    max_size=4,
).map(tuple)
groups = st.builds(
    a_group,
    min_size=st.integers(0, 5),
    max_size=st.integers(5, 15),
    desired_capacity=st.integers(0, 20),
    cooldowns=stamps,
    deleting=st.sampled_from([False, False, True]),
    freeze=st.sampled_from([None, None, Freeze(reason="Stop.", until=NOW + seconds(5))]),
)
policies = st.builds(a_policy, adjustments, mode=st.sampled_from(PolicyMode))
events = st.builds(Event, firing=st.booleans(), direction=st.sampled_from(DirectionLimit))


@thorough
@given(policies, groups, events)
def test_whatever_is_asked_bounds_hold_and_only_what_is_executed_changes_anything(
    policy: Policy, group: Group, event: Event
) -> None:
    decision = decide(policy, group, event, NOW)
    if decision.outcome is not Outcome.EXECUTED:
        assert decision.group is group
        return
    before, after = group.desired_capacity, decision.group.desired_capacity
    direction = OUT if after > before else IN
    assert after != before
    assert group.bounds.min_size <= after <= group.bounds.max_size
    assert event.direction.allows(direction)
    assert holding(group.cooldowns, policy.id, direction, NOW) is None
    assert holding(decision.group.cooldowns, policy.id, direction, NOW) is not None


@thorough
@given(policies, groups, events)
def test_a_held_request_is_told_a_time_to_come_and_nobody_else_is(
    policy: Policy, group: Group, event: Event
) -> None:
    decision = decide(policy, group, event, NOW)
    held = decision.outcome in (Outcome.FROZEN, Outcome.IN_COOLDOWN)
    assert (decision.retry_at is not None) is held
    assert decision.retry_at is None or decision.retry_at > NOW
    assert decision.explanation.steps[-1].until == decision.retry_at


def test_a_request_that_no_cooldown_applies_to_neither_waits_nor_starts_one() -> None:
    group = a_group(desired_capacity=2, cooldowns=(a_stamp(until=NOW + seconds(100)),))
    decision = decide(a_policy(by(1)), group, Event(cooldowns_apply=False), NOW)
    assert decision.outcome is Outcome.EXECUTED
    change = Change(at=NOW, by=1)
    assert decision.group == replace(group, desired_capacity=3, changes=(change,), updated_at=NOW)
    shadow = decide(
        a_policy(by(1), mode=PolicyMode.SHADOW), group, Event(cooldowns_apply=False), NOW
    ).explanation.summary
    assert shadow == "The policy is in shadow mode: it would scale out from 2 to 3."
