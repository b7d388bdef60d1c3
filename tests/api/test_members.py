from __future__ import annotations

import pytest

from chalicelib.core.ids import GroupId
from tests.api.caller import NO_SUCH_ID, Api, Estate

MEMBERS, MEMBER = "/v1/groups/{group_id}/members", "/v1/groups/{group_id}/members/{member_id}"


def test_members_are_shown_with_their_servers(api: Api, estate: Estate) -> None:
    members = api.get(estate.path(MEMBERS)).document["members"]
    assert len(members) == 3
    assert {m["server_id"] for m in members} == set(api.world.cloud.machines)
    one = api.get(estate.path(MEMBER)).document
    assert one in members
    assert (one["status"], one["health"], one["protected"]) == ("in_service", "healthy", False)
    assert one["links"][0]["href"] == f"http://scale.example{estate.path(MEMBER)}"


def test_a_member_whose_server_builds_is_not_known_to_be_healthy(api: Api) -> None:
    group = api.group()
    api.world.tick()
    members = api.get(f"/v1/groups/{group['id']}/members").document["members"]
    assert {(m["status"], m["health"]) for m in members} <= {("building", "unknown"), ("planned", "unknown")}
    assert len(members) == 2


def test_members_come_in_pages(api: Api, estate: Estate) -> None:
    whole = api.get(estate.path(MEMBERS)).document["members"]
    first = api.get(estate.path(f"{MEMBERS}?limit=2")).document
    assert first["members"] == whole[:2]
    (after,) = first["links"]
    path = after["href"].removeprefix("http://scale.example")
    assert api.get(path).document == {"members": whole[2:], "links": []}


def test_a_protected_member_outlives_a_scale_in(api: Api, estate: Estate) -> None:
    answer = api.patch(estate.path(MEMBER), {"protected": True})
    assert (answer.status, answer.document["protected"]) == (200, True)
    api.patch(estate.path("/v1/groups/{group_id}"), {"desired_capacity": 1})
    api.world.settle()
    assert [m.id for m in api.world.members(GroupId(estate.group_id))] == [estate.member_id]
    assert api.patch(estate.path(MEMBER), {"protected": False}).document["protected"] is False


def test_a_member_is_replaced(api: Api, estate: Estate) -> None:
    answer = api.delete(estate.path(MEMBER))
    assert (answer.status, answer.document) == (204, None)
    assert api.get(estate.path(MEMBER)).document["status"] == "deleting"
    with api.unchanged(but="rounds"):
        assert api.delete(estate.path(MEMBER)).status == 204, "asked for twice, it goes once"
    api.world.settle()
    assert api.get(estate.path(MEMBER)).status == 404
    assert len(api.world.members(GroupId(estate.group_id))) == 3


def test_a_member_is_removed_for_good_down_to_min_size(api: Api, estate: Estate) -> None:
    group = estate.path("/v1/groups/{group_id}")
    assert api.delete(estate.path(f"{MEMBER}?replace=false")).status == 204
    assert api.get(group).document["desired_capacity"] == 2
    api.world.settle()
    rest = [m.id for m in api.world.members(GroupId(estate.group_id))]
    assert estate.member_id not in rest
    assert len(rest) == 2
    assert api.delete(estate.path(f"{MEMBERS}/{rest[0]}?replace=false")).status == 204
    with api.unchanged():
        refused = api.delete(estate.path(f"{MEMBERS}/{rest[1]}?replace=false"))
    assert (refused.status, refused.code) == (409, "group.at_min_size")
    assert api.delete(estate.path(f"{MEMBERS}/{rest[1]}?replace=true")).status == 204


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_member_that_is_not_there_is_not_found(api: Api, estate: Estate, method: str) -> None:
    body = {"protected": True} if method == "PATCH" else None
    with api.unchanged():
        answer = api.request(method, estate.path(f"{MEMBERS}/{NO_SUCH_ID}"), body)
    assert (answer.status, answer.code) == (404, "member.not_found")
