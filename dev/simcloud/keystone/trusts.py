"""``/v3/OS-TRUST/trusts``: what a trustor delegates to a trustee."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from dev.simcloud.keystone import documents
from dev.simcloud.keystone.parsing import body_of, client_in_error, instant_in, role_names
from dev.simcloud.keystone.tokens import Caller, caller_of, forbidden, live_trust
from dev.simcloud.messages import Document, Refused, Request, Response, Routes, maybe, need
from dev.simcloud.records import Trust
from dev.simcloud.world import World, stable_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusts:
    """The resource of trusts."""

    world: World
    base_url: str

    def add_to(self, routes: Routes) -> None:
        """Add what this answers to ``routes``."""
        routes.add("POST", "/OS-TRUST/trusts", self.create)
        routes.add("GET", "/OS-TRUST/trusts", self.index)
        routes.add("GET", "/OS-TRUST/trusts/{trust_id}", self.show)
        routes.add("DELETE", "/OS-TRUST/trusts/{trust_id}", self.delete)

    def create(self, request: Request) -> Response:
        """Let the caller, and nobody for them, delegate roles."""
        caller = self._manager(request)
        if caller.token.trust_id is not None:
            raise forbidden()
        given = need(body_of(request), "trust", dict)
        trust = self._parsed(given)
        if caller.user_id != trust.trustor_user_id:
            raise forbidden("identity:create_trust")
        self._check(trust)
        self.world.trusts[trust.id] = trust
        return Response(status=201, body={"trust": documents.of_trust(trust, self.base_url)})

    def index(self, request: Request) -> Response:
        """List the trusts from, or to, the caller; all of them to an administrator."""
        caller = self._manager(request)
        trustor, trustee = request.parameter("trustor_user_id"), request.parameter("trustee_user_id")
        if not caller.is_admin:
            if trustor is None and trustee is None:
                raise forbidden("identity:list_trusts")
            if trustor not in (None, caller.user_id):
                raise forbidden("identity:list_trusts_for_trustor")
            if trustee not in (None, caller.user_id):
                raise forbidden("identity:list_trusts_for_trustee")
        found = (
            documents.of_trust(trust, self.base_url, listed=True)
            for trust in self.world.trusts.values()
            if trustor in (None, trust.trustor_user_id) and trustee in (None, trust.trustee_user_id)
        )
        url = f"{self.base_url}/v3/OS-TRUST/trusts"
        return Response(status=200, body=documents.listed("trusts", found, url))

    def show(self, request: Request, trust_id: str) -> Response:
        """Show a trust to its two sides."""
        caller = self._manager(request)
        trust = self._found(trust_id)
        if caller.user_id not in (trust.trustor_user_id, trust.trustee_user_id) and not caller.is_admin:
            raise forbidden("identity:get_trust")
        return Response(status=200, body={"trust": documents.of_trust(trust, self.base_url)})

    def delete(self, request: Request, trust_id: str) -> Response:
        """Delete a trust, which the trustor may and the trustee may not."""
        caller = self._manager(request)
        trust = self._found(trust_id)
        if caller.user_id != trust.trustor_user_id and not caller.is_admin:
            raise forbidden("identity:delete_trust")
        del self.world.trusts[trust_id]
        return Response(status=204)

    def _manager(self, request: Request) -> Caller:
        caller = caller_of(self.world, request)
        if caller.token.credential_id is not None:
            raise forbidden("Delegated tokens cannot manage trusts.")
        return caller

    def _found(self, trust_id: str) -> Trust:
        trust = live_trust(self.world, trust_id)
        if trust is None:
            raise Refused(404, f"Could not find trust: {trust_id}.")
        return trust

    def _parsed(self, given: Document) -> Trust:
        return Trust(
            id=uuid.uuid4().hex,
            trustor_user_id=need(given, "trustor_user_id", str, within="trust"),
            trustee_user_id=need(given, "trustee_user_id", str, within="trust"),
            project_id=need(given, "project_id", str, within="trust"),
            impersonation=need(given, "impersonation", bool, within="trust"),
            roles=role_names(maybe(given, "roles", list) or []),
            expires_at=instant_in(given, "expires_at"),
            remaining_uses=maybe(given, "remaining_uses", int),
            redelegation_count=_redelegation_count(given),
        )

    def _check(self, trust: Trust) -> None:
        if not trust.roles:
            raise forbidden("At least one role should be specified")
        if trust.trustee_user_id not in self.world.users:
            raise Refused(404, f"Could not find user: {trust.trustee_user_id}.")
        has = self.world.roles(trust.trustor_user_id, trust.project_id)
        for name in trust.roles:
            if name not in has:
                raise Refused(404, f"Could not find role: {stable_id('role', name)}.")
        if trust.expires_at is not None and trust.expires_at < self.world.now():
            raise client_in_error("The 'expires_at' must not be before now.")


def _redelegation_count(given: Document) -> int:
    """Return how often in a row a trust may be delegated on: by default never, at most thrice."""
    wished = maybe(given, "redelegation_count", int)
    if not maybe(given, "allow_redelegation", bool):
        return 0
    if wished is not None and wished > _REDELEGATIONS_MAX:
        what = f"Requested redelegation depth of {wished} is greater than allowed {_REDELEGATIONS_MAX}"
        raise forbidden(what)
    return _REDELEGATIONS_MAX if wished is None else wished


_REDELEGATIONS_MAX = 3
