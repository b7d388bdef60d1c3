"""How a server fares now: its status follows from the instants in its record and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dev.simcloud.records import Build, Server, Status

_VM_STATES = {
    Status.ACTIVE: "active",
    Status.BUILD: "building",
    Status.DELETED: "deleted",
    Status.ERROR: "error",
    Status.PAUSED: "paused",
    Status.RESCUE: "rescued",
    Status.SHELVED_OFFLOADED: "shelved_offloaded",
    Status.SHUTOFF: "stopped",
    Status.SUSPENDED: "suspended",
}
_POWER_STATES = {
    Status.ACTIVE: 1,
    Status.PAUSED: 3,
    Status.RESCUE: 1,
    Status.SHELVED_OFFLOADED: 4,
    Status.SHUTOFF: 4,
    Status.SUSPENDED: 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a server fares, in Nova's several words for it."""

    status: Status
    task_state: str | None
    has_host: bool

    @property
    def vm_state(self) -> str:
        """What Nova's conflicts are told in."""
        return _VM_STATES[self.status]

    @property
    def power_state(self) -> int:
        """What the hypervisor would say: 1 runs, 3 paused, 4 off, 0 not known."""
        return _POWER_STATES.get(self.status, 0)


def state_of(server: Server, now: datetime) -> State:
    """Return how ``server`` fares at ``now``."""
    status = _status(server, now)
    if server.gone_at is not None and status is not Status.DELETED:
        task_state: str | None = "deleting"
    else:
        task_state = "scheduling" if status is Status.BUILD else None
    has_host = server.build is Build.SUCCEEDS and now >= server.built_at
    return State(status=status, task_state=task_state, has_host=has_host)


def is_gone(server: Server, now: datetime) -> bool:
    """Tell whether the deletion of ``server`` is complete."""
    return server.gone_at is not None and server.gone_at <= now


def changed_at(server: Server, now: datetime) -> datetime:
    """Return when ``server`` last changed, be it by the passing of time."""
    passed = [at for at in (server.built_at, server.gone_at) if at is not None and at <= now]
    return max([server.updated_at, *passed])


def _status(server: Server, now: datetime) -> Status:
    if is_gone(server, now):
        return Status.DELETED
    if server.status is not None:
        return server.status
    if now < server.built_at or server.build is Build.NEVER_ENDS:
        return Status.BUILD
    return Status.ERROR if server.build is Build.FAILS else Status.ACTIVE
