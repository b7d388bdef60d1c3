from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.behavior import Advice, Window
from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.forecast import Expected, Forecast, Verified
from chalicelib.core.ids import PolicyId
from chalicelib.core.policy_state import Evaluation, PolicyState
from tests.api.caller import NO_SUCH_ID, Api, Estate
from tests.core.factories import NOW, PROJECT, seconds

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


STEPS: dict[str, Any] = {
    "type": "steps",
    "steps": [{"lower": 10, "adjustment": 33.3}, {"lower": 0, "upper": 10, "adjustment": 10}],
    "adjustment_type": "percent_change_in_capacity",
    "min_adjustment_step": 2,
    "warmup": 120,
}
TRACKING: dict[str, Any] = {
    "type": "target_tracking",
    "metric": "queue.length",
    "target": 12.5,
    "metric_kind": "total",
    "dimensions": {"queue": "mails", "a": "b"},
    "statistic": "p99.9",
    "period": 300,
    "tolerance": {"out": 0.05, "in": 0.2},
    "unready": 60,
    "missing_value": 100.0,
    "scale_in": False,
    "behavior": {
        "scale_out": {
            "stabilization": 30,
            "limits": [
                {"type": "percent", "value": 50, "period": 60},
                {"type": "members", "value": 4, "period": 60},
            ],
            "select": "min",
        },
        "scale_in": {"stabilization": 600, "limits": [], "select": "disabled"},
    },
}
PREDICTIVE: dict[str, Any] = {
    "type": "predictive",
    "metric": "cpu",
    "target": 60.0,
    "dimensions": {"a": "b"},
    "lead": 600,
    "act": True,
}


def made(api: Api, estate: Estate, body: dict[str, Any]) -> dict[str, Any]:
    return api.created("/v1/policies", {"name": "new", "group_id": estate.group_id, **body})


@pytest.mark.parametrize("body", [TRACKING, PREDICTIVE], ids=lambda body: body["type"])
def test_a_policy_that_watches_a_metric_is_shown_as_it_was_given(
    api: Api, estate: Estate, body: dict[str, Any]
) -> None:
    document = made(api, estate, body)
    assert document.items() >= body.items()
    shown = api.get(f"/v1/policies/{document['id']}").document
    nothing_yet = {"evaluation": None, **({"forecast": None} if body is PREDICTIVE else {})}
    assert shown == {**document, **nothing_yet}
    assert document in api.get("/v1/policies").document["policies"]


def test_steps_are_shown_in_the_order_of_their_bounds(api: Api, estate: Estate) -> None:
    document = made(api, estate, STEPS)
    assert document["steps"] == [
        {"lower": 0.0, "upper": 10.0, "adjustment": 10},
        {"lower": 10.0, "upper": None, "adjustment": 33.3},
    ]
    assert document.items() >= {**STEPS, "steps": document["steps"]}.items()
    assert api.get(f"/v1/policies/{document['id']}").document == document


