"""The credential: how we act as a group's owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.core.ids import CredentialId, ProjectId, UserId


class CredentialType(StrEnum):
    """What the owner delegated."""

    TRUST = "trust"
    APPLICATION_CREDENTIAL = "application_credential"


class CredentialStatus(StrEnum):
    """Whether Keystone accepted it when it was last used."""

    OK = "ok"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A delegation by ``user_id`` within one project.

    Attributes:
        reference: the trust's or the application credential's id in Keystone.
        sealed_secret: the application credential's secret, encrypted for this project and id; a trust has
            none: it is worth nothing without our own service user's password.
        roles: what the delegation comprises, as asked for; with ``redelegation`` also what that implies.
        redelegation: a trust from which Heat can make its own, for each stack that we create.
    """

    project_id: ProjectId
    id: CredentialId
    name: str
    type: CredentialType
    user_id: UserId
    roles: tuple[str, ...]
    reference: str
    sealed_secret: str | None
    status: CredentialStatus
    status_reason: str | None
    checked_at: datetime
    created_at: datetime
    updated_at: datetime
    redelegation: bool = False
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as Keystone says.

    Attributes:
        token: the caller's own token; never stored, never logged.
    """

    user_id: UserId
    project_id: ProjectId
    roles: frozenset[str]
    token: str

    def __repr__(self) -> str:
        return f"Caller(user_id={self.user_id!r}, project_id={self.project_id!r})"
