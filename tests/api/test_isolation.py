"""Projects know nothing of each other: every operation, from the outside.

What there is to try is taken from the OpenAPI document: a route with an id in its path, a field that names
something, a list, a route without authentication. One that is added is tried, or missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from tests.api.caller import ALARM, MEMBER, NO_SUCH_ID, NO_SUCH_TOKEN, OUTSIDER, Api, Estate
from tests.api.contract import Described, operations

DOCUMENT = openapi.document(OPERATIONS, "http://scale.example")
ALL = list(operations(DOCUMENT))
WITH_IDS = [
    each for each in ALL if each.parameters and not each.is_open if "stack" not in each.parameters
]  # a stack is Heat's: see test_stacks

SAY_NOTHING_OF_A_PROJECT = {"list_versions", "check_health", "show_openapi"}
"""What everybody may ask; each other operation needs a Keystone token, or one of ours in its path."""

NOT_OURS = {"application_credential_id", "event_id", "pool_id", "subnet_id"}
"""Fields that name what is Keystone's, Octavia's, or the sender's."""

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


LISTS = [
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
]


def test_no_list_is_forgotten() -> None:
    lists = {
        each.path for each in ALL if each.method == "GET" and not each.parameters and not each.is_open
    } - {"/v1/limits"}
    assert {path.partition("?")[0] for path in LISTS} == lists
    by_group = {each.path for each in ALL for name in _in_query(each) if name == "group_id"}
    assert {path.partition("?")[0] for path in LISTS if "group_id" in path} == by_group


@pytest.mark.parametrize("path", LISTS)
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


def test_who_needs_no_token_of_keystone_has_one_of_ours_or_learns_nothing() -> None:
    for each in ALL:
        has_token = any(name.endswith("token") for name in each.parameters)
        assert each.is_open == (has_token or str(each) in SAY_NOTHING_OF_A_PROJECT), each


@pytest.mark.parametrize("described", [each for each in ALL if each.is_open and each.parameters], ids=str)
def test_a_token_opens_its_own_door_only(api: Api, estate: Estate, described: Described) -> None:
    """Any other token of ours is none there, nor is one of Keystone's."""
    theirs = {"token": estate.intake_token, "intake_token": estate.token}
    for put in (theirs, dict.fromkeys(theirs, NO_SUCH_TOKEN), dict.fromkeys(theirs, MEMBER)):
        path = described.path.format_map({**dict.fromkeys(described.parameters, NO_SUCH_ID), **put})
        with api.unchanged():
            assert api.request(described.method, path, {}, token=MEMBER).status == 404


def _in_query(described: Described) -> list[str]:
    return [each["name"] for each in described.description["parameters"] if each["in"] == "query"]


def _fields(schema: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the dotted names of the fields of a body, the schemas that it refers to included, each once."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in above:
            yield from _fields(DOCUMENT["components"]["schemas"][name], (*above, name))
        return
    for field, inner in schema.get("properties", {}).items():
        yield field
        yield from (f"{field}.{each}" for each in _fields(inner, above))
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), schema.get("items", {})):
        if part:
            yield from _fields(part, above)


def _references(described: Described) -> set[str]:
    """Return the fields of the operation's body that name something of a project's."""
    content = described.description.get("requestBody", {}).get("content", {})
    fields = set(_fields(content.get("application/json", {}).get("schema", {})))
    last = {field: field.rpartition(".")[2] for field in fields}
    return {
        field
        for field, name in last.items()
        if name not in NOT_OURS and (name.endswith(("_id", "_actions")) or field == "composite.alarm")
    }


def _whole(api: Api) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return a path and a body of the outsider's own for each operation whose body names something."""
    made = {
        "launch_configuration_id": api.launch_configuration(token=OUTSIDER)["id"],
        "credential_id": api.credential(token=OUTSIDER)["id"],
    }
    group = api.group(token=OUTSIDER, **made)["id"]
    policy = api.policy(group, token=OUTSIDER)["id"]
    alarm = api.alarm(group, token=OUTSIDER)["id"]
    by_policy = {"name": "x", "cron": "0 7 * * *", "policy_id": policy}
    schedule = api.created("/v1/schedules", by_policy, token=OUTSIDER)["id"]
    intake = api.put(f"/v1/groups/{group}/intake", token=OUTSIDER).document["url"]
    actions = {f"{name}_actions": [policy] for name in ("alarm", "ok", "insufficient_data")}
    samples = {"samples": [{"metric": "cpu", "value": 1}]}
    return {
        "create_group": ("/v1/groups", {"name": "x", "max_size": 1, **made}),
        "change_group": (f"/v1/groups/{group}", made),
        "create_policy": (
            "/v1/policies",
            {"name": "x", "group_id": group, "type": "exact_capacity", "adjustment": 0},
        ),
        "create_alarm": ("/v1/alarms", {**ALARM, "group_id": group, **actions}),
        "change_alarm": (f"/v1/alarms/{alarm}", actions),
        "create_schedule": ("/v1/schedules", {**by_policy, "group_id": group}),
        "change_schedule": (f"/v1/schedules/{schedule}", {"policy_id": policy}),
        "post_samples": ("/v1/samples", {"group_id": group, **samples}),
        "post_intake_samples": (f"/v1/intake/{intake.rpartition('/')[2]}/samples", samples),
    }


def _naming_theirs(body: dict[str, Any], field: str, estate: Estate, group: str) -> dict[str, Any]:
    """Return the body with what belongs to others in this field."""
    if field == "composite.alarm":
        named = {"composite": {"alarm": estate.alarm_id}}
        return named if "metric" not in body else {"name": "x", "group_id": group, **named}
    if field == "samples.server_id":
        return {**body, "samples": [{**body["samples"][0], "server_id": estate.member_id}]}
    if field.endswith("_actions"):
        return {**body, field: [estate.policy_id]}
    return {**body, field: getattr(estate, field)}


REFERENCES = [(each, field) for each in ALL for field in sorted(_references(each))]


@pytest.mark.parametrize(("described", "field"), REFERENCES, ids=str)
def test_no_field_of_a_body_reaches_what_belongs_to_others(
    api: Api, estate: Estate, described: Described, field: str
) -> None:
    path, body = _whole(api)[str(described)]
    group = api.get("/v1/groups", token=OUTSIDER).document["groups"][0]["id"]
    with api.unchanged():
        answer = api.request(
            described.method, path, _naming_theirs(body, field, estate, group), token=OUTSIDER
        )
    if field == "samples.server_id":
        assert answer.document["accepted"] == 0
        assert "not a member" in answer.document["rejected"][0]["reason"]
    else:
        assert answer.status in (400, 404), answer
    assert api.request(described.method, path, body, token=OUTSIDER).status < 300, "the rest of it is good"
