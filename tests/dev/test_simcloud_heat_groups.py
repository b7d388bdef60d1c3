"""Groups in the simulated Heat do what hurts in the real one: all of it was seen on Heat 27."""

from __future__ import annotations

from typing import Any

import pytest

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller, Document
from tests.dev.stacks import SERVER, VERSION, OwnStack, group_template, policy

ACCEPTED = (200, "null")


@pytest.fixture
def stack(demo: Caller, clock: ManualClock) -> OwnStack:
    """Return a stack with a group of two servers, complete."""
    return complete(demo, clock)


def complete(
    caller: Caller, clock: ManualClock, template: Document | None = None, **parameters: Any
) -> OwnStack:
    made = OwnStack.made(caller, "s", template, **parameters)
    clock.advance(10)
    assert made.status()[0] == "CREATE_COMPLETE"
    return made


def patched(stack: OwnStack, clock: ManualClock, **parameters: Any) -> tuple[str, str]:
    assert stack.patch(**parameters) == 202
    clock.advance(15)
    return stack.status()


def test_a_signal_scales_the_nested_stack_and_the_parent_takes_no_notice(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    assert stack.signal() == ACCEPTED
    assert stack.status()[0] == "CREATE_COMPLETE"
    assert stack.group()["resource_status"] == "CREATE_COMPLETE"
    assert stack.nested_status() == "UPDATE_IN_PROGRESS"
    assert stack.metadata()["scaling_in_progress"] is True
    clock.advance(10)
    assert stack.nested_status() == "UPDATE_COMPLETE"
    end = {"2026-01-01T00:00:20.000000": "change_in_capacity : 1"}
    assert stack.metadata() == {"cooldown_end": end, "scaling_in_progress": False}
    assert stack.output("size") == len(cloud.backstage.servers("demo")) == 3
    newest, *_ = stack.get("/events?limit=1")["all"]
    assert (newest["resource_name"], newest["resource_status"]) == ("up", "SIGNAL_COMPLETE")


def test_a_signal_goes_by_the_url_the_template_exports(stack: OwnStack) -> None:
    url = stack.output("signal_url")
    assert url.endswith(f"{stack.path}/resources/up/signal")
    assert stack.caller.heat("POST", url).status_code == 200
    assert stack.output("size") == 3


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [("nope", 404, "ResourceNotFound"), ("asg", 400, "ResourceActionNotSupported")],
)
def test_a_signal_to_what_is_no_policy_is_refused(stack: OwnStack, name: str, status: int, kind: str) -> None:
    response = stack.caller.heat("POST", f"{stack.path}/resources/{name}/signal", {})
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
    below_the_name = stack.caller.heat("POST", "/stacks/s/resources/up/signal", {})
    assert below_the_name.status_code == 404


def test_a_signal_in_the_cooldown_is_dropped_whichever_policys(demo: Caller, clock: ManualClock) -> None:
    stack = complete(demo, clock, group_template(cooldown=60))
    stack.signal()
    clock.advance(10)
    events = stack.get("/events")
    assert [stack.signal("up"), stack.signal("down")] == [ACCEPTED, ACCEPTED]
    clock.advance(59)
    assert stack.signal("down") == ACCEPTED
    assert (stack.output("size"), stack.get("/events")) == (3, events)
    clock.advance(1)
    stack.signal("down")
    clock.advance(15)
    assert stack.output("size") == 2


def test_of_signals_while_scaling_one_acts(stack: OwnStack, clock: ManualClock) -> None:
    assert [stack.signal() for _ in range(4)] == [ACCEPTED] * 4
    clock.advance(30)
    assert stack.output("size") == 3


def test_a_signal_while_the_stack_is_updated_is_dropped(stack: OwnStack, clock: ManualClock) -> None:
    stack.patch(size=5)
    clock.advance(2)
    assert stack.signal() == ACCEPTED
    clock.advance(30)
    assert (stack.status()[0], stack.output("size")) == ("UPDATE_COMPLETE", 5)


def test_a_signal_that_changes_nothing_starts_no_cooldown(demo: Caller, clock: ManualClock) -> None:
    stack = complete(demo, clock, group_template(cooldown=60, max_size=2))
    before = stack.metadata()
    assert stack.signal() == ACCEPTED
    clock.advance(10)
    assert (stack.metadata(), stack.output("size")) == (before, 2)


@pytest.mark.parametrize(
    ("kind", "amount", "step", "current", "wanted"),
    [
        ("exact_capacity", 7, None, 5, 7),
        ("percent_change_in_capacity", 25, None, 5, 6),
        ("percent_change_in_capacity", 10, None, 5, 6),
        ("percent_change_in_capacity", -15, None, 10, 9),
        ("percent_change_in_capacity", 1, 3, 8, 11),
        ("percent_change_in_capacity", -50, None, 3, 2),
        ("change_in_capacity", -9, None, 3, 0),
        ("change_in_capacity", 99, None, 3, 12),
    ],
)
def test_a_policy_reckons_as_heat_does(
    demo: Caller, clock: ManualClock, kind: str, amount: int, step: int | None, current: int, wanted: int
) -> None:
    template = group_template({"type": "OS::Heat::RandomString"}, max_size=12)
    own = {} if step is None else {"min_adjustment_step": step}
    template["resources"]["up"] = policy(amount, kind, **own)
    stack = complete(demo, clock, template, size=current)
    stack.signal()
    assert stack.output("size") == wanted


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


