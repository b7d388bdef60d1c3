"""Faults and fate reach the simulated Heat: its requests, and its stacks in action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from keystoneauth1 import adapter, session
from keystoneauth1.identity import v3

from dev.simcloud import PASSWORD, Effect, Fault, ManualClock, SimCloud
from tests.dev.caller import DEMO_PROJECT, Caller
from tests.dev.stacks import RANDOM, OwnStack, group_template


def names(caller: Caller) -> list[str]:
    return [stack["stack_name"] for stack in caller.heat("GET", "/stacks").json()["stacks"]]


def create(caller: Caller, name: str = "s") -> requests.Response:
    return caller.heat("POST", "/stacks", {"stack_name": name, "template": RANDOM})


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_an_error_is_answered_in_heats_shape_and_nothing_is_done(
    cloud: SimCloud, demo: Caller, status: int
) -> None:
    cloud.faults.add(Fault(what=Effect.ANSWER, service="heat", status=status, retry_after_seconds=7))
    response = create(demo)
    assert (response.status_code, response.json()["code"]) == (status, status)
    assert response.json()["error"]["message"] == "Simulated fault"
    assert response.headers["Retry-After"] == "7"
    assert names(demo) == []
    entry, *_ = cloud.requests
    assert (entry.service, entry.status) == ("heat", status)


@pytest.mark.parametrize(("what", "made"), [(Effect.DROP, []), (Effect.PERFORM_THEN_DROP, ["s"])])
def test_a_connection_is_dropped_before_or_after_a_stack_is_made(
    cloud: SimCloud, demo: Caller, what: Effect, made: list[str]
) -> None:
    cloud.faults.add(Fault(what=what, service="heat", method="POST"))
    with pytest.raises(requests.ConnectionError):
        create(demo)
    assert names(demo) == made


def test_a_fault_concerns_stacks_by_name(cloud: SimCloud, demo: Caller) -> None:
    cloud.faults.add(Fault(what=Effect.ANSWER, stack="^bad", times=None))
    good = OwnStack.made(demo, "good", RANDOM)
    assert create(demo, "bad").status_code == 503
    assert demo.heat("GET", "/stacks/bad").status_code == 503
    assert demo.heat("GET", f"/stacks/{good.id}").status_code == 302
    assert demo.nova("GET", "/servers").status_code == 200


def test_a_creation_fails_for_a_reason_once(cloud: SimCloud, demo: Caller, clock: ManualClock) -> None:
    cloud.faults.add(Fault(what=Effect.STACK_FAIL, stack="^s$", action="CREATE", reason="No more addresses"))
    stack = OwnStack.made(demo)
    assert stack.status()[0] == "CREATE_IN_PROGRESS"
    clock.advance(10)
    assert stack.status() == ("CREATE_FAILED", "Resource CREATE failed: No more addresses")
    assert stack.group()["resource_status"] == "CREATE_FAILED"
    assert stack.patch(size=3) == 202
    clock.advance(10)
    assert (stack.status()[0], stack.output("size")) == ("UPDATE_COMPLETE", 3)


def test_an_update_fails_for_a_reason_and_signals_are_ignored_then(
    cloud: SimCloud, demo: Caller, clock: ManualClock
) -> None:
    stack = OwnStack.made(demo)
    clock.advance(10)
    cloud.faults.add(Fault(what=Effect.STACK_FAIL, action="UPDATE"))
    stack.patch(size=3)
    clock.advance(10)
    assert stack.status() == ("UPDATE_FAILED", "Resource UPDATE failed: Simulated failure")
    assert stack.group()["resource_status"] == "UPDATE_FAILED"
    assert stack.signal() == (200, "null")
    clock.advance(10)
    assert stack.output("size") == 2


def test_a_deletion_fails_and_succeeds_when_asked_again(
    cloud: SimCloud, demo: Caller, clock: ManualClock
) -> None:
    stack = OwnStack.made(demo)
    clock.advance(10)
    cloud.faults.add(Fault(what=Effect.STACK_FAIL, action="DELETE", reason="The port is in use"))
    stack.delete()
    clock.advance(10)
    assert stack.status() == ("DELETE_FAILED", "Resource DELETE failed: The port is in use")
    assert len(cloud.backstage.servers("demo")) == 2
    assert names(demo) == ["s"]
    assert stack.delete() == 204
    clock.advance(10)
    assert stack.status()[0] == "DELETE_COMPLETE"
    assert cloud.backstage.servers("demo") == ()


def test_a_stack_stays_in_progress_for_long(cloud: SimCloud, demo: Caller, clock: ManualClock) -> None:
    cloud.faults.add(Fault(what=Effect.STACK_STAY, stay_seconds=600))
    stack = OwnStack.made(demo)
    clock.advance(599)
    assert stack.status()[0] == "CREATE_IN_PROGRESS"
    assert len(demo.names()) == 2
    clock.advance(1)
    assert stack.status()[0] == "CREATE_COMPLETE"


def test_a_stack_stays_in_progress_until_it_is_asked_for_something_else(
    cloud: SimCloud, demo: Caller, clock: ManualClock
) -> None:
    stack = OwnStack.made(demo)
    clock.advance(10)
    cloud.faults.add(Fault(what=Effect.STACK_STAY, action="UPDATE"))
    stack.patch(size=3)
    clock.advance(3000)
    assert stack.status()[0] == "UPDATE_IN_PROGRESS"
    stack.delete()
    clock.advance(10)
    assert stack.status()[0] == "DELETE_COMPLETE"


def test_servers_of_stacks_have_fates_by_their_names(
    cloud: SimCloud, demo: Caller, clock: ManualClock
) -> None:
    cloud.faults.add(Fault(what=Effect.BUILD_ERROR, server="^s-asg-"))
    stack = OwnStack.made(demo)
    clock.advance(10)
    assert stack.status()[0] == "CREATE_FAILED"
    assert sorted(stack.members().values()) == ["CREATE_COMPLETE", "CREATE_FAILED"]


def test_a_server_that_never_builds_times_its_stack_out(
    cloud: SimCloud, demo: Caller, clock: ManualClock
) -> None:
    cloud.faults.add(Fault(what=Effect.BUILD_NEVER))
    body = {"stack_name": "s", "template": group_template(), "timeout_mins": 30}
    stack = OwnStack(demo, "s", demo.heat("POST", "/stacks", body).json()["stack"]["id"])
    clock.advance(29 * 60)
    assert stack.status()[0] == "CREATE_IN_PROGRESS"
    clock.advance(60)
    assert stack.status()[0] == "CREATE_FAILED"
    assert "imed out" in stack.status()[1]


def test_fate_is_scripted_over_http(cloud: SimCloud, demo: Caller) -> None:
    def control(path: str, body: dict[str, Any]) -> int:
        return requests.post(cloud.url + path, json=body, timeout=10).status_code

    assert control("/faults", {"what": "stack_fail", "stack": "^s$", "reason": "no"}) == 201
    assert control("/faults", {"what": "drop", "stack": "("}) == 400
    assert control("/world/allow_stacks_by_delegates", {"allowed": True}) == 204
    assert cloud.world.stacks_by_delegates is True
    assert control("/world/restart_heat", {}) == 204
    OwnStack.made(demo, "s", RANDOM)
    assert [stack.name for stack in cloud.backstage.stacks("demo")] == ["s"]


def test_stacks_survive_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    def started() -> SimCloud:
        return SimCloud(now=clock, state=tmp_path / "state.json", build_seconds=10, delete_seconds=5)

    with started() as cloud:
        made = OwnStack.made(Caller.named(cloud, "demo", "demo"))
        clock.advance(5)
    with started() as cloud:
        stack = OwnStack(Caller.named(cloud, "demo", "demo"), made.name, made.id)
        assert stack.status()[0] == "CREATE_IN_PROGRESS"
        clock.advance(5)
        assert (stack.status()[0], stack.output("size")) == ("CREATE_COMPLETE", 2)
        stack.signal()
        clock.advance(10)
        assert stack.output("size") == 3


def test_heat_takes_its_time_if_told_to(demo: Caller, cloud: SimCloud, clock: ManualClock) -> None:
    cloud.world.heat_seconds = 3
    stack = OwnStack.made(demo)
    clock.advance(10)
    assert stack.status()[0] == "CREATE_IN_PROGRESS"
    clock.advance(6)
    assert stack.status()[0] == "CREATE_COMPLETE"


def test_the_catalog_leads_to_heat(cloud: SimCloud) -> None:
    auth = v3.Password(
        auth_url=cloud.auth_url,
        username="demo",
        password=PASSWORD,
        user_domain_name="Default",
        project_name="demo",
        project_domain_name="Default",
    )
    heat = adapter.Adapter(session.Session(auth), service_type="orchestration", interface="public")
    assert heat.get_endpoint() == f"{cloud.url}/orchestration/v1/{DEMO_PROJECT}"
    heat.post("/stacks", json={"stack_name": "s", "template": RANDOM})
    assert heat.get("/stacks/s").json()["stack"]["stack_status"] == "CREATE_COMPLETE"
    heat.session.session.close()
    cloud.world.has_heat = False
    token = Caller.named(cloud, "demo", "demo")
    shown = token.keystone("GET", "/auth/tokens", X_Subject_Token=token.token).json()["token"]
    assert "orchestration" not in {service["type"] for service in shown["catalog"]}
