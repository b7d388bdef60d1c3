"""Webhooks: capability URLs for one policy; and what happens when one is called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core.decision import Event
from chalicelib.core.errors import NotFound
from chalicelib.core.execution import Execution
from chalicelib.core.ids import ProjectId, WebhookId
from chalicelib.core.policy import TokenHash, Webhook
from chalicelib.flows.retry import until_not_stale
from chalicelib.flows.scale import Ask, scale
from chalicelib.ports import Services


@dataclass(frozen=True, slots=True)
class Issued:
    """A webhook with its newest token, which is shown this once."""

    webhook: Webhook
    token: str


def create(s: Services, wanted: Webhook) -> Issued:
    """Write a webhook and issue its first token.

    Asked again with the same client_token (the answer was lost), a further token is issued: the lost one
    cannot be shown again, and stays live as after a rotation.
    """
    token = s.new_token()
    webhook, is_new = s.webhooks.create(replace(wanted, tokens=(_issued(token, s.now()),)), s.limits.quota)
    if is_new:
        return Issued(webhook, token)
    return rotate(s, webhook.project_id, webhook.id, keep_previous=timedelta(days=1))


def rotate(s: Services, project_id: ProjectId, webhook_id: WebhookId, *, keep_previous: timedelta) -> Issued:
    """Issue a new token; the one before lives on for ``keep_previous``, an older one ends at once."""

    def attempt() -> Issued:
        was = s.webhooks.get(project_id, webhook_id)
        now = s.now()
        token = s.new_token()
        previous = replace(was.tokens[0], expires_at=now + keep_previous)
        live = (previous,) if keep_previous else ()
        new = replace(was, tokens=(_issued(token, now), *live), updated_at=now)
        return Issued(s.webhooks.change(was, new), token)

    return until_not_stale(s, attempt)


def change(
    s: Services, project_id: ProjectId, webhook_id: WebhookId, edit: Callable[[Webhook], Webhook]
) -> Webhook:
    """Write what ``edit`` makes of the webhook, its tokens unchanged; return it as stored."""

    def attempt() -> Webhook:
        was = s.webhooks.get(project_id, webhook_id)
        return s.webhooks.change(was, edit(was))

    return until_not_stale(s, attempt)


def delete(s: Services, project_id: ProjectId, webhook_id: WebhookId) -> None:
    """Delete the webhook and its tokens, also while others change it; NotFound when there is none."""
    until_not_stale(s, lambda: s.webhooks.delete(project_id, webhook_id))


def of_token(s: Services, token: str) -> Webhook:
    """Return the live webhook that has this token.

    Raises:
        NotFound: there is none; nothing tells an unknown token from one that has ended.
    """
    sha256 = hash_of(token)
    webhook = s.webhooks.by_token(sha256)
    if webhook is None or not webhook.token_is_live(sha256, s.now()):
        raise NotFound("webhook.unknown", "There is no such webhook.")
    return webhook


def fire(s: Services, webhook: Webhook, event: Event, event_id: str | None, request_id: str) -> Execution:
    """Have the webhook's policy decide ``event``, within the directions that the webhook may scale."""
    ask = Ask(
        project_id=webhook.project_id,
        policy_id=webhook.policy_id,
        source=f"webhook:{webhook.id}",
        event_id=event_id,
        event=replace(event, direction=webhook.direction),
        request_id=request_id,
    )
    return scale(s, ask)


def hash_of(token: str) -> str:
    """Return what is stored of a token. It has 256 random bits, so a plain hash cannot be searched for."""
    return hashlib.sha256(token.encode()).hexdigest()


def _issued(token: str, now: datetime) -> TokenHash:
    return TokenHash(sha256=hash_of(token), issued_at=now, expires_at=None)
