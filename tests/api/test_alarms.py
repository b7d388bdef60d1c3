from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.datapoint import Datapoint
from chalicelib.core.ids import AlarmId, GroupId, PolicyId
from chalicelib.core.judgement import judged
from chalicelib.flows import alarms
from tests.api.caller import ALARM, NO_SUCH_ID, Api, Estate
from tests.core.factories import PROJECT

PATH = "/v1/alarms/{alarm_id}"


def body_of(estate: Estate, **changes: Any) -> dict[str, Any]:
    return {**ALARM, "group_id": estate.group_id, **changes}


def composite_of(estate: Estate, **tree: Any) -> dict[str, Any]:
    return {"name": "both", "group_id": estate.group_id, "composite": tree}


def events(api: Api, alarm_id: str) -> list[tuple[str, str | None, str | None]]:
    history = api.get(f"/v1/alarms/{alarm_id}/history").document["history"]
    return [(each["event"], each["state_before"], each["state_after"]) for each in history]


def evaluate(api: Api, alarm_id: str, *values: float) -> None:
    """Do what the minute's watch does with these datapoints."""
    s = api.world.services
    was = s.alarms.get(PROJECT, AlarmId(alarm_id))
    new = judged(was, [Datapoint(value, 1) for value in values], {}, s.now())
    assert new is not was
    s.alarms.change(was, new, alarm_history.found(was, new, s.now()))


def test_an_alarm_is_created_with_what_is_usual(api: Api, estate: Estate) -> None:
    body = {name: ALARM[name] for name in ("name", "metric", "comparison_operator", "threshold")}
    answer = api.post("/v1/alarms", {**body, "group_id": estate.group_id})
    assert answer.status == 201
    path = f"/v1/alarms/{answer.document['id']}"
    assert answer.headers["location"] == f"http://scale.example{path}"
    assert answer.headers["etag"] == '"1"'
    expected = {
        **body,
        "group_id": estate.group_id,
        "project_id": PROJECT,
        "backend": "builtin",
        "dimensions": {},
        "statistic": "average",
        "period": 60,
        "evaluation_periods": 1,
        "datapoints_to_alarm": 1,
        "treat_missing_data": "missing",
        "low_samples": "evaluate",
        "composite": None,
        "alarm_actions": [],
        "ok_actions": [],
        "insufficient_data_actions": [],
        "time_constraints": [],
        "enabled": True,
        "severity": "low",
        "state": "insufficient_data",
        "state_reason": "Nothing has been evaluated yet.",
        "source": {"state": "ok", "silent_since": None, "heard_at": None, "cause": "Nothing is missed."},
        "generation": 1,
    }
    assert expected.items() <= answer.document.items()
    shown = api.get(path)
    assert (shown.document, shown.headers["etag"]) == (answer.document, '"1"')


WHOLE: dict[str, Any] = {
    "metric": "latency",
    "dimensions": {"path": "/", "az": "1"},
    "statistic": "p99",
    "period": 300,
    "evaluation_periods": 12,
    "datapoints_to_alarm": 10,
    "comparison_operator": "le",
    "threshold": 0.25,
    "treat_missing_data": "not_breaching",
    "low_samples": "ignore",
    "time_constraints": [
        {"name": "office", "start": "0 8 * * 1-5", "duration": 36_000, "timezone": "Europe/Ljubljana"}
    ],
    "enabled": False,
    "severity": "critical",
}


def test_everything_that_is_given_is_shown(api: Api, estate: Estate) -> None:
    actions = {name: [estate.policy_id] for name in ("alarm_actions", "ok_actions")}
    alarm = api.alarm(estate.group_id, **WHOLE, **actions)
    assert {**WHOLE, **actions}.items() <= alarm.items()


def test_all_of_m_is_the_default(api: Api, estate: Estate) -> None:
    body = body_of(estate, evaluation_periods=5)
    del body["datapoints_to_alarm"]
    assert api.post("/v1/alarms", body).document["datapoints_to_alarm"] == 5


