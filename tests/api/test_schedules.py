from __future__ import annotations

from typing import Any

import pytest

from tests.api.caller import NO_SUCH_ID, Api, Estate

SCHEDULE = "/v1/schedules/{schedule_id}"


def test_a_schedule_is_created_and_shows_when_it_will_fire(api: Api, estate: Estate) -> None:
    body = {
        "name": "mornings",
        "group_id": estate.group_id,
        "cron": "0 7 * * 1-5",
        "timezone": "Europe/Ljubljana",
        "start": "2026-03-26T00:00:00+01:00",
        "min_size": 4,
    }
    answer = api.post("/v1/schedules", body)
    assert answer.status == 201
    path = f"/v1/schedules/{answer.document['id']}"
    assert answer.headers["location"] == f"http://scale.example{path}"
    assert answer.headers["etag"] == '"1"'
    assert answer.document["next_firings"] == [
        {"utc": "2026-03-26T06:00:00.000Z", "local": "2026-03-26T07:00:00.000+01:00"},
        {"utc": "2026-03-27T06:00:00.000Z", "local": "2026-03-27T07:00:00.000+01:00"},
        {"utc": "2026-03-30T05:00:00.000Z", "local": "2026-03-30T07:00:00.000+02:00"},
        {"utc": "2026-03-31T05:00:00.000Z", "local": "2026-03-31T07:00:00.000+02:00"},
        {"utc": "2026-04-01T05:00:00.000Z", "local": "2026-04-01T07:00:00.000+02:00"},
    ]
    assert answer.document["start"] == "2026-03-25T23:00:00.000Z"
    shown = {name: answer.document[name] for name in ("at", "end", "max_size", "policy_id", "last_firing")}
    assert set(shown.values()) == {None}
    assert (answer.document["enabled"], answer.document["honor_cooldown"]) == (True, False)
    again = api.get(path)
    assert (again.document, again.headers["etag"]) == (answer.document, '"1"')


def test_a_schedule_of_a_policy_is_one_of_its_group(api: Api, estate: Estate) -> None:
    body = {"name": "once", "at": "2026-03-02T08:00:00+02:00", "policy_id": estate.policy_id}
    answer = api.post("/v1/schedules", body)
    assert answer.status == 201
    assert (answer.document["group_id"], answer.document["policy_id"]) == (estate.group_id, estate.policy_id)
    assert answer.document["at"] == "2026-03-02T06:00:00.000Z"
    assert answer.document["next_firings"] == [
        {"utc": "2026-03-02T06:00:00.000Z", "local": "2026-03-02T06:00:00.000+00:00"}
    ]
    assert (answer.document["cron"], answer.document["timezone"]) == (None, None)


def test_without_a_zone_cron_is_in_utc(api: Api, estate: Estate) -> None:
    assert api.get(estate.path(SCHEDULE)).document["timezone"] == "UTC"


def test_a_disabled_schedule_does_not_fire(api: Api, estate: Estate) -> None:
    schedule = api.schedule(estate.group_id, enabled=False)
    assert schedule["next_firings"] == []
    enabled = api.patch(f"/v1/schedules/{schedule['id']}", {"enabled": True}).document
    assert len(enabled["next_firings"]) == 5


def test_a_schedule_that_has_fired_shows_how(api: Api, estate: Estate) -> None:
    api.delete(estate.path(SCHEDULE))
    path = f"/v1/schedules/{api.schedule(estate.group_id, cron='* * * * *')['id']}"
    api.world.clock.pass_(60)
    api.world.tick()
    last = api.get(path).document["last_firing"]
    assert last["outcome"] == "executed"
    assert last["due_at"] <= last["fired_at"]
    execution = api.get(f"/v1/executions/{last['execution_id']}").document
    assert (execution["policy_id"], execution["source"]) == (None, f"schedule:{path.rpartition('/')[2]}")
    assert (execution["capacity_before"], execution["capacity_after"]) == (3, 4)
    listed = api.get(f"/v1/executions?group_id={estate.group_id}").document["executions"]
    assert listed[0] == execution
    group = api.get(estate.path("/v1/groups/{group_id}")).document
    assert (group["min_size"], group["desired_capacity"]) == (4, 4)


def test_one_that_is_spent_can_be_armed_again(api: Api, estate: Estate) -> None:
    schedule = api.schedule(estate.group_id)
    path = f"/v1/schedules/{schedule['id']}"
    assert api.patch(path, {"at": "2026-03-02T06:00:00Z"}).document["cron"] is None
    api.world.clock.pass_(86_400)
    api.world.tick()
    spent = api.get(path).document
    assert (spent["next_firings"], spent["last_firing"]["outcome"]) == ([], "missed")
    assert api.patch(path, {"enabled": False}).status == 200
    assert api.patch(path, {"enabled": True}).code == "schedule.at"
    armed = api.patch(path, {"enabled": True, "at": "2026-04-02T06:00:00Z"}).document
    assert [each["utc"] for each in armed["next_firings"]] == ["2026-04-02T06:00:00.000Z"]
    assert armed["last_firing"] == spent["last_firing"]


