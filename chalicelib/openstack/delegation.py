"""Tokens with which we act for an owner, made from what the owner delegated.

A service accepts a token for minutes after its trust was deleted or its role was taken away: it keeps
what Keystone said of it. Only Keystone, asked for a new token, tells at once. So tokens are kept for a
minute at most, although they live for an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from keystoneauth1.access import AccessInfo
from keystoneauth1.exceptions import ClientException, HttpError
from keystoneauth1.identity import v3

from chalicelib.core.credential import Credential, CredentialType
from chalicelib.openstack.session import ServiceUser
from chalicelib.openstack.translation import not_asked, refused, sentence, twice
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken, Vault
from chalicelib.recent import Recent

_KEPT_SECONDS = 60
_KEPT_AT_MOST = 1000


class _Verdict(NamedTuple):
    """What Keystone means by a status: is the delegation gone for good? And a sentence for its owner."""

    for_good: bool
    reason: str


_TRUST_GONE = _Verdict(
    for_good=True, reason="The trust is gone: it was deleted or has expired. Make a new credential."
)
_VERDICTS: dict[tuple[CredentialType, int], _Verdict] = {
    (CredentialType.TRUST, HTTPStatus.UNAUTHORIZED): _TRUST_GONE,
    (CredentialType.TRUST, HTTPStatus.NOT_FOUND): _TRUST_GONE,
    (CredentialType.TRUST, HTTPStatus.FORBIDDEN): _Verdict(
        for_good=False,
        reason="The trustor is disabled or has lost the role {roles} in the project, or the trust is for "
        "another service user than ours.",
    ),
    (CredentialType.APPLICATION_CREDENTIAL, HTTPStatus.NOT_FOUND): _Verdict(
        for_good=True, reason="The application credential was deleted. Make a new credential."
    ),
    (CredentialType.APPLICATION_CREDENTIAL, HTTPStatus.UNAUTHORIZED): _Verdict(
        for_good=False,
        reason="Keystone refuses the application credential: its secret is wrong, it has expired, or its "
        "user is disabled or has lost a role in the project.",
    ),
}


class Delegations:
    """Tokens for credentials, by whichever way the owner delegated; each kept for a minute.

    Args:
        clock: seconds that only grow.
    """

    def __init__(
        self, service_user: ServiceUser, vault: Vault, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._service_user = service_user
        self._vault = vault
        self._kept: Recent[tuple[str, ...], AccessInfo] = Recent(
            seconds=_KEPT_SECONDS, at_most=_KEPT_AT_MOST, clock=clock
        )

    def access(self, credential: Credential) -> AccessInfo:
        """Return a token of the credential's project, at most a minute old.

        Raises:
            CredentialBroken: Keystone gives none, or one of another project.
            CloudUnavailable: Keystone does not answer, or refuses our own service user.
        """
        return self._kept.get(_key(credential)) or self.fresh_access(credential)

    def fresh_access(self, credential: Credential) -> AccessInfo:
        """Return a new token of the credential's project; raises as ``access``."""
        self._kept.drop(_key(credential))
        if credential.type is CredentialType.TRUST:
            access = self._by_trust(credential)
        else:
            access = self._by_application_credential(credential)
        if access.project_id != credential.project_id:
            raise CredentialBroken("It belongs to another project.", for_good=True)
        self._kept.put(_key(credential), access)
        return access

    def forget(self, credential: Credential) -> None:
        """Let the next access be a fresh one."""
        self._kept.drop(_key(credential))

    def _by_trust(self, credential: Credential) -> AccessInfo:
        """Return a token scoped to the trust, from our own token: this spares Keystone hashing a password.

        A trust that is gone and a token of ours that was revoked are answered alike. So the trust is given up
        only when a new token of ours gets the same answer.
        """
        ours = self._service_user.access()
        try:
            return self._scoped_to_trust(credential, ours)
        except CredentialBroken as broken:
            if not broken.for_good:
                raise
        return self._scoped_to_trust(credential, self._service_user.renew(instead_of=ours))

    def _scoped_to_trust(self, credential: Credential, ours: AccessInfo) -> AccessInfo:
        plugin = v3.Token(self._service_user.keystone, ours.auth_token or "", trust_id=credential.reference)
        return self._ask(credential, plugin)

    def _by_application_credential(self, credential: Credential) -> AccessInfo:
        secret = self._vault.open(credential.project_id, credential.id, credential.sealed_secret or "")
        plugin = v3.ApplicationCredential(
            self._service_user.keystone, secret, application_credential_id=credential.reference
        )
        return self._ask(credential, plugin)

    def _ask(self, credential: Credential, plugin: v3.Auth) -> AccessInfo:
        try:
            return twice(lambda: plugin.get_access(self._service_user.session))
        except ClientException as error:
            raise _no_token(credential, error) from error


def _key(credential: Credential) -> tuple[str, ...]:
    return credential.project_id, credential.id, credential.reference


def _no_token(credential: Credential, error: ClientException) -> CredentialBroken | CloudUnavailable:
    """Return what it means that Keystone gave no token for the credential."""
    if not isinstance(error, HttpError) or not refused(error):
        return not_asked("Keystone gives no token", error)
    otherwise = _Verdict(for_good=False, reason=f"Keystone refuses the credential: {sentence(error)}")
    verdict = _VERDICTS.get((credential.type, error.http_status), otherwise)
    reason = verdict.reason.replace("{roles}", ", ".join(credential.roles))
    return CredentialBroken(reason, for_good=verdict.for_good)
