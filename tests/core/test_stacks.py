"""Stacks as members: what becomes of them, and of those that cannot be deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.group import GroupStatus, TroubleKind
from chalicelib.core.launch import LaunchType
from chalicelib.core.member import Fate, MemberState, Resource, Sight, base_name, compare, fate
from chalicelib.core.plan import Plan, plan
from chalicelib.core.plan_steps import Create, Remove, RemoveStray, Why
from chalicelib.core.round import Conclusion, conclude
from tests.core.factories import (
    NOW,
    PATIENCE,
    a_group,
    a_launch_configuration,
    a_member,
    a_plan,
    a_stack,
    a_stack_template,
    a_target,
    a_trouble,
    seconds,
)

IS_STUCK = a_stack(9, status="DELETE_FAILED", fault="Resource DELETE failed: in use")
GOES = a_member(9, state=MemberState.DELETING)
A_STUCK_PLAN = a_plan(settled=False, stuck=("web-9 is in DELETE_FAILED: in use",))


# --- what becomes of a stack


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_IN_PROGRESS", Fate.BUILDS),
        ("CREATE_COMPLETE", Fate.SERVES),
        ("UPDATE_COMPLETE", Fate.SERVES),
        ("CHECK_COMPLETE", Fate.SERVES),
        ("RESUME_COMPLETE", Fate.SERVES),
        ("ROLLBACK_COMPLETE", Fate.SERVES),
        ("SNAPSHOT_COMPLETE", Fate.SERVES),
        ("CREATE_FAILED", Fate.BROKEN),
        ("UPDATE_FAILED", Fate.BROKEN),
        ("CHECK_FAILED", Fate.BROKEN),
        ("ROLLBACK_FAILED", Fate.BROKEN),
        ("UPDATE_IN_PROGRESS", Fate.HELD),
        ("CHECK_IN_PROGRESS", Fate.HELD),
        ("ROLLBACK_IN_PROGRESS", Fate.HELD),
        ("SUSPEND_COMPLETE", Fate.HELD),
        ("SNAPSHOT_FAILED", Fate.HELD),
        ("DELETE_FAILED", Fate.LEAVES),
        ("DELETE_COMPLETE", Fate.LOST),
        ("INVENTED_COMPLETE", Fate.HELD),
    ],
)
def test_heats_word_decides_a_members_fate(status: str, expected: Fate) -> None:
    sight = Sight(member=a_member(requested_at=NOW), resource=a_stack(status=status))
    assert fate(sight, PATIENCE, NOW) is expected


def test_a_stack_that_is_made_for_too_long_is_replaced() -> None:
    building = a_member(state=MemberState.BUILDING, requested_at=NOW - PATIENCE.build)
    (step, *_) = plan_for([building], [a_stack(status="CREATE_IN_PROGRESS")], capacity=1).steps
    assert isinstance(step, Remove)
    assert step.why is Why.BUILD_TIMEOUT


def test_a_stack_that_is_complete_serves() -> None:
    new = a_member(state=MemberState.BUILDING, requested_at=NOW)
    result = plan_for([new], [a_stack()], capacity=1)
    assert result.in_service == 1
    assert replace(new, state=MemberState.IN_SERVICE) in [
        getattr(step, "member", None) for step in result.steps
    ]


def test_a_failed_stack_goes_with_heats_words_and_is_replaced_once_it_is_told_to_go() -> None:
    failed = a_stack(status="CREATE_FAILED", fault="Resource CREATE failed: no valid host")
    new = a_member(state=MemberState.BUILDING, requested_at=NOW)
    result = plan_for([new], [failed], capacity=1)
    assert result.failed_builds == ("web-1 is in CREATE_FAILED: Resource CREATE failed: no valid host",)
    assert [type(step) for step in result.steps] == [Remove]
    gone = plan_for(
        [replace(new, state=MemberState.DELETING)], [replace(failed, task="deleting")], capacity=1
    )
    assert [type(step) for step in gone.steps] == [Create]


# --- a stack that cannot be deleted


def plan_for(members: list[Any], stacks: list[Resource], capacity: int, **target: Any) -> Plan:
    return plan(a_target(capacity, **target), compare(members, stacks), NOW)


def test_a_stack_that_cannot_be_deleted_does_not_count_and_keeps_nobody_from_being_made() -> None:
    result = plan_for([GOES], [IS_STUCK], capacity=1, may_retry=False)
    assert [type(step) for step in result.steps] == [Create]
    assert result.current_size == 0
    assert result.stuck == ("web-9 is in DELETE_FAILED: Resource DELETE failed: in use",)


def test_it_is_told_again_when_it_may_be_and_after_all_others() -> None:
    broken = a_stack(2, status="UPDATE_FAILED")
    result = plan_for([a_member(2), GOES], [broken, IS_STUCK], capacity=0)
    assert [step.member.name for step in result.steps if isinstance(step, Remove)] == ["web-2", "web-9"]
    later = plan_for([a_member(2), GOES], [broken, IS_STUCK], capacity=0, may_retry=False)
    assert [step.member.name for step in later.steps if isinstance(step, Remove)] == ["web-2"]


def test_one_that_its_owner_failed_to_delete_is_told_to_go_by_us() -> None:
    (step,) = plan_for([a_member(9)], [IS_STUCK], capacity=0, may_retry=False).steps
    assert isinstance(step, Remove)
    assert step.why is Why.VANISHED


def test_a_stray_that_cannot_be_deleted_is_told_again_as_seldom() -> None:
    assert plan_for([], [IS_STUCK], capacity=0, may_retry=False).steps == ()
    assert plan_for([], [IS_STUCK], capacity=0).steps == (RemoveStray(resource=IS_STUCK),)


def test_a_group_with_nothing_left_but_what_is_stuck_neither_moves_nor_is_settled() -> None:
    result = plan_for([a_member(1), GOES], [a_stack(1), IS_STUCK], capacity=1, may_retry=False)
    assert (result.steps, result.moves, result.settled) == ((), False, False)


def test_of_a_frozen_group_nothing_is_stuck() -> None:
    assert plan_for([GOES], [IS_STUCK], capacity=0, may_act=False).stuck == ()


def after(plan: Plan, **group: Any) -> Conclusion:
    return conclude(a_group(**group), plan, None, now=NOW, jitter=1.0, cut_short=False)


def test_what_cannot_be_deleted_is_an_error_with_heats_reason_and_new_members_may_be_made() -> None:
    group = after(A_STUCK_PLAN).group
    reason = "What is to go cannot be deleted: web-9 is in DELETE_FAILED: in use"
    assert group.status(NOW) == (GroupStatus.ERROR, reason)
    assert group.may_create(NOW)
    assert not group.may_retry(NOW)
    assert group.may_retry(NOW + seconds(30))


def test_each_further_try_waits_longer() -> None:
    trouble = a_trouble(TroubleKind.REMOVAL, attempts=3, retry_at=NOW)
    again = after(A_STUCK_PLAN, trouble=trouble).group.trouble
    assert again
    assert (again.attempts, again.retry_at) == (4, NOW + seconds(240))


def test_while_a_try_is_waited_out_nothing_counts_anew() -> None:
    trouble = a_trouble(TroubleKind.REMOVAL, attempts=3, retry_at=NOW + seconds(1))
    again = after(A_STUCK_PLAN, trouble=trouble).group.trouble
    assert again
    assert (again.attempts, again.retry_at) == (3, trouble.retry_at)


@pytest.mark.parametrize("kind", [TroubleKind.BUILD, TroubleKind.REFUSED])
def test_it_replaces_no_trouble_that_keeps_members_from_being_made(kind: TroubleKind) -> None:
    trouble = a_trouble(kind, retry_at=NOW + timedelta(minutes=10))
    short = replace(A_STUCK_PLAN, current_size=1, in_service=1)
    assert after(short, trouble=trouble).group.trouble == trouble
    complete = after(A_STUCK_PLAN, trouble=trouble).group.trouble
    assert complete
    assert complete.kind is TroubleKind.REMOVAL


def test_a_group_that_waits_for_a_deletion_is_due_when_it_is_tried_again() -> None:
    assert after(A_STUCK_PLAN).look_again_at == NOW + seconds(30)


# --- what a stack is asked for with


def test_a_launch_configuration_describes_what_its_type_says() -> None:
    assert a_launch_configuration(a_stack_template()).template == a_stack_template()
    with pytest.raises(ValueError, match="does not describe a stack"):
        _ = replace(a_launch_configuration(), type=LaunchType.STACK).template


def test_stacks_are_asked_for_one_by_one() -> None:
    assert a_stack_template().together_at_most(50) == 1


def test_the_url_of_the_intake_is_a_default_for_whatever_declares_it() -> None:
    given = a_stack_template().given_intake("https://scale.test/v1/intake/t")
    defaults = {"thermostat_intake": "https://scale.test/v1/intake/t"}
    assert given.environment == {"parameter_defaults": defaults}


def test_what_the_owner_gives_has_the_last_word() -> None:
    own = {"parameter_defaults": {"thermostat_intake": "none", "size": 2}, "parameters": {"a": 1}}
    given = a_stack_template(environment=own).given_intake("https://scale.test/v1/intake/t")
    assert given.environment == own


def test_what_a_template_says_of_itself_tells_no_secrets() -> None:
    template = a_stack_template(
        template="# hunter2", parameters={"password": "hunter2"}, files={"f": "hunter2"}
    )
    assert "hunter2" not in repr(replace(template, environment={"parameters": {"p": "hunter2"}}))


def test_a_name_begins_with_a_letter_as_heat_wants_it() -> None:
    assert base_name("2048", "ab12") == "group-2048-ab12"
    assert base_name("ä", "ab12") == "group-ab12"
