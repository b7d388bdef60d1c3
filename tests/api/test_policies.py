from __future__ import annotations

from typing import Any

import pytest

from tests.api.caller import NO_SUCH_ID, Api, Estate

POLICY = "/v1/policies/{policy_id}"


def test_a_policy_is_created(api: Api, estate: Estate) -> None:
    answer = api.post(
        "/v1/policies",
        {"name": "out", "group_id": estate.group_id, "type": "change_in_capacity", "adjustment": 1},
    )
    assert answer.status == 201
    path = f"/v1/policies/{answer.document['id']}"
    assert answer.headers["location"] == f"http://scale.example{path}"
    assert answer.headers["etag"] == '"1"'
    assert answer.document["min_adjustment_step"] == 1
    assert (answer.document["cooldown"], answer.document["mode"]) == (0, "active")
    shown = api.get(path)
    assert (shown.document, shown.headers["etag"]) == (answer.document, '"1"')


@pytest.mark.parametrize(
    ("type_", "adjustment", "shown"),
    [
        ("change_in_capacity", -3, -3),
        ("change_in_capacity", 2.0, 2),
        ("change_in_capacity", 0, 0),
        ("percent_change_in_capacity", 12.5, 12.5),
        ("percent_change_in_capacity", 0.1, 0.1),
        ("percent_change_in_capacity", -1e-300, -1e-300),
        ("percent_change_in_capacity", 1_000_000, 1_000_000),
        ("exact_capacity", 0, 0),
    ],
)
def test_adjustments_are_shown_as_they_were_given(
    api: Api, estate: Estate, type_: str, adjustment: float, shown: float
) -> None:
    policy = api.policy(estate.group_id, type=type_, adjustment=adjustment)
    assert (policy["adjustment"], type(policy["adjustment"])) == (shown, type(shown))


def test_a_policy_is_changed_in_part(api: Api, estate: Estate) -> None:
    changes: list[dict[str, Any]] = [
        {"name": "in"},
        {"type": "percent_change_in_capacity", "adjustment": -33.3, "min_adjustment_step": 2},
        {"adjustment": -50},
        {"cooldown": 90},
        {"mode": "shadow"},
    ]
    expected = api.get(estate.path(POLICY)).document
    for change in changes:
        answer = api.patch(estate.path(POLICY), change)
        assert answer.status == 200
        expected |= {**change, "generation": expected["generation"] + 1}
        assert {**answer.document, "updated_at": None} == {**expected, "updated_at": None}
        assert answer.headers["etag"] == f'"{expected["generation"]}"'
    refused = api.patch(estate.path(POLICY), {"type": "exact_capacity"})
    assert refused.code == "policy.min_adjustment_step", "what is left out stays, and must still fit"


def test_if_match_guards_against_lost_updates(api: Api, estate: Estate) -> None:
    seen = {"If-Match": api.get(estate.path(POLICY)).headers["etag"]}
    assert api.patch(estate.path(POLICY), {"adjustment": 2}, headers=seen).status == 200
    for method, body in (("PATCH", {"adjustment": 3}), ("DELETE", None)):
        with api.unchanged():
            answer = api.request(method, estate.path(POLICY), body, headers=seen)
        assert (answer.status, answer.code) == (412, "policy.stale")


def test_policies_are_listed_also_of_one_group(api: Api, estate: Estate) -> None:
    other = api.group()["id"]
    theirs = api.policy(other)["id"]
    everything = [p["id"] for p in api.get("/v1/policies").document["policies"]]
    assert sorted(everything) == sorted([estate.policy_id, theirs])
    of_one = api.get(f"/v1/policies?group_id={other}").document["policies"]
    assert [p["id"] for p in of_one] == [theirs]
    page = api.get("/v1/policies?limit=1").document
    assert len(page["policies"]) == 1
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert [p["id"] for p in page["policies"] + rest["policies"]] == sorted(everything)


def test_the_next_page_of_one_groups_policies_is_of_that_group(api: Api, estate: Estate) -> None:
    api.policy(estate.group_id)
    api.policy(api.group()["id"])
    page = api.get(f"/v1/policies?limit=1&group_id={estate.group_id}").document
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert {p["group_id"] for p in rest["policies"]} == {estate.group_id}
    assert rest["links"] == []


def test_a_policy_goes_with_its_webhooks(api: Api, estate: Estate) -> None:
    answer = api.delete(estate.path(POLICY))
    assert (answer.status, answer.document) == (204, None)
    for gone in (POLICY, "/v1/webhooks/{webhook_id}"):
        assert api.get(estate.path(gone)).status == 404
    assert api.post(estate.path("/v1/hooks/{token}"), token=None).code == "webhook.unknown"
    assert api.delete(estate.path(POLICY)).code == "policy.not_found"
    assert api.get(estate.path("/v1/executions/{execution_id}")).status == 200, "the story stays"


def test_the_same_client_token_makes_one_policy(api: Api, estate: Estate) -> None:
    first = api.policy(estate.group_id, client_token="once")
    with api.unchanged():
        assert api.policy(estate.group_id, client_token="once") == first
        body = {"name": "out", "group_id": estate.group_id, "type": "change_in_capacity", "adjustment": 2}
        other = api.post("/v1/policies", {**body, "client_token": "once"})
    assert (other.status, other.code) == (409, "client_token.reused")


def test_a_group_that_is_being_deleted_gets_no_policy(api: Api, estate: Estate) -> None:
    api.delete(estate.path("/v1/groups/{group_id}"))
    body = {"name": "x", "group_id": estate.group_id, "type": "exact_capacity", "adjustment": 0}
    with api.unchanged():
        answer = api.post("/v1/policies", body)
    assert (answer.status, answer.code) == (400, "policy.no_such_group")


def test_a_policy_is_found_by_its_id_only(api: Api) -> None:
    answer = api.get(f"/v1/policies/{NO_SUCH_ID}")
    assert (answer.status, answer.code) == (404, "policy.not_found")
