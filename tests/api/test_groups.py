from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import GroupId
from chalicelib.ports.cloud import CredentialBroken
from tests.api.caller import NO_SUCH_ID, Api, Estate
from tests.core.factories import NOW, PROJECT


def test_a_group_is_created_and_its_members_are_built_afterwards(api: Api) -> None:
    answer = api.post(
        "/v1/groups",
        {
            "name": "wéb ☃",
            "min_size": 1,
            "max_size": 4,
            "desired_capacity": 2,
            "launch_configuration_id": (launch := api.launch_configuration()["id"]),
            "credential_id": (credential := api.credential()["id"]),
        },
    )
    assert answer.status == 202
    path = f"/v1/groups/{answer.document['id']}"
    assert answer.headers["location"] == f"http://scale.example{path}"
    assert answer.headers["etag"] == '"1"'
    shown = {name: answer.document[name] for name in answer.document if name not in ("id", "links")}
    assert shown == {
        "project_id": PROJECT,
        "name": "wéb ☃",
        "launch_configuration_id": launch,
        "heat": None,
        "credential_id": credential,
        "min_size": 1,
        "max_size": 4,
        "desired_capacity": 2,
        "cooldown": 300,
        "removal_order": "oldest",
        "availability_zones": [],
        "load_balancers": [],
        "build_timeout": 600,
        "status": "converging",
        "status_reason": None,
        "retry_at": None,
        "current_size": 0,
        "in_service": 0,
        "outdated": 0,
        "refresh_id": None,
        "freeze": None,
        "generation": 1,
        "created_at": "2026-03-01T12:00:00.000Z",
        "updated_at": "2026-03-01T12:00:00.000Z",
    }
    assert {link["rel"]: link["href"] for link in answer.document["links"]} == {
        "self": f"http://scale.example{path}",
        "members": f"http://scale.example{path}/members",
    }
    assert [key.group_id for key, _, _ in api.world.queue.rounds] == [answer.document["id"]]

    api.world.settle()
    settled = api.get(path).document
    assert (settled["status"], settled["current_size"], settled["in_service"]) == ("active", 2, 2)


def test_a_group_that_says_no_capacity_wants_its_least(api: Api) -> None:
    body = {"name": "web", "min_size": 3, "max_size": 4}
    ids = {
        "launch_configuration_id": api.launch_configuration()["id"],
        "credential_id": api.credential()["id"],
    }
    assert api.created("/v1/groups", {**body, **ids})["desired_capacity"] == 3


def test_all_of_a_group_can_be_changed_and_what_is_left_out_stays(api: Api, estate: Estate) -> None:
    path = estate.path("/v1/groups/{group_id}")
    before = api.get(path)
    changes = {
        "name": "other",
        "launch_configuration_id": api.launch_configuration(name="new")["id"],
        "credential_id": api.credential(name="new")["id"],
        "min_size": 0,
        "max_size": 9,
        "desired_capacity": 7,
        "cooldown": 0,
        "removal_order": "newest",
        "availability_zones": ["nova", "az-2"],
        "build_timeout": 30,
    }
    for name, value in changes.items():
        answer = api.patch(path, {name: value})
        assert (answer.status, answer.document[name]) == (200, value)
    after = api.get(path)
    assert {name: after.document[name] for name in changes} == changes
    assert after.document["created_at"] == before.document["created_at"]
    assert after.document["generation"] == before.document["generation"] + len(changes)
    assert after.headers["etag"] == f'"{after.document["generation"]}"'


def test_a_change_that_changes_nothing_is_taken(api: Api, estate: Estate) -> None:
    assert api.patch(estate.path("/v1/groups/{group_id}"), {}).status == 200


def test_a_manual_change_neither_waits_for_a_cooldown_nor_starts_one(api: Api, estate: Estate) -> None:
    executions = estate.path("/v1/policies/{policy_id}/executions")
    assert api.post(executions).status == 202
    assert api.patch(estate.path("/v1/groups/{group_id}"), {"desired_capacity": 2}).status == 200
    api.world.settle()
    api.world.clock.pass_(3600)
    assert api.patch(estate.path("/v1/groups/{group_id}"), {"desired_capacity": 3}).status == 200
    assert api.post(executions).status == 202


