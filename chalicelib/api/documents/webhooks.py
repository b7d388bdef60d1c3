"""Webhooks as documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.common import (
    ClientToken,
    Input,
    Link,
    Name,
    Time,
    consists_of,
    given_or,
    given_time,
    self_link,
    utc,
    utc_or_none,
)
from chalicelib.core.ids import WebhookId
from chalicelib.core.policy import DirectionLimit, Policy, Webhook
from chalicelib.core.signature import SignatureType
from chalicelib.core.sns import TOPIC_ARN
from chalicelib.core.source import Source
from chalicelib.flows.webhooks import Issued, Signing

Direction = Literal["any", "out", "in"]
TopicArn = Annotated[
    str, consists_of(TOPIC_ARN, max_length=400, description="The one topic of Amazon SNS that may call it.")
]
ExpectedEvery = Annotated[
    int, Meta(ge=60, le=86_400, description="Seconds; a longer silence is told in the group's activities.")
]
Secret = Annotated[str, consists_of(r"[\x21-\x7e]+", min_length=16, max_length=256)]
HeaderName = Annotated[str, consists_of(r"[A-Za-z0-9-]+", max_length=64)]


class StandardSignature(Input, kw_only=True, tag="standard_webhooks", tag_field="type"):
    """Deliveries are signed as Standard Webhooks are; without a secret we make one and show it once."""

    secret: Secret | None = None

    def to_signing(self) -> Signing:
        """Return how deliveries are to be signed."""
        return Signing(
            type=SignatureType.STANDARD_WEBHOOKS,
            secret=self.secret,
            header="webhook-signature",
            timestamp_header="webhook-timestamp",
        )


class GrafanaSignature(Input, kw_only=True, tag="grafana", tag_field="type"):
    """Deliveries are signed as Grafana's HMAC is set up; a timestamp_header of null takes any age."""

    secret: Secret | None = None
    signature_header: HeaderName = "X-Grafana-Alerting-Signature"
    timestamp_header: HeaderName | None = "X-Grafana-Alerting-Timestamp"

    def to_signing(self) -> Signing:
        """Return how deliveries are to be signed."""
        return Signing(
            type=SignatureType.GRAFANA,
            secret=self.secret,
            header=self.signature_header.lower(),
            timestamp_header=None if self.timestamp_header is None else self.timestamp_header.lower(),
        )


Signature = StandardSignature | GrafanaSignature


