"""What the senders of the world post to a hook, and what comes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.caller import MEMBER, NO_SUCH_TOKEN, OUTSIDER, READER, Api, Estate
from tests.api.contract import Answer
from tests.intake import bodies
from tests.intake.bodies import alert, alertmanager, cloudevent, cloudwatch, grafana
from tests.sns_messages import envelope

HOOK, NOTIFICATIONS = "/v1/hooks/{token}", "/v1/policies/{policy_id}/notifications"


def send(api: Api, estate: Estate, document: Any, method: str = "POST", **headers: str) -> Answer:
    """Deliver a document to the hook; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.request(method, estate.path(HOOK), document, token=None, headers=named)


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        (alertmanager(), "executed"),
        (alertmanager(alert("resolved")), "not_alarm"),
        (alertmanager(alert(severity="none")), "not_alarm"),
        (grafana(), "executed"),
        (grafana(alert("resolved")), "not_alarm"),
        (grafana(alert(alertname="DatasourceNoData")), "not_alarm"),
        (bodies.GRAFANA_LEGACY, "executed"),
        (cloudwatch(), "executed"),
        (cloudwatch("OK"), "not_alarm"),
        (cloudevent(alertmanager()), "executed"),
        (bodies.CEILOMETER, "executed"),
    ],
)
def test_an_alarm_scales_and_an_all_clear_does_not(
    api: Api, estate: Estate, document: Any, outcome: str
) -> None:
    answer = send(api, estate, document)
    assert (answer.status, answer.document["outcome"]) == (202, outcome)
    assert answer.document["capacity_after"] == (4 if outcome == "executed" else 3)


@pytest.mark.parametrize("document", [alertmanager(), grafana()])
def test_an_alarm_that_is_repeated_acts_again_and_a_second_try_does_not(
    api: Api, estate: Estate, document: Any
) -> None:
    first = send(api, estate, document).document
    api.world.clock.pass_(29)
    with api.unchanged():
        again = send(api, estate, document).document
    assert (again["outcome"], again["id"]) == ("duplicate", first["id"])
    api.world.settle()
    api.world.clock.pass_(300)
    repeated = send(api, estate, document).document
    assert (repeated["outcome"], repeated["capacity_after"]) == ("executed", 5)


def test_grafana_may_put(api: Api, estate: Estate) -> None:
    assert send(api, estate, grafana(), "PUT").document["outcome"] == "executed"
    assert api.put(f"/v1/hooks/{NO_SUCH_TOKEN}", token=None).code == "webhook.unknown"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "application/cloudevents+json; charset=utf-8",
        "text/plain; charset=UTF-8",
        "application/x-www-form-urlencoded",
    ],
)
def test_a_body_is_judged_by_what_it_is_and_not_by_what_it_is_called(
    api: Api, estate: Estate, content_type: str
) -> None:
    answer = send(api, estate, cloudevent(bodies.OK), content_type=content_type)
    assert (answer.status, answer.document["outcome"]) == (202, "not_alarm")


def test_a_cloudevent_with_its_attributes_in_headers(api: Api, estate: Estate) -> None:
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/m", "ce_type": "alarm"}
    assert send(api, estate, bodies.OK, **headers).document["outcome"] == "not_alarm"
    assert send(api, estate, bodies.OK, **headers).document["outcome"] == "duplicate"
    assert send(api, estate, bodies.OK, **{**headers, "ce_id": "2"}).document["outcome"] == "not_alarm"


def test_a_sender_of_cloudevents_is_told_that_it_may_call(api: Api, estate: Estate) -> None:
    asked = {"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
    answer = api.request("OPTIONS", estate.path(HOOK), token=None, headers=asked)
    assert answer.status == 200
    assert answer.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
    assert answer.headers["webhook-allowed-rate"] == str(api.world.services.limits.rates.webhook)
    assert "POST" in answer.headers["allow"]
    plain = api.request("OPTIONS", estate.path(HOOK), token=None)
    assert (plain.status, "webhook-allowed-origin" in plain.headers) == (200, False)
    odd = api.request("OPTIONS", estate.path(HOOK), token=None, headers={"WebHook-Request-Origin": "a b"})
    assert (odd.status, odd.code) == (400, "request.origin")
    unknown = api.request("OPTIONS", f"/v1/hooks/{NO_SUCH_TOKEN}", token=None, headers=asked)
    assert (unknown.status, unknown.code) == (404, "webhook.unknown")


def test_messages_of_sns_need_a_pinned_topic(api: Api, estate: Estate) -> None:
    signed = envelope("{}")
    with api.unchanged():
        answer = send(api, estate, signed)
        assert (answer.status, answer.code) == (403, "hook.sns_not_pinned")
        raw = send(api, estate, cloudwatch(), x_amz_sns_rawdelivery="true")
        assert (raw.status, raw.code) == (400, "hook.sns_raw")
        told = api.post(estate.path(NOTIFICATIONS), signed)
        assert (told.status, told.code) == (403, "hook.sns_not_pinned")


def test_aodh_with_trust_https_notifies_with_a_token_of_the_alarms_owner(api: Api, estate: Estate) -> None:
    headers = {"x-openstack-request-id": "req-of-aodh"}
    answer = api.post(f"{estate.path(NOTIFICATIONS)}?aodh-alarm-ssl-verify=1", bodies.ALARM, headers=headers)
    assert (answer.status, answer.document["outcome"]) == (202, "executed")
    shown = api.get(f"/v1/executions/{answer.document['id']}").document
    assert (shown["source"], shown["event_id"]) == ("user:user-of-project-1", "req-of-aodh")
    again = api.post(estate.path(NOTIFICATIONS), bodies.ALARM, headers=headers)
    assert (again.status, again.document["outcome"]) == (202, "duplicate")
    ok = api.post(estate.path(NOTIFICATIONS), bodies.OK, headers={"x-openstack-request-id": "req-2"})
    assert (ok.status, ok.document["outcome"]) == (202, "not_alarm")


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("unknown", 401), (READER, 403), (OUTSIDER, 404), (MEMBER, 202)]
)
def test_who_may_notify_a_policy(api: Api, estate: Estate, token: str | None, status: int) -> None:
    assert api.post(estate.path(NOTIFICATIONS), bodies.OK, token=token).status == status


def test_a_body_that_nobody_understands_is_refused_with_a_token_too(api: Api, estate: Estate) -> None:
    with api.unchanged():
        for raw in (b"[]", b"alarm", json.dumps({"status": "firing"}).encode()):
            answer = api.post(estate.path(NOTIFICATIONS), raw=raw)
            assert (answer.status, answer.code) == (400, "hook.body")


def test_a_method_that_no_sender_uses_is_405(api: Api, estate: Estate) -> None:
    assert api.delete(estate.path(HOOK), token=None).status == 405
