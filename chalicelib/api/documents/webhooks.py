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
    given_or,
    given_time,
    self_link,
    utc,
    utc_or_none,
)
from chalicelib.core.ids import WebhookId
from chalicelib.core.policy import DirectionLimit, Policy, Webhook

Direction = Literal["any", "out", "in"]


class NewWebhook(Input, kw_only=True):
    """A webhook to be made."""

    name: Name
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    direction: Direction = "any"
    client_token: ClientToken | None = None

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
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class WebhookPatch(Input, kw_only=True):
    """What is to change of a webhook; what is left out stays."""

    name: Name | UnsetType = UNSET
    expires_at: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET
    direction: Direction | UnsetType = UNSET

    def applied_to(self, webhook: Webhook, now: datetime) -> Webhook:
        """Return the webhook as it is to be."""
        return replace(
            webhook,
            name=given_or(self.name, webhook.name),
            expires_at=given_time(given_or(self.expires_at, webhook.expires_at)),
            direction=DirectionLimit(given_or(self.direction, webhook.direction.value)),
            updated_at=now,
        )


class NewRotation(Input, kw_only=True):
    """A new token for a webhook; the one before stays live for a while, so that senders can change over."""

    keep_previous: Annotated[int, Meta(ge=0, le=30 * 86_400, description="Seconds.")] = 86_400


class TokenDocument(msgspec.Struct, kw_only=True):
    """A live token of a webhook, by its times; the token itself is shown only when it is issued."""

    issued_at: Time
    expires_at: Time | None


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
    created_at: Time
    updated_at: Time
    links: list[Link]


class WebhookList(msgspec.Struct, kw_only=True):
    """Part of a policy's webhooks."""

    webhooks: list[WebhookDocument]
    links: list[Link]


def webhook_document(webhook: Webhook, base: str, token: str | None = None) -> WebhookDocument:
    """Return the webhook as it is shown, with its URL if its token has just been issued."""
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
        created_at=utc(webhook.created_at),
        updated_at=utc(webhook.updated_at),
        links=self_link(base, f"/v1/webhooks/{webhook.id}"),
    )
