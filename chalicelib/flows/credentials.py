"""Credentials: made from the caller's token or handed to us, tried before they are kept, taken back."""

from __future__ import annotations

import logging
from dataclasses import replace

from chalicelib.core.credential import Caller, Credential, CredentialType
from chalicelib.core.errors import Forbidden, Invalid, ThermostatError, Unauthenticated, Unavailable
from chalicelib.core.ids import CredentialId
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken
from chalicelib.telemetry import about

_log = logging.getLogger(__name__)


def create(s: Services, caller: Caller, wanted: Credential, secret: str | None) -> Credential:
    """Keep a credential that works; return it as stored.

    Args:
        wanted: with an empty ``reference`` for a trust that is still to be made.
        secret: the application credential's; None for a trust.

    Raises:
        Invalid, Forbidden: Keystone refuses it, and what to do instead; nothing is kept.
        Unavailable: Keystone does not answer.
    """
    earlier = s.credentials.find(caller.project_id, wanted.id)
    if earlier is not None:
        # Asked for again with the same client_token: the tables tell the same request from another.
        return s.credentials.create(wanted, s.limits.quota)
    if secret is not None:
        sealed = s.vault.seal(caller.project_id, wanted.id, secret)
        return _kept(s, replace(wanted, sealed_secret=sealed))
    if wanted.redelegation:
        wanted = _with_implied_roles(s, caller, wanted)
    return _of_trust(s, caller, wanted)


def _of_trust(s: Services, caller: Caller, wanted: Credential) -> Credential:
    trust_id = s.identity.create_trust(caller, wanted.roles, redelegation=wanted.redelegation)
    credential = replace(wanted, reference=trust_id)
    try:
        stored = _kept(s, credential)
    except ThermostatError:
        if not _may_be_stored(s, credential):
            _take_back(s, caller, trust_id)
        raise
    if stored.reference != trust_id:
        # The same request, at the same moment, was first.
        _take_back(s, caller, trust_id)
    return stored


def _may_be_stored(s: Services, credential: Credential) -> bool:
    """Return whether a row may stand for the credential's trust, though writing it seems to have failed.

    The answer to a write that succeeded may be lost. A trust that is left behind does less harm than a
    credential whose trust is gone: so it stays where this cannot be seen.
    """
    try:
        stored = s.credentials.find(credential.project_id, credential.id)
    except Unavailable:
        told = about(project_id=credential.project_id, user_id=credential.user_id)
        _log.warning("a trust is left, for whether its credential is stored cannot be seen", extra=told)
        return True
    return stored is not None and stored.reference == credential.reference


def _with_implied_roles(s: Services, caller: Caller, wanted: Credential) -> Credential:
    """Return the credential with every role that a token of its trust carries.

    Heat makes its own trust with all roles of the token that it is asked with, those that Keystone has the
    delegated ones imply among them; and Keystone passes on only what stands in our trust. Which roles are
    implied tells nothing but such a token: so a trust is made to see, and taken back.
    """
    trust_id = s.identity.create_trust(caller, wanted.roles)
    try:
        roles = _tried(s, replace(wanted, reference=trust_id))
    finally:
        _take_back(s, caller, trust_id)
    return replace(wanted, roles=(*wanted.roles, *sorted(roles.difference(wanted.roles))))


def _kept(s: Services, credential: Credential) -> Credential:
    """Try the credential, then write it."""
    _tried(s, credential)
    return s.credentials.create(credential, s.limits.quota)


def _tried(s: Services, credential: Credential) -> frozenset[str]:
    """Return the roles that the credential gives us.

    Raises:
        Invalid: Keystone does not accept it.
        Unavailable: Keystone does not answer.
    """
    try:
        return s.identity.check(credential)
    except CredentialBroken as broken:
        raise Invalid("credential.refused", f"Keystone does not accept it: {broken.reason}") from broken
    except CloudUnavailable as error:
        raise Unavailable("keystone.unavailable", error.reason, retry_after_seconds=5) from error


def _take_back(s: Services, caller: Caller, trust_id: str) -> None:
    """Delete a trust that was made and is not kept; one that stays is worth nothing without our row."""
    try:
        s.identity.delete_trust(caller, trust_id)
    except (Forbidden, Unauthenticated, Unavailable):
        told = about(project_id=caller.project_id, user_id=caller.user_id)
        _log.warning("a trust that is not kept could not be taken back", extra=told)


def delete(s: Services, caller: Caller, credential_id: CredentialId) -> None:
    """Delete a credential that no group uses, and the trust that it stands for.

    The trust goes first: were the row to go first and the trust to stay, nobody would know of it.

    Raises:
        Conflict: a group uses it.
        Forbidden: Keystone lets only the user who made the trust (or an administrator) delete it.
    """
    credential = s.credentials.get(caller.project_id, credential_id)
    s.credentials.require_unused(caller.project_id, credential_id)
    if credential.type is CredentialType.TRUST:
        s.identity.delete_trust(caller, credential.reference)
    s.credentials.delete(caller.project_id, credential_id)