def test_the_least_that_target_tracking_needs(api: Api, estate: Estate) -> None:
    document = made(api, estate, {"type": "target_tracking", "metric": "cpu", "target": 60})
    shown = {name: document[name] for name in TRACKING}
    assert shown == {
        "type": "target_tracking",
        "metric": "cpu",
        "target": 60.0,
        "metric_kind": "average",
        "dimensions": {},
        "statistic": "average",
        "period": 60,
        "tolerance": {"out": 0.1, "in": 0.1},
        "unready": 300,
        "missing_value": None,
        "scale_in": True,
        "behavior": {
            "scale_out": {"stabilization": 0, "limits": [], "select": "max"},
            "scale_in": {"stabilization": 300, "limits": [], "select": "max"},
        },
    }


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (STEPS, [{"warmup": 0}, {"steps": [{"lower": 0.0, "upper": None, "adjustment": 5}]}]),
        (
            TRACKING,
            [
                {"target": 99.0},
                {"tolerance": {"out": 0.3, "in": 0.1}},
                {"missing_value": None},
                {"scale_in": True, "mode": "shadow", "name": "other", "cooldown": 5},
                {"dimensions": {}},
            ],
        ),
        (PREDICTIVE, [{"act": False, "lead": 0}, {"metric": "load", "type": "predictive"}]),
    ],
    ids=["steps", "target_tracking", "predictive"],
)
def test_every_type_of_policy_is_changed_in_part(
    api: Api, estate: Estate, body: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    expected = made(api, estate, body)
    for change in changes:
        answer = api.patch(f"/v1/policies/{expected['id']}", change)
        assert answer.status == 200, answer.document
        expected |= {**change, "generation": expected["generation"] + 1}
        assert {**answer.document, "updated_at": None} == {**expected, "updated_at": None}


@pytest.mark.parametrize(
    ("body", "change", "code"),
    [
        (STEPS, {"type": "target_tracking"}, "policy.type"),
        (STEPS, {"type": "exact_capacity", "adjustment": 3}, "policy.type"),
        (STEPS, {"adjustment": 3}, "policy.field"),
        (STEPS, {"adjustment_type": "exact_capacity"}, "policy.min_adjustment_step"),
        (STEPS, {"steps": [{"lower": 1, "upper": 2, "adjustment": 3}]}, "policy.steps"),
        (TRACKING, {"steps": STEPS["steps"]}, "policy.field"),
        (TRACKING, {"lead": 5, "act": True}, "policy.field"),
        (TRACKING, {"period": 70}, "policy.period"),
        (PREDICTIVE, {"statistic": "average"}, "policy.field"),
    ],
)
def test_a_change_that_does_not_fit_the_type_is_refused(
    api: Api, estate: Estate, body: dict[str, Any], change: dict[str, Any], code: str
) -> None:
    policy = made(api, estate, body)
    with api.unchanged():
        answer = api.patch(f"/v1/policies/{policy['id']}", change)
    assert (answer.status, answer.code) == (400, code)


def test_the_fields_that_do_not_fit_are_named(api: Api, estate: Estate) -> None:
    refused = api.patch(estate.path(POLICY), {"target": 5, "lead": 5, "cooldown": 5})
    assert refused.detail == "A policy of type change_in_capacity has no lead, no target."


def test_the_same_client_token_for_another_type_is_refused(api: Api, estate: Estate) -> None:
    body = {"name": "x", "group_id": estate.group_id, "adjustment": 1, "client_token": "once"}
    api.created("/v1/policies", {**body, "type": "change_in_capacity"})
    other = api.post("/v1/policies", {**body, "type": "exact_capacity"})
    assert (other.status, other.code) == (409, "client_token.reused")


def remembered(api: Api, policy_id: str) -> None:
    """Let the policy remember an evaluation and a forecast."""
    hold = Step(
        rule=Rule.STABILIZATION,
        verdict=Verdict.HOLD,
        detail="More were within the last 300 s.",
        until=NOW + seconds(60),
    )
    hour = Expected(hour=NOW, load=120.5, low=100, high=140)
    state = PolicyState(
        project_id=PROJECT,
        policy_id=PolicyId(policy_id),
        updated_at=NOW,
        window=Window(advice=(Advice(at=NOW, capacity=2),)),
        last=Evaluation(at=NOW, value=31.5, recommended=2, decided=3, steps=(hold,)),
        forecast=Forecast(made_at=NOW, hours=(hour,)),
        past=(Verified(hour=NOW - seconds(3600), foreseen=90, actual=100, day_before=50),),
    )
    api.world.services.policy_states.put(state, 0)


def test_the_latest_evaluation_and_the_forecast_are_shown(api: Api, estate: Estate) -> None:
    policy = made(api, estate, PREDICTIVE)
    remembered(api, policy["id"])
    shown = api.get(f"/v1/policies/{policy['id']}").document
    assert shown["evaluation"] == {
        "at": "2026-03-01T12:00:00.000Z",
        "value": 31.5,
        "recommended": 2,
        "decided": 3,
        "steps": [
            {
                "rule": "stabilization",
                "verdict": "hold",
                "detail": "More were within the last 300 s.",
                "until": "2026-03-01T12:01:00.000Z",
            }
        ],
    }
    assert shown["forecast"] == {
        "made_at": "2026-03-01T12:00:00.000Z",
        "reason": None,
        "hours": [{"hour": "2026-03-01T12:00:00.000Z", "load": 120.5, "low": 100.0, "high": 140.0}],
        "accuracy": {"hours": 1, "mape": 0.1, "wape": 0.1, "bias": -0.1, "day_before_wape": 0.5},
    }


def test_a_policy_forgets_when_its_rule_changes_and_when_it_is_deleted(api: Api, estate: Estate) -> None:
    policy = made(api, estate, TRACKING)
    path, states = f"/v1/policies/{policy['id']}", api.world.services.policy_states
    remembered(api, policy["id"])
    api.patch(path, {"name": "other", "cooldown": 7})
    assert states.get(PROJECT, PolicyId(policy["id"])) is not None, "another name is no other rule"
    api.patch(path, {"target": 99})
    assert states.get(PROJECT, PolicyId(policy["id"])) is None
    remembered(api, policy["id"])
    api.delete(path)
    assert states.get(PROJECT, PolicyId(policy["id"])) is None


def test_what_a_policy_remembers_goes_with_its_group(api: Api, estate: Estate) -> None:
    policy = made(api, estate, TRACKING)
    remembered(api, policy["id"])
    api.delete(estate.path("/v1/groups/{group_id}"))
    api.world.settle()
    assert not api.world.memory.policy_states