def test_an_alarm_is_changed_in_part(api: Api, estate: Estate) -> None:
    changes: list[dict[str, Any]] = [
        {"name": "high"},
        {"threshold": 90.5},
        {"evaluation_periods": 4},
        {"datapoints_to_alarm": 4, "comparison_operator": "ge"},
        {"alarm_actions": [estate.policy_id]},
        {"alarm_actions": []},
        {"enabled": False},
        {name: value for name, value in WHOLE.items() if name != "enabled"},
    ]
    expected = api.get(estate.path(PATH)).document
    for change in changes:
        api.world.clock.pass_(1)
        answer = api.patch(estate.path(PATH), change)
        assert answer.status == 200, answer.document
        expected |= {**change, "generation": expected["generation"] + 1}
        varying = {"updated_at": None, "state_changed_at": None}
        assert {**answer.document, **varying} == {**expected, **varying}
        assert answer.headers["etag"] == f'"{expected["generation"]}"'
    with api.unchanged():
        refused = api.patch(estate.path(PATH), {"evaluation_periods": 9})
    assert refused.code == "alarm.datapoints_to_alarm", "what is left out stays, and must still fit"
    reasons = [e["reason"] for e in api.get(estate.path(f"{PATH}/history")).document["history"]]
    assert reasons[1] == "Changed: enabled."
    assert len(reasons) == len(changes) + 1


def test_a_state_is_forgotten_only_when_the_alarm_looks_at_something_else(api: Api, estate: Estate) -> None:
    evaluate(api, estate.alarm_id, 90, 90, 90)
    assert api.patch(estate.path(PATH), {"threshold": 99, "period": 120}).document["state"] == "alarm"
    for change in ({"metric": "queue"}, {"statistic": "maximum"}, {"dimensions": {"az": "1"}}):
        api.put(estate.path(f"{PATH}/state"), {"state": "alarm"})
        changed = api.patch(estate.path(PATH), change).document
        assert (changed["state"], changed["state_reason"]) == (
            "insufficient_data",
            "Nothing has been evaluated yet.",
        )
        assert changed["state_changed_at"] == changed["updated_at"]


def test_if_match_guards_against_lost_updates(api: Api, estate: Estate) -> None:
    seen = {"If-Match": api.get(estate.path(PATH)).headers["etag"]}
    assert api.patch(estate.path(PATH), {"threshold": 2}, headers=seen).status == 200
    for method, path, body in (
        ("PATCH", PATH, {"threshold": 3}),
        ("PUT", f"{PATH}/state", {"state": "ok"}),
        ("DELETE", PATH, None),
    ):
        with api.unchanged():
            answer = api.request(method, estate.path(path), body, headers=seen)
        assert (answer.status, answer.code) == (412, "alarm.stale")


def test_alarms_are_listed_also_of_one_group(api: Api, estate: Estate) -> None:
    other = api.group()["id"]
    theirs = [api.alarm(other)["id"] for _ in range(3)]
    everything = [each["id"] for each in api.get("/v1/alarms").document["alarms"]]
    assert sorted(everything) == sorted([estate.alarm_id, *theirs])
    page = api.get(f"/v1/alarms?limit=2&group_id={other}").document
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert [each["id"] for each in page["alarms"] + rest["alarms"]] == sorted(theirs)
    assert rest["links"] == []


def test_a_state_set_by_hand_holds_until_the_next_evaluation(api: Api, estate: Estate) -> None:
    api.world.clock.pass_(1)
    answer = api.put(estate.path(f"{PATH}/state"), {"state": "alarm", "reason": "Drill."})
    assert answer.status == 200
    assert (answer.document["state"], answer.document["state_reason"]) == ("alarm", "Drill.")
    since = answer.document["state_changed_at"]
    assert answer.headers["etag"] == '"2"'
    api.world.clock.pass_(30)
    again = api.put(estate.path(f"{PATH}/state"), {"state": "alarm"}).document
    assert (again["state_reason"], again["state_changed_at"]) == ("Set by hand.", since)
    api.world.clock.pass_(30)
    evaluate(api, estate.alarm_id, 10, 10, 10)
    shown = api.get(estate.path(PATH)).document
    assert shown["state"] == "ok"
    assert shown["state_reason"].startswith("0 of 3 datapoints of cpu")
    assert events(api, estate.alarm_id) == [
        ("state_change", "alarm", "ok"),
        ("manual_state", "alarm", "alarm"),
        ("manual_state", "insufficient_data", "alarm"),
        ("creation", None, "insufficient_data"),
    ]
    first, *_, last = api.get(estate.path(f"{PATH}/history")).document["history"]
    assert (first["user_id"], last["user_id"]) == (None, "user-of-project-1")


