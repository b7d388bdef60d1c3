"""``/v3/users/ID/application_credentials``: secrets of their own for programs of a user."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass

from dev.simcloud.keystone import documents
from dev.simcloud.keystone.parsing import body_of, instant_in, role_names
from dev.simcloud.keystone.tokens import Caller, caller_of, forbidden
from dev.simcloud.messages import Document, Malformed, Refused, Request, Response, Routes, maybe, need
from dev.simcloud.records import ApplicationCredential
from dev.simcloud.world import World, with_implied

_RESTRICTED = (
    "Using method 'application_credential' is not allowed for managing additional application credentials."
)
_UNASSIGNED = "Invalid application credential: Cannot create an application credential with unassigned role"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredentials:
    """The resource of application credentials."""

    world: World
    base_url: str

    def add_to(self, routes: Routes) -> None:
        """Add what this answers to ``routes``."""
        path = "/users/{user_id}/application_credentials"
        routes.add("POST", path, self.create)
        routes.add("GET", path, self.index)
        routes.add("GET", path + "/{credential_id}", self.show)
        routes.add("DELETE", path + "/{credential_id}", self.delete)

    def create(self, request: Request, user_id: str) -> Response:
        """Make one for the caller; this is the only time its secret is shown."""
        caller = caller_of(self.world, request)
        if caller.user_id != user_id:
            raise forbidden("identity:create_application_credential")
        self._check_may_manage(caller)
        given = need(body_of(request), "application_credential", dict)
        credential = self._parsed(caller, given)
        self.world.credentials[credential.id] = credential
        shown = documents.of_credential(credential, self.base_url) | {"secret": credential.secret}
        return Response(status=201, body={"application_credential": shown})

    def index(self, request: Request, user_id: str) -> Response:
        """List those of a user."""
        self._check_owner(request, user_id, "identity:list_application_credentials")
        found = (
            documents.of_credential(credential, self.base_url)
            for credential in self.world.credentials.values()
            if credential.user_id == user_id
        )
        url = f"{self.base_url}/v3/users/{user_id}/application_credentials"
        return Response(status=200, body=documents.listed("application_credentials", found, url))

    def show(self, request: Request, user_id: str, credential_id: str) -> Response:
        """Show one, without its secret."""
        self._check_owner(request, user_id, "identity:get_application_credential")
        credential = self._found(user_id, credential_id)
        body = {"application_credential": documents.of_credential(credential, self.base_url)}
        return Response(status=200, body=body)

    def delete(self, request: Request, user_id: str, credential_id: str) -> Response:
        """Delete one; tokens made with it are worth nothing from now on."""
        caller = self._check_owner(request, user_id, "identity:delete_application_credential")
        self._check_may_manage(caller)
        credential = self._found(user_id, credential_id)
        del self.world.credentials[credential.id]
        return Response(status=204)

    def _check_owner(self, request: Request, user_id: str, rule: str) -> Caller:
        caller = caller_of(self.world, request)
        if caller.user_id != user_id and not caller.is_admin:
            raise forbidden(rule)
        return caller

    def _check_may_manage(self, caller: Caller) -> None:
        if caller.token.trust_id is not None:
            raise forbidden()
        if caller.token.credential_id is not None:
            credential = self.world.credentials[caller.token.credential_id]
            if not credential.unrestricted:
                raise forbidden(_RESTRICTED)

    def _found(self, user_id: str, credential_id: str) -> ApplicationCredential:
        credential = self.world.credentials.get(credential_id)
        if credential is None or credential.user_id != user_id:
            raise Refused(404, f"Could not find Application Credential: {credential_id}.")
        return credential

    def _parsed(self, caller: Caller, given: Document) -> ApplicationCredential:
        name = need(given, "name", str, within="application_credential")
        roles = with_implied(frozenset(role_names(maybe(given, "roles", list) or []))) or caller.roles
        if not roles <= caller.roles:
            raise Malformed(_UNASSIGNED)
        self._check_unused(caller.user_id, name)
        return ApplicationCredential(
            id=uuid.uuid4().hex,
            name=name,
            secret=maybe(given, "secret", str) or secrets.token_urlsafe(64),
            user_id=caller.user_id,
            project_id=caller.token.project_id,
            roles=tuple(sorted(roles)),
            description=maybe(given, "description", str),
            expires_at=instant_in(given, "expires_at"),
            unrestricted=maybe(given, "unrestricted", bool),
        )

    def _check_unused(self, user_id: str, name: str) -> None:
        if any((c.user_id, c.name) == (user_id, name) for c in self.world.credentials.values()):
            message = "Conflict occurred attempting to store application_credential - Duplicate entry found"
            raise Refused(409, f"{message} with name {name}.")
