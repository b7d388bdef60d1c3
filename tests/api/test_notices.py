"""Alarms that Aodh evaluates, over REST, and the hook that Aodh calls."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.flows.backends import HOOK_PATH
from tests.api.caller import NO_SUCH_ID, OUTSIDER, Api, Estate
from tests.core.factories import PROJECT
from tests.intake.bodies import ALARM, INSUFFICIENT_DATA, OK

DELIVERY = {"x-openstack-request-id": "req-1", "content-type": "application/json"}


@pytest.fixture
def alarm(api: Api, estate: Estate) -> dict[str, Any]:
    """An alarm in Aodh that sets the estate's policy in motion."""
    return api.alarm(estate.group_id, backend="aodh", datapoints_to_alarm=3, alarm_actions=[estate.policy_id])


def hook(api: Api) -> str:
    """Return the path that Aodh was told to call, which is a secret."""
    (watched,) = api.world.aodh.watched.values()
    assert watched.hook_url.startswith(f"http://scale.example{HOOK_PATH}/{PROJECT}/")
    api.secrets.add(watched.hook_url.rpartition("/")[2])
    return watched.hook_url.removeprefix("http://scale.example")


def said(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    (watched,) = api.world.aodh.watched.values()
    return {**body, "alarm_id": watched.id}


def test_aodhs_alarm_scales_and_is_shown_and_told(api: Api, estate: Estate, alarm: dict[str, Any]) -> None:
    path = hook(api)
    assert (alarm["backend"], alarm["state"]) == ("aodh", "insufficient_data")
    answer = api.post(path, said(api, ALARM), token=None, headers=DELIVERY)
    assert answer.status == 202
    (execution,) = answer.document["executions"]
    assert (execution["outcome"], execution["policy_id"]) == ("executed", estate.policy_id)
    shown = api.get(f"/v1/executions/{execution['id']}").document
    assert (shown["source"], shown["event_id"]) == (f"alarm:{alarm['id']}", "req-1")
    (listed,) = [each for each in api.get("/v1/alarms").document["alarms"] if each["id"] == alarm["id"]]
    assert (listed["state"], listed["state_reason"]) == ("alarm", ALARM["reason"])
    assert listed["source"]["heard_at"]
    again = api.post(path, said(api, ALARM), token=None, headers=DELIVERY).document
    assert again["executions"][0]["outcome"] == "duplicate"


@pytest.mark.parametrize("body", [OK, INSUFFICIENT_DATA], ids=["ok", "insufficient data"])
def test_a_state_without_actions_scales_nothing(
    api: Api, alarm: dict[str, Any], body: dict[str, Any]
) -> None:
    answer = api.post(hook(api), said(api, body), token=None, headers=DELIVERY)
    assert (answer.status, answer.document) == (202, {"executions": []})
    assert alarm["state"] == "insufficient_data"


def test_an_unknown_hook_is_not_found_and_changes_nothing(api: Api, alarm: dict[str, Any]) -> None:
    path = hook(api)
    token = path.rpartition("/")[2]
    body = said(api, ALARM)
    with api.unchanged():
        for wrong in (
            f"{HOOK_PATH}/{PROJECT}/{alarm['id']}/{'x' * 43}",
            f"{HOOK_PATH}/{PROJECT}/{NO_SUCH_ID}/{token}",
            f"{HOOK_PATH}/project-2/{alarm['id']}/{token}",
            f"{HOOK_PATH}/{PROJECT}/x/{token}",
            f"{HOOK_PATH}/{PROJECT}/{alarm['id']}/short",
        ):
            assert api.post(wrong, body, token=None, headers=DELIVERY).status == 404


def test_what_is_not_aodhs_or_of_another_alarm_changes_nothing(api: Api, alarm: dict[str, Any]) -> None:
    path = hook(api)
    with api.unchanged():
        for raw in (b"", b"{}", b"nonsense"):
            assert api.post(path, raw=raw, token=None, headers=DELIVERY).status == 400
        other = api.post(path, {**ALARM, "alarm_id": alarm["id"]}, token=None, headers=DELIVERY)
    assert (other.status, other.document["errors"][0]["code"]) == (
        409,
        "autoscaling.alarm.not_established",
    )


def test_the_estates_own_alarm_has_no_such_hook(api: Api, estate: Estate) -> None:
    path = f"{HOOK_PATH}/{PROJECT}/{estate.alarm_id}/{'x' * 43}"
    assert api.post(path, ALARM, token=None, headers=DELIVERY).status == 404


def test_an_alarm_is_changed_and_deleted_in_aodh_too(api: Api, alarm: dict[str, Any]) -> None:
    changed = api.patch(f"/v1/alarms/{alarm['id']}", {"threshold": 50})
    assert changed.status == 200
    (watched,) = api.world.aodh.watched.values()
    assert getattr(watched.alarm.rule, "threshold") == 50  # noqa: B009  a rule of either kind
    assert api.delete(f"/v1/alarms/{alarm['id']}").status == 204
    assert api.world.aodh.watched == {}


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (Forbidden("aodh.quota_exceeded", "Alarm quota exceeded."), 403, "aodh.quota_exceeded"),
        (Unavailable("aodh.unavailable", "No answer.", retry_after_seconds=5), 503, "aodh.unavailable"),
    ],
)
def test_what_aodh_does_not_do_is_said_and_an_alarm_is_not_deleted_before_it_is_there(
    api: Api, alarm: dict[str, Any], refusal: Exception, status: int, code: str
) -> None:
    api.world.aodh.refusal = refusal
    path = f"/v1/alarms/{alarm['id']}"
    with api.unchanged():
        for answer in (api.delete(path), api.patch(path, {"threshold": 50})):
            assert (answer.status, answer.document["errors"][0]["code"]) == (status, f"autoscaling.{code}")
        assert api.get(path).document["state"] == "insufficient_data"


def test_its_state_is_aodhs_to_say(api: Api, alarm: dict[str, Any]) -> None:
    with api.unchanged():
        answer = api.put(f"/v1/alarms/{alarm['id']}/state", {"state": "ok", "reason": "I say so"})
    assert (answer.status, answer.document["errors"][0]["code"]) == (409, "autoscaling.alarm.backend")


def test_a_lost_answer_is_completed_by_the_same_request(api: Api, estate: Estate) -> None:
    api.world.aodh.answers_lost = 1
    body = {
        "name": "high",
        "group_id": estate.group_id,
        "backend": "aodh",
        "metric": "cpu",
        "comparison_operator": "gt",
        "threshold": 80,
        "client_token": "mine",
    }
    assert api.post("/v1/alarms", body).status == 503
    again = api.post("/v1/alarms", body)
    assert again.status == 201
    (watched,) = api.world.aodh.watched.values()
    assert watched.name == f"thermostat-{again.document['id']}"
    hook(api)


def test_another_project_neither_sees_nor_deletes_it(api: Api, alarm: dict[str, Any]) -> None:
    path = f"/v1/alarms/{alarm['id']}"
    assert api.get(path, token=OUTSIDER).status == 404
    assert api.delete(path, token=OUTSIDER).status == 404
    assert len(api.world.aodh.watched) == 1
