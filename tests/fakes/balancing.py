"""Load balancers in memory under the contract of ports.balancing, with what can go wrong with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.core.credential import Credential
from chalicelib.core.ids import PoolId, PoolMemberId
from chalicelib.core.pool import PoolEntry, PoolMember, PoolSight, Readiness
from chalicelib.ports.balancing import BalancerBusy, PoolGone
from chalicelib.ports.cloud import CloudRefused
from tests.fake_cloud import Fault, maybe_lose_answer, next_fault

_STATUSES = {Readiness.READY: "ACTIVE", Readiness.BUSY: "PENDING_UPDATE", Readiness.BROKEN: "ERROR"}


@dataclass(slots=True)
class Balancer:
    """One load balancer; ``forced`` overrides what follows from its changes."""

    busy_until: datetime
    forced: Readiness | None = None


@dataclass
class FakeBalancers:
    """The load balancers of the one project that there is; the way to them, and they themselves.

    Attributes:
        change: how long each change lasts.
        faults: what happens to the next changes, in turn; then all goes well.
        outage: raised by every call.
        entered: how often somebody came in.
        looks: how often a pool was looked at.
        changes: which pools were changed.
        refusals: how often a change was refused because another one was under way.
    """

    now: Callable[[], datetime]
    change: timedelta = timedelta(seconds=3)
    faults: list[Fault] = field(default_factory=list)
    outage: Exception | None = None
    balancers: dict[str, Balancer] = field(default_factory=dict)
    pools: dict[PoolId, str] = field(default_factory=dict)
    members: dict[PoolId, dict[tuple[str, int], PoolMember]] = field(default_factory=dict)
    entered: int = 0
    looks: int = 0
    changes: list[PoolId] = field(default_factory=list)
    refusals: int = 0
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add_pool(self, pool_id: PoolId, balancer_id: str = "lb-1") -> PoolId:
        """Make a pool, and its load balancer if there is none of this name."""
        self.balancers.setdefault(balancer_id, Balancer(busy_until=self.now()))
        self.pools[pool_id] = balancer_id
        self.members[pool_id] = {}
        return pool_id

    def delete_pool(self, pool_id: PoolId) -> None:
        """Let a pool vanish."""
        del self.pools[pool_id], self.members[pool_id]

    def add_foreign(self, pool_id: PoolId, address: str, protocol_port: int = 80) -> PoolMember:
        """Put somebody else's member into a pool."""
        entry = PoolEntry(name="theirs", address=address, protocol_port=protocol_port, weight=5)
        self._write(pool_id, entry)
        return self.members[pool_id][entry.place]

    def names(self, pool_id: PoolId) -> dict[str, int]:
        """Return who stands in a pool, with what weight."""
        return {member.name: member.weight for member in self.members[pool_id].values()}

    def enter(self, credential: Credential, request_id: str) -> FakeBalancers:
        """Return the load balancers, unless there is an outage."""
        del credential, request_id
        self.entered += 1
        if self.outage is not None:
            raise self.outage
        return self

    def pool(self, pool_id: PoolId) -> PoolSight:
        """Return the pool."""
        self.looks += 1
        balancer_id = self._balancer_of(pool_id)
        readiness = self._readiness(balancer_id)
        return PoolSight(
            id=pool_id,
            load_balancer_id=balancer_id,
            readiness=readiness,
            status=_STATUSES[readiness],
            members=tuple(self.members[pool_id].values()),
        )

    def put(self, pool_id: PoolId, entries: Sequence[PoolEntry]) -> None:
        """Make or change members."""
        fault = self._begin(pool_id)
        assert len({entry.place for entry in entries}) == len(entries), "an address and port twice"
        for entry in entries:
            self._write(pool_id, entry)
        maybe_lose_answer(fault)

    def remove(self, pool_id: PoolId, member_id: PoolMemberId) -> None:
        """Delete one member."""
        if not any(member.id == member_id for member in self.members.get(pool_id, {}).values()):
            self._balancer_of(pool_id)
            return
        fault = self._begin(pool_id)
        kept = {place: each for place, each in self.members[pool_id].items() if each.id != member_id}
        self.members[pool_id] = kept
        maybe_lose_answer(fault)

    def _write(self, pool_id: PoolId, entry: PoolEntry) -> None:
        known = self.members[pool_id].get(entry.place)
        if known is not None:
            written = replace(known, name=entry.name, weight=entry.weight)
        else:
            written = PoolMember(
                id=PoolMemberId(f"pool-member-{next(self._numbers)}"),
                name=entry.name,
                address=entry.address,
                protocol_port=entry.protocol_port,
                weight=entry.weight,
            )
        self.members[pool_id][entry.place] = written

    def _begin(self, pool_id: PoolId) -> Fault | None:
        balancer_id = self._balancer_of(pool_id)
        fault = next_fault(self.faults, CloudRefused("Quota has been met.", over_quota=True))
        if self._readiness(balancer_id) is not Readiness.READY:
            self.refusals += 1
            raise BalancerBusy(f"Load Balancer {balancer_id} is immutable and cannot be updated.")
        self.balancers[balancer_id].busy_until = self.now() + self.change
        self.changes.append(pool_id)
        return fault

    def _balancer_of(self, pool_id: PoolId) -> str:
        if self.outage is not None:
            raise self.outage
        if pool_id not in self.pools:
            raise PoolGone(f"Octavia has no pool {pool_id}: Pool {pool_id} not found.")
        return self.pools[pool_id]

    def _readiness(self, balancer_id: str) -> Readiness:
        balancer = self.balancers[balancer_id]
        busy = Readiness.BUSY if balancer.busy_until > self.now() else Readiness.READY
        return balancer.forced or busy