def test_the_history_is_paged_and_stays_when_the_alarm_goes(api: Api, estate: Estate) -> None:
    for state in ("ok", "alarm"):
        api.world.clock.pass_(1)
        api.put(estate.path(f"{PATH}/state"), {"state": state})
    api.world.clock.pass_(1)
    answer = api.delete(estate.path(PATH))
    assert (answer.status, answer.document) == (204, None)
    assert api.get(estate.path(PATH)).code == "alarm.not_found"
    page = api.get(estate.path(f"{PATH}/history?limit=3")).document
    assert [each["event"] for each in page["history"]] == ["deletion", "manual_state", "manual_state"]
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert ([each["event"] for each in rest["history"]], rest["links"]) == (["creation"], [])
    assert api.delete(estate.path(PATH)).code == "alarm.not_found"


def test_the_same_client_token_makes_one_alarm(api: Api, estate: Estate) -> None:
    first = api.alarm(estate.group_id, client_token="once")
    with api.unchanged():
        assert api.alarm(estate.group_id, client_token="once") == first
        other = api.post("/v1/alarms", body_of(estate, threshold=81, client_token="once"))
    assert (other.status, other.code) == (409, "client_token.reused")


def test_a_composite_is_made_of_alarms_of_its_group(api: Api, estate: Estate) -> None:
    other = api.alarm(estate.group_id)["id"]
    tree = {"and": [{"alarm": estate.alarm_id}, {"not": {"or": [{"alarm": other}]}}]}
    answer = api.post("/v1/alarms", composite_of(estate, **tree))
    assert answer.status == 201
    assert answer.document["composite"] == tree
    nulls = {name for name, value in answer.document.items() if value is None}
    assert nulls == {*ALARM, "dimensions", "statistic", "period", "treat_missing_data", "low_samples"} - {
        "name"
    }
    path = f"/v1/alarms/{answer.document['id']}"
    assert api.get(path).document == answer.document
    assert api.patch(path, {"name": "all"}).document["composite"] == tree
    assert api.patch(path, {"composite": {"alarm": other}}).document["composite"] == {"alarm": other}
    elsewhere = api.alarm(api.group()["id"])["id"]
    for part in (elsewhere, NO_SUCH_ID):
        for method, where, body in (
            ("POST", "/v1/alarms", composite_of(estate, alarm=part)),
            ("PATCH", path, {"composite": {"alarm": part}}),
        ):
            with api.unchanged():
                refused = api.request(method, where, body)
            assert (refused.status, refused.code) == (400, "alarm.no_such_part")


def test_a_composite_is_not_made_of_itself(api: Api, estate: Estate) -> None:
    inner = api.created("/v1/alarms", composite_of(estate, alarm=estate.alarm_id))["id"]
    outer = api.created("/v1/alarms", composite_of(estate, alarm=inner))["id"]
    for part in (inner, outer):
        with api.unchanged():
            refused = api.patch(f"/v1/alarms/{inner}", {"composite": {"not": {"alarm": part}}})
        assert (refused.status, refused.code) == (400, "alarm.circle")


def test_what_a_composite_is_made_of_stays_until_the_composite_goes(api: Api, estate: Estate) -> None:
    composite = api.created("/v1/alarms", composite_of(estate, alarm=estate.alarm_id))["id"]
    with api.unchanged():
        refused = api.delete(estate.path(PATH))
    assert (refused.status, refused.code) == (409, "alarm.in_use")
    assert composite in refused.detail
    assert api.delete(f"/v1/alarms/{composite}").status == 204
    assert api.delete(estate.path(PATH)).status == 204


def test_a_policy_stays_while_an_alarm_sets_it_in_motion(api: Api, estate: Estate) -> None:
    api.patch(estate.path(PATH), {"insufficient_data_actions": [estate.policy_id]})
    path = estate.path("/v1/policies/{policy_id}")
    with api.unchanged():
        refused = api.delete(path)
    assert (refused.status, refused.code) == (409, "policy.in_use")
    assert "'cpu-high'" in refused.detail
    assert estate.alarm_id in refused.detail
    api.patch(estate.path(PATH), {"insufficient_data_actions": []})
    assert api.delete(path).status == 204


