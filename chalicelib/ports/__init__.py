"""What flows need of the world: a few Protocols, and the frozen Services that carries them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chalicelib.core.quota import Quota
from chalicelib.ports.cloud import Clouds, Identity, Vault
from chalicelib.ports.storage import (
    Activities,
    Credentials,
    Executions,
    GroupKey,
    Groups,
    LaunchConfigurations,
    Members,
    Policies,
    Usage,
    Webhooks,
)
from chalicelib.ports.web import SnsSignatures, Web


class Queue(Protocol):
    """The work queue. Messages are hints: one that is lost is made good by the minute's sweep."""

    def converge_soon(self, keys: Sequence[GroupKey], request_id: str, delay_seconds: int = 0) -> None:
        """Ask for a round for each group, after at most 900 s of delay."""

    def sweep_soon(self, shards: Sequence[int]) -> None:
        """Ask for each shard to be swept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is done at once, and how long is waited.

    Attributes:
        shards: how many parts the due-time index has.
        steps_max: servers created, and servers deleted, in one round at most.
        round_seconds: no new step is begun after so long; with one call's timeout it fits the lease.
        lease_seconds: how long a round that died blocks its group.
        adoption_seconds: how long a server that was asked for may stay unseen before it is given up.
    """

    quota: Quota
    shards: int = 8
    steps_max: int = 50
    round_seconds: int = 25
    lease_seconds: int = 75
    adoption_seconds: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that flows use of the world.

    Attributes:
        now: the time, aware, in UTC.
        new_id: a new UUID that sorts by time (version 7).
        new_token: 256 random bits as URL-safe text.
        jitter: a random number from 0 to 1.
        sleep: wait so many seconds.
    """

    groups: Groups
    members: Members
    launch_configurations: LaunchConfigurations
    credentials: Credentials
    policies: Policies
    webhooks: Webhooks
    executions: Executions
    activities: Activities
    usage: Usage
    vault: Vault
    identity: Identity
    clouds: Clouds
    queue: Queue
    web: Web
    sns: SnsSignatures
    limits: Limits
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    new_token: Callable[[], str]
    jitter: Callable[[], float]
    sleep: Callable[[float], None]
