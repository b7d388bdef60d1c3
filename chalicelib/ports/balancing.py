"""What flows need of load balancers: the pools of an owner's project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.core.credential import Credential
    from chalicelib.core.ids import PoolId, PoolMemberId
    from chalicelib.core.pool import PoolEntry, PoolSight


class PoolGone(Exception):
    """There is no such pool (any more).

    Attributes:
        reason: a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BalancerBusy(Exception):
    """The load balancer takes no change at the moment: another one is under way. Nothing was done."""


class Balancing(Protocol):
    """The pools of one project, entered with its owner's credential.

    Every call may raise CredentialBroken, CloudUnavailable or CloudRefused.
    """

    def pool(self, pool_id: PoolId) -> PoolSight:
        """Return the pool with all its members, and whether its load balancer takes a change.

        Raises:
            PoolGone: there is none.
        """

    def put(self, pool_id: PoolId, entries: Sequence[PoolEntry]) -> None:
        """Make or change members of the pool, in one change; whoever is not named stays as he is.

        A member is known by its address and port. Asked twice, the second time changes nothing.

        Raises:
            BalancerBusy: ask again later.
        """

    def remove(self, pool_id: PoolId, member_id: PoolMemberId) -> None:
        """Delete one member of the pool; one already gone is a success.

        Raises:
            BalancerBusy: ask again later.
        """


class Balancers(Protocol):
    """The way to the load balancers of a credential's project."""

    def enter(self, credential: Credential, request_id: str) -> Balancing:
        """Return the project's pools; may raise as every call of Balancing does."""