def test_if_match_guards_against_lost_updates(api: Api, estate: Estate) -> None:
    path = estate.path("/v1/groups/{group_id}")
    seen = {"If-Match": api.get(path).headers["etag"]}
    first = api.patch(path, {"desired_capacity": 4}, headers=seen)
    assert first.status == 200
    with api.unchanged():
        second = api.patch(path, {"desired_capacity": 5}, headers=seen)
    assert (second.status, second.code) == (412, "group.stale")
    assert api.patch(path, {"desired_capacity": 5}, headers={"If-Match": first.headers["etag"]}).status == 200
    assert api.patch(path, {"desired_capacity": 4}, headers={"If-Match": "*"}).status == 200


def test_the_same_client_token_makes_one_group(api: Api, estate: Estate) -> None:
    ids = {"launch_configuration_id": estate.launch_configuration_id, "credential_id": estate.credential_id}
    first = api.group(client_token="once", **ids)
    with api.unchanged(but="rounds"):
        again = api.group(client_token="once", **ids)
    assert again == first
    api.patch(f"/v1/groups/{first['id']}", {"desired_capacity": 4})
    assert api.group(client_token="once", **ids)["desired_capacity"] == 4
    with api.unchanged():
        body = {"name": "web", "max_size": 5, "client_token": "once", **ids}
        other = api.post("/v1/groups", body)
    assert (other.status, other.code) == (409, "client_token.reused")
    assert api.group(client_token="twice", **ids)["id"] != first["id"]


def test_a_group_is_frozen_and_thawed(api: Api, estate: Estate) -> None:
    group, executions = (
        estate.path("/v1/groups/{group_id}"),
        estate.path("/v1/policies/{policy_id}/executions"),
    )
    until = (api.world.clock.now + timedelta(hours=1)).isoformat()
    answer = api.put(f"{group}/freeze", {"reason": "maintenance", "until": until})
    assert (answer.status, answer.document["reason"]) == (200, "maintenance")
    shown = api.get(group).document
    assert (shown["status"], shown["status_reason"]) == ("frozen", "maintenance")
    assert shown["freeze"] == answer.document
    held = api.post(executions)
    assert (held.status, held.code, held.headers["retry-after"]) == (409, "policy.frozen", "3600")
    assert held.document["retry_at"] == answer.document["until"]

    api.world.clock.pass_(3601)
    assert api.get(group).document["freeze"] is None
    assert api.get(group).document["status"] != "frozen"

    answer = api.put(f"{group}/freeze", {"reason": "for good"})
    assert answer.document["until"] is None
    held = api.post(executions)
    assert (held.code, "retry-after" in held.headers) == ("policy.frozen", False)
    assert api.delete(f"{group}/freeze").status == 204
    assert api.post(executions).status == 202


def test_times_are_told_in_utc_in_whatever_zone_they_were_given(api: Api, estate: Estate) -> None:
    path = estate.path("/v1/groups/{group_id}/freeze")
    answer = api.put(path, {"reason": "x", "until": "2030-06-01T12:00:00.5+05:30"})
    assert answer.document["until"] == "2030-06-01T06:30:00.500Z"
    assert api.get(estate.path("/v1/groups/{group_id}")).document["freeze"] == answer.document
    held = api.post(estate.path("/v1/policies/{policy_id}/executions"))
    assert held.document["retry_at"] == answer.document["until"]
    assert "2030-06-01T06:30:00Z" in held.document["explanation"]["summary"]


def test_a_group_is_drained_and_then_gone(api: Api, estate: Estate) -> None:
    path = estate.path("/v1/groups/{group_id}")
    assert api.delete(path).status == 204
    assert api.get(path).document["status"] == "deleting"
    generation = api.get(path).document["generation"]
    assert api.delete(path).status == 204
    assert api.get(path).document["generation"] == generation, "one deletion, however often it is asked for"
    with api.unchanged():
        refused = api.patch(path, {"desired_capacity": 5})
    assert (refused.status, refused.code) == (409, "group.deleting")
    assert api.patch(path, {"credential_id": api.credential()["id"]}).status == 200
    execution = api.post(estate.path("/v1/policies/{policy_id}/executions"))
    assert (execution.status, execution.code) == (409, "policy.group_deleting")

    api.world.tick()
    for _ in range(5):
        api.world.clock.pass_(60)
        api.world.tick()
    assert not api.world.cloud.machines
    for gone in ("/v1/groups/{group_id}", "/v1/policies/{policy_id}", "/v1/webhooks/{webhook_id}"):
        assert api.get(estate.path(gone)).status == 404
    assert api.post(estate.path("/v1/hooks/{token}"), token=None).code == "webhook.unknown"
    story = api.get(estate.path("/v1/activities?group_id={group_id}")).document["activities"]
    assert "group_deletion_asked" in {line["kind"] for line in story}