def test_an_alarm_goes_with_its_group_and_leaves_its_history(api: Api, estate: Estate) -> None:
    api.patch(estate.path(PATH), {"alarm_actions": [estate.policy_id]})
    composite = api.created("/v1/alarms", composite_of(estate, alarm=estate.alarm_id))["id"]
    spared = api.alarm(api.group()["id"])["id"]
    api.delete(estate.path("/v1/groups/{group_id}"))
    assert api.post("/v1/alarms", body_of(estate)).code == "alarm.no_such_group"
    for _ in range(5):
        api.world.clock.pass_(60)
        api.world.tick()
    assert api.get(estate.path("/v1/groups/{group_id}")).status == 404
    for gone in (estate.alarm_id, composite):
        assert api.get(f"/v1/alarms/{gone}").status == 404
        assert events(api, gone)[0] == ("deletion", "insufficient_data", None)
    assert [each["id"] for each in api.get("/v1/alarms").document["alarms"]] == [spared]


def test_burying_twice_is_burying_once(api: Api, estate: Estate) -> None:
    s = api.world.services
    group = s.groups.get(PROJECT, GroupId(estate.group_id))
    alarms.bury(s, group, AlarmId(estate.alarm_id))
    with api.unchanged():
        alarms.bury(s, group, AlarmId(estate.alarm_id))
    assert s.alarms.of_group(PROJECT, GroupId(estate.group_id)) == ()
    assert PolicyId(estate.policy_id) in [p.id for p in s.policies.page(PROJECT, None, 9, None).items]


def test_alarms_are_counted(api: Api, estate: Estate) -> None:
    full = api.world.limits.quota.alarms
    for _ in range(full - 1):
        api.alarm(estate.group_id)
    with api.unchanged():
        refused = api.post("/v1/alarms", body_of(estate))
    assert (refused.status, refused.code) == (403, "quota.alarms_exceeded")


def but(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**ALARM, **changes}.items() if value is not ...}


LEAVES = [{"alarm": NO_SUCH_ID}]
DEEP = '{"not":' * 9 + json.dumps(LEAVES[0]) + "}" * 9
WINDOW: dict[str, Any] = {"name": "n", "start": "0 0 * * *", "duration": 60}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        *((but(**{name: ...}), "alarm.rule") for name in ("metric", "comparison_operator", "threshold")),
        (but(name=...), "request.body"),
        (but(name=""), "request.body"),
        (but(group_id=NO_SUCH_ID), "alarm.no_such_group"),
        (but(group_id="1"), "request.body"),
        (but(metric=""), "request.body"),
        (but(metric="a\nb"), "request.body"),
        (but(metric=None), "request.body"),
        (but(backend="prometheus"), "request.body"),
        (but(backend="aodh"), "alarm.not_in_aodh"),
        (but(dimensions={"az": 1}), "request.body"),
        (but(dimensions={"": "1"}), "request.body"),
        (but(dimensions={str(number): "x" for number in range(31)}), "request.body"),
        (but(statistic="mean"), "statistic"),
        (but(statistic="p101"), "statistic"),
        (but(statistic="p50\n"), "statistic"),
        (but(period=9), "request.body"),
        (but(period=45), "alarm.period"),
        (but(period=90), "alarm.period"),
        (but(period=86_460), "request.body"),
        (but(period=60.5), "request.body"),
        (but(evaluation_periods=0), "request.body"),
        (but(evaluation_periods=1441), "request.body"),
        (but(period=120, evaluation_periods=721), "alarm.evaluation_periods"),
        (but(period=3600, evaluation_periods=169), "alarm.evaluation_periods"),
        (but(period=86_400, evaluation_periods=8), "alarm.evaluation_periods"),
        (but(datapoints_to_alarm=4), "alarm.datapoints_to_alarm"),
        (but(datapoints_to_alarm=0), "request.body"),
        (but(comparison_operator="eq"), "request.body"),
        (but(threshold="80"), "request.body"),
        (but(threshold=10**400), "request.body"),
        (but(treat_missing_data="notBreaching"), "request.body"),
        (but(low_samples="ignore"), "alarm.low_samples"),
        (but(low_samples="ignore", statistic="p100"), "alarm.low_samples"),
        (but(low_samples="ignore", statistic="p0"), "alarm.low_samples"),
        (but(alarm_actions=[NO_SUCH_ID]), "alarm.no_such_policy"),
        (but(alarm_actions=[NO_SUCH_ID] * 2), "alarm.actions"),
        (but(ok_actions=[NO_SUCH_ID] * 6), "request.body"),
        (but(ok_actions=["http://example.com/hook"]), "request.body"),
        (but(severity="high"), "request.body"),
        (but(enabled="yes"), "request.body"),
        (but(state="alarm"), "request.body"),
        (but(time_constraints=[WINDOW, WINDOW]), "alarm.time_constraints"),
        (but(time_constraints=[{**WINDOW, "start": "0 0 * *"}]), "alarm.time_constraints"),
        (but(time_constraints=[{**WINDOW, "start": "0 0 30 2 *"}]), "alarm.time_constraints"),
        (but(time_constraints=[{**WINDOW, "timezone": "Europe"}]), "alarm.time_constraints"),
        (but(time_constraints=[{**WINDOW, "duration": 0}]), "request.body"),
        (but(time_constraints=[{**WINDOW, "name": str(n)} for n in range(11)]), "request.body"),
        (but(composite=LEAVES[0]), "alarm.rule"),
        ({"name": "x", "composite": {}}, "alarm.composite"),
        ({"name": "x", "composite": {"alarm": "a"}}, "request.body"),
        ({"name": "x", "composite": {"and": []}}, "request.body"),
        ({"name": "x", "composite": {"or": LEAVES * 21}}, "request.body"),
        ({"name": "x", "composite": {"or": [{"and": LEAVES * 20}] * 6}}, "alarm.composite"),
        ({"name": "x", "composite": {"xor": LEAVES}}, "request.body"),
        ({"name": "x", "composite": {"and": LEAVES, "or": LEAVES}}, "alarm.composite"),
        ({"name": "x", "composite": json.loads(DEEP)}, "alarm.composite"),
        ({"name": "x", "backend": "aodh", "composite": LEAVES[0]}, "alarm.backend"),
        ({"name": "x", "composite": LEAVES[0], "statistic": "sum"}, "alarm.rule"),
        ({"name": "x"}, "alarm.rule"),
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, estate: Estate, body: dict[str, Any], code: str) -> None:
    with api.unchanged():
        answer = api.post("/v1/alarms", {"group_id": estate.group_id, **body})
    assert (answer.status, answer.code) == (400, code), answer.document


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"datapoints_to_alarm": 4}, "alarm.datapoints_to_alarm"),
        ({"evaluation_periods": 1}, "alarm.datapoints_to_alarm"),
        ({"period": 45}, "alarm.period"),
        ({"alarm_actions": [NO_SUCH_ID]}, "alarm.no_such_policy"),
        ({"composite": LEAVES[0]}, "alarm.rule"),
        ({"group_id": NO_SUCH_ID}, "request.body"),
        ({"backend": "builtin"}, "request.body"),
        ({"state": "ok"}, "request.body"),
        ({"metric": None}, "request.body"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    api: Api, estate: Estate, change: dict[str, Any], code: str
) -> None:
    with api.unchanged():
        answer = api.patch(estate.path(PATH), change)
    assert (answer.status, answer.code) == (400, code), answer.document


