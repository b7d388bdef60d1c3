"""Amazon's signatures, as a certificate of our own makes them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.core.sns import SnsMessage
from chalicelib.intake import sns
from chalicelib.sns import SnsCertificates
from tests.fakes import FakeWeb
from tests.sns_messages import CERTIFICATE_URL, certificate, envelope, subscription


def message(document: dict[str, Any]) -> SnsMessage:
    found = sns.parse(document, {})
    assert found is not None
    return found


@pytest.fixture
def web() -> FakeWeb:
    return FakeWeb(pages={CERTIFICATE_URL: certificate()})


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_amazon_signed_is_genuine(web: FakeWeb, version: str) -> None:
    sns_ = SnsCertificates(web)
    for document in (
        envelope("{}", version=version),
        envelope("{}", version=version, Subject=None),
        subscription(version=version),
        subscription(version=version, Type="UnsubscribeConfirmation"),
    ):
        sns_.require_genuine(message(document))
    assert web.asked == [CERTIFICATE_URL], "the certificate is fetched once"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Message": "other"}, "hook.sns_signature"),
        ({"TopicArn": "arn:aws:sns:eu-central-1:999999999999:alarms"}, "hook.sns_signature"),
        ({"Timestamp": "2026-03-01T12:00:01.000Z"}, "hook.sns_signature"),
        ({"Subject": "other"}, "hook.sns_signature"),
        ({"SignatureVersion": "2"}, "hook.sns_signature"),
        ({"SignatureVersion": "3"}, "hook.sns_signature"),
        ({"Signature": ""}, "hook.sns_signature"),
        ({"SigningCertURL": "https://evil.example/a.pem"}, "hook.sns_certificate"),
        ({"SigningCertURL": "http://sns.eu-central-1.amazonaws.com/a.pem"}, "hook.sns_certificate"),
    ],
)
def test_what_was_changed_is_refused(web: FakeWeb, change: dict[str, str], code: str) -> None:
    with pytest.raises(Forbidden) as refused:
        SnsCertificates(web).require_genuine(message({**envelope("{}"), **change}))
    assert refused.value.code == f"autoscaling.{code}"
    assert web.asked in ([], [CERTIFICATE_URL])


def test_a_certificate_that_is_none_is_tried_again_later(web: FakeWeb) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    genuine = SnsCertificates(web)
    for page in (b"", b"<html>", pem):
        web.pages[CERTIFICATE_URL] = page
        with pytest.raises(Unavailable):
            genuine.require_genuine(message(envelope("{}")))
    web.pages[CERTIFICATE_URL] = certificate()
    genuine.require_genuine(message(envelope("{}")))