def test_a_schedule_is_changed_in_part(api: Api, estate: Estate) -> None:
    cron = {"cron": "0 7 * * *", "timezone": "UTC", "start": None, "end": None}
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"name": "evenings"}, {}),
        ({"cron": "0 19 * * *"}, {}),
        ({"timezone": "America/New_York"}, {}),
        ({"end": "2030-01-01T00:00:00.000Z"}, {}),
        ({"max_size": 9}, {}),
        ({"min_size": None}, {}),
        ({"policy_id": estate.policy_id}, {"max_size": None}),
        ({"honor_cooldown": True}, {}),
        ({"desired_capacity": 2}, {"policy_id": None, "honor_cooldown": False}),
        ({"at": "2029-01-01T00:00:00.000Z"}, dict.fromkeys(cron)),
        ({"cron": "0 7 * * *"}, {**cron, "at": None}),
        ({"enabled": False}, {}),
    ]
    left = {"updated_at": None, "next_firings": None}
    expected = api.get(estate.path(SCHEDULE)).document
    for change, effect in changes:
        answer = api.patch(estate.path(SCHEDULE), change)
        assert answer.status == 200, answer.document
        expected |= {**change, **effect, "generation": expected["generation"] + 1}
        assert {**answer.document, **left} == {**expected, **left}
        assert answer.headers["etag"] == f'"{expected["generation"]}"'


def test_if_match_guards_against_lost_updates_and_firing_is_none(api: Api, estate: Estate) -> None:
    seen = {"If-Match": api.get(estate.path(SCHEDULE)).headers["etag"]}
    api.world.clock.pass_(86_400)
    api.world.tick()
    assert api.get(estate.path(SCHEDULE)).document["last_firing"]
    assert api.patch(estate.path(SCHEDULE), {"min_size": 2}, headers=seen).status == 200
    for method, body in (("PATCH", {"min_size": 3}), ("DELETE", None)):
        with api.unchanged():
            answer = api.request(method, estate.path(SCHEDULE), body, headers=seen)
        assert (answer.status, answer.code) == (412, "schedule.stale")


def test_schedules_are_listed_also_of_one_group(api: Api, estate: Estate) -> None:
    other = api.group()["id"]
    theirs = api.schedule(other)["id"]
    everything = [s["id"] for s in api.get("/v1/schedules").document["schedules"]]
    assert sorted(everything) == sorted([estate.schedule_id, theirs])
    page = api.get("/v1/schedules?limit=1").document
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert [s["id"] for s in page["schedules"] + rest["schedules"]] == sorted(everything)
    api.schedule(other)
    of_one = api.get(f"/v1/schedules?group_id={other}&limit=1").document
    rest = api.get(of_one["links"][0]["href"].removeprefix("http://scale.example")).document
    assert {s["group_id"] for s in of_one["schedules"] + rest["schedules"]} == {other}
    assert rest["links"] == []


def test_the_same_client_token_makes_one_schedule_also_when_its_time_has_passed(
    api: Api, estate: Estate
) -> None:
    body = {"name": "x", "at": "2026-03-02T06:00:00Z", "policy_id": estate.policy_id, "client_token": "once"}
    first = api.created("/v1/schedules", body)
    with api.unchanged():
        assert api.created("/v1/schedules", body) == first
        other = api.post("/v1/schedules", {**body, "name": "y"})
    assert (other.status, other.code) == (409, "client_token.reused")
    api.world.clock.pass_(86_400)
    with api.unchanged():
        assert api.created("/v1/schedules", body)["id"] == first["id"]
        late = api.post("/v1/schedules", {**body, "client_token": "other"})
    assert (late.status, late.code) == (400, "schedule.at")


def test_the_quota_of_schedules_holds(api: Api, estate: Estate) -> None:
    for _ in range(api.world.limits.quota.schedules - 1):
        api.schedule(estate.group_id)
    body = {"name": "x", "group_id": estate.group_id, "cron": "0 7 * * *", "min_size": 4}
    with api.unchanged():
        answer = api.post("/v1/schedules", body)
    assert (answer.status, answer.code) == (403, "quota.schedules_exceeded")


def test_a_schedule_is_deleted(api: Api, estate: Estate) -> None:
    answer = api.delete(estate.path(SCHEDULE))
    assert (answer.status, answer.document) == (204, None)
    assert api.get(estate.path(SCHEDULE)).code == "schedule.not_found"
    assert api.delete(estate.path(SCHEDULE)).code == "schedule.not_found"


def test_a_schedule_goes_with_its_group(api: Api, estate: Estate) -> None:
    api.delete(estate.path("/v1/groups/{group_id}"))
    body = {"name": "x", "group_id": estate.group_id, "cron": "0 7 * * *", "min_size": 4}
    with api.unchanged():
        answer = api.post("/v1/schedules", body)
    assert (answer.status, answer.code) == (400, "schedule.no_such_group")
    for _ in range(20):
        api.world.clock.pass_(60)
        api.world.tick()
    assert api.get(estate.path(SCHEDULE)).code == "schedule.not_found"


@pytest.mark.parametrize("id_", [NO_SUCH_ID, "x"])
def test_a_schedule_is_found_by_its_id_only(api: Api, id_: str) -> None:
    answer = api.get(f"/v1/schedules/{id_}")
    assert (answer.status, answer.code) == (404, "schedule.not_found")
