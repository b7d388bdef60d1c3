from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.ids import GroupId
from tests.api.caller import NO_SUCH_ID, READER, Api


@pytest.fixture
def group_id(api: Api) -> str:
    """A group of two, built, that has another launch configuration since."""
    group = api.group()
    api.world.settle()
    other = api.launch_configuration(name="newer")["id"]
    assert api.patch(f"/v1/groups/{group['id']}", {"launch_configuration_id": other}).status == 200
    return str(group["id"])


def path_of(group_id: str) -> str:
    return f"/v1/groups/{group_id}/refreshes"


def shown(api: Api, group_id: str) -> Any:
    return api.get(f"/v1/groups/{group_id}").document


def worked_on(api: Api, times: int = 1) -> None:
    """Let some rounds of all groups follow each other."""
    for _ in range(times):
        api.world.clock.pass_(4)
        api.world.tick()


def test_a_refresh_is_begun_and_replaces_the_members(api: Api, group_id: str) -> None:
    answer = api.post(path_of(group_id), {"batch_size": 1, "min_in_service": 2, "pause_seconds": 5})
    assert answer.status == 202
    path = f"{path_of(group_id)}/{answer.document['id']}"
    assert answer.headers["location"] == f"http://scale.example{path}"
    assert answer.headers["etag"] == '"1"'
    begun = {name: value for name, value in answer.document.items() if name not in ("id", "links")}
    assert begun == {
        "group_id": group_id,
        "project_id": "project-1",
        "status": "running",
        "status_reason": None,
        "batch_size": 1,
        "min_in_service": 2,
        "pause_seconds": 5,
        "replace_all": False,
        "launch_configuration_id": shown(api, group_id)["launch_configuration_id"],
        "replaced": 0,
        "remaining": 2,
        "spared": 0,
        "batches": 0,
        "generation": 1,
        "created_at": "2026-03-01T12:03:00.000Z",
        "updated_at": "2026-03-01T12:03:00.000Z",
    }
    assert shown(api, group_id)["refresh_id"] == answer.document["id"]
    worked_on(api, 30)
    done = api.get(path)
    assert (done.document["status"], done.document["status_reason"]) == ("succeeded", None)
    assert (done.document["replaced"], done.document["remaining"]) == (2, 0)
    assert done.headers["etag"] == '"2"'
    group = shown(api, group_id)
    assert (group["refresh_id"], group["outdated"], group["status"]) == (None, 0, "active")
    members = api.get(f"/v1/groups/{group_id}/members").document["members"]
    assert {m["launch_configuration_id"] for m in members} == {group["launch_configuration_id"]}
    told = api.get(f"/v1/activities?group_id={group_id}").document["activities"]
    kinds = [line["kind"] for line in told]
    assert (kinds.count("refresh_begun"), kinds.count("refresh_ended")) == (1, 1)
    assert sum(line["detail"].endswith(" is removed: replaced.") for line in told) == 2


def test_a_group_counts_its_members_of_other_configurations(api: Api, group_id: str) -> None:
    worked_on(api)
    assert shown(api, group_id)["outdated"] == 2


def test_with_nothing_to_replace_it_succeeds_at_once(api: Api) -> None:
    group_id = api.group()["id"]
    api.world.settle()
    answer = api.post(path_of(group_id), {})
    assert (answer.document["status"], answer.document["remaining"]) == ("running", 0)
    worked_on(api)
    assert api.get(f"{path_of(group_id)}/{answer.document['id']}").document["status"] == "succeeded"


def test_there_is_one_at_a_time_and_the_same_request_finds_the_first(api: Api, group_id: str) -> None:
    first = api.refresh(group_id, client_token="once")
    with api.unchanged(but="rounds"):
        again = api.post(path_of(group_id), {"client_token": "once"})
        other = api.post(path_of(group_id), {"client_token": "twice"})
        reused = api.post(path_of(group_id), {"client_token": "once", "batch_size": 2})
    assert (again.status, again.document) == (202, first)
    assert (other.status, other.code) == (409, "refresh.under_way")
    assert (reused.status, reused.code) == (409, "client_token.reused")
    worked_on(api, 30)
    assert api.post(path_of(group_id), {"client_token": "once"}).document["status"] == "succeeded"
    assert api.post(path_of(group_id), {"client_token": "twice"}).status == 202


def test_the_same_token_means_another_refresh_in_another_group(api: Api, group_id: str) -> None:
    other = api.group()["id"]
    first, second = (api.refresh(each, client_token="once")["id"] for each in (group_id, other))
    assert first != second


def test_it_is_paused_and_goes_on(api: Api, group_id: str) -> None:
    path = f"{path_of(group_id)}/{api.refresh(group_id)['id']}"
    paused = api.patch(path, {"paused": True})
    assert (paused.status, paused.document["status"], paused.headers["etag"]) == (200, "paused", '"2"')
    assert "paused it" in paused.document["status_reason"]
    with api.unchanged():
        assert api.patch(path, {"paused": True}).document["status"] == "paused"
    worked_on(api, 10)
    assert api.get(path).document["remaining"] == 2
    resumed = api.patch(path, {"paused": False}).document
    assert (resumed["status"], resumed["status_reason"]) == ("running", None)
    worked_on(api, 30)
    assert api.get(path).document["status"] == "succeeded"
    with api.unchanged():
        refused = api.patch(path, {"paused": True})
    assert (refused.status, refused.code) == (409, "refresh.ended")


