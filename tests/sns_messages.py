"""Messages of Amazon SNS, signed with a certificate of our own."""

from __future__ import annotations

import base64
import functools
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE_URL = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=a&Token=t"

_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def certificate() -> bytes:
    """Return the certificate, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=730))
        .sign(_key(), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def envelope(message: str, *, version: str = "1", **changes: Any) -> dict[str, Any]:
    """Return a signed message; ``changes`` are made before it is signed, and None leaves a field out."""
    document: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": 'ALARM: "cpu-high" in EU (Frankfurt)',
        "Message": message,
        "Timestamp": "2026-03-01T12:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        **changes,
    }
    document = {name: value for name, value in document.items() if value is not None}
    names = _SIGNED.get(document["Type"], _SIGNED["SubscriptionConfirmation"])
    text = "".join(f"{name}\n{document[name]}\n" for name in names if name in document)
    kind = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = _key().sign(text.encode(), padding.PKCS1v15(), kind)
    return {**document, "Signature": base64.b64encode(signature).decode()}


def subscription(**changes: Any) -> dict[str, Any]:
    """Return the message with which a topic asks to be confirmed."""
    asked = {"Type": "SubscriptionConfirmation", "Subject": None, "Token": "t", "SubscribeURL": SUBSCRIBE_URL}
    return envelope("You have chosen to subscribe to the topic.", **{**asked, **changes})
