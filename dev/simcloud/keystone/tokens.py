"""Tokens: what one is worth now, and whom a request speaks for. The other services ask here too."""

from __future__ import annotations

from dataclasses import dataclass

from dev.simcloud.messages import Refused, Request
from dev.simcloud.records import ApplicationCredential, Token, Trust
from dev.simcloud.world import World, with_implied

TOKEN_PREFIX = "gAAAAA"
UNAUTHENTICATED = "The request you have made requires authentication."
FORBIDDEN = "You are not authorized to perform the requested action"


class DeadToken(Exception):
    """A token is unknown, expired, or worth nothing any more.

    Attributes:
        delegation_gone: it was good, but the trust or the application credential behind it is gone.
    """

    def __init__(self, message: str, *, delegation_gone: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.delegation_gone = delegation_gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whom a token speaks for, with the roles it has at this moment."""

    token: Token
    roles: frozenset[str]

    @property
    def user_id(self) -> str:
        """Whom it acts as: with a trust, the trustor."""
        return self.token.user_id

    @property
    def is_admin(self) -> bool:
        """Whether policy lets it do everything."""
        return "admin" in self.roles


def unauthenticated() -> Refused:
    """Return the refusal that tells nothing of why."""
    return Refused(401, UNAUTHENTICATED)


def forbidden(why: str = "") -> Refused:
    """Return a refusal by policy; ``why`` is the rule's name or a sentence."""
    return Refused(403, f"{FORBIDDEN}: {why}." if why else f"{FORBIDDEN}.")


def live_trust(world: World, trust_id: str) -> Trust | None:
    """Return a trust unless it is deleted, expired or used up."""
    trust = _lasting_trust(world, trust_id)
    return None if trust is None or trust.remaining_uses == 0 else trust


def inspect(world: World, token_id: str) -> Caller:
    """Return whom a token speaks for now.

    Raises:
        DeadToken: nobody; the message is what Keystone's validation says.
    """
    token = world.tokens.get(token_id)
    if token is None and not token_id.startswith(TOKEN_PREFIX):
        raise DeadToken("Could not recognize Fernet token")
    if token is None or token.expires_at <= world.now():
        raise DeadToken("Failed to validate token")
    roles = _roles_behind(world, token)
    if token.project_id is not None and not roles:
        raise DeadToken("Failed to validate token")
    return Caller(token=token, roles=roles)


def roles_of_trust(world: World, trust: Trust) -> frozenset[str]:
    """Return the roles a trust delegates; none if its trustor is disabled or lacks one of them."""
    return _delegated(world, trust.trustor_user_id, trust.project_id, trust.roles)


def roles_of_credential(world: World, credential: ApplicationCredential) -> frozenset[str]:
    """Return the roles of an application credential; none if its user lacks one of them."""
    return _delegated(world, credential.user_id, credential.project_id, credential.roles)


def caller_of(world: World, request: Request) -> Caller:
    """Return whom a request to Keystone speaks for; refuse it if nobody."""
    try:
        return inspect(world, request.headers.get("X-Auth-Token", ""))
    except DeadToken as dead:
        raise (Refused(404, dead.message) if dead.delegation_gone else unauthenticated()) from dead


def _lasting_trust(world: World, trust_id: str) -> Trust | None:
    """Return a trust unless it is deleted or expired: tokens of one that is used up are still good."""
    trust = world.trusts.get(trust_id)
    expired = trust is not None and trust.expires_at is not None and trust.expires_at <= world.now()
    return None if expired else trust


def _roles_behind(world: World, token: Token) -> frozenset[str]:
    if token.trust_id is not None:
        trust = _lasting_trust(world, token.trust_id)
        if trust is None:
            raise DeadToken(f"Could not find trust: {token.trust_id}.", delegation_gone=True)
        return roles_of_trust(world, trust)
    if token.credential_id is not None:
        credential = world.credentials.get(token.credential_id)
        if credential is None:
            message = f"Could not find Application Credential: {token.credential_id}."
            raise DeadToken(message, delegation_gone=True)
        return roles_of_credential(world, credential)
    return world.roles(token.user_id, token.project_id) if token.project_id else frozenset()


def _delegated(world: World, user_id: str, project_id: str | None, roles: tuple[str, ...]) -> frozenset[str]:
    if project_id is None or not world.users[user_id].enabled:
        return frozenset()
    if not world.roles(user_id, project_id).issuperset(roles):
        return frozenset()
    return with_implied(frozenset(roles))