def test_convergence_is_asked_for(api: Api, estate: Estate) -> None:
    api.world.queue.rounds.clear()
    answer = api.post(estate.path("/v1/groups/{group_id}/convergences"))
    assert (answer.status, answer.document["id"]) == (202, estate.group_id)
    assert [key.group_id for key, _, _ in api.world.queue.rounds] == [estate.group_id]


def test_a_broken_credential_shows_and_is_mended_by_another(api: Api, estate: Estate) -> None:
    path = estate.path("/v1/groups/{group_id}")
    api.world.cloud.broken = CredentialBroken("The trust is gone.", for_good=True)
    api.patch(path, {"desired_capacity": 4})
    api.world.tick()
    shown = api.get(path).document
    assert shown["status"] == "credential_error"
    assert "The trust is gone." in shown["status_reason"]
    execution = api.post(estate.path("/v1/policies/{policy_id}/executions"))
    assert (execution.status, execution.code) == (409, "policy.credential_error")
    api.world.cloud.broken = None
    assert api.patch(path, {"credential_id": api.credential()["id"]}).document["status"] == "converging"
    api.world.settle()
    assert api.get(path).document["in_service"] == 4


def test_the_request_id_leads_from_the_answer_to_the_story(api: Api, estate: Estate) -> None:
    answer = api.patch(estate.path("/v1/groups/{group_id}"), {"desired_capacity": 4})
    story = api.get(estate.path("/v1/activities?group_id={group_id}")).document["activities"]
    changed = [line for line in story if line["kind"] == "group_changed"]
    assert changed[0]["request_id"] == answer.headers["x-openstack-request-id"]
    assert "desired_capacity from 3 to 4" in changed[0]["detail"]


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_lists_come_in_pages(api: Api, limit: int) -> None:
    ids = {
        "launch_configuration_id": api.launch_configuration()["id"],
        "credential_id": api.credential()["id"],
    }
    made = sorted(api.group(name=f"g{n}", **ids)["id"] for n in range(4))
    seen: list[str] = []
    path = f"/v1/groups?limit={limit}"
    while path:
        document = api.get(path).document
        assert len(document["groups"]) <= limit
        seen += [group["id"] for group in document["groups"]]
        path = next((link["href"] for link in document["links"] if link["rel"] == "next"), "")
        path = path.removeprefix("http://scale.example")
    assert seen == made
    after = api.get(f"/v1/groups?marker={made[1]}").document["groups"]
    assert [group["id"] for group in after] == made[2:]
    assert api.get(f"/v1/groups?marker={NO_SUCH_ID}").document == {"groups": [], "links": []}


def test_the_quota_counts_groups_and_the_members_they_may_have(api: Api) -> None:
    group = api.group(max_size=999)
    assert api.get("/v1/limits").document["used"]["members"] == 999
    with api.unchanged():
        refused = api.patch(f"/v1/groups/{group['id']}", {"max_size": 1001})
    assert (refused.status, refused.code) == (403, "quota.members_exceeded")


def test_a_group_is_found_by_its_id_only(api: Api, estate: Estate) -> None:
    answer = api.get(f"/v1/groups/{NO_SUCH_ID}")
    assert (answer.status, answer.code) == (404, "group.not_found")
    assert api.get(estate.path("/v1/groups/{group_id}/")).status == 200, "a slash at the end does not matter"


def test_when_the_queue_is_out_a_change_is_kept_for_the_sweep(
    api: Api, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.world.queue, "converge_soon", _out)
    assert api.patch(estate.path("/v1/groups/{group_id}"), {"desired_capacity": 4}).status == 200
    monkeypatch.undo()
    api.world.settle()
    assert api.world.group(GroupId(estate.group_id)).observed.in_service == 4
    assert api.world.clock.now > NOW


def _out(*_: object) -> None:
    raise Unavailable("queue.unavailable", "The queue does not answer.", retry_after_seconds=1)
