"""Amazon SNS's envelope. What it holds is trusted only when its signature is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.core.sns import SnsMessage, SnsType

_TEXTS = ("Type", "MessageId", "TopicArn", "Message", "Timestamp", "SignatureVersion", "Signature")
_ID_MAX_CHARACTERS = 255
_SIGNED_SOMETIMES = ("Subject", "SubscribeURL", "Token")


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> SnsMessage | None:
    """Return the message, or None when the document is something else.

    Raises:
        Invalid: it is SNS's and broken; or it comes raw, without the envelope and so without a signature.
    """
    if headers.get("x-amz-sns-rawdelivery", "").lower() == "true":
        raise Invalid(
            "hook.sns_raw",
            "SNS sent this as raw delivery, which leaves the signature out: switch raw delivery off.",
        )
    if "x-amz-sns-message-type" not in headers and not document.keys() >= {"Type", "TopicArn", "Signature"}:
        return None
    values = {name: document.get(name) for name in (*_TEXTS, *_SIGNED_SOMETIMES)}
    fields = {name: value for name, value in values.items() if isinstance(value, str)}
    certificate_url = document.get("SigningCertURL", document.get("SigningCertUrl"))
    try:
        type_ = SnsType(fields["Type"])
        if not fields.keys() >= set(_TEXTS) or len(fields["MessageId"]) > _ID_MAX_CHARACTERS:
            raise _broken()
        confirms = type_ is not SnsType.NOTIFICATION
        if not isinstance(certificate_url, str) or (
            confirms and not fields.keys() >= {"Token", "SubscribeURL"}
        ):
            raise _broken()
        for value in fields.values():
            value.encode()  # half a surrogate pair, which JSON can write, cannot have been signed
        return SnsMessage(
            type=type_,
            topic_arn=fields["TopicArn"],
            message_id=fields["MessageId"],
            sent_at=_time(fields["Timestamp"]),
            fields=fields,
            signature=base64.b64decode(fields["Signature"], validate=True),
            signature_version=fields["SignatureVersion"],
            certificate_url=certificate_url,
        )
    except (KeyError, ValueError, binascii.Error) as error:
        raise _broken() from error


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def _broken() -> Invalid:
    return Invalid("hook.sns", "The message is not as Amazon SNS sends it.")
