"""Webhooks whose deliveries are signed, or come from one topic of SNS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook as Signer

from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.sns import SnsCertificates
from tests.api.caller import Api, Estate, token_in
from tests.api.contract import Answer
from tests.intake import bodies
from tests.intake.bodies import alertmanager, cloudwatch, grafana
from tests.sns_messages import CERTIFICATE_URL, SUBSCRIBE_URL, TOPIC, certificate, envelope, subscription

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OF_POLICY = "/v1/policies/{policy_id}/webhooks"


def signed(api: Api, body: bytes, secret: str = SECRET, id_: str = "msg_1") -> dict[str, str]:
    """Return the headers of a delivery that is sent now, as the reference library makes them."""
    now = api.world.clock.now
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(id_, now, body.decode()),
    }


def standard(api: Api, estate: Estate, **changes: Any) -> dict[str, Any]:
    api.secrets.add(SECRET)
    signature = {"type": "standard_webhooks", "secret": SECRET}
    return api.webhook(estate.policy_id, signature=signature, **changes)


def call(api: Api, webhook: dict[str, Any], body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return api.post(f"/v1/hooks/{token_in(webhook['url'])}", raw=body, token=None, headers=headers)


def test_a_given_secret_is_sealed_and_never_shown(api: Api, estate: Estate) -> None:
    webhook = standard(api, estate)
    assert webhook["signature"] == {
        "type": "standard_webhooks",
        "signature_header": "webhook-signature",
        "timestamp_header": "webhook-timestamp",
        "key": None,
    }
    assert SECRET not in json.dumps(webhook)
    assert SECRET not in repr(api.snapshot())
    assert api.get(f"/v1/webhooks/{webhook['id']}").document["signature"]["key"] is None


@pytest.mark.parametrize("kind", ["standard_webhooks", "grafana"])
def test_a_secret_that_we_make_is_shown_this_once(api: Api, estate: Estate, kind: str) -> None:
    webhook = api.webhook(estate.policy_id, signature={"type": kind}, client_token="once")
    key = webhook["signature"]["key"]
    api.secrets.add(key)
    assert len(key) >= 43
    assert key.startswith("whsec_") is (kind == "standard_webhooks")
    shown = api.get(f"/v1/webhooks/{webhook['id']}").document
    assert shown["signature"] == {**webhook["signature"], "key": None}
    again = api.webhook(estate.policy_id, signature={"type": kind}, client_token="once")
    assert again["signature"]["key"] == key, "the answer that showed it was lost"


def test_a_given_secret_is_not_to_be_had_by_asking_again(api: Api, estate: Estate) -> None:
    standard(api, estate, client_token="once")
    ask = {"name": "aodh", "client_token": "once", "signature": {"type": "standard_webhooks"}}
    with api.unchanged():
        answer = api.post(estate.path(OF_POLICY), ask)
    assert (answer.status, answer.code) == (409, "client_token.reused")
    made = api.webhook(estate.policy_id, **{**ask, "client_token": "twice"})
    api.secrets.add(made["signature"]["key"])
    given = {"signature": {"type": "standard_webhooks", "secret": SECRET}}
    for change in (given, {"signature": None}):
        api.patch(f"/v1/webhooks/{made['id']}", change)
        again = api.webhook(estate.policy_id, **{**ask, "client_token": "twice"})
        assert (again["signature"] or {}).get("key") is None


def test_a_caught_delivery_cannot_be_made_another_event(api: Api, estate: Estate) -> None:
    """Its headers are not signed, so none of them but the signed id names it."""
    webhook = standard(api, estate)
    body = json.dumps(bodies.ALARM).encode()
    headers = signed(api, body)
    first = call(api, webhook, body, headers)
    assert (first.status, first.document["outcome"]) == (202, "executed")
    assert api.get(f"/v1/executions/{first.document['id']}").document["event_id"] == "msg_1"
    api.world.clock.pass_(200)
    for added in ("idempotency-key", "x-openstack-request-id", "ce-specversion"):
        with api.unchanged():
            again = call(api, webhook, body, {**headers, added: "other"})
        assert (again.status, again.document["outcome"]) == (202, "duplicate")
    api.world.clock.pass_(101)
    with api.unchanged():
        assert call(api, webhook, body, headers).code == "hook.signature_old"


def test_what_is_not_signed_changes_nothing(api: Api, estate: Estate) -> None:
    webhook = standard(api, estate)
    body = b"{}"
    good = signed(api, body)
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    with api.unchanged():
        for headers, code in (
            ({}, "signature_missing"),
            (signed(api, body, other), "signature_wrong"),
            ({**good, "webhook-id": "msg_2"}, "signature_wrong"),
            ({**good, "webhook-timestamp": "1"}, "signature_old"),
        ):
            answer = call(api, webhook, body, headers)
            assert (answer.status, answer.code) == (403, f"hook.{code}")
        assert call(api, webhook, b'{"event_id": "x"}', good).code == "hook.signature_wrong"
    assert call(api, webhook, body, good).document["outcome"] == "executed"


def test_a_key_is_changed_and_taken_away(api: Api, estate: Estate) -> None:
    webhook = standard(api, estate)
    path = f"/v1/webhooks/{webhook['id']}"
    changed = api.patch(path, {"signature": {"type": "standard_webhooks"}}).document
    key = changed["signature"]["key"]
    api.secrets.add(key)
    assert call(api, webhook, b"{}", signed(api, b"{}")).code == "hook.signature_wrong"
    assert call(api, webhook, b"{}", signed(api, b"{}", key)).document["outcome"] == "executed"
    api.patch(path, {"name": "other"})
    assert call(api, webhook, b"{}").code == "hook.signature_missing"
    assert api.patch(path, {"signature": None}).document["signature"] is None
    assert call(api, webhook, b"{}").status == 202


@pytest.mark.parametrize(
    "bad",
    [
        {"signature": {"type": "standard_webhooks", "secret": "whsec_" + "A" * 20}},
        {"signature": {"type": "standard_webhooks", "secret": "not base64 !!!!!!!!"}},
        {"signature": {"type": "grafana", "secret": "short"}},
        {"signature": {"type": "grafana", "signature_header": "no header"}},
        {"signature": {"type": "md5"}},
        {"signature": {"type": "standard_webhooks", "timestamp_header": "x"}},
        {"signature": {"type": "grafana"}, "sns_topic_arn": TOPIC},
        {"sns_topic_arn": "arn:aws:sqs:eu-central-1:123456789012:alarms"},
        {"expected_every": 59},
        {"expected_every": 86_401},
    ],
)
def test_what_no_sender_could_do_is_refused(api: Api, estate: Estate, bad: dict[str, Any]) -> None:
    with api.unchanged():
        answer = api.post(estate.path(OF_POLICY), {"name": "bad", **bad})
        assert answer.status == 400
        assert api.patch(estate.path("/v1/webhooks/{webhook_id}"), bad).status == 400


def test_a_secret_that_cannot_be_opened_lets_nobody_in(api: Api, estate: Estate) -> None:
    webhook = standard(api, estate)
    memory = api.world.memory.webhooks
    ((key, stored),) = [item for item in memory.items() if item[1].id == webhook["id"]]
    assert stored.signature is not None
    memory[key] = replace(stored, signature=replace(stored.signature, sealed_secret="?"))
    answer = call(api, webhook, b"{}", signed(api, b"{}"))
    assert (answer.status, answer.code) == (503, "webhook.secret_unreadable")


class TestGrafana:
    """Grafana signs the time, a colon and the body."""

    def headers(self, api: Api, body: bytes, secret: str) -> dict[str, str]:
        sent = str(int(api.world.clock.now.timestamp()))
        mac = hmac.new(secret.encode(), sent.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Grafana-Alerting-Signature": mac, "X-Grafana-Alerting-Timestamp": sent}

    def test_a_caught_delivery_is_the_same_event_however_late(self, api: Api, estate: Estate) -> None:
        webhook = api.webhook(estate.policy_id, signature={"type": "grafana"})
        key = webhook["signature"]["key"]
        api.secrets.add(key)
        for document in (grafana(), {}):
            api.world.settle()
            api.world.clock.pass_(3600)
            body = json.dumps(document).encode()
            headers = self.headers(api, body, key)
            assert call(api, webhook, body, headers).document["outcome"] == "executed"
            api.world.clock.pass_(290)
            with api.unchanged():
                again = call(api, webhook, body, {**headers, "idempotency-key": "other"})
            assert again.document["outcome"] == "duplicate"
            repeated = call(api, webhook, body, self.headers(api, body, key))
            assert repeated.document["outcome"] != "duplicate"

    def test_the_time_is_needed_unless_it_was_left_out(self, api: Api, estate: Estate) -> None:
        rule = {"type": "grafana", "secret": "a-secret-of-ours", "timestamp_header": None}
        webhook = api.webhook(estate.policy_id, signature=rule)
        api.secrets.add("a-secret-of-ours")
        mac = hmac.new(b"a-secret-of-ours", b"{}", hashlib.sha256).hexdigest()
        headers = {"X-Grafana-Alerting-Signature": mac}
        assert call(api, webhook, b"{}", headers).document["outcome"] == "executed"
        api.patch(f"/v1/webhooks/{webhook['id']}", {"signature": {**rule, "timestamp_header": "X-Time"}})
        assert call(api, webhook, b"{}", headers).code == "hook.signature_missing"


class TestSns:
    """A webhook with a pinned topic takes that topic's messages, and nothing else."""

    @pytest.fixture
    def webhook(self, api: Api, estate: Estate) -> dict[str, Any]:
        api.world.clock.now = api.world.clock.now.replace(year=2026, month=3, day=1, hour=12, minute=5)
        web = api.world.web
        web.pages = {CERTIFICATE_URL: certificate(), SUBSCRIBE_URL: b"<ConfirmSubscriptionResponse/>"}
        genuine = SnsCertificates(web)
        object.__setattr__(api.world.services, "sns", genuine)
        return api.webhook(estate.policy_id, sns_topic_arn=TOPIC)

    def send(self, api: Api, webhook: dict[str, Any], document: dict[str, Any]) -> Answer:
        headers = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": document["Type"]}
        return call(api, webhook, json.dumps(document).encode(), headers)

    def test_the_pinned_topic_is_confirmed(self, api: Api, webhook: dict[str, Any]) -> None:
        with api.unchanged():
            answer = self.send(api, webhook, subscription())
        assert (answer.status, answer.document) == (200, {"topic_arn": TOPIC, "subscription": "confirmed"})
        assert api.world.web.asked == [CERTIFICATE_URL, SUBSCRIBE_URL]

    def test_its_alarms_scale_once(self, api: Api, webhook: dict[str, Any]) -> None:
        message = envelope(json.dumps(cloudwatch()), version="2")
        first = self.send(api, webhook, message)
        assert (first.status, first.document["outcome"]) == (202, "executed")
        api.world.clock.pass_(600)
        assert self.send(api, webhook, message).document["outcome"] == "duplicate"
        ok = envelope(json.dumps(cloudwatch("OK")), MessageId="another")
        assert self.send(api, webhook, ok).document["outcome"] == "not_alarm"

    def test_its_end_is_taken_note_of(self, api: Api, webhook: dict[str, Any]) -> None:
        answer = self.send(api, webhook, subscription(Type="UnsubscribeConfirmation"))
        assert (answer.status, answer.document["subscription"]) == (200, "ended")
        assert SUBSCRIBE_URL not in api.world.web.asked, "asking for it would subscribe again"

    @pytest.mark.parametrize(
        ("document", "code"),
        [
            (subscription(TopicArn=TOPIC + "2"), "hook.sns_topic"),
            (envelope("{}", TopicArn=TOPIC + "2"), "hook.sns_topic"),
            (subscription(SubscribeURL="https://evil.example/"), "hook.sns_url"),
            (subscription(SubscribeURL="https://169.254.169.254/"), "hook.sns_url"),
            ({**subscription(), "SubscribeURL": SUBSCRIBE_URL + "&x"}, "hook.sns_signature"),
            ({**envelope("{}"), "Message": "[]"}, "hook.sns_signature"),
            (envelope("{}", SigningCertURL="https://evil.example/a.pem"), "hook.sns_certificate"),
            (envelope("{}", Timestamp="2026-03-01T11:04:59.000Z"), "hook.sns_old"),
            (envelope("{}", Timestamp="2026-03-01T13:05:31.000Z"), "hook.sns_old"),
        ],
    )
    def test_others_are_refused(
        self, api: Api, webhook: dict[str, Any], document: dict[str, Any], code: str
    ) -> None:
        with api.unchanged():
            answer = self.send(api, webhook, document)
        assert (answer.status, answer.code) == (403, code)
        assert SUBSCRIBE_URL not in api.world.web.asked

    def test_a_message_that_nobody_understands_is_refused(self, api: Api, webhook: dict[str, Any]) -> None:
        for message in ("alarm!", json.dumps({"status": "made up"}), "[]", json.dumps(envelope("{}"))):
            with api.unchanged():
                answer = self.send(api, webhook, envelope(message))
            assert (answer.status, answer.code) in ((400, "hook.body"), (403, "hook.sns_not_pinned"))

    def test_nobody_else_may_call_it(self, api: Api, webhook: dict[str, Any]) -> None:
        for document in ({}, alertmanager(), cloudwatch()):
            with api.unchanged():
                answer = call(api, webhook, json.dumps(document).encode())
            assert (answer.status, answer.code) == (403, "hook.sns_only")

    def test_where_amazon_does_not_answer_it_is_to_try_again(self, api: Api, webhook: dict[str, Any]) -> None:
        api.world.web.outage = Unavailable("web.unavailable", "No answer.", retry_after_seconds=10)
        answer = self.send(api, webhook, subscription())
        assert (answer.status, answer.code) == (503, "web.unavailable")

    def test_a_url_that_leads_inside_is_forbidden(self, api: Api, webhook: dict[str, Any]) -> None:
        api.world.web.outage = Forbidden("web.address", "It does not lead to the public internet only.")
        answer = self.send(api, webhook, subscription())
        assert (answer.status, answer.code) == (403, "web.address")

    def test_the_topic_can_be_changed(self, api: Api, webhook: dict[str, Any]) -> None:
        path = f"/v1/webhooks/{webhook['id']}"
        assert api.patch(path, {"sns_topic_arn": TOPIC + "2"}).document["sns_topic_arn"] == TOPIC + "2"
        assert self.send(api, webhook, subscription()).code == "hook.sns_topic"
        assert api.patch(path, {"sns_topic_arn": None}).document["sns_topic_arn"] is None
        assert self.send(api, webhook, subscription()).code == "hook.sns_not_pinned"
