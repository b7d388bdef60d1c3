"""What happens when a notification comes: is it the sender's, what does it say, and then the policy decides.

The order: the token, how often it calls, the signature (or SNS's), the body, the decision, the note that the
sender was heard.
Nothing before the decision writes anything but such notes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.core.credential import Caller
from chalicelib.core.errors import Forbidden, Invalid, NotFound, TooOften
from chalicelib.core.execution import Execution
from chalicelib.core.ids import ExecutionId, PolicyId, ProjectId, derived_id
from chalicelib.core.notification import Notification
from chalicelib.core.policy import Webhook
from chalicelib.core.signature import verified
from chalicelib.core.sns import OLDEST, SnsMessage, SnsType, is_amazons
from chalicelib.flows import rates, silence
from chalicelib.flows.scale import Ask, scale
from chalicelib.flows.webhooks import fire, of_token, secret_of
from chalicelib.ports import Services

Read = Callable[[bytes, Mapping[str, str]], Notification | SnsMessage]
"""What understands bodies; a room of its own, which knows no flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came.

    Attributes:
        headers: by lower-case name.
    """

    headers: Mapping[str, str]
    body: bytes
    request_id: str


class SubscriptionState(StrEnum):
    """What became of a topic's subscription."""

    CONFIRMED = "confirmed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a topic was answered that did not notify, but subscribe or unsubscribe."""

    topic_arn: str
    state: SubscriptionState


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vouched:
    """What the sender said, and when, as far as it can be trusted."""

    said: Notification
    sent_at: datetime


def receive(s: Services, token: str, delivery: Delivery, read: Read) -> Execution | Subscription:
    """Take what a webhook's URL was sent.

    Raises:
        NotFound: there is no such webhook, or its URL has ended.
        Invalid: nobody understands the body.
        Forbidden: it is not signed as the webhook wants it, or not by the topic that is pinned.
        TooOften: the URL, or the project's together, are called more often than is allowed.
        Unavailable: a service that is needed does not answer; the sender may try again.
    """
    webhook = of_token(s, token)
    try:
        rates.admit_hook(s, webhook.project_id, token)
        vouched = _vouched(s, webhook, delivery, read)
    except (Invalid, Forbidden, TooOften) as refusal:
        silence.refused(s, webhook, refusal.code)
        raise
    result: Execution | Subscription
    if isinstance(vouched, Subscription):
        result = vouched
    else:
        name = _name(s, webhook.project_id, webhook.policy_id, vouched)
        result = fire(s, webhook, vouched.said.event, name, delivery.request_id)
    silence.heard(s, webhook, delivery.request_id)
    return result


def tell(s: Services, caller: Caller, policy_id: PolicyId, delivery: Delivery, read: Read) -> Execution:
    """Take a notification from somebody with a Keystone token: Aodh with ``trust+https``, or a person.

    Raises:
        NotFound: there is no such policy in the caller's project.
        Invalid: nobody understands the body.
        Forbidden: it is SNS's, which needs a webhook with its topic pinned.
        TooOften: the project's are more than is allowed.
    """
    rates.admit_notification(s, caller.project_id)
    said = _plainly(read(delivery.body, delivery.headers))
    name = _name(s, caller.project_id, policy_id, _Vouched(said=said, sent_at=s.now()))
    ask = Ask(
        project_id=caller.project_id,
        policy_id=policy_id,
        source=f"user:{caller.user_id}",
        event_id=name,
        event=said.event,
        request_id=delivery.request_id,
    )
    return scale(s, ask)


def _vouched(s: Services, webhook: Webhook, delivery: Delivery, read: Read) -> _Vouched | Subscription:
    """Return what can be trusted of a delivery, by what its webhook asks for."""
    if webhook.sns_topic_arn is not None:
        return _from_topic(s, webhook.sns_topic_arn, delivery, read)
    if webhook.signature is not None:
        return _from_signer(s, webhook, delivery, read)
    return _Vouched(said=_plainly(read(delivery.body, delivery.headers)), sent_at=s.now())


def _from_signer(s: Services, webhook: Webhook, delivery: Delivery, read: Read) -> _Vouched:
    """Take what is signed, and nothing else: headers are not, so the name of the event is none of theirs.

    What has no name of its own is named by its body and the time that was signed with it: what was caught
    and is sent again is the same event.
    """
    assert webhook.signature is not None
    now = s.now()
    secret = secret_of(s, webhook)
    signed = verified(webhook.signature, secret, delivery.headers, delivery.body, now)
    trusted = {} if signed.event_id is None else {"webhook-id": signed.event_id}
    said = _plainly(read(delivery.body, trusted))
    if not said.names(now):
        said = replace(said, content=f"signed:{hashlib.sha256(delivery.body).hexdigest()[:32]}")
    return _Vouched(said=said, sent_at=signed.sent_at or now)


def _from_topic(s: Services, topic_arn: str, delivery: Delivery, read: Read) -> _Vouched | Subscription:
    """Take what the pinned topic sends: confirm its subscription, or open the notification."""
    message = read(delivery.body, delivery.headers)
    if not isinstance(message, SnsMessage):
        raise Forbidden("hook.sns_only", "This webhook takes messages of its SNS topic only.")
    if message.topic_arn != topic_arn:
        raise Forbidden("hook.sns_topic", "The message is of another topic than the webhook's.")
    if abs(s.now() - message.sent_at) > OLDEST:
        raise Forbidden("hook.sns_old", "The message is more than an hour from our time.")
    s.sns.require_genuine(message)
    if message.type is SnsType.UNSUBSCRIPTION:
        return Subscription(topic_arn=topic_arn, state=SubscriptionState.ENDED)
    if message.type is SnsType.SUBSCRIPTION:
        if not is_amazons(message.subscribe_url):
            raise Forbidden("hook.sns_url", "SubscribeURL is not one of Amazon SNS.")
        s.web.get(message.subscribe_url)
        return Subscription(topic_arn=topic_arn, state=SubscriptionState.CONFIRMED)
    said = _plainly(read(message.message.encode(), {}))
    return _Vouched(said=replace(said, event_id=message.message_id), sent_at=message.sent_at)


def _plainly(read: Notification | SnsMessage) -> Notification:
    """Return a notification that needs no more than it came with."""
    if isinstance(read, SnsMessage):
        raise Forbidden(
            "hook.sns_not_pinned",
            "Messages of SNS are taken only by a webhook that has their topic as its sns_topic_arn.",
        )
    return read


def _name(s: Services, project_id: ProjectId, policy_id: PolicyId, vouched: _Vouched) -> str | None:
    """Return what names the event: the earlier name, where it was handled under that one a moment ago."""
    names = vouched.said.names(vouched.sent_at)
    for earlier in names[1:]:
        with suppress(NotFound):
            s.executions.get(project_id, ExecutionId(derived_id(policy_id, earlier)))
            return earlier
    return names[0] if names else None
