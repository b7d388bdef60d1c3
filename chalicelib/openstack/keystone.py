"""Keystone towards callers: who they are, and what they delegate to us."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote

from keystoneauth1.access import AccessInfoV3
from keystoneauth1.exceptions import ClientException, HttpError
from requests import Response

from chalicelib.core.credential import Caller, Credential
from chalicelib.core.errors import Forbidden, Invalid, NotFound, ThermostatError, Unauthenticated, Unavailable
from chalicelib.core.ids import ProjectId, UserId
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.session import ServiceUser
from chalicelib.openstack.translation import cloud_error, refused, sentence, twice
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable
from chalicelib.recent import Recent

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
"""What Keystone's tokens, of whatever kind, are made of."""

_RETRY_SECONDS = 5
_KEPT_AT_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What Keystone said of a token; the token itself is not kept."""

    user_id: UserId
    project_id: ProjectId
    roles: frozenset[str]
    expires_at: datetime


class Keystone:
    """``ports.cloud.Identity``.

    Args:
        kept_seconds: how long Keystone is not asked again about a token; so long a revoked one passes.
        clock: seconds that only grow.
        now: the time, in UTC.
    """

    def __init__(
        self,
        service_user: ServiceUser,
        delegations: Delegations,
        *,
        kept_seconds: float = 30,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service_user = service_user
        self._delegations = delegations
        self._now = now
        self._kept: Recent[str, _Known] = Recent(seconds=kept_seconds, at_most=_KEPT_AT_MOST, clock=clock)

    def authenticate(self, token: str) -> Caller:
        """Return who has this token.

        Raises:
            Unauthenticated: it cannot be a token, or Keystone does not know it (any more).
            Forbidden: it is not scoped to a project.
            Unavailable: Keystone does not answer, or refuses our own service user. Nobody is let in then.
        """
        if not _TOKEN.fullmatch(token):
            raise _token_invalid()
        digest = hashlib.sha256(token.encode()).hexdigest()
        known = self._kept.get(digest)
        if known is None:
            known = self._looked_up(token)
            self._kept.put(digest, known)
        if known.expires_at <= self._now():
            raise _token_invalid()
        return Caller(user_id=known.user_id, project_id=known.project_id, roles=known.roles, token=token)

    def create_trust(self, caller: Caller, roles: Sequence[str], *, redelegation: bool = False) -> str:
        """Make a trust from the caller to our service user; return its id.

        It has no end: it ends when the caller deletes it, loses a role or is deleted, and every trust that
        was made from it ends with it.

        Args:
            redelegation: further trusts may be made from it, and none from those.

        Raises:
            Invalid, Forbidden: what Keystone refused, and what to do instead.
            Unauthenticated: the caller's token was revoked a moment ago.
            Unavailable: Keystone does not answer.
        """
        trust = {
            "trustor_user_id": caller.user_id,
            "trustee_user_id": self._our_user_id(),
            "project_id": caller.project_id,
            "impersonation": True,
            "roles": [{"name": role} for role in roles],
        }
        if redelegation:
            trust |= {"allow_redelegation": True, "redelegation_count": 1}
        answer = _answer(
            lambda: self._as_caller(caller, "POST", "/OS-TRUST/trusts", {"trust": trust}), _creation_refused
        )
        return str(answer.json()["trust"]["id"])

    def delete_trust(self, caller: Caller, trust_id: str) -> None:
        """Delete the trust with the caller's token; one already gone is a success.

        Raises:
            Forbidden: Keystone lets only the trustor do it.
            Unauthenticated: the caller's token was revoked a moment ago.
            Unavailable: Keystone does not answer.
        """
        path = f"/OS-TRUST/trusts/{quote(trust_id, safe='')}"
        with suppress(NotFound):
            _answer(lambda: twice(lambda: self._as_caller(caller, "DELETE", path)), _deletion_refused)

    def check(self, credential: Credential) -> frozenset[str]:
        """Try the credential: Keystone is asked for a token, which must be one of the credential's project.

        Returns:
            The roles that the token carries: those delegated, and those that Keystone has them imply.

        Raises:
            CredentialBroken: it does not, and why.
            CloudUnavailable: Keystone does not answer, or refuses our own service user.
        """
        return frozenset(self._delegations.fresh_access(credential).role_names or ())

    def _looked_up(self, token: str) -> _Known:
        answer = _answer(lambda: twice(lambda: self._as_ourselves(token)), _token_refused)
        access = AccessInfoV3(answer.json())
        if not access.project_scoped:
            raise Forbidden(
                "token.not_project_scoped", "The token is not scoped to a project: ask for one that is."
            )
        return _Known(
            user_id=UserId(access.user_id or ""),
            project_id=ProjectId(access.project_id or ""),
            roles=frozenset(access.role_names or ()),
            expires_at=access.expires or self._now(),
        )

    def _as_ourselves(self, token: str) -> Response:
        url = f"{self._service_user.keystone}/auth/tokens"
        return self._service_user.session.get(
            url, params={"nocatalog": ""}, headers={"X-Subject-Token": token}
        )

    def _as_caller(self, caller: Caller, method: str, path: str, document: object = None) -> Response:
        return self._service_user.session.request(
            f"{self._service_user.keystone}{path}",
            method,
            json=document,
            authenticated=False,
            headers={"X-Auth-Token": caller.token},
        )

    def _our_user_id(self) -> str:
        try:
            return self._service_user.access().user_id or ""
        except CloudUnavailable as error:
            raise _unavailable(error) from error


def _answer(ask: Callable[[], Response], refusal: Callable[[HttpError], ThermostatError]) -> Response:
    """Return Keystone's answer; what it refuses is told by ``refusal``, any other failure is Unavailable."""
    try:
        return ask()
    except CloudUnavailable as error:
        raise _unavailable(error) from error
    except ClientException as error:
        if isinstance(error, HttpError) and refused(error):
            raise refusal(error) from error
        raise _unavailable(cloud_error(error)) from error


