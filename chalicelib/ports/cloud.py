"""What flows need of OpenStack: the way into an owner's project, and Keystone towards callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from chalicelib.core.credential import Caller, Credential
    from chalicelib.core.ids import GroupId, ProjectId, ResourceId
    from chalicelib.core.launch import LaunchType, Template
    from chalicelib.core.member import Resource


class Vault(Protocol):
    """Encryption of secrets, bound to the project and the id they belong to."""

    def seal(self, project_id: ProjectId, id_: str, secret: str) -> str:
        """Return ``secret`` encrypted, as text."""

    def open(self, project_id: ProjectId, id_: str, sealed: str) -> str:
        """Return what was sealed for the same project and id."""


class CloudRefused(Exception):
    """The cloud refuses the request itself (4xx): nothing was done, and asking again will not help.

    Attributes:
        over_quota: because a quota is used up; asking for less may help.
    """

    def __init__(self, reason: str, *, over_quota: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.over_quota = over_quota


class CloudUnavailable(Exception):
    """The cloud is busy, broken or out of reach (429, 5xx, no answer).

    Attributes:
        certainly_not_done: the request had no effect (it was turned away, or never sent).
        retry_after: the cloud's own wish, where it has one.
    """

    def __init__(
        self, reason: str, *, certainly_not_done: bool = False, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.certainly_not_done = certainly_not_done
        self.retry_after = retry_after


class CredentialBroken(Exception):
    """Keystone does not let us act for the owner.

    Attributes:
        for_good: the delegation is gone; only a new credential helps. Otherwise it may come back.
    """

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.for_good = for_good


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked of the cloud: ``count`` equal servers or one stack, marked as the group's.

    Attributes:
        name: of the one server or stack; of several servers, Nova appends -1, -2 and so on.
        metadata, tags: beside the template's own; a stack, which has no metadata, gets it as tags.
    """

    template: Template
    count: int
    name: str
    availability_zone: str | None
    metadata: dict[str, str]
    tags: tuple[str, ...]


class Cloud(Protocol):
    """One project of a cloud, entered with its owner's credential, as far as one kind of members goes.

    Every call may raise CredentialBroken, CloudUnavailable or CloudRefused.
    """

    def resources_of(self, group_id: GroupId) -> Sequence[Resource]:
        """Return every resource that carries the group's mark."""

    def resource(self, resource_id: ResourceId) -> Resource | None:
        """Return the resource, or None when the cloud says there is none."""

    def create(self, order: Order) -> ResourceId | None:
        """Ask for resources; return the id when it was one that was asked for, else None."""

    def delete(self, resource_id: ResourceId) -> None:
        """Delete a resource; one already gone is a success."""

    def label(self, resource_id: ResourceId, metadata: dict[str, str]) -> None:
        """Add metadata to a resource."""


class Clouds(Protocol):
    """The way into the cloud for a credential."""

    def enter(self, credential: Credential, kind: LaunchType, request_id: str) -> Cloud:
        """Return the credential's project, as far as members of this ``kind`` go.

        May raise as every call of Cloud does.
        """


class Identity(Protocol):
    """Keystone, towards callers."""

    def authenticate(self, token: str) -> Caller:
        """Return who has this token.

        Raises:
            Unauthenticated: Keystone does not know the token (any more).
            Forbidden: it is not scoped to a project.
            Unavailable: Keystone does not answer.
        """

    def create_trust(self, caller: Caller, roles: Sequence[str], *, redelegation: bool = False) -> str:
        """Make a trust from the caller to our service user; return its id.

        Args:
            redelegation: further trusts may be made from it, one for each stack, and none from those.

        Raises:
            Invalid, Forbidden: what Keystone refused, and what to do instead.
            Unavailable: Keystone does not answer.
        """

    def delete_trust(self, caller: Caller, trust_id: str) -> None:
        """Delete the trust with the caller's token; one already gone is a success.

        Raises:
            Forbidden: Keystone lets only the trustor do it.
            Unavailable: Keystone does not answer.
        """

    def check(self, credential: Credential) -> frozenset[str]:
        """Try the credential: it must give a token of its own project; return the roles it carries.

        Raises:
            CredentialBroken: it does not, and why.
            CloudUnavailable: Keystone does not answer.
        """
