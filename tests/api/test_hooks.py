"""What an alarm source calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.caller import MEMBER, NO_SUCH_TOKEN, Api, Estate
from tests.intake.bodies import ALARM, INSUFFICIENT_DATA, OK, REMAINING

HOOK = "/v1/hooks/{token}"
OURS = {
    "id",
    "policy_id",
    "group_id",
    "outcome",
    "capacity_before",
    "capacity_after",
    "retry_at",
    "explanation",
}


def delivery(number: int) -> dict[str, str]:
    """Return what Aodh sends as headers, new with each delivery."""
    return {
        "User-Agent": "python-requests/2.34.2",
        "Accept": "*/*",
        "x-openstack-request-id": f"req-4e3a1b2c-0000-4000-8000-{number:012}",
        "content-type": "application/json",
    }


@pytest.mark.parametrize("raw", [b"", b"{}", b"  \n", b'{"event_id": null}', b'{"event_id": "e-1"}'])
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", "*/*", ""]
)
def test_the_plain_call_scales_whatever_it_is_sent_as(
    api: Api, estate: Estate, raw: bytes, content_type: str
) -> None:
    answer = api.post(estate.path(HOOK), raw=raw, token=None, headers={"content-type": content_type})
    assert answer.status == 202
    assert answer.document.keys() == OURS
    assert (answer.document["outcome"], answer.document["capacity_before"]) == ("executed", 3)
    shown = api.get(f"/v1/executions/{answer.document['id']}").document
    assert shown["source"] == f"webhook:{estate.webhook_id}"
    assert shown["request_id"] == answer.headers["x-openstack-request-id"]


def test_aodhs_alarm_scales(api: Api, estate: Estate) -> None:
    answer = api.post(estate.path(HOOK), ALARM, token=None, headers=delivery(1))
    assert (answer.status, answer.document["outcome"], answer.document["capacity_after"]) == (
        202,
        "executed",
        4,
    )
    shown = api.get(f"/v1/executions/{answer.document['id']}").document
    assert shown["event_id"] == delivery(1)["x-openstack-request-id"]
    assert shown["request_id"] != shown["event_id"], "a request id is ours, not the sender's"


@pytest.mark.parametrize("body", [OK, INSUFFICIENT_DATA], ids=["ok", "insufficient data"])
def test_aodhs_all_clear_changes_nothing(api: Api, estate: Estate, body: dict[str, Any]) -> None:
    with api.unchanged(but="executions"):
        answer = api.post(estate.path(HOOK), body, token=None, headers=delivery(1))
    assert (answer.status, answer.document["outcome"]) == (202, "not_alarm")
    assert body["current"] in answer.document["explanation"]["summary"]
    assert (
        api.post(estate.path(HOOK), ALARM, token=None, headers=delivery(2)).document["outcome"] == "executed"
    )


def test_the_same_delivery_twice_scales_once(api: Api, estate: Estate) -> None:
    first = api.post(estate.path(HOOK), ALARM, token=None, headers=delivery(1)).document
    api.world.clock.pass_(10_000)
    with api.unchanged():
        again = api.post(estate.path(HOOK), ALARM, token=None, headers=delivery(1))
    assert (again.status, again.document["outcome"], again.document["id"]) == (202, "duplicate", first["id"])


def test_an_alarm_that_lasts_is_heard_again_when_its_cooldown_is_over(api: Api, estate: Estate) -> None:
    said = []
    for number in range(4):
        answer = api.post(estate.path(HOOK), REMAINING, token=None, headers=delivery(number))
        said.append(answer.document["outcome"])
        api.world.settle()
        api.world.clock.pass_(31)
    assert said == ["executed", "in_cooldown", "executed", "no_change"]


@pytest.mark.parametrize(
    ("state", "outcome"),
    [({"mode": "disabled"}, "disabled"), ({"mode": "shadow"}, "shadow"), ({"adjustment": 0}, "no_change")],
)
def test_every_outcome_of_a_live_token_is_202(
    api: Api, estate: Estate, state: dict[str, Any], outcome: str
) -> None:
    api.patch(estate.path("/v1/policies/{policy_id}"), state)
    answer = api.post(estate.path(HOOK), token=None)
    assert (answer.status, answer.document["outcome"]) == (202, outcome)
    assert "retry-after" not in answer.headers


def test_a_held_call_says_until_when(api: Api, estate: Estate) -> None:
    api.put(
        estate.path("/v1/groups/{group_id}/freeze"), {"reason": "sale", "until": "2030-01-01T00:00:00.000Z"}
    )
    answer = api.post(estate.path(HOOK), token=None)
    assert (answer.status, answer.document["outcome"]) == (202, "frozen")
    assert answer.document["retry_at"] == "2030-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"1",
        b"alarm",
        b"\xff\xfe\x00",
        b'{"event_id": "\\ud800"}',
        b'{"status": "firing"}',
        b"{" * 100_000,
        json.dumps({**ALARM, "current": []}).encode(),
        json.dumps({**ALARM, "current": "alarming"}).encode(),
        json.dumps({**ALARM, "current": None}).encode(),
        json.dumps({k: v for k, v in ALARM.items() if k != "reason"}).encode(),
    ],
)
def test_a_body_that_nobody_understands_is_refused_and_never_taken_for_an_alarm(
    api: Api, estate: Estate, raw: bytes
) -> None:
    with api.unchanged():
        answer = api.post(estate.path(HOOK), raw=raw, token=None)
    assert answer.status == 400
    assert answer.code in ("hook.body", "hook.event_id")


@pytest.mark.parametrize(
    "token", [NO_SUCH_TOKEN, "x", "x" * 42, "x" * 44, "x" * 10_000, "%2e%2e", "ä" * 43, "{token}", MEMBER]
)
def test_any_other_token_is_unknown(api: Api, estate: Estate, token: str) -> None:
    with api.unchanged():
        answer = api.post(f"/v1/hooks/{token}", ALARM, token=None)
    assert (answer.status, answer.code) == (404, "webhook.unknown")


def test_a_keystone_token_neither_helps_nor_harms(api: Api, estate: Estate) -> None:
    for token in (MEMBER, "unknown", ""):
        assert api.post(estate.path(HOOK), token=token).status == 202
    assert api.post(f"/v1/hooks/{NO_SUCH_TOKEN}", token=MEMBER).status == 404


def test_what_a_sender_adds_to_the_url_is_passed_over(api: Api, estate: Estate) -> None:
    """Aodh sends its own switches along, like ``aodh-alarm-ssl-verify``."""
    answer = api.post(f"{estate.path(HOOK)}?aodh-alarm-ssl-verify=0", token=None)
    assert (answer.status, answer.document["outcome"]) == (202, "executed")
