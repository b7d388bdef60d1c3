from __future__ import annotations

from typing import Any

import pytest

from tests.api.caller import NO_SUCH_ID, Api, Estate

RUN = "/v1/policies/{policy_id}/executions"


def test_a_request_to_scale_is_answered_with_its_outcome_and_why(api: Api, estate: Estate) -> None:
    answer = api.post(estate.path(RUN), {"event_id": "e-1"})
    assert answer.status == 202
    document = answer.document
    assert (document["outcome"], document["capacity_before"], document["capacity_after"]) == (
        "executed",
        3,
        4,
    )
    assert (document["policy_id"], document["group_id"]) == (estate.policy_id, estate.group_id)
    assert (document["event_id"], document["source"]) == ("e-1", "user:user-of-project-1")
    assert document["request_id"] == answer.headers["x-openstack-request-id"]
    assert document["explanation"]["summary"] == "Policy 'out' scales out from 3 to 4."
    steps = document["explanation"]["steps"]
    assert (steps[0]["rule"], steps[-1]["rule"]) == ("event", "cooldown")
    assert {step["verdict"] for step in steps} == {"pass"}
    assert answer.headers["location"] == f"http://scale.example/v1/executions/{document['id']}"
    assert api.get(f"/v1/executions/{document['id']}").document == document
    assert api.get(estate.path("/v1/groups/{group_id}")).document["desired_capacity"] == 4


def test_a_change_within_the_cooldown_is_held_and_says_until_when(api: Api, estate: Estate) -> None:
    assert api.post(estate.path(RUN)).status == 202
    api.world.clock.pass_(10)
    held = api.post(estate.path(RUN))
    assert (held.status, held.code) == (409, "policy.in_cooldown")
    assert held.document["outcome"] == "in_cooldown"
    assert held.document["capacity_before"] == held.document["capacity_after"] == 4
    assert held.headers["retry-after"] == "50"
    assert held.document["explanation"]["steps"][-1]["until"] == held.document["retry_at"]
    assert held.detail == held.document["explanation"]["summary"]
    shown = api.get(f"/v1/executions/{held.document['id']}").document
    assert "errors" not in shown
    assert shown["outcome"] == "in_cooldown"


def test_nothing_to_change_starts_no_cooldown(api: Api, estate: Estate) -> None:
    same = api.policy(estate.group_id, type="exact_capacity", adjustment=3)["id"]
    for _ in range(2):
        answer = api.post(f"/v1/policies/{same}/executions")
        assert (answer.status, answer.document["outcome"]) == (200, "no_change")
    assert api.post(estate.path(RUN)).status == 202


def test_at_the_bound_there_is_nothing_to_change(api: Api, estate: Estate) -> None:
    more = api.policy(estate.group_id, adjustment=100)["id"]
    answer = api.post(f"/v1/policies/{more}/executions")
    assert (answer.status, answer.document["capacity_after"]) == (202, 5)
    again = api.post(f"/v1/policies/{more}/executions")
    assert (again.status, again.document["outcome"]) == (200, "no_change")
    clamped = next(s for s in again.document["explanation"]["steps"] if s["rule"] == "clamp")
    assert clamped["verdict"] == "clamped"


def test_a_policy_in_shadow_mode_only_says_what_it_would_do(api: Api, estate: Estate) -> None:
    api.patch(estate.path("/v1/policies/{policy_id}"), {"mode": "shadow"})
    answer = api.post(estate.path(RUN))
    assert (answer.status, answer.document["outcome"]) == (200, "shadow")
    assert api.get(estate.path("/v1/groups/{group_id}")).document["desired_capacity"] == 3


def test_a_disabled_policy_is_refused(api: Api, estate: Estate) -> None:
    api.patch(estate.path("/v1/policies/{policy_id}"), {"mode": "disabled"})
    answer = api.post(estate.path(RUN))
    assert (answer.status, answer.code) == (409, "policy.disabled")
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"body": {"event_id": "e-1"}}, {"body": {"event_id": "e-1"}}),
        ({"headers": {"Idempotency-Key": "e-1"}}, {"headers": {"Idempotency-Key": "e-1"}}),
        ({"headers": {"idempotency-key": "e-1"}, "body": {"event_id": "x"}}, {"body": {"event_id": "e-1"}}),
    ],
)
def test_the_same_event_scales_once(
    api: Api, estate: Estate, first: dict[str, Any], second: dict[str, Any]
) -> None:
    done = api.post(estate.path(RUN), **first)
    assert done.status == 202
    api.world.clock.pass_(10_000)
    with api.unchanged():
        again = api.post(estate.path(RUN), **second)
    assert (again.status, again.document["outcome"]) == (200, "duplicate")
    assert again.document["id"] == done.document["id"]
    assert (again.document["capacity_before"], again.document["capacity_after"]) == (3, 4)
    assert "executed" in again.document["explanation"]["summary"]
    assert api.get(f"/v1/executions/{done.document['id']}").document["outcome"] == "executed"


