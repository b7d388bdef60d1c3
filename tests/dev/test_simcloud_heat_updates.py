"""Updates of stacks with groups do in the simulated Heat what hurts in the real one, as seen on Heat 27."""

from __future__ import annotations

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller
from tests.dev.stacks import OwnStack, complete, group_template, patched


def test_a_patch_sets_the_size_and_the_oldest_go_first(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    first = set(stack.members())
    assert patched(stack, clock, size=4) == ("UPDATE_COMPLETE", "Stack UPDATE completed successfully")
    second = set(stack.members()) - first
    assert patched(stack, clock, size=2)[0] == "UPDATE_COMPLETE"
    assert set(stack.members()) == second
    assert len(cloud.backstage.servers("demo")) == stack.output("size") == 2
    assert list(stack.metadata()["cooldown_end"].values()) == ["ExactCapacity : 2"]


def test_a_patch_answers_with_a_page_and_forgives_unknown_parameters(stack: OwnStack) -> None:
    response = stack.caller.heat("PATCH", stack.path, {"parameters": {"nope": 1}, "bogus": 2})
    assert (response.status_code, response.headers["Content-Type"]) == (202, "text/html; charset=UTF-8")
    put = stack.caller.heat("PUT", stack.path, {"existing": True, "parameters": {"size": 3}})
    assert (put.status_code, put.json()["error"]["message"]) == (400, "No template specified")
    beyond = stack.caller.heat("PATCH", stack.path, {"parameters": {"size": 99}})
    assert beyond.json()["error"]["message"] == "DesiredCapacity must be between MinSize and MaxSize"


def test_a_put_replaces_the_template_and_forgets_the_parameters(stack: OwnStack, clock: ManualClock) -> None:
    patched(stack, clock, size=3)
    template = group_template()
    del template["resources"]["down"]
    assert stack.caller.heat("PUT", stack.path, {"template": template}).status_code == 202
    clock.advance(15)
    assert stack.output("size") == 2
    assert stack.caller.heat("GET", f"{stack.path}/resources/down").status_code == 404


def test_a_patch_with_nothing_undoes_scaling(stack: OwnStack, clock: ManualClock) -> None:
    stack.signal()
    clock.advance(10)
    assert stack.output("size") == 3
    patched(stack, clock)
    assert stack.output("size") == 2


def test_without_a_desired_capacity_a_patch_with_nothing_loses_the_failed(
    demo: Caller, clock: ManualClock
) -> None:
    stack = complete(demo, clock, group_template(desired_capacity=None, min_size=3))
    template = group_template(desired_capacity=None, min_size=1)
    stack.caller.heat("PUT", stack.path, {"template": template})
    bad = next(iter(stack.members()))
    assert demo.heat("PATCH", f"{stack.nested()}/resources/{bad}", {"mark_unhealthy": True}).text == "null"
    assert (stack.members()[bad], stack.output("size")) == ("CHECK_FAILED", 2)
    patched(stack, clock)
    assert (bad in stack.members(), stack.output("size")) == (False, 2)


def test_a_desired_capacity_of_0_changes_nothing(stack: OwnStack, clock: ManualClock) -> None:
    members = stack.members()
    assert patched(stack, clock, size=0)[0] == "UPDATE_COMPLETE"
    assert stack.members() == members


def test_a_stack_under_deletion_takes_no_update(stack: OwnStack) -> None:
    stack.delete()
    response = stack.caller.heat("PATCH", stack.path, {})
    message = "Updating a stack when it is deleting is not supported."
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


def test_of_two_patches_the_later_wins(stack: OwnStack, clock: ManualClock) -> None:
    stack.patch(size=5)
    clock.advance(0.5)
    assert patched(stack, clock, size=6)[0] == "UPDATE_COMPLETE"
    assert stack.output("size") == 6


def test_a_patch_while_a_signal_scales_wins(cloud: SimCloud, stack: OwnStack, clock: ManualClock) -> None:
    stack.signal()
    clock.advance(2)
    assert patched(stack, clock, size=4)[0] == "UPDATE_COMPLETE"
    assert stack.metadata()["scaling_in_progress"] is False
    assert stack.output("size") == len(cloud.backstage.servers("demo")) == 4


def test_two_patches_and_a_signal_within_a_second_stick_for_ever(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    stack.patch(size=3)
    stack.signal()
    stack.patch(size=4)
    clock.advance(7200)
    cloud.token("demo", "demo")
    stack.caller = Caller.named(cloud, "demo", "demo")
    assert stack.status() == ("UPDATE_IN_PROGRESS", "Stack UPDATE started")
    assert stack.group()["resource_status"] == "UPDATE_IN_PROGRESS"
    assert stack.nested_status() == "UPDATE_FAILED"
    assert stack.patch(size=5) == 202
    clock.advance(60)
    assert stack.status()[0] == "UPDATE_IN_PROGRESS"
    assert stack.delete() == 204
    clock.advance(60)
    assert stack.status()[0] == "DELETE_IN_PROGRESS"
    cloud.backstage.restart_heat()
    clock.advance(60)
    assert stack.status()[0] == "DELETE_COMPLETE"


def test_slower_patches_and_signals_do_not_stick(stack: OwnStack, clock: ManualClock) -> None:
    stack.patch(size=3)
    clock.advance(1.2)
    stack.signal()
    clock.advance(1.2)
    assert patched(stack, clock, size=4)[0] == "UPDATE_COMPLETE"
    assert stack.output("size") == 4
