"""Signatures of deliveries: what was signed, with which secret, when.

Source:
    Standard Webhooks specification 1.0 (standard-webhooks.md); Grafana's documentation of the webhook
    contact point, "HMAC signature".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from chalicelib.core.errors import Forbidden, Invalid

TOLERANCE = timedelta(minutes=5)
"""How far the sender's clock, and the way here, may be from our time."""

_SECRET_PREFIX = "whsec_"  # noqa: S105  (what every secret begins with)
_SECRET_BYTES = range(24, 65)
_SIGNATURES_MAX = 16
_ID_MAX_CHARACTERS = 255


class SignatureType(StrEnum):
    """How a sender signs."""

    STANDARD_WEBHOOKS = "standard_webhooks"
    GRAFANA = "grafana"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRule:
    """How the deliveries of a webhook are signed; one that is not is refused.

    Attributes:
        sealed_secret: what they are signed with, encrypted for the project and the webhook.
        made_here: whether we made it; only such a one may be shown again, where the first answer was lost.
        header: which header has Grafana's signature, in lower case; Standard Webhooks has its own.
        timestamp_header: which one has the time that Grafana signed with the body; None where it signs the
            body alone, so that an old delivery cannot be told from a new one.
    """

    type: SignatureType
    sealed_secret: str
    made_here: bool = False
    header: str = "webhook-signature"
    timestamp_header: str | None = "webhook-timestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a good signature vouches for beside the body.

    Attributes:
        event_id: the id of the delivery, None where none is signed.
        sent_at: None where no time is signed.
    """

    event_id: str | None
    sent_at: datetime | None


def verified(
    rule: SignatureRule, secret: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    """Return what the signature vouches for.

    Args:
        headers: by lower-case name.
        body: as it was sent, byte for byte.

    Raises:
        Forbidden: there is no signature, it is not of this body, or too old (or too new).
    """
    if rule.type is SignatureType.STANDARD_WEBHOOKS:
        return _standard(rule, secret, headers, body, now)
    return _grafana(rule, secret, headers, body, now)


def _standard(
    rule: SignatureRule, secret: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    event_id, given = headers.get("webhook-id"), headers.get(rule.header)
    sent = headers.get("webhook-timestamp")
    if not event_id or not given or not sent or len(event_id) > _ID_MAX_CHARACTERS:
        raise Forbidden(
            "hook.signature_missing",
            "This webhook takes signed deliveries only: webhook-id, webhook-timestamp and webhook-signature.",
        )
    sent_at = _timely(sent, now)
    signed = _bytes(f"{event_id}.{sent}.") + body
    expected = base64.b64encode(hmac.digest(standard_key(secret), signed, hashlib.sha256))
    versions = [each.partition(",") for each in given.split(" ")[:_SIGNATURES_MAX]]
    # All are compared, so that the time taken tells nothing of which one, or how much of it, was right.
    found = [hmac.compare_digest(expected, _bytes(value)) for kind, _, value in versions if kind == "v1"]
    if not any(found):
        raise _wrong()
    return Signed(event_id=event_id, sent_at=sent_at)


def _grafana(
    rule: SignatureRule, secret: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    given = headers.get(rule.header)
    sent = headers.get(rule.timestamp_header) if rule.timestamp_header else None
    if not given or (rule.timestamp_header and not sent):
        needed = " and ".join(name for name in (rule.header, rule.timestamp_header) if name)
        raise Forbidden("hook.signature_missing", f"This webhook takes signed deliveries only: {needed}.")
    sent_at = None if sent is None else _timely(sent, now)
    signed = body if sent is None else f"{sent}:".encode() + body
    expected = hmac.digest(secret.encode(), signed, hashlib.sha256).hex()
    if not hmac.compare_digest(expected.encode(), _bytes(given)):
        raise _wrong()
    return Signed(event_id=None, sent_at=sent_at)


def _bytes(header: str) -> bytes:
    """Return what a header is compared as; what cannot be UTF-8 is equal to no signature."""
    return header.encode(errors="replace")


def _timely(text: str, now: datetime) -> datetime:
    """Return the time in Unix seconds, which must be about now."""
    if re.fullmatch(r"[0-9]{1,11}", text) is None:
        raise Forbidden("hook.signature_old", "The signature's timestamp is no time in Unix seconds.")
    sent_at = datetime.fromtimestamp(int(text), UTC)
    if abs(now - sent_at) > TOLERANCE:
        minutes = int(TOLERANCE.total_seconds() // 60)
        raise Forbidden(
            "hook.signature_old",
            f"The signature's timestamp is more than {minutes} minutes from our time.",
        )
    return sent_at


def _wrong() -> Forbidden:
    return Forbidden(
        "hook.signature_wrong",
        "The signature is not of this body with this webhook's secret. Sign the uncompressed body.",
    )


def standard_key(secret: str) -> bytes:
    """Return the key that a secret of Standard Webhooks stands for.

    Raises:
        Invalid: it is none.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_secret() from error
    if len(key) not in _SECRET_BYTES:
        raise _no_secret()
    return key


def standard_secret(random: str) -> str:
    """Return a secret of Standard Webhooks made of 256 random bits as URL-safe text."""
    return _SECRET_PREFIX + base64.b64encode(base64.urlsafe_b64decode(random + "=")).decode()


def _no_secret() -> Invalid:
    return Invalid(
        "webhook.signature_secret", "A secret of Standard Webhooks is whsec_ and 24 to 64 bytes in base64."
    )
