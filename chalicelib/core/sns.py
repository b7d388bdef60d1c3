"""Amazon SNS's messages: what they say, what their signature covers, and which URLs in them are Amazon's.

Source:
    Amazon SNS developer guide, "Verifying the signatures of Amazon SNS messages".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TOPIC_ARN = (
    r"arn:aws[a-z-]{0,10}:sns:[a-z]{2}(-[a-z]{1,12}){1,3}-[0-9]{1,2}:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?"
)
OLDEST = timedelta(hours=1)
"""An alarm that reaches us later than this is history; an old message that is played again, too."""

_HOST = r"https://sns\.[a-z]{2}(-[a-z]{1,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(\.cn)?(:443)?"
_URL = re.compile(_HOST + r"/[\x21-\x7e]{0,2048}")
_CERTIFICATE = re.compile(_HOST + r"/SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem")


class SnsType(StrEnum):
    """What a message is for."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIPTION = "UnsubscribeConfirmation"


_SIGNED: Mapping[SnsType, tuple[str, ...]] = {
    SnsType.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SnsType.SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    SnsType.UNSUBSCRIPTION: (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
"""Which fields the signature covers, in the order of their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsMessage:
    """One message of a topic.

    Attributes:
        fields: everything that may be signed, as it was sent; an absent Subject is absent here.
        signature_version: "1" is SHA-1, "2" is SHA-256.
    """

    type: SnsType
    topic_arn: str
    message_id: str
    sent_at: datetime
    fields: Mapping[str, str]
    signature: bytes
    signature_version: str
    certificate_url: str

    @property
    def message(self) -> str:
        """What was published."""
        return self.fields["Message"]

    @property
    def subscribe_url(self) -> str:
        """What is to be asked for to confirm; "" in a notification."""
        return self.fields.get("SubscribeURL", "")

    def signed_text(self) -> bytes:
        """Return what the signature is of: each field's name and value, a line each, in the names' order."""
        names = [name for name in _SIGNED[self.type] if name in self.fields]
        return "".join(f"{name}\n{self.fields[name]}\n" for name in names).encode()


def is_amazons(url: str) -> bool:
    """Return whether a URL is one of SNS itself, over TLS, on the usual port, with no user in it."""
    return _URL.fullmatch(url) is not None


def is_certificate(url: str) -> bool:
    """Return whether a URL can be that of SNS's certificate.

    The whole of it counts: SNS's API answers at the same host, and what a query has it say may quote anybody.
    """
    return _CERTIFICATE.fullmatch(url) is not None