def test_it_is_aborted_once(api: Api, group_id: str) -> None:
    path = f"{path_of(group_id)}/{api.refresh(group_id)['id']}"
    worked_on(api, 2)
    assert api.delete(path).status == 204
    with api.unchanged():
        assert api.delete(path).status == 204
    aborted = api.get(path).document
    assert aborted["status"] == "aborted"
    assert "aborted it" in aborted["status_reason"]
    assert shown(api, group_id)["refresh_id"] is None
    api.world.settle()
    assert shown(api, group_id)["outdated"] == 1
    assert shown(api, group_id)["current_size"] == 2


def test_one_that_has_ended_otherwise_is_not_aborted(api: Api, group_id: str) -> None:
    path = f"{path_of(group_id)}/{api.refresh(group_id)['id']}"
    worked_on(api, 30)
    with api.unchanged():
        answer = api.delete(path)
    assert (answer.status, answer.code) == (409, "refresh.ended")


def test_what_was_seen_before_somebody_changed_it_is_refused(api: Api, group_id: str) -> None:
    path = f"{path_of(group_id)}/{api.refresh(group_id)['id']}"
    api.patch(path, {"paused": True})
    with api.unchanged():
        for answer in (
            api.patch(path, {"paused": False}, headers={"If-Match": '"1"'}),
            api.delete(path, headers={"If-Match": '"1"'}),
        ):
            assert (answer.status, answer.code) == (412, "refresh.stale")
    worked_on(api)
    assert api.patch(path, {"paused": False}, headers={"If-Match": '"2"'}).status == 200


def test_progress_spoils_no_if_match(api: Api, group_id: str) -> None:
    path = f"{path_of(group_id)}/{api.refresh(group_id)['id']}"
    worked_on(api, 2)
    seen = api.get(path)
    assert (seen.document["batches"], seen.headers["etag"]) == (1, '"1"')


def test_no_more_can_be_kept_in_service_than_the_group_may_want(api: Api, group_id: str) -> None:
    with api.unchanged():
        answer = api.post(path_of(group_id), {"min_in_service": 6})
    assert (answer.status, answer.code) == (400, "refresh.min_in_service")
    assert api.post(path_of(group_id), {"min_in_service": 5}).status == 202


def test_they_are_listed_newest_first_page_by_page(api: Api, group_id: str) -> None:
    ids = []
    for number in range(3):
        ids.append(api.refresh(group_id, client_token=f"token {number}")["id"])
        worked_on(api, 30)
    listed, seen, path = [], 0, f"{path_of(group_id)}?limit=2"
    while path:
        page = api.get(path).document
        listed += [refresh["id"] for refresh in page["refreshes"]]
        path = page["links"][0]["href"].removeprefix("http://scale.example") if page["links"] else ""
        seen += 1
    assert (listed, seen) == (ids[::-1], 2)
    unknown = api.get(f"{path_of(group_id)}?marker={NO_SUCH_ID}")
    assert (unknown.status, unknown.code) == (400, "marker")


def test_their_history_outlives_the_group(api: Api, group_id: str) -> None:
    refresh = api.refresh(group_id)
    path = f"{path_of(group_id)}/{refresh['id']}"
    api.delete(f"/v1/groups/{group_id}")
    refused = api.post(path_of(group_id), {})
    assert (refused.status, refused.code) == (409, "group.deleting")
    worked_on(api, 40)
    assert api.get(f"/v1/groups/{group_id}").status == 404
    assert api.world.members(GroupId(group_id)) == []
    ended = api.get(path).document
    assert (ended["status"], ended["status_reason"]) == ("aborted", "The group is being deleted.")
    assert api.get(path_of(group_id)).document["refreshes"] == [ended]
    assert api.delete(path).status == 204
    assert api.post(path_of(group_id), {}).status == 404


def test_a_refresh_of_another_group_of_ours_is_not_there(api: Api, group_id: str) -> None:
    refresh_id, other = api.refresh(group_id)["id"], api.group()["id"]
    for method, body in (("GET", None), ("PATCH", {"paused": True}), ("DELETE", None)):
        with api.unchanged():
            answer = api.request(method, f"{path_of(other)}/{refresh_id}", body)
        assert (answer.status, answer.code) == (404, "refresh.not_found")


def test_a_group_without_any_has_an_empty_list_and_one_that_never_was_none(api: Api) -> None:
    assert api.get(path_of(api.group()["id"])).document == {"refreshes": [], "links": []}
    missing = api.get(path_of(NO_SUCH_ID))
    assert (missing.status, missing.code) == (404, "group.not_found")


def test_readers_look_and_change_nothing(api: Api, group_id: str) -> None:
    path = f"{path_of(group_id)}/{api.refresh(group_id)['id']}"
    assert api.get(path, token=READER).status == 200
    with api.unchanged():
        assert api.post(path_of(group_id), {}, token=READER).status == 403
        assert api.patch(path, {"paused": True}, token=READER).status == 403
        assert api.delete(path, token=READER).status == 403
