"""The pools of a group's round: looked at before it plans, changed at its end.

Whatever is wrong with them is trouble of its own. It keeps no server from being made, and from going only for
a bounded time (``core.pool.OVERDUE_AFTER``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.core.activity import ActivityKind
from chalicelib.core.credential import Credential
from chalicelib.core.group import Trouble, TroubleKind
from chalicelib.core.ids import PoolId
from chalicelib.core.plan_steps import DeletePoolMember, PoolStep, PutPoolMembers
from chalicelib.core.pool import GroupPools, PoolUnseen, PoolView, Unseen
from chalicelib.core.round import Setback
from chalicelib.flows.round import Round
from chalicelib.ports import Services
from chalicelib.ports.balancing import BalancerBusy, Balancing, PoolGone
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken


class Pools:
    """The pools of one round; without any, nothing is asked of Octavia."""

    def __init__(
        self, s: Services, pools: GroupPools | None, trouble: Trouble | None, began: datetime
    ) -> None:
        self._s = s
        self._pools = pools
        self._trouble = trouble
        self._end = began + timedelta(seconds=s.limits.round_seconds)
        self._balancing: Balancing | None = None

    def look(self, credential: Credential, request_id: str) -> tuple[PoolView, ...]:
        """Return what is seen of the pools.

        Once Octavia does not answer, or the round's time is over, the others are not asked: every call may
        last long, and servers wait for this round, too.
        """
        if self._pools is None:
            return ()
        ids = (*(pool.id for pool in self._pools.wanted), *self._pools.former)
        trouble = self._trouble
        in_peace = trouble is not None and trouble.kind is TroubleKind.CLOUD
        if trouble and in_peace and trouble.retry_at and self._s.now() < trouble.retry_at:
            return tuple(PoolUnseen(id=id_, why=Unseen.LEFT_IN_PEACE, reason=trouble.reason) for id_ in ids)
        views: list[PoolView] = []
        silent: PoolUnseen | None = None
        for id_ in ids:
            view = replace(silent, id=id_) if silent else self._see(id_, credential, request_id)
            views.append(view)
            if isinstance(view, PoolUnseen) and view.why is Unseen.UNREACHABLE:
                silent = view
        return tuple(views)

    def perform(self, r: Round, step: PoolStep) -> None:
        """Ask for one change of a pool; what goes wrong is noted in the round, and nothing else is kept."""
        assert self._balancing is not None, "a step comes of what was seen"
        try:
            match step:
                case PutPoolMembers(pool_id=pool_id, entries=entries):
                    self._balancing.put(pool_id, entries)
                    weights = sum(entry.weight == 0 for entry in entries)
                    told = f"{len(entries) - weights} members enter or change, {weights} get weight 0"
                case DeletePoolMember(pool_id=pool_id, member=member):
                    self._balancing.remove(pool_id, member.id)
                    told = f"{member.address}:{member.protocol_port} leaves"
        except BalancerBusy:
            return
        except (CredentialBroken, CloudUnavailable, CloudRefused) as error:
            reason = f"Pool {step.pool_id} could not be changed: {error.reason}"
            retry_after = error.retry_after if isinstance(error, CloudUnavailable) else None
            r.pool_setback = Setback(kind=TroubleKind.BALANCER, reason=reason, retry_after=retry_after)
            return
        r.tell(ActivityKind.POOL_CHANGED, f"Pool {pool_id}: {told}.")

    def _see(self, pool_id: PoolId, credential: Credential, request_id: str) -> PoolView:
        if self._s.now() >= self._end:
            return PoolUnseen(
                id=pool_id, why=Unseen.UNREACHABLE, reason="There was no time to look at the pools."
            )
        try:
            if self._balancing is None:
                self._balancing = self._s.balancers.enter(credential, request_id)
            return self._balancing.pool(pool_id)
        except PoolGone as gone:
            return PoolUnseen(id=pool_id, why=Unseen.GONE, reason=gone.reason)
        except (CredentialBroken, CloudRefused) as error:
            reason = f"Pool {pool_id} cannot be seen: {error.reason}"
            return PoolUnseen(id=pool_id, why=Unseen.REFUSED, reason=reason)
        except CloudUnavailable as error:
            reason = f"Pool {pool_id} cannot be looked at: {error.reason}"
            return PoolUnseen(id=pool_id, why=Unseen.UNREACHABLE, reason=reason)