def _unavailable(error: CloudRefused | CloudUnavailable) -> Unavailable:
    wish = error.retry_after if isinstance(error, CloudUnavailable) else None
    seconds = _RETRY_SECONDS if wish is None else math.ceil(wish.total_seconds())
    return Unavailable(
        "keystone.unavailable",
        f"Keystone does not do what Thermostat needs of it: {error.reason}",
        retry_after_seconds=seconds,
    )


def _token_invalid() -> Unauthenticated:
    return Unauthenticated(
        "token.invalid", "Keystone does not know this token, or it has expired: ask for a new one."
    )


def _token_refused(error: HttpError) -> ThermostatError:
    if error.http_status == HTTPStatus.NOT_FOUND:
        return _token_invalid()
    # The caller's token is only what is asked about. It is our own that may not ask.
    return _unavailable(CloudRefused(f"it refuses Thermostat's own service user: {sentence(error)}"))


def _creation_refused(error: HttpError) -> ThermostatError:
    reason = sentence(error)
    match error.http_status:
        case HTTPStatus.UNAUTHORIZED:
            return _token_invalid()
        case HTTPStatus.NOT_FOUND if "role" in reason.lower():
            return Invalid(
                "credential.role_missing",
                f"A role can only be delegated by who has it in the project, and you lack one: {reason}",
            )
        case HTTPStatus.FORBIDDEN if "delegated" in reason.lower():
            return Forbidden(
                "credential.delegated_token",
                "Keystone makes no trust for a token that is itself delegated: hand over an application "
                'credential instead (type "application_credential"), or use a token from your password.',
            )
        case HTTPStatus.FORBIDDEN:
            return Forbidden(
                "credential.trust_refused",
                f"Keystone refuses the trust: {reason} If your token stems from a trust, hand over an "
                'application credential instead (type "application_credential").',
            )
        case _:
            return Invalid("credential.trust_refused", f"Keystone refuses the trust: {reason}")


def _deletion_refused(error: HttpError) -> ThermostatError:
    match error.http_status:
        case HTTPStatus.UNAUTHORIZED:
            return _token_invalid()
        case HTTPStatus.NOT_FOUND:
            return NotFound("credential.trust_gone", "There is no such trust.")
        case _:
            return Forbidden(
                "credential.not_trustor",
                "Only the user who made the trust, with a token from a password, or an administrator may "
                f"delete it: {sentence(error)}",
            )
