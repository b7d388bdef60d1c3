"""What flows need of the world: a few Protocols, and the frozen Services that carries them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from chalicelib.core.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from chalicelib.core.alarm import Backend
    from chalicelib.core.ids import GroupId
    from chalicelib.core.quota import Quota
    from chalicelib.ports.alarms import AlarmHistory, Alarms
    from chalicelib.ports.balancing import Balancers
    from chalicelib.ports.cloud import Clouds, Identity, Vault
    from chalicelib.ports.history import Activities, Executions
    from chalicelib.ports.monitoring import Monitoring
    from chalicelib.ports.orchestration import Orchestration
    from chalicelib.ports.policies import Policies, Webhooks
    from chalicelib.ports.policy_states import PolicyStates
    from chalicelib.ports.rates import Throttle
    from chalicelib.ports.refreshes import Refreshes
    from chalicelib.ports.samples import Folds, Intakes, MeterBooks, Roster
    from chalicelib.ports.schedules import Schedules
    from chalicelib.ports.stacks import Rehearsals
    from chalicelib.ports.storage import (
        Credentials,
        GroupKey,
        Groups,
        LaunchConfigurations,
        Members,
        Usage,
    )
    from chalicelib.ports.web import SnsSignatures, Web

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of what is judged in a tick: the groups of one shard, from one place to another.

    Attributes:
        after: the place in the index to go on behind; None is its beginning.
        until: the last group; None is to the end.
    """

    shard: int
    after: str | None = None
    until: GroupId | None = None


class Queue(Protocol):
    """The work queue. Messages are hints: one that is lost is made good by the minute's sweep."""

    def converge_soon(self, keys: Sequence[GroupKey], request_id: str, delay_seconds: int = 0) -> None:
        """Ask for a round for each group, after at most 900 s of delay."""

    def sweep_soon(self, shards: Sequence[int]) -> None:
        """Ask for each shard to be swept."""

    def watch_soon(self, shares: Sequence[Share]) -> None:
        """Ask for the judging of the alarms and metric policies of each share."""

    def judge_soon(self, key: GroupKey, slot: datetime) -> None:
        """Ask for the judging of one group; asked again for the same ``slot``, nothing more may be done."""


class AtOnce(Protocol):
    """How two things are done that do not need each other."""

    def __call__(self, one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
        """Return what both come to; they may run at the same time, and what either raises is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is done at once, and how long is waited.

    Attributes:
        rates: how often who may call.
        shards: how many parts the due-time index has.
        steps_max: servers created, and servers deleted, in one round at most.
        round_seconds: no new step is begun after so long; with one call's timeout it fits the lease.
        lease_seconds: how long a round that died blocks its group.
        adoption_seconds: how long a server that was asked for may stay unseen before it is given up.
        tick_seconds: how often alarms and metric policies are judged.
        samples_days: how long samples are kept, in periods and in whole hours.
        samples_shards: in how many parts each period of a series is written.
    """

    quota: Quota
    rates: Rates = field(default_factory=Rates)
    shards: int = 8
    steps_max: int = 50
    round_seconds: int = 25
    lease_seconds: int = 75
    adoption_seconds: int = 60
    tick_seconds: int = 60
    samples_days: int = 15
    samples_shards: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that flows use of the world.

    Attributes:
        monitoring: the backends that evaluate alarms in our place; ``builtin`` is none of them.
        now: the time, aware, in UTC.
        new_id: a new UUID that sorts by time (version 7).
        new_token: 256 random bits as URL-safe text.
        jitter: a random number from 0 to 1.
        sleep: wait so many seconds.
        at_once: do two things at the same time.
    """

    groups: Groups
    members: Members
    launch_configurations: LaunchConfigurations
    credentials: Credentials
    policies: Policies
    policy_states: PolicyStates
    webhooks: Webhooks
    alarms: Alarms
    alarm_history: AlarmHistory
    schedules: Schedules
    refreshes: Refreshes
    executions: Executions
    activities: Activities
    usage: Usage
    folds: Folds
    intakes: Intakes
    meters: MeterBooks
    throttle: Throttle
    roster: Roster
    vault: Vault
    identity: Identity
    clouds: Clouds
    balancers: Balancers
    rehearsals: Rehearsals
    orchestration: Orchestration
    monitoring: Mapping[Backend, Monitoring]
    queue: Queue
    web: Web
    sns: SnsSignatures
    limits: Limits
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    new_token: Callable[[], str]
    jitter: Callable[[], float]
    sleep: Callable[[float], None]
    at_once: AtOnce
