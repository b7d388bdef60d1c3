from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as SecondOpinion

from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.core.signature import (
    TOLERANCE,
    SignatureRule,
    SignatureType,
    Signed,
    standard_key,
    standard_secret,
    verified,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS: Mapping[str, str] = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SENT_AT = datetime.fromtimestamp(1614265330, UTC)
STANDARD = SignatureRule(type=SignatureType.STANDARD_WEBHOOKS, sealed_secret="sealed")
GRAFANA = SignatureRule(
    type=SignatureType.GRAFANA, sealed_secret="sealed", header="x-signature", timestamp_header="x-time"
)
BODY_ALONE = SignatureRule(
    type=SignatureType.GRAFANA, sealed_secret="sealed", header="x-signature", timestamp_header=None
)


def code_of(rule: SignatureRule, secret: str, headers: Mapping[str, str], body: bytes, at: datetime) -> str:
    with pytest.raises(Forbidden) as refused:
        verified(rule, secret, headers, body, at)
    return refused.value.code.removeprefix("autoscaling.hook.")


def test_the_published_vector_of_standard_webhooks() -> None:
    signed = verified(STANDARD, SECRET, HEADERS, BODY, SENT_AT)
    assert signed == Signed(event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at=SENT_AT)
    assert verified(STANDARD, SECRET.removeprefix("whsec_"), HEADERS, BODY, SENT_AT) == signed


@pytest.mark.parametrize("off", [-TOLERANCE, TOLERANCE])
def test_five_minutes_either_way_are_tolerated_and_no_more(off: timedelta) -> None:
    assert verified(STANDARD, SECRET, HEADERS, BODY, SENT_AT + off)
    beyond = off + off / 300
    assert code_of(STANDARD, SECRET, HEADERS, BODY, SENT_AT + beyond) == "signature_old"


@pytest.mark.parametrize("missing", list(HEADERS))
def test_a_delivery_without_all_of_it_is_unsigned(missing: str) -> None:
    for headers in ({k: v for k, v in HEADERS.items() if k != missing}, {**HEADERS, missing: ""}):
        assert code_of(STANDARD, SECRET, headers, BODY, SENT_AT) == "signature_missing"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"webhook-id": "msg_other"}, "signature_wrong"),
        ({"webhook-id": "x" * 256}, "signature_missing"),
        ({"webhook-timestamp": "1614265331"}, "signature_wrong"),
        ({"webhook-timestamp": " 1614265330"}, "signature_old"),
        ({"webhook-timestamp": "NaN"}, "signature_old"),
        ({"webhook-timestamp": "9" * 400}, "signature_old"),
        ({"webhook-signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, "signature_wrong"),
        ({"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, "signature_wrong"),
        ({"webhook-signature": "v1,"}, "signature_wrong"),
        ({"webhook-signature": "v1,\ud800"}, "signature_wrong"),
        ({"webhook-signature": "v1,ä v1,g0hM9SsE"}, "signature_wrong"),
        ({"webhook-signature": "v1,no " * 16 + HEADERS["webhook-signature"]}, "signature_wrong"),
    ],
)
def test_whatever_is_changed_it_is_refused(change: dict[str, str], code: str) -> None:
    assert code_of(STANDARD, SECRET, {**HEADERS, **change}, BODY, SENT_AT) == code


def test_another_body_or_another_secret_is_refused() -> None:
    assert code_of(STANDARD, SECRET, HEADERS, BODY + b" ", SENT_AT) == "signature_wrong"
    other = "whsec_" + base64.b64encode(b"x" * 24).decode()
    assert code_of(STANDARD, other, HEADERS, BODY, SENT_AT) == "signature_wrong"


def test_one_good_signature_of_several_suffices() -> None:
    """A sender that changes its secret signs with both for a while."""
    several = f"v1,bm90IHRoaXMgb25l v1a,ed25519 {HEADERS['webhook-signature']} v2,later"
    assert verified(STANDARD, SECRET, {**HEADERS, "webhook-signature": several}, BODY, SENT_AT)


@given(
    key=st.binary(min_size=24, max_size=64),
    body=st.text(st.characters(exclude_categories=["Cs"])),
    id_=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64),
    seconds=st.integers(1_000_000_000, 4_000_000_000),
)
def test_what_the_reference_library_signs_is_verified(key: bytes, body: str, id_: str, seconds: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    sent_at = datetime.fromtimestamp(seconds, UTC)
    signature = SecondOpinion(secret).sign(id_, sent_at, body)
    headers = {"webhook-id": id_, "webhook-timestamp": str(seconds), "webhook-signature": signature}
    assert verified(STANDARD, secret, headers, body.encode(), sent_at).event_id == id_


def test_secrets_are_made_and_checked() -> None:
    made = standard_secret("A" * 43)
    assert made.startswith("whsec_")
    assert len(standard_key(made)) == 32
    for bad in ("whsec_", "whsec_?", "short", base64.b64encode(b"x" * 23).decode(), "A" * 88 + "AAA="):
        with pytest.raises(Invalid):
            standard_key(bad)


def grafanas(body: bytes, sent: str | None, secret: str = "a-secret-of-grafana") -> str:
    signed = body if sent is None else sent.encode() + b":" + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def test_grafana_signs_the_time_and_the_body() -> None:
    headers = {"x-signature": grafanas(BODY, "1614265330"), "x-time": "1614265330"}
    ask = ("a-secret-of-grafana", headers, BODY)
    assert verified(GRAFANA, *ask, SENT_AT) == Signed(event_id=None, sent_at=SENT_AT)
    assert code_of(GRAFANA, *ask, SENT_AT + TOLERANCE * 2) == "signature_old"
    for name in headers:
        assert code_of(GRAFANA, ask[0], {**headers, name: ""}, BODY, SENT_AT) == "signature_missing"
    later = {**headers, "x-time": "1614265331"}
    assert code_of(GRAFANA, ask[0], later, BODY, SENT_AT) == "signature_wrong"
    assert code_of(GRAFANA, ask[0], {**headers, "x-signature": "ä"}, BODY, SENT_AT) == "signature_wrong"
    body_only = {**headers, "x-signature": grafanas(BODY, None)}
    assert code_of(GRAFANA, ask[0], body_only, BODY, SENT_AT) == "signature_wrong"


def test_grafana_may_sign_the_body_alone_where_that_was_chosen() -> None:
    headers = {"x-signature": grafanas(BODY, None)}
    signed = verified(BODY_ALONE, "a-secret-of-grafana", headers, BODY, SENT_AT)
    assert signed == Signed(event_id=None, sent_at=None)
    assert code_of(BODY_ALONE, "a-secret-of-grafana", headers, b"", SENT_AT) == "signature_wrong"