def test_a_member_without_a_host_fails_the_stack_with_its_reason(demo: Caller, clock: ManualClock) -> None:
    huge = {**SERVER, "properties": {**SERVER["properties"], "flavor": {"get_param": "flavor"}}}
    stack = OwnStack.made(demo, "s", group_template(huge), flavor="m1.huge", size=1)
    clock.advance(10)
    (member,) = stack.members()
    why = 'Went to status ERROR due to "Message: No valid host was found. , Code: 500"'
    reason = f"ResourceInError: resources.asg.resources.{member}: {why}"
    assert stack.status() == ("CREATE_FAILED", f"Resource CREATE failed: {reason}")
    group = stack.group()
    assert (group["resource_status"], group["resource_status_reason"]) == ("CREATE_FAILED", reason)
    assert stack.get("/resources/up")["resource_status"] == "INIT_COMPLETE"
    assert (stack.output("size"), stack.signal()) == (0, ACCEPTED)
    assert patched(stack, clock, flavor="m1.tiny")[0] == "UPDATE_COMPLETE"
    assert list(stack.members().values()) == ["CREATE_COMPLETE"]
    assert len(demo.names()) == 1


def test_a_failed_update_stops_signals_until_one_succeeds(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    cloud.backstage.set_quota("demo", 3)
    assert patched(stack, clock, size=5)[0] == "UPDATE_FAILED"
    assert "Forbidden: resources.asg.resources." in stack.status()[1]
    assert "Quota exceeded for instances: Requested 1, but already used 3 of 3" in stack.status()[1]
    size = stack.output("size")
    cloud.backstage.set_quota("demo", 100)
    assert stack.signal() == ACCEPTED
    clock.advance(10)
    assert stack.output("size") == size == 3
    assert patched(stack, clock, size=5)[0] == "UPDATE_COMPLETE"
    stack.signal()
    clock.advance(10)
    assert stack.output("size") == len(cloud.backstage.servers("demo")) == 6


def test_a_signal_that_fails_leaves_the_group_complete_and_without_cooldown(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    before = stack.metadata()
    cloud.backstage.set_quota("demo", 2)
    stack.signal()
    clock.advance(10)
    assert (stack.nested_status(), stack.status()[0]) == ("UPDATE_FAILED", "CREATE_COMPLETE")
    assert stack.group()["resource_status"] == "CREATE_COMPLETE"
    assert (stack.metadata(), stack.output("size")) == (before, 2)
    failed = [name for name, status in stack.members().items() if status == "CREATE_FAILED"]
    cloud.backstage.set_quota("demo", 100)
    stack.signal()
    clock.advance(10)
    assert stack.output("size") == 3
    assert set(failed) <= set(stack.members())


def test_a_vanished_server_is_noticed_by_a_check_and_replaced_by_a_patch(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    gone, _ = cloud.backstage.servers("demo")
    cloud.backstage.delete_server(gone.id)
    assert stack.output("size") == 2
    assert stack.act("check") == 200
    status, reason = stack.status()
    assert status == "CHECK_FAILED"
    assert f"Instance {gone.id} could not be found. (HTTP 404)" in reason
    assert sorted(stack.members().values()) == ["CHECK_COMPLETE", "CHECK_FAILED"]
    assert stack.output("size") == 1
    assert patched(stack, clock, size=2)[0] == "UPDATE_COMPLETE"
    assert stack.output("size") == len(cloud.backstage.servers("demo")) == 2


def test_a_suspended_stack_takes_neither_signals_nor_updates(
    demo: Caller, stack: OwnStack, clock: ManualClock
) -> None:
    assert stack.act("suspend") == 200
    assert stack.status()[0] == "SUSPEND_COMPLETE"
    servers = demo.nova("GET", "/servers/detail").json()["servers"]
    assert {server["status"] for server in servers} == {"SUSPENDED"}
    signalled = demo.heat("POST", f"{stack.path}/resources/up/signal", {})
    message = "Signal resource during SUSPEND is not supported."
    assert (signalled.status_code, signalled.json()["error"]["message"]) == (400, message)
    assert stack.patch(size=3) == 400
    assert stack.act("resume") == 200
    assert stack.status()[0] == "RESUME_COMPLETE"
    assert patched(stack, clock, size=3)[0] == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "No action specified"),
        ({"nope": None}, "Invalid action nope specified"),
        ({"check": None, "resume": None}, "Multiple actions specified"),
    ],
)
def test_unknown_actions_are_refused(stack: OwnStack, body: Document, message: str) -> None:
    response = stack.caller.heat("POST", f"{stack.path}/actions", body)
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


