"""Stacks before they are taken over, and groups that take a stack's group over."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.heat import RESOURCE_GROUP
from chalicelib.ports.cloud import CredentialBroken
from tests.api.caller import NO_SUCH_ID, OUTSIDER, READER, Api
from tests.fakes.orchestration import FakeStack

PARAMETER = {"stack": "shop", "resource": "asg", "adjust": "parameter", "parameter": "size"}
SIGNAL = {
    "stack": "shop",
    "resource": "asg",
    "adjust": "signal",
    "policies": [{"resource": "up", "adjustment": 1}, {"resource": "down", "adjustment": -1}],
}


@pytest.fixture
def stack(api: Api) -> FakeStack:
    return api.world.heat.add(size=3, parameter=3)


@pytest.fixture
def credential(api: Api) -> str:
    return str(api.credential()["id"])


def body(credential: str, heat: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    plain = {"name": "shop", "credential_id": credential, "min_size": 1, "max_size": 10}
    return {**plain, "heat": heat or PARAMETER, **changes}


def test_a_stack_is_shown_with_its_groups_and_what_stands_against_taking_them_over(
    api: Api, stack: FakeStack, credential: str
) -> None:
    answer = api.get(f"/v1/stacks/shop?credential_id={credential}", token=READER)
    assert answer.status == 200
    shown = answer.document
    assert (shown["id"], shown["name"], shown["status"], shown["obstacles"]) == (
        stack.id,
        "shop",
        "UPDATE_COMPLETE",
        [],
    )
    (group,) = shown["groups"]
    assert (group["resource"], group["current_size"], group["parameter"]) == ("asg", 3, "size")
    assert (group["min_size"], group["max_size"], group["group_id"]) == (0, 50, None)
    assert [m["server_ids"] for m in group["members"]] == [[f"heat-server-{n}"] for n in (1, 2, 3)]
    assert {(p["resource"], p["adjustment"], p["usable"]) for p in group["policies"]} == {
        ("up", 1, True),
        ("down", -1, True),
        ("up5", 5, True),
    }
    assert {o["code"]: (o["adjust"], o["prevents"]) for o in group["obstacles"]} == {
        "zero_ignored": ("parameter", False),
        "policies_present": ("parameter", False),
    }
    assert shown["links"][0]["href"].endswith(f"/v1/stacks/{stack.id}?credential_id={credential}")


def test_the_suggestions_are_ready_to_be_posted(api: Api, stack: FakeStack, credential: str) -> None:
    path = f"/v1/stacks/shop?credential_id={credential}"
    (group,) = api.get(path).document["groups"]
    by_parameter, by_signal = group["suggestions"]
    assert (by_parameter["heat"], by_parameter["min_size"]) == (PARAMETER, 1)
    assert by_signal["heat"]["policies"][2] == {"resource": "up5", "adjustment": 5}
    made = api.created("/v1/groups", by_parameter)
    assert made["desired_capacity"] == 3
    (taken,) = api.get(path).document["groups"]
    assert (taken["group_id"], taken["suggestions"]) == (made["id"], [])
    api.delete(f"/v1/groups/{made['id']}")
    api.world.tick()
    assert api.created("/v1/groups", by_signal)["heat"]["adjust"] == "signal"
    assert not stack.patches
    assert not stack.signals


@pytest.mark.parametrize(
    ("changes", "code", "ways"),
    [
        ({"cooldown": timedelta(seconds=60)}, "cooldown", 2),
        ({"size_in_template": None}, "no_parameter", 1),
        ({"type": RESOURCE_GROUP}, "no_signals", 1),
        ({"failure": "no host"}, "group_failed", 2),
    ],
)
def test_obstacles(api: Api, credential: str, changes: dict[str, Any], code: str, ways: int) -> None:
    stack = api.world.heat.add(size=3, parameter=3)
    for name, value in changes.items():
        setattr(stack, name, value)
    (group,) = api.get(f"/v1/stacks/shop?credential_id={credential}").document["groups"]
    assert code in {obstacle["code"] for obstacle in group["obstacles"]}
    assert len(group["suggestions"]) == ways


def test_a_suspended_stack_is_not_to_be_taken_over(api: Api, stack: FakeStack, credential: str) -> None:
    stack.suspended = True
    shown = api.get(f"/v1/stacks/shop?credential_id={credential}").document
    assert [o["code"] for o in shown["obstacles"]] == ["stack_unusable"]
    assert shown["groups"][0]["suggestions"] == []


def test_who_looks_at_a_stack_needs_a_credential_of_the_project(
    api: Api, stack: FakeStack, credential: str
) -> None:
    del stack
    for path, status, code in (
        ("/v1/stacks/shop", 400, "request.query"),
        ("/v1/stacks/shop?credential_id=1", 400, "request.query"),
        (f"/v1/stacks/shop?credential_id={NO_SUCH_ID}", 404, "credential.not_found"),
        (f"/v1/stacks/other?credential_id={credential}", 404, "stack.not_found"),
        (f"/v1/stacks/%2E%2E?credential_id={credential}", 404, "stack.not_found"),
    ):
        answer = api.get(path)
        assert (answer.status, answer.code) == (status, code)
    foreign = api.get(f"/v1/stacks/shop?credential_id={credential}", token=OUTSIDER)
    assert (foreign.status, foreign.code) == (404, "credential.not_found")


def test_a_group_in_heat_keeps_the_size_that_it_has_and_shows_what_it_is(
    api: Api, stack: FakeStack, credential: str
) -> None:
    group = api.created("/v1/groups", body(credential))
    assert group["desired_capacity"] == 3
    assert group["launch_configuration_id"] is None
    assert group["heat"] == {
        **PARAMETER,
        "stack_id": stack.id,
        "resource_type": "OS::Heat::AutoScalingGroup",
        "policies": [],
    }
    assert (group["removal_order"], group["build_timeout"], group["availability_zones"]) == (None, None, [])
    api.world.settle()
    shown = api.get(f"/v1/groups/{group['id']}").document
    assert (shown["status"], shown["in_service"]) == ("active", 3)
    members = api.get(f"/v1/groups/{group['id']}/members").document["members"]
    assert {m["server_id"] for m in members} == {f"heat-server-{n}" for n in (1, 2, 3)}
    assert {(m["status"], m["launch_configuration_id"]) for m in members} == {("in_service", None)}
    member = f"/v1/groups/{group['id']}/members/{members[0]['id']}"
    for refused in (api.delete(member), api.patch(member, {"protected": True})):
        assert (refused.status, refused.code) == (409, "member.in_heat")
    refresh = api.post(f"/v1/groups/{group['id']}/refreshes", {})
    assert (refresh.status, refresh.code) == (409, "refresh.in_heat")


def test_by_policy_and_webhook_it_is_a_group_as_any(api: Api, stack: FakeStack, credential: str) -> None:
    group = api.created("/v1/groups", body(credential))
    url = api.webhook(api.policy(group["id"], adjustment=4)["id"])["url"]
    called = api.post(url.removeprefix("http://scale.example"), {}, token=None)
    assert called.document["outcome"] == "executed"
    api.world.settle()
    assert (len(stack.members), stack.patches) == (7, [7])


@pytest.mark.parametrize(
    ("heat", "changes", "code", "said"),
    [
        ({"stack": "other"}, {}, "group.heat_stack", "no stack other"),
        ({"resource": "web"}, {}, "group.heat_resource", "it has: asg"),
        ({"parameter": "count"}, {}, "group.heat_parameter", "is the parameter size, not count"),
        ({}, {"min_size": 0}, "group.heat_zero", "min_size must be 1"),
        ({}, {"max_size": 51}, "group.heat_bounds", "max_size 50"),
        ({}, {"max_size": 2}, "group.desired_outside_bounds", "desired_capacity 3"),
        (
            {**SIGNAL, "parameter": None, "policies": [{"resource": "out", "adjustment": 1}]},
            {},
            "group.heat_policies",
            "no scaling policy out",
        ),
        (
            {**SIGNAL, "parameter": None, "policies": [{"resource": "up", "adjustment": 2}]},
            {},
            "group.heat_policies",
            r"is \+1, not \+2",
        ),
    ],
)
def test_a_definition_that_is_not_true_of_the_stack_is_refused_and_nothing_kept(
    api: Api,
    stack: FakeStack,
    credential: str,
    heat: dict[str, Any],
    changes: dict[str, Any],
    code: str,
    said: str,
) -> None:
    del stack
    with api.unchanged():
        answer = api.post("/v1/groups", body(credential, {**PARAMETER, **heat}, **changes))
    assert (answer.status, answer.code) == (400, code)
    assert re.search(said, answer.detail)


def test_a_size_that_is_no_parameter_is_refused(api: Api, credential: str) -> None:
    api.world.heat.add(size_in_template=3)
    with api.unchanged():
        answer = api.post("/v1/groups", body(credential))
    assert (answer.status, answer.code) == (400, "group.heat_parameter")
    assert "is not just a parameter" in answer.detail


def test_a_heat_that_does_not_answer_is_503_and_nothing_is_kept(
    api: Api, stack: FakeStack, credential: str
) -> None:
    del stack
    api.world.heat.unreachable = True
    with api.unchanged():
        refused = (
            api.post("/v1/groups", body(credential)),
            api.get(f"/v1/stacks/shop?credential_id={credential}"),
        )
    for answer in refused:
        assert (answer.status, answer.code) == (503, "heat.unavailable")
        assert answer.headers["retry-after"] == "5"
    api.world.heat.unreachable = False
    api.world.heat.broken = CredentialBroken("the trust is gone", for_good=True)
    with api.unchanged():
        answer = api.post("/v1/groups", body(credential))
    assert (answer.status, answer.code) == (409, "credential.broken")


def test_one_group_of_a_stack_has_one_master_and_one_stack_one_way(
    api: Api, stack: FakeStack, credential: str
) -> None:
    first = api.created("/v1/groups", body(credential, client_token="once"))
    assert api.created("/v1/groups", body(credential, client_token="once"))["id"] == first["id"]
    with api.unchanged():
        again = api.post("/v1/groups", body(credential))
    assert (again.status, again.code) == (409, "group.heat_taken")
    held = api.world.memory.groups[first["project_id"], first["id"]]
    assert held.group.heat
    held.group = replace(held.group, heat=replace(held.group.heat, resource="workers"))
    with api.unchanged():
        other_way = api.post("/v1/groups", body(credential, SIGNAL))
    assert (other_way.status, other_way.code) == (409, "group.heat_two_ways")
    assert api.post("/v1/groups", body(credential)).status == 202


def test_fields_of_members_that_we_own_are_refused_in_a_change(
    api: Api, stack: FakeStack, credential: str
) -> None:
    del stack
    path = f"/v1/groups/{api.created('/v1/groups', body(credential))['id']}"
    fields: tuple[dict[str, Any], ...] = (
        {"launch_configuration_id": NO_SUCH_ID},
        {"removal_order": "newest"},
        {"availability_zones": []},
        {"build_timeout": 60},
        {"load_balancers": []},
    )
    for field in fields:
        with api.unchanged():
            answer = api.patch(path, field)
        assert (answer.status, answer.code) == (400, "group.heat_field")
    assert api.patch(path, {"max_size": 12, "desired_capacity": 5}).status == 200
    with api.unchanged():
        assert api.patch(path, {"min_size": 0}).code == "group.heat_zero"


def test_a_failure_is_shown_in_heats_words(api: Api, stack: FakeStack, credential: str) -> None:
    stack.fails = 1000
    group = api.created("/v1/groups", body(credential, desired_capacity=5))
    for _ in range(3):
        api.world.clock.pass_(60)
        api.world.tick()
    shown = api.get(f"/v1/groups/{group['id']}").document
    assert (shown["status"], shown["status_reason"]) == ("error", "UPDATE_FAILED: No valid host was found.")
    assert shown["retry_at"]
