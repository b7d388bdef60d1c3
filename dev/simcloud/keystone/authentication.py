"""``/v3/auth``: who a request proves to be, the scope it asks for, and the token it gets."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dev.simcloud.keystone import documents
from dev.simcloud.keystone.parsing import body_of
from dev.simcloud.keystone.tokens import (
    TOKEN_PREFIX,
    Caller,
    DeadToken,
    caller_of,
    forbidden,
    inspect,
    live_trust,
    roles_of_credential,
    roles_of_trust,
    unauthenticated,
)
from dev.simcloud.messages import Document, Refused, Request, Response, Routes, maybe, need
from dev.simcloud.records import ApplicationCredential, Project, Token, Trust, User
from dev.simcloud.world import World

_NO_SCOPE = (
    "Error authenticating with application credential: Application credentials cannot request a scope."
)
_NO_TOKEN_FROM_TRUST = (
    "Using trust-scoped token to create another token. Create a new trust-scoped token instead"
)
_NO_TOKEN_FROM_DELEGATED = "Using a delegated token to create another token is not allowed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Who a request proved to be, and until when a token may live on that proof."""

    user: User
    methods: tuple[str, ...]
    expires_at: datetime
    audit_ids: tuple[str, ...] = ()
    credential: ApplicationCredential | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """The resource of tokens."""

    world: World
    base_url: str

    def add_to(self, routes: Routes) -> None:
        """Add what this answers to ``routes``."""
        routes.add("POST", "/auth/tokens", self.create)
        routes.add("GET", "/auth/tokens", self.validate)
        routes.add("DELETE", "/auth/tokens", self.revoke)
        routes.add("GET", "/auth/projects", self.projects)

    def create(self, request: Request) -> Response:
        """Issue a token."""
        auth = need(body_of(request), "auth", dict)
        proof = self._prove(need(auth, "identity", dict))
        token = self._scoped(proof, auth.get("scope"))
        self.world.tokens[token.id] = token
        return self._shown(201, inspect(self.world, token.id), self.base_url)

    def validate(self, request: Request) -> Response:
        """Show a token to its own user, to a service or to an administrator."""
        _, subject = self._caller_and_subject(request, "identity:validate_token")
        return self._shown(200, subject, None if "nocatalog" in request.query else self.base_url)

    def revoke(self, request: Request) -> Response:
        """End a token."""
        caller, subject = self._caller_and_subject(request, "identity:revoke_token")
        if caller.user_id != subject.user_id and not caller.is_admin:
            raise forbidden("identity:revoke_token")
        del self.world.tokens[subject.token.id]
        return Response(status=204)

    def projects(self, request: Request) -> Response:
        """List the projects on which the caller has a role."""
        user_id = caller_of(self.world, request).user_id
        found = (each for each in self.world.projects.values() if self.world.roles(user_id, each.id))
        listed = (documents.of_project(project, self.base_url) for project in found)
        url = f"{self.base_url}/v3/auth/projects"
        return Response(status=200, body=documents.listed("projects", listed, url))

    def _shown(self, status: int, caller: Caller, base_url: str | None) -> Response:
        body = documents.of_token(self.world, caller.token, caller.roles, base_url)
        return Response(status=status, body=body, headers={"X-Subject-Token": caller.token.id})

    def _caller_and_subject(self, request: Request, rule: str) -> tuple[Caller, Caller]:
        caller = caller_of(self.world, request)
        subject_id = request.headers.get("X-Subject-Token")
        if subject_id is None:
            raise forbidden(rule)
        try:
            subject = inspect(self.world, subject_id)
        except DeadToken as dead:
            raise Refused(404, dead.message) from dead
        if caller.user_id != subject.user_id and not caller.roles & {"admin", "service"}:
            raise forbidden(rule)
        return caller, subject

    def _prove(self, identity: Document) -> Proof:
        match need(identity, "methods", list):
            case ["password"]:
                return self._by_password(need(identity, "password", dict))
            case ["token"]:
                return self._by_token(need(identity, "token", dict))
            case ["application_credential"]:
                return self._by_credential(need(identity, "application_credential", dict))
            case _:
                raise unauthenticated()

    def _by_password(self, password: Document) -> Proof:
        given = need(password, "user", dict)
        user = self._user(given)
        if user is None or not user.enabled or given.get("password") != user.password:
            raise unauthenticated()
        return Proof(user=user, methods=("password",), expires_at=self._expiry())

    def _by_token(self, given: Document) -> Proof:
        try:
            token = inspect(self.world, need(given, "id", str)).token
        except DeadToken as dead:
            raise Refused(404, dead.message) from dead
        if token.trust_id is not None:
            raise forbidden(_NO_TOKEN_FROM_TRUST)
        if token.credential_id is not None:
            raise forbidden(_NO_TOKEN_FROM_DELEGATED)
        return Proof(
            user=self.world.users[token.user_id],
            methods=tuple(sorted({*token.methods, "token"})),
            expires_at=token.expires_at,
            audit_ids=token.audit_ids[-1:],
        )

    def _by_credential(self, given: Document) -> Proof:
        credential = self._credential(given)
        user = self.world.users[credential.user_id]
        expired = credential.expires_at is not None and credential.expires_at <= self.world.now()
        lacks_roles = credential.project_id is not None and not roles_of_credential(self.world, credential)
        if given.get("secret") != credential.secret or expired or lacks_roles or not user.enabled:
            raise unauthenticated()
        return Proof(
            user=user,
            methods=("application_credential",),
            expires_at=self._expiry(),
            credential=credential,
        )

    def _credential(self, given: Document) -> ApplicationCredential:
        user = self._user(maybe(given, "user", dict) or {})
        for credential in self.world.credentials.values():
            named = (credential.name, credential.user_id) == (given.get("name"), user and user.id)
            if credential.id == given.get("id") or named:
                return credential
        wanted = given.get("id") or given.get("name")
        raise Refused(404, f"Could not find Application Credential: {wanted}.")

    def _scoped(self, proof: Proof, scope: object) -> Token:
        if proof.credential is not None:
            if scope is not None:
                raise Refused(401, _NO_SCOPE)
            token = self._token(proof, proof.credential.project_id)
            return replace(token, credential_id=proof.credential.id)
        match scope:
            case None | "unscoped":
                return self._token(proof, None)
            case {"project": dict(given)}:
                return self._token(proof, self._project_for(proof.user, given).id)
            case {"OS-TRUST:trust": {"id": str(trust_id)}}:
                return self._token_of_trust(proof, trust_id)
            case _:
                raise unauthenticated()

    def _token_of_trust(self, proof: Proof, trust_id: str) -> Token:
        trust = live_trust(self.world, trust_id)
        if trust is None:
            raise unauthenticated()
        if proof.user.id != trust.trustee_user_id or not roles_of_trust(self.world, trust):
            raise forbidden()
        self._use(trust)
        token = self._token(proof, trust.project_id)
        return replace(
            token,
            user_id=trust.trustor_user_id if trust.impersonation else trust.trustee_user_id,
            trust_id=trust.id,
            expires_at=min(token.expires_at, trust.expires_at or token.expires_at),
        )

    def _use(self, trust: Trust) -> None:
        if trust.remaining_uses is not None:
            self.world.trusts[trust.id] = replace(trust, remaining_uses=trust.remaining_uses - 1)

    def _token(self, proof: Proof, project_id: str | None) -> Token:
        return Token(
            id=TOKEN_PREFIX + secrets.token_urlsafe(64),
            user_id=proof.user.id,
            project_id=project_id,
            methods=proof.methods,
            audit_ids=(secrets.token_urlsafe(16), *proof.audit_ids),
            issued_at=self.world.now().replace(microsecond=0),
            expires_at=proof.expires_at,
        )

    def _expiry(self) -> datetime:
        # Fernet tokens carry whole seconds.
        return self.world.now().replace(microsecond=0) + timedelta(seconds=self.world.token_seconds)

    def _user(self, given: Document) -> User | None:
        if "id" in given:
            return self.world.users.get(given["id"])
        return self.world.user(str(given.get("name"))) if _in_default_domain(given) else None

    def _project_for(self, user: User, given: Document) -> Project:
        if "id" in given:
            project = self.world.projects.get(given["id"])
        else:
            project = self.world.project(str(given.get("name"))) if _in_default_domain(given) else None
        if project is None or not self.world.roles(user.id, project.id):
            raise unauthenticated()
        return project


def _in_default_domain(given: Document) -> bool:
    domain = given.get("domain")
    return isinstance(domain, dict) and (
        domain.get("id") == documents.DOMAIN["id"] or domain.get("name") == documents.DOMAIN["name"]
    )
