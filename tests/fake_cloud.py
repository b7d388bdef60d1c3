"""A cloud in memory under the contract of ports.cloud, with everything that can go wrong with one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.core.credential import Caller, Credential
from chalicelib.core.errors import Unauthenticated
from chalicelib.core.ids import GroupId, ProjectId, ResourceId, UserId
from chalicelib.core.launch import LaunchType, ServerTemplate, StackTemplate, Template
from chalicelib.core.member import GROUP_KEY, Resource
from chalicelib.core.pool import Address
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken, Order
from tests.kept_secrets import keep


class Fault(StrEnum):
    """What may happen to a request."""

    TURNED_AWAY = "turned away"  # 429: certainly nothing was done
    BROKEN = "broken"  # 5xx: nothing was done, which cannot be known
    ANSWER_LOST = "answer lost"  # done, and the answer is lost
    REFUSED = "refused"  # 4xx
    LATE = "late"  # done, and answered just before we would give up
    HALF_DONE = "half done"  # of several servers half are made, and the answer is lost


WITHOUT_SUCCESS = [Fault.TURNED_AWAY, Fault.BROKEN, Fault.ANSWER_LOST, Fault.REFUSED]
"""What may happen to any request, and does not look like success."""

LATE_SECONDS = 29
"""A call takes at most 30 s."""


def next_fault(faults: list[Fault], refusal: CloudRefused) -> Fault | None:
    """Take the fault of the next request, raise what it raises before anything is done, and return it.

    What is late or half done is for the caller to see to; where there is no such thing all goes well.

    Args:
        refusal: what is raised where the request is refused.
    """
    fault = faults.pop(0) if faults else None
    match fault:
        case Fault.TURNED_AWAY:
            raise CloudUnavailable("429 Too many requests", certainly_not_done=True)
        case Fault.BROKEN:
            raise CloudUnavailable("503 Service Unavailable")
        case Fault.REFUSED:
            raise refusal
        case _:
            return fault


def maybe_lose_answer(fault: Fault | None) -> None:
    """Raise where the answer to a request that was done is lost."""
    if fault in (Fault.ANSWER_LOST, Fault.HALF_DONE):
        raise CloudUnavailable("read timed out")


@dataclass(slots=True)
class Machine:
    """One server or stack as the cloud keeps it.

    Attributes:
        status_when_ready, forced_status: Nova's words, which are translated for a stack.
        stays: it cannot be deleted, which for a stack shows.
    """

    id: ResourceId
    name: str
    group: str
    metadata: dict[str, str]
    created_at: datetime
    ready_at: datetime
    listed_at: datetime
    status_when_ready: str = "ACTIVE"
    forced_status: str | None = None
    address: str | None = None
    kind: LaunchType = LaunchType.SERVER
    stays: bool = False

    def seen(self, now: datetime) -> Resource:
        """Return the server or stack as it is shown."""
        built = self.status_when_ready if now >= self.ready_at else "BUILD"
        status = self.forced_status or built
        fault = "No valid host was found." if status in ("ERROR", "DELETE_FAILED") else None
        if self.kind is LaunchType.STACK:
            status = _OF_STACKS.get(status, status)
        return Resource(
            id=self.id,
            name=self.name,
            status=status,
            task=None,
            created_at=self.created_at,
            metadata=dict(self.metadata),
            fault=fault,
            addresses=(Address(network="net", address=self.address, version=4),) if self.address else (),
        )


_OF_STACKS = {"BUILD": "CREATE_IN_PROGRESS", "ACTIVE": "CREATE_COMPLETE", "ERROR": "CREATE_FAILED"}


@dataclass
class FakeCloud:
    """All servers and stacks of one project.

    Attributes:
        faults: what happens to the next requests that change something, in turn; then all goes well.
        fail_builds: how many of the next servers end in ERROR.
        capacity: the quota of instances.
        broken: raised by every call: Keystone no longer lets us in, say.
        wait: lets time pass, for what is answered late.
        changes: how many requests to change something came.
        meanwhile: what others do while the next round looks at the cloud, which has read the members.
    """

    now: Callable[[], datetime]
    wait: Callable[[float], None] = lambda _seconds: None
    build: timedelta = timedelta(seconds=3)
    lag: timedelta = timedelta(0)
    capacity: int = 10_000
    fail_builds: int = 0
    faults: list[Fault] = field(default_factory=list)
    broken: Exception | None = None
    machines: dict[ResourceId, Machine] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    deletions: int = 0
    changes: int = 0
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def resources_of(self, group_id: GroupId) -> Sequence[Resource]:
        """Return the group's servers that are listed by now."""
        self._enter()
        while self.meanwhile:
            self.meanwhile.pop()()
        now = self.now()
        return [m.seen(now) for m in self.machines.values() if m.group == group_id and now >= m.listed_at]

    def resource(self, resource_id: ResourceId) -> Resource | None:
        """Return one server; it is shown at once, also where lists lag."""
        self._enter()
        machine = self.machines.get(resource_id)
        return machine.seen(self.now()) if machine else None

    def create(self, order: Order) -> ResourceId | None:
        """Make servers, named as Nova names several of one request."""
        fault = self._enter_to_change()
        self.orders.append(order)
        if len(self.machines) + order.count > self.capacity:
            raise CloudRefused("Quota exceeded for instances", over_quota=True)
        names = [order.name] if order.count == 1 else [f"{order.name}-{n + 1}" for n in range(order.count)]
        if fault is Fault.HALF_DONE:
            names = names[: (order.count + 1) // 2]
        made = [self._make(name, order) for name in names]
        maybe_lose_answer(fault)
        return made[0] if order.count == 1 else None

    def _make(self, name: str, order: Order) -> ResourceId:
        number = next(self._numbers)
        id_ = ResourceId(f"server-{number}")
        now = self.now()
        fails = self.fail_builds > 0
        self.fail_builds -= fails
        self.machines[id_] = Machine(
            id=id_,
            name=name,
            group=order.metadata[GROUP_KEY],
            metadata={**_metadata(order.template), **order.metadata},
            created_at=now,
            ready_at=now + self.build,
            listed_at=now + self.lag,
            status_when_ready="ERROR" if fails else "ACTIVE",
            address=f"10.0.{number // 250}.{number % 250 + 1}",
            kind=LaunchType.SERVER if isinstance(order.template, ServerTemplate) else LaunchType.STACK,
        )
        return id_

    def delete(self, resource_id: ResourceId) -> None:
        """Delete a server at once; one already gone is a success. One that stays is only seen to have."""
        fault = self._enter_to_change()
        self.deletions += 1
        machine = self.machines.get(resource_id)
        if machine is not None and machine.stays:
            machine.forced_status = "DELETE_FAILED"
        else:
            self.machines.pop(resource_id, None)
        maybe_lose_answer(fault)

    def label(self, resource_id: ResourceId, metadata: dict[str, str]) -> None:
        """Add metadata to a server."""
        fault = self._enter_to_change()
        if resource_id in self.machines:
            self.machines[resource_id].metadata |= metadata
        maybe_lose_answer(fault)

    def _enter(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _enter_to_change(self) -> Fault | None:
        self._enter()
        self.changes += 1
        fault = next_fault(self.faults, CloudRefused("400 Flavor nope could not be found."))
        if fault is Fault.LATE:
            self.wait(LATE_SECONDS)
        return fault


@dataclass
class FakeClouds:
    """The way into the one cloud there is."""

    cloud: FakeCloud

    def enter(self, credential: Credential, kind: LaunchType, request_id: str) -> FakeCloud:
        """Return the cloud, unless the credential is broken."""
        del credential, kind, request_id
        if self.cloud.broken is not None:
            raise self.cloud.broken
        return self.cloud


def _metadata(template: Template) -> Mapping[str, str]:
    return template.metadata if isinstance(template, ServerTemplate) else {}


@dataclass
class FakeRehearsals:
    """Heat before any stack is wanted.

    Attributes:
        refusal: raised by the next rehearsals.
        rehearsed: the templates, in turn.
    """

    refusal: Exception | None = None
    rehearsed: list[StackTemplate] = field(default_factory=list)

    def rehearse(self, credential: Credential, template: StackTemplate, request_id: str) -> None:
        """Note the template, unless Heat refuses it."""
        del credential, request_id
        if self.refusal is not None:
            raise self.refusal
        self.rehearsed.append(template)


@dataclass
class FakeIdentity:
    """Keystone in memory: knows the tokens it is told of, and makes trusts with numbers for ids.

    Attributes:
        delegated: the roles of every trust that was ever made, and whether it may be delegated on.
    """

    callers: dict[str, Caller] = field(default_factory=dict)
    trusts: set[str] = field(default_factory=set)
    delegated: dict[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict)
    outage: Exception | None = None
    refusal: CredentialBroken | None = None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, token: str, project: str, *roles: str) -> None:
        """Make a token known."""
        self.callers[keep(token)] = Caller(
            user_id=UserId(f"user-of-{project}"),
            project_id=ProjectId(project),
            roles=frozenset(roles),
            token=token,
        )

    def authenticate(self, token: str) -> Caller:
        """Return who has this token."""
        if self.outage is not None:
            raise self.outage
        if token not in self.callers:
            raise Unauthenticated("token.invalid", "The token is not valid.")
        return self.callers[token]

    def create_trust(self, caller: Caller, roles: Sequence[str], *, redelegation: bool = False) -> str:
        """Make a trust."""
        del caller
        trust = f"trust-{next(self._numbers)}"
        self.trusts.add(trust)
        self.delegated[trust] = (tuple(roles), redelegation)
        return trust

    def delete_trust(self, caller: Caller, trust_id: str) -> None:
        """Delete a trust."""
        del caller
        self.trusts.discard(trust_id)

    def check(self, credential: Credential) -> frozenset[str]:
        """Try a credential; whoever has a role here has ``reader``, too."""
        if self.refusal is not None:
            raise self.refusal
        return frozenset({*credential.roles, "reader"})