class NewWebhook(Input, kw_only=True):
    """A webhook to be made."""

    name: Name
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    direction: Direction = "any"
    signature: Signature | None = None
    sns_topic_arn: TopicArn | None = None
    expected_every: ExpectedEvery | None = None
    client_token: ClientToken | None = None

    def without_secret(self) -> NewWebhook:
        """Return what tells two requests apart: what is stored must not help to guess a secret."""
        signature = self.signature
        if signature is None or signature.secret is None:
            return self
        given = msgspec.structs.replace(signature, secret="given")  # noqa: S106  (that one was, and not which)
        return msgspec.structs.replace(self, signature=given)

    def signing(self) -> Signing | None:
        """Return how deliveries are to be signed, None where they are not."""
        return None if self.signature is None else self.signature.to_signing()

    def to_webhook(self, policy: Policy, id_: str, now: datetime, fingerprint: str | None) -> Webhook:
        """Return the webhook, still without a token."""
        return Webhook(
            project_id=policy.project_id,
            id=WebhookId(id_),
            policy_id=policy.id,
            group_id=policy.group_id,
            name=self.name,
            direction=DirectionLimit(self.direction),
            tokens=(),
            expires_at=given_time(self.expires_at),
            sns_topic_arn=self.sns_topic_arn,
            source=_expected(None, self.expected_every, now),
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class WebhookPatch(Input, kw_only=True):
    """What is to change of a webhook; what is left out stays."""

    name: Name | UnsetType = UNSET
    expires_at: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET
    direction: Direction | UnsetType = UNSET
    signature: Signature | UnsetType | None = UNSET
    sns_topic_arn: TopicArn | UnsetType | None = UNSET
    expected_every: ExpectedEvery | UnsetType | None = UNSET

    def signing(self) -> Signing | None:
        """Return how deliveries are to be signed from now on, None where that is not changed, or ended."""
        return None if isinstance(self.signature, UnsetType | None) else self.signature.to_signing()

    def applied_to(self, webhook: Webhook, now: datetime) -> Webhook:
        """Return the webhook as it is to be."""
        return replace(
            webhook,
            name=given_or(self.name, webhook.name),
            expires_at=given_time(given_or(self.expires_at, webhook.expires_at)),
            direction=DirectionLimit(given_or(self.direction, webhook.direction.value)),
            signature=None if self.signature is None else webhook.signature,
            sns_topic_arn=given_or(self.sns_topic_arn, webhook.sns_topic_arn),
            source=_expected(webhook.source, given_or(self.expected_every, _every(webhook.source)), now),
            updated_at=now,
        )


def _every(source: Source | None) -> int | None:
    return None if source is None else source.expected_every_seconds


def _expected(was: Source | None, every: int | None, now: datetime) -> Source | None:
    """Return what is known of the source when a call is expected every so many seconds."""
    if every is None:
        return None
    if was is None:
        return Source(expected_every_seconds=every, watched_since=now)
    return was if was.expected_every_seconds == every else was.expected(every, now)


class NewRotation(Input, kw_only=True):
    """A new token for a webhook; the one before stays live for a while, so that senders can change over.

    Asked again with the same ``client_token`` (the answer was lost), the token that nobody got ends instead.
    """

    keep_previous: Annotated[int, Meta(ge=0, le=30 * 86_400, description="Seconds.")] = 86_400
    client_token: ClientToken | None = None


class TokenDocument(msgspec.Struct, kw_only=True):
    """A live token of a webhook, by its times; the token itself is shown only when it is issued."""

    issued_at: Time
    expires_at: Time | None


class SignatureDocument(msgspec.Struct, kw_only=True):
    """How deliveries are to be signed. ``key`` is the secret, where we made it, in answer to that only."""

    type: Literal["standard_webhooks", "grafana"]
    signature_header: str
    timestamp_header: str | None
    key: str | None


class SourceDocument(msgspec.Struct, kw_only=True):
    """Whether somebody calls. Times are noted every quarter of ``expected_every``, at least half a minute."""

    state: Literal["ok", "source_silent"]
    last_received_at: Time | None
    silent_since: Time | None
    cause: str


class WebhookDocument(msgspec.Struct, kw_only=True):
    """A webhook. ``url`` holds the newest token and is shown only in answer to creation and rotation."""

    id: str
    project_id: str
    policy_id: str
    group_id: str
    name: str
    direction: Direction
    url: str | None
    tokens: list[TokenDocument]
    expires_at: Time | None
    signature: SignatureDocument | None
    sns_topic_arn: str | None
    expected_every: int | None
    source: SourceDocument | None
    created_at: Time
    updated_at: Time
    links: list[Link]


class WebhookList(msgspec.Struct, kw_only=True):
    """Part of a policy's webhooks."""

    webhooks: list[WebhookDocument]
    links: list[Link]


def webhook_document(issued: Issued, base: str) -> WebhookDocument:
    """Return the webhook as it is shown, with its URL and its key if they have just been issued."""
    webhook, token = issued.webhook, issued.token
    return WebhookDocument(
        id=webhook.id,
        project_id=webhook.project_id,
        policy_id=webhook.policy_id,
        group_id=webhook.group_id,
        name=webhook.name,
        direction=webhook.direction.value,
        url=None if token is None else f"{base}/v1/hooks/{token}",
        tokens=[
            TokenDocument(issued_at=utc(t.issued_at), expires_at=utc_or_none(t.expires_at))
            for t in webhook.tokens
        ],
        expires_at=utc_or_none(webhook.expires_at),
        signature=_signature_document(issued),
        sns_topic_arn=webhook.sns_topic_arn,
        expected_every=_every(webhook.source),
        source=_source_document(webhook.source),
        created_at=utc(webhook.created_at),
        updated_at=utc(webhook.updated_at),
        links=self_link(base, f"/v1/webhooks/{webhook.id}"),
    )


def _signature_document(issued: Issued) -> SignatureDocument | None:
    rule = issued.webhook.signature
    if rule is None:
        return None
    return SignatureDocument(
        type=rule.type.value,
        signature_header=rule.header,
        timestamp_header=rule.timestamp_header,
        key=issued.key,
    )


def _source_document(source: Source | None) -> SourceDocument | None:
    if source is None:
        return None
    return SourceDocument(
        state=source.state.value,
        last_received_at=utc_or_none(source.last_received_at),
        silent_since=utc_or_none(source.silent_since),
        cause=source.cause,
    )
