"""Members of groups fail, vanish, are marked and replaced in the simulated Heat; their owner sees it."""

from __future__ import annotations

from typing import Any

import pytest

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller, Document
from tests.dev.stacks import ACCEPTED, SERVER, VERSION, OwnStack, complete, group_template, patched


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
    member = next(name for name, status in stack.members().items() if status == "CHECK_FAILED")
    again = f"asg: Resource CHECK failed: {member}: resources.asg.Resource CHECK failed: NotFound"
    why = f"resources.{member}: Instance {gone.id} could not be found. (HTTP 404) (Request-ID: "
    assert (status, reason.split("req-")[0]) == ("CHECK_FAILED", f"Resource CHECK failed: {again}: {why}")
    assert reason.endswith("'CHECK' not fully supported (see resources)")
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


def test_a_group_may_take_its_size_from_another_resource(demo: Caller, clock: ManualClock) -> None:
    template = group_template(desired_capacity={"get_attr": ["count", "output"]})
    count = {"type": "OS::Heat::TestResource", "properties": {"value": "3"}}
    template["resources"]["count"] = count
    stack = complete(demo, clock, template)
    assert stack.output("size") == 3


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
