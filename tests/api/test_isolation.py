"""Projects know nothing of each other: every operation with an id in its path, from the outside."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from tests.api.caller import ALARM, NO_SUCH_ID, NO_SUCH_TOKEN, OUTSIDER, Api, Estate
from tests.api.contract import Described, operations

WITH_IDS = [
    each
    for each in operations(openapi.document(OPERATIONS, "http://scale.example"))
    if each.parameters and not each.is_open
    if "stack" not in each.parameters  # not an id of ours; see test_stacks
]

BODIES: dict[str, dict[str, Any]] = {
    "freeze_group": {"reason": "mine now"},
    "change_member": {"protected": True},
    "create_webhook": {"name": "mine now"},
    "change_refresh": {"paused": True},
    "set_alarm_state": {"state": "alarm"},
}
"""What these operations need; every other one does with an empty object."""


@pytest.mark.parametrize("described", WITH_IDS, ids=str)
def test_what_belongs_to_others_is_not_there(api: Api, estate: Estate, described: Described) -> None:
    body = None if described.method in ("GET", "DELETE") else BODIES.get(str(described), {})
    with api.unchanged():
        foreign = api.request(described.method, estate.path(described.path), body, token=OUTSIDER)
    assert foreign.status == 404
    missing = api.request(
        described.method, described.path.format_map(dict.fromkeys(described.parameters, NO_SUCH_ID)), body
    )
    assert (foreign.code, foreign.detail) == (missing.code, missing.detail)


@pytest.mark.parametrize("described", WITH_IDS, ids=str)
def test_what_cannot_be_an_id_is_not_found(api: Api, described: Described) -> None:
    body = None if described.method in ("GET", "DELETE") else BODIES.get(str(described), {})
    for id_ in ("1", "x" * 5000, "%00", "..", "{group_id}", NO_SUCH_ID.upper(), "ä"):
        path = described.path.format_map(dict.fromkeys(described.parameters, id_))
        with api.unchanged():
            assert api.request(described.method, path, body).status == 404


def test_a_member_of_another_group_of_ours_is_not_there(api: Api, estate: Estate) -> None:
    other = api.group()["id"]
    for method, body in (("GET", None), ("PATCH", {"protected": True}), ("DELETE", None)):
        with api.unchanged():
            answer = api.request(method, f"/v1/groups/{other}/members/{estate.member_id}", body)
        assert (answer.status, answer.code) == (404, "member.not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/groups",
        "/v1/policies",
        "/v1/alarms",
        "/v1/alarms?group_id={group_id}",
        "/v1/credentials",
        "/v1/launch-configurations",
        "/v1/policies?group_id={group_id}",
        "/v1/schedules",
        "/v1/schedules?group_id={group_id}",
        "/v1/executions?group_id={group_id}",
        "/v1/activities?group_id={group_id}",
    ],
)
def test_lists_show_ones_own_only(api: Api, estate: Estate, path: str) -> None:
    (mine,) = (v for v in api.get(estate.path(path)).document.values() if v)
    (foreign,) = {
        name: v for name, v in api.get(estate.path(path), token=OUTSIDER).document.items() if name != "links"
    }.values()
    assert mine
    assert foreign == []


def test_limits_count_ones_own_only(api: Api, estate: Estate) -> None:
    del estate
    assert set(api.get("/v1/limits", token=OUTSIDER).document["used"].values()) == {0}


@pytest.mark.parametrize("theirs", ["launch_configuration_id", "credential_id"])
def test_a_group_is_not_made_of_what_belongs_to_others(api: Api, estate: Estate, theirs: str) -> None:
    ours = {
        "launch_configuration_id": api.launch_configuration(token=OUTSIDER)["id"],
        "credential_id": api.credential(token=OUTSIDER)["id"],
    }
    body = {"name": "web", "max_size": 1, **ours, theirs: getattr(estate, theirs)}
    with api.unchanged():
        answer = api.post("/v1/groups", body, token=OUTSIDER)
    assert (answer.status, answer.code) == (400, f"group.no_such_{theirs.removesuffix('_id')}")

    group = api.group(token=OUTSIDER, **ours)
    with api.unchanged():
        answer = api.patch(f"/v1/groups/{group['id']}", {theirs: getattr(estate, theirs)}, token=OUTSIDER)
    assert (answer.status, answer.code) == (400, f"group.no_such_{theirs.removesuffix('_id')}")


def test_a_policy_is_not_made_for_a_group_of_others(api: Api, estate: Estate) -> None:
    body = {"name": "x", "group_id": estate.group_id, "type": "exact_capacity", "adjustment": 0}
    with api.unchanged():
        answer = api.post("/v1/policies", body, token=OUTSIDER)
    assert (answer.status, answer.code) == (400, "policy.no_such_group")


def test_an_alarm_is_not_made_of_what_belongs_to_others(api: Api, estate: Estate) -> None:
    own = api.group(token=OUTSIDER)["id"]
    for changes, code in (
        ({"group_id": estate.group_id}, "alarm.no_such_group"),
        ({"group_id": own, "ok_actions": [estate.policy_id]}, "alarm.no_such_policy"),
    ):
        with api.unchanged():
            answer = api.post("/v1/alarms", {**ALARM, **changes}, token=OUTSIDER)
        assert (answer.status, answer.code) == (400, code)
    composite = {"name": "x", "group_id": own, "composite": {"alarm": estate.alarm_id}}
    with api.unchanged():
        answer = api.post("/v1/alarms", composite, token=OUTSIDER)
    assert (answer.status, answer.code) == (400, "alarm.no_such_part")


def test_a_schedule_is_not_made_for_a_group_or_a_policy_of_others(api: Api, estate: Estate) -> None:
    body = {"name": "x", "cron": "0 7 * * *"}
    ours = api.group(token=OUTSIDER)["id"]
    for what, code in (
        ({"group_id": estate.group_id, "min_size": 0}, "schedule.no_such_group"),
        ({"policy_id": estate.policy_id}, "schedule.no_such_policy"),
        ({"policy_id": estate.policy_id, "group_id": ours}, "schedule.no_such_policy"),
    ):
        with api.unchanged():
            answer = api.post("/v1/schedules", {**body, **what}, token=OUTSIDER)
        assert (answer.status, answer.code) == (400, code)


def test_a_client_token_is_of_one_project(api: Api) -> None:
    ours = api.credential(client_token="once")
    theirs = api.credential(client_token="once", token=OUTSIDER)
    assert ours["id"] != theirs["id"]
    assert theirs["project_id"] == "project-2"


def test_a_marker_of_others_shows_nothing_of_theirs(api: Api, estate: Estate) -> None:
    for path in ("/v1/executions", "/v1/activities"):
        query = f"?group_id={estate.group_id}&marker={estate.execution_id}"
        answer = api.get(path + query, token=OUTSIDER)
        assert answer.status == 400 or not next(iter(answer.document.values()))


def test_a_token_that_is_nobodys_says_no_more_than_a_foreign_id(api: Api) -> None:
    answer = api.post(f"/v1/hooks/{NO_SUCH_TOKEN}", token=OUTSIDER)
    assert (answer.status, answer.code) == (404, "webhook.unknown")