def test_one_event_may_set_several_policies_in_motion(api: Api, estate: Estate) -> None:
    other = api.policy(estate.group_id, type="exact_capacity", adjustment=1)["id"]
    assert api.post(estate.path(RUN), {"event_id": "e-1"}).status == 202
    assert (
        api.post(f"/v1/policies/{other}/executions", {"event_id": "e-1"}).document["outcome"] != "duplicate"
    )


def test_a_policy_of_steps_is_told_how_large_the_breach_is(api: Api, estate: Estate) -> None:
    steps = [{"lower": 0, "upper": 10, "adjustment": 1}, {"lower": 10, "adjustment": 2}]
    body = {"name": "steps", "group_id": estate.group_id, "type": "steps", "steps": steps}
    path = f"/v1/policies/{api.post('/v1/policies', body).document['id']}/executions"
    unknown = api.post(path)
    assert (unknown.status, unknown.code) == (409, "policy.no_data")
    before = api.get(estate.path("/v1/groups/{group_id}")).document["desired_capacity"]
    assert api.post(path, {"breach": 12}).document["capacity_after"] == before + 2


def test_a_metric_that_nobody_reports_moves_nothing(api: Api, estate: Estate) -> None:
    tracking = {"type": "target_tracking", "metric": "cpu", "target": 60}
    body = {"name": "track", "group_id": estate.group_id, **tracking}
    policy = api.post("/v1/policies", body).document["id"]
    answer = api.post(f"/v1/policies/{policy}/executions")
    assert (answer.status, answer.code) == (409, "policy.no_data")
    assert "cpu" in answer.detail


def test_an_events_name_has_a_length(api: Api, estate: Estate) -> None:
    with api.unchanged():
        answer = api.post(estate.path(RUN), headers={"Idempotency-Key": "x" * 256})
    assert (answer.status, answer.code) == (400, "hook.event_id")
    assert api.post(estate.path(RUN), headers={"Idempotency-Key": "x" * 255}).status == 202


def test_executions_are_listed_newest_first(api: Api, estate: Estate) -> None:
    ids = [estate.execution_id]
    for _ in range(3):
        api.world.clock.pass_(10_000)
        ids.append(api.post(estate.path(RUN)).document["id"])
    ids.reverse()
    for path in (RUN + "?limit=3", "/v1/executions?group_id={group_id}&limit=3"):
        page = api.get(estate.path(path)).document
        assert [e["id"] for e in page["executions"]] == ids[:3]
        rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
        assert [e["id"] for e in rest["executions"]] == ids[3:]
        assert rest["links"] == []


def test_a_marker_that_is_gone_is_told(api: Api, estate: Estate) -> None:
    answer = api.get(estate.path(f"{RUN}?marker={NO_SUCH_ID}"))
    assert answer.status == 400


@pytest.mark.parametrize("path", [f"/v1/policies/{NO_SUCH_ID}/executions", f"/v1/executions/{NO_SUCH_ID}"])
def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert api.get(path).status == 404


def test_activities_tell_a_groups_story_in_pages(api: Api, estate: Estate) -> None:
    path = estate.path("/v1/activities?group_id={group_id}")
    whole = api.get(path).document["activities"]
    assert {"group_created", "members_requested", "member_in_service"} <= {a["kind"] for a in whole}
    assert [a["id"] for a in whole] == sorted((a["id"] for a in whole), reverse=True)
    page = api.get(f"{path}&limit=1").document
    rest = api.get(
        page["links"][0]["href"].removeprefix("http://scale.example").replace("limit=1", "limit=9")
    )
    assert page["activities"] + rest.document["activities"] == whole[:10]
