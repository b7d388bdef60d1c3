"""Credentials and limits as documents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import (
    ClientToken,
    Input,
    Link,
    Name,
    Time,
    Word,
    self_link,
    utc,
)
from chalicelib.core.credential import Caller, Credential, CredentialStatus, CredentialType
from chalicelib.core.ids import CredentialId


class NewTrust(Input, kw_only=True, tag_field="type", tag="trust"):
    """A trust to be made from the caller's token; with ``redelegation``, one that can make stacks."""

    name: Name
    roles: Annotated[list[Word], Meta(min_length=1, max_length=10)] = msgspec.field(
        default_factory=lambda: ["member"]
    )
    redelegation: bool = False
    client_token: ClientToken | None = None


class NewApplicationCredential(Input, kw_only=True, tag_field="type", tag="application_credential"):
    """An application credential, handed to us; its secret never comes back."""

    name: Name
    application_credential_id: Word
    application_credential_secret: Annotated[str, Meta(min_length=1, max_length=255)]
    client_token: ClientToken | None = None


NewCredential = NewTrust | NewApplicationCredential


def wanted_credential(
    body: NewCredential, caller: Caller, id_: str, now: datetime, fingerprint: str | None
) -> Credential:
    """Return the credential as asked for: not tried yet, and without its secret."""
    is_trust = isinstance(body, NewTrust)
    return Credential(
        project_id=caller.project_id,
        id=CredentialId(id_),
        name=body.name,
        type=CredentialType.TRUST if is_trust else CredentialType.APPLICATION_CREDENTIAL,
        user_id=caller.user_id,
        roles=tuple(body.roles) if isinstance(body, NewTrust) else (),
        reference="" if isinstance(body, NewTrust) else body.application_credential_id,
        sealed_secret=None,
        status=CredentialStatus.OK,
        status_reason=None,
        checked_at=now,
        created_at=now,
        updated_at=now,
        redelegation=isinstance(body, NewTrust) and body.redelegation,
        fingerprint=fingerprint,
    )


class CredentialDocument(msgspec.Struct, kw_only=True):
    """A credential, without its secret."""

    id: str
    project_id: str
    name: str
    type: Literal["trust", "application_credential"]
    user_id: str
    roles: list[str]
    redelegation: bool
    application_credential_id: str | None
    status: Literal["ok", "broken"]
    status_reason: str | None
    checked_at: Time
    created_at: Time
    updated_at: Time
    links: list[Link]


class CredentialList(msgspec.Struct, kw_only=True):
    """Part of the credentials."""

    credentials: list[CredentialDocument]
    links: list[Link]


def credential_document(credential: Credential, base: str) -> CredentialDocument:
    """Return the credential as it is shown."""
    handed = credential.type is CredentialType.APPLICATION_CREDENTIAL
    return CredentialDocument(
        id=credential.id,
        project_id=credential.project_id,
        name=credential.name,
        type=credential.type.value,
        user_id=credential.user_id,
        roles=list(credential.roles),
        redelegation=credential.redelegation,
        application_credential_id=credential.reference if handed else None,
        status=credential.status.value,
        status_reason=credential.status_reason,
        checked_at=utc(credential.checked_at),
        created_at=utc(credential.created_at),
        updated_at=utc(credential.updated_at),
        links=self_link(base, f"/v1/credentials/{credential.id}"),
    )


class QuotaDocument(msgspec.Struct, kw_only=True):
    """A number for each noun; ``members`` is the sum of all groups' max_size."""

    groups: int
    members: int
    policies: int
    webhooks: int
    launch_configurations: int
    credentials: int
    alarms: int
    schedules: int


class RatesDocument(msgspec.Struct, kw_only=True):
    """How many calls a minute are taken: of one webhook's or intake's token, and of a project in all."""

    webhook: int
    intake: int
    project_webhooks: int
    project_samples: int
    project_calls: int


class LimitsDocument(msgspec.Struct, kw_only=True):
    """What a project may have, what it has, and how often it may call."""

    limits: QuotaDocument
    used: QuotaDocument
    rates: RatesDocument