def test_a_composite_has_no_threshold(api: Api, estate: Estate) -> None:
    composite = api.created("/v1/alarms", composite_of(estate, alarm=estate.alarm_id))["id"]
    with api.unchanged():
        answer = api.patch(f"/v1/alarms/{composite}", {"threshold": 3})
    assert (answer.status, answer.code) == (400, "alarm.rule")


@pytest.mark.parametrize("body", [{}, {"state": "ALARM"}, {"state": "ok", "reason": ""}, {"state": None}])
def test_a_state_is_one_of_three(api: Api, estate: Estate, body: dict[str, Any]) -> None:
    with api.unchanged():
        answer = api.put(estate.path(f"{PATH}/state"), body)
    assert (answer.status, answer.code) == (400, "request.body")


def test_alarms_that_would_undo_each_other_are_told_of_it(api: Api, estate: Estate) -> None:
    inward = api.policy(estate.group_id, name="in", adjustment=-1)["id"]
    outward = api.policy(estate.group_id, name="out", adjustment=1)["id"]
    high = {"comparison_operator": "gt", "threshold": 60, "alarm_actions": [outward]}
    low = {"comparison_operator": "lt", "threshold": 40, "alarm_actions": [inward]}
    assert api.alarm(estate.group_id, name="high", **high)["warnings"] == []
    alarm = api.alarm(estate.group_id, name="low", **low)
    (warning,) = alarm["warnings"]
    assert warning.startswith("With alarm 'high' the group may flap. At 2 members with 3")
    path = f"/v1/alarms/{alarm['id']}"
    assert api.get(path).document["warnings"] == [warning]
    assert api.patch(path, {"threshold": 30}).document["warnings"] == []
    listed = api.get(f"/v1/alarms?group_id={estate.group_id}").document["alarms"]
    assert all("warnings" not in each for each in listed)
