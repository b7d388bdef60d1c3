"""Webhooks: capability URLs for one policy; and what happens when one is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from chalicelib.core.decision import Event
from chalicelib.core.errors import Invalid, NotFound, Unavailable
from chalicelib.core.execution import Execution
from chalicelib.core.ids import ProjectId, WebhookId
from chalicelib.core.policy import Webhook
from chalicelib.core.signature import SignatureRule, SignatureType, standard_key, standard_secret
from chalicelib.core.token import hash_of, issued, rotated
from chalicelib.flows import silence
from chalicelib.flows.retry import until_not_stale
from chalicelib.flows.scale import Ask, scale
from chalicelib.ports import Services
from chalicelib.ports.cloud import CredentialBroken

_CREATED_AGAIN = ""
"""The rotation that issues tokens to a creation which comes again; no owner's name for one is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How deliveries are to be signed.

    Attributes:
        secret: with what; None leaves it to us to make one.
        header, timestamp_header: see ``SignatureRule``.
    """

    type: SignatureType
    secret: str | None
    header: str
    timestamp_header: str | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A webhook, and what of it is shown this once.

    Attributes:
        token: its newest token; None where none was issued.
        key: the secret that we made for its sender to sign with; None where there is none, or it was given.
    """

    webhook: Webhook
    token: str | None
    key: str | None = None


def create(s: Services, wanted: Webhook, signing: Signing | None = None) -> Issued:
    """Write a webhook and issue its first token.

    Asked again with the same client_token (the answer was lost), a further token is issued: the lost one
    cannot be shown again, and stays live as after a rotation. A secret that we made is shown again.
    """
    token = s.new_token()
    new, key = _signed(s, replace(wanted, tokens=(issued(token, s.now()),)), signing)
    webhook, is_new = s.webhooks.create(new, s.limits.quota)
    if is_new:
        return Issued(webhook, token, key)
    again = rotate(
        s, webhook.project_id, webhook.id, keep_previous=timedelta(days=1), rotation=_CREATED_AGAIN
    )
    rule = again.webhook.signature
    return replace(again, key=secret_of(s, again.webhook) if rule is not None and rule.made_here else None)


def secret_of(s: Services, webhook: Webhook) -> str:
    """Return what the webhook's deliveries are signed with.

    Raises:
        Unavailable: the vault does not answer, or it cannot be read (any more).
    """
    assert webhook.signature is not None, "only a webhook that is signed has a secret"
    try:
        return s.vault.open(webhook.project_id, webhook.id, webhook.signature.sealed_secret)
    except CredentialBroken as broken:
        raise Unavailable(
            "webhook.secret_unreadable",
            "The webhook's secret cannot be read any more: give it a new one.",
            retry_after_seconds=60,
        ) from broken


def _signed(s: Services, webhook: Webhook, signing: Signing | None) -> tuple[Webhook, str | None]:
    """Return the webhook with its signature's secret sealed, and the secret if we made it.

    Raises:
        Invalid: the secret is none of this type; or a topic of SNS is to call it, which signs otherwise.
    """
    made = None
    if signing is not None:
        standard = signing.type is SignatureType.STANDARD_WEBHOOKS
        secret = signing.secret
        if secret is None:
            secret = made = standard_secret(s.new_token()) if standard else s.new_token()
        elif standard:
            standard_key(secret)
        rule = SignatureRule(
            type=signing.type,
            sealed_secret=s.vault.seal(webhook.project_id, webhook.id, secret),
            made_here=made is not None,
            header=signing.header,
            timestamp_header=signing.timestamp_header,
        )
        webhook = replace(webhook, signature=rule)
    if webhook.signature is not None and webhook.sns_topic_arn is not None:
        raise Invalid(
            "webhook.signature_and_topic",
            "SNS signs in its own way: give signature or sns_topic_arn, not both.",
        )
    return webhook, made


def rotate(
    s: Services,
    project_id: ProjectId,
    webhook_id: WebhookId,
    *,
    keep_previous: timedelta,
    rotation: str | None = None,
) -> Issued:
    """Issue a new token; the one before lives on for ``keep_previous``, an older one ends at once.

    Asked again for the same ``rotation``, the token that it issued ends instead.
    """

    def attempt() -> Issued:
        was = s.webhooks.get(project_id, webhook_id)
        now = s.now()
        token = s.new_token()
        tokens = rotated(was.tokens, issued(token, now, rotation), now, keep_previous)
        new = replace(was, tokens=tokens, updated_at=now)
        return Issued(s.webhooks.change(was, new), token)

    return until_not_stale(s, attempt)


def change(
    s: Services,
    project_id: ProjectId,
    webhook_id: WebhookId,
    edit: Callable[[Webhook], Webhook],
    signing: Signing | None = None,
) -> Issued:
    """Write what ``edit`` and a new signature make of the webhook, its tokens unchanged."""

    def attempt() -> Issued:
        was = s.webhooks.get(project_id, webhook_id)
        new, key = _signed(s, edit(was), signing)
        return Issued(s.webhooks.change(was, new), None, key)

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
    if webhook is not None and webhook.token_is_live(sha256, s.now()):
        return webhook
    if webhook is not None:
        silence.refused(s, webhook, "autoscaling.webhook.ended")
    raise NotFound("webhook.unknown", "There is no such webhook.")


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