def test_a_group_marked_unhealthy_takes_no_signals_and_healthy_again_takes_them(stack: OwnStack) -> None:
    mark = f"{stack.path}/resources/asg"
    assert stack.caller.heat("PATCH", mark, {"mark_unhealthy": True}).text == "null"
    reason = "state changed by resource_mark_unhealthy api"
    assert (stack.group()["resource_status"], stack.group()["resource_status_reason"]) == (
        "CHECK_FAILED",
        reason,
    )
    assert stack.signal() == ACCEPTED
    assert stack.output("size") == 2
    stack.caller.heat("PATCH", mark, {"mark_unhealthy": False})
    assert stack.group()["resource_status"] == "CHECK_COMPLETE"
    stack.signal()
    assert stack.output("size") == 3
    refused = stack.caller.heat("PATCH", mark, {})
    assert "Missing mandatory (mark_unhealthy) key" in refused.json()["error"]["message"]
    assert stack.caller.heat("PATCH", mark, {"nope": 1}).status_code == 400


def test_a_group_marked_unhealthy_is_replaced_whole_by_an_update(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    before = {server.id for server in cloud.backstage.servers("demo")}
    stack.caller.heat("PATCH", f"{stack.path}/resources/asg", {"mark_unhealthy": True})
    assert patched(stack, clock)[0] == "UPDATE_COMPLETE"
    clock.advance(15)
    after = {server.id for server in cloud.backstage.servers("demo")}
    assert (len(after), after & before) == (2, set())


def test_a_changed_definition_replaces_members_or_changes_them(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    before = {server.id for server in cloud.backstage.servers("demo")}

    def with_server(**properties: Any) -> None:
        member = {**SERVER, "properties": {**SERVER["properties"], **properties}}
        body = {"template": group_template(member), "parameters": {"size": 2}}
        assert stack.caller.heat("PUT", stack.path, body).status_code == 202
        clock.advance(15)
        assert stack.status()[0] == "UPDATE_COMPLETE"

    with_server(tags=["other"])
    servers = cloud.backstage.servers("demo")
    assert ({server.id for server in servers}, {server.tags for server in servers}) == (before, {("other",)})
    with_server(user_data="#!/bin/sh")
    clock.advance(5)
    assert before.isdisjoint(server.id for server in cloud.backstage.servers("demo"))
    assert len(cloud.backstage.servers("demo")) == 2


def test_resources_are_listed_with_those_nested_in_them(demo: Caller, stack: OwnStack) -> None:
    assert len(stack.get("/resources")["all"]) == 3
    found = stack.get("/resources?nested_depth=1&type=OS::Nova::Server")["all"]
    assert {each["parent_resource"] for each in found} == {"asg"}
    assert sorted(each["physical_resource_id"] for each in found) == sorted(stack.output("refs"))
    group, *_ = stack.get("/resources?name=asg&status=COMPLETE")["all"]
    assert group["required_by"] == ["up", "down"]
    listed = demo.heat("GET", f"{stack.nested()}/resources").json()["resources"]
    assert len(listed) == 2
    detailed = stack.get("/resources?with_detail=true&name=up")["all"]
    assert detailed[0]["attributes"]["signal_url"].endswith("/resources/up/signal")
    bogus = demo.heat("GET", f"{stack.path}/resources?bogus=1").json()["error"]["message"]
    assert bogus == "Invalid filter parameters ['bogus']"


def test_a_groups_own_attributes_are_null_and_a_servers_are_not(demo: Caller, stack: OwnStack) -> None:
    attributes = stack.get("/resources/asg?with_attr=current_size")["attributes"]
    assert attributes == dict.fromkeys(("current_size", "outputs", "outputs_list", "refs", "refs_map"))
    member = next(iter(stack.members()))
    shown = demo.heat("GET", f"{stack.nested()}/resources/{member}").json()["resource"]
    assert shown["attributes"]["status"] == "ACTIVE"
    missing = demo.heat("GET", f"{stack.path}/resources/nope").json()["error"]["message"]
    assert missing == "The Resource (nope) could not be found in Stack s."


def test_a_resource_waits_for_those_it_needs(demo: Caller, clock: ManualClock) -> None:
    second = {**SERVER, "depends_on": "first"}
    stack = OwnStack.made(demo, "s", {**VERSION, "resources": {"second": second, "first": SERVER}})
    clock.advance(5)
    assert stack.get("/resources/second")["resource_status"] == "INIT_COMPLETE"
    assert len(demo.names()) == 1
    clock.advance(10)
    assert stack.get("/resources/second")["resource_status"] == "CREATE_IN_PROGRESS"
    clock.advance(5)
    assert stack.status()[0] == "CREATE_COMPLETE"
