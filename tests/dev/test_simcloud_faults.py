"""Faults and fate can be scripted, in Python and over HTTP."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from dev.simcloud import Effect, Fault, ManualClock, SimCloud, Status
from tests.dev.caller import Caller, error_of


def control(cloud: SimCloud, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
    return requests.request(method, cloud.url + path, json=body, timeout=10)


def test_a_fault_is_answered_as_often_as_told_and_performs_nothing(cloud: SimCloud, demo: Caller) -> None:
    cloud.faults.add(
        Fault(what=Effect.ANSWER, service="nova", method="POST", status=503, retry_after_seconds=7, times=2)
    )
    responses = [demo.create() for _ in range(3)]
    assert [response.status_code for response in responses] == [503, 503, 202]
    assert responses[0].headers["Retry-After"] == "7"
    assert responses[0].json() == {"computeFault": {"code": 503, "message": "Simulated fault"}}
    assert demo.names() == ["a"]


def test_a_fault_may_bring_its_own_body(cloud: SimCloud, demo: Caller) -> None:
    cloud.faults.add(Fault(what=Effect.ANSWER, status=429, body={"overLimit": {"retryAfter": "1"}}))
    assert demo.create().json() == {"overLimit": {"retryAfter": "1"}}


@pytest.mark.parametrize(("what", "made"), [(Effect.DROP, []), (Effect.PERFORM_THEN_DROP, ["a"])])
def test_a_connection_is_dropped_before_or_after_the_work(
    cloud: SimCloud, demo: Caller, what: Effect, made: list[str]
) -> None:
    cloud.faults.add(Fault(what=what, method="POST", path="/servers$"))
    with pytest.raises(requests.ConnectionError):
        demo.create()
    assert demo.names() == made
    assert [entry.status for entry in cloud.requests if entry.method == "POST"] == [None]


def test_an_answer_is_lost_after_the_work(cloud: SimCloud, demo: Caller) -> None:
    cloud.faults.add(Fault(what=Effect.PERFORM_THEN_ANSWER, method="POST", status=500))
    assert demo.create().status_code == 500
    assert demo.names() == ["a"]


def test_an_answer_is_late(cloud: SimCloud, demo: Caller) -> None:
    cloud.faults.add(Fault(what=Effect.DELAY, delay_seconds=0.2))
    began = time.monotonic()
    assert demo.create().status_code == 202
    assert time.monotonic() - began >= 0.2


def test_a_fault_concerns_servers_by_name(cloud: SimCloud, demo: Caller) -> None:
    server_id = demo.created(name="bad-1")
    cloud.faults.add(Fault(what=Effect.ANSWER, server="^bad", times=None))
    assert demo.create(name="bad-2").status_code == 503
    assert demo.nova("DELETE", f"/servers/{server_id}").status_code == 503
    assert demo.create(name="good").status_code == 202
    assert demo.names() == ["bad-1", "good"]


def test_builds_fail_or_never_end(cloud: SimCloud, demo: Caller, clock: ManualClock) -> None:
    cloud.faults.add(Fault(what=Effect.BUILD_ERROR, server="-2$"))
    cloud.faults.add(Fault(what=Effect.BUILD_NEVER, server="-3$"))
    demo.created(min_count=3)
    clock.advance(3600 - 1)
    servers = demo.nova("GET", "/servers/detail").json()["servers"]
    assert {server["name"]: server["status"] for server in servers} == {
        "a-1": "ACTIVE",
        "a-2": "ERROR",
        "a-3": "BUILD",
    }


def test_lists_lag_behind(cloud: SimCloud, demo: Caller, clock: ManualClock) -> None:
    cloud.faults.add(Fault(what=Effect.HIDE, hide_seconds=30))
    server_id = demo.created()
    assert demo.names() == []
    assert demo.shown(server_id)["name"] == "a"
    clock.advance(30)
    assert demo.names() == ["a"]


def test_faults_are_scripted_over_http(cloud: SimCloud, demo: Caller) -> None:
    added = control(cloud, "POST", "/faults", {"what": "answer", "service": "keystone", "times": None})
    fault_id = added.json()["id"]
    assert demo.keystone("GET", "/auth/projects").status_code == 503
    (listed,) = control(cloud, "GET", "/faults").json()["faults"]
    assert (listed["id"], listed["what"], listed["uses"]) == (fault_id, "answer", 1)
    assert control(cloud, "DELETE", f"/faults/{fault_id}").status_code == 204
    assert demo.keystone("GET", "/auth/projects").status_code == 200
    control(cloud, "POST", "/faults", {"what": "drop"})
    control(cloud, "DELETE", "/faults")
    assert control(cloud, "GET", "/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    "body", [{}, {"what": "nope"}, {"what": "drop", "bogus": 1}, {"what": "drop", "path": "("}]
)
def test_what_is_no_fault_is_refused(cloud: SimCloud, body: dict[str, Any]) -> None:
    assert control(cloud, "POST", "/faults", body).status_code == 400


def test_servers_meet_their_fate_behind_novas_back(cloud: SimCloud, demo: Caller) -> None:
    server_id = demo.created()
    cloud.backstage.set_server_status(server_id, Status.RESCUE)
    assert demo.shown(server_id)["status"] == "RESCUE"
    cloud.backstage.set_server_status(server_id, "ERROR")
    assert demo.shown(server_id)["fault"]["message"] == "The server failed on its host."
    assert cloud.backstage.status(server_id) is Status.ERROR
    assert [server.id for server in cloud.backstage.servers("demo")] == [server_id]
    cloud.backstage.delete_server(server_id)
    assert demo.nova("GET", f"/servers/{server_id}").status_code == 404
    assert cloud.backstage.servers() == ()


def test_fate_is_scripted_over_http(cloud: SimCloud, demo: Caller) -> None:
    server_id = demo.created()
    shut = {"server_id": server_id, "status": "SHUTOFF"}
    assert control(cloud, "POST", "/world/set_server_status", shut).status_code == 204
    assert demo.shown(server_id)["status"] == "SHUTOFF"
    control(cloud, "POST", "/world/set_quota", {"project": "demo", "instances": 1})
    assert demo.create().status_code == 403
    revoke = {"user": "demo", "project": "demo", "role": "member"}
    assert control(cloud, "POST", "/world/revoke_role", revoke).status_code == 204
    assert demo.nova("DELETE", f"/servers/{server_id}").status_code == 403


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("nope", {}, 404),
        ("delete_server", {}, 400),
        ("delete_server", {"server_id": "nope"}, 404),
        ("disable_user", {"user": "nope"}, 404),
    ],
)
def test_what_cannot_happen_is_refused(
    cloud: SimCloud, action: str, body: dict[str, Any], status: int
) -> None:
    response = control(cloud, "POST", f"/world/{action}", body)
    assert (response.status_code, bool(error_of(response))) == (status, True)


def test_the_journal_tells_what_was_asked(cloud: SimCloud, demo: Caller) -> None:
    demo.keystone("GET", "/auth/projects", X_Openstack_Request_Id="req-1")
    (entry,) = cloud.requests
    assert (entry.service, entry.method, entry.path) == ("keystone", "GET", "/v3/auth/projects")
    assert (entry.status, entry.request_id) == (200, "req-1")
    (told,) = control(cloud, "GET", "/requests").json()["requests"]
    assert told["request_id"] == "req-1"
    control(cloud, "DELETE", "/requests")
    assert cloud.requests == ()
