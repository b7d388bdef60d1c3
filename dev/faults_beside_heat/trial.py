"""One fault put to one group: what can be done to it, and with which care it is undone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from openstack.connection import Connection

from dev.beside_heat.place import Place
from dev.faults_beside_heat.commands import Commands
from dev.faults_beside_heat.contestants import Contestant
from dev.faults_beside_heat.watch import Watch

_OUTAGE_SECONDS = 30
_HALF_WITHIN_SECONDS = 120
_COMMAND_WITHIN_SECONDS = 300


class Trial:
    """A group, and what happens to it.

    Attributes:
        watch: what is seen of the group meanwhile.
        sent: notifications so far.
        acknowledged: those of them that were answered with success.
    """

    def __init__(
        self, contestant: Contestant, watch: Watch, place: Place, admin: Connection, commands: Commands
    ) -> None:
        self.contestant = contestant
        self.watch = watch
        self.sent = 0
        self.acknowledged = 0
        self._owner = place.owner
        self._admin = admin
        self._commands = commands

    def notify(self, policy: str, *event_ids: str) -> None:
        """Send a policy notifications, all at once."""
        with ThreadPoolExecutor(len(event_ids)) as pool:
            answers = list(pool.map(lambda event_id: self.contestant.notify(policy, event_id), event_ids))
        self.sent += len(answers)
        self.acknowledged += sum(answers)

    def wait_until_half_are_there(self) -> None:
        """Wait until half of the servers are ACTIVE that there are to be in the end."""
        half = self.watch.wanted // 2
        self.watch.until(lambda: self.watch.statuses.count("ACTIVE") >= half, _HALF_WITHIN_SECONDS)

    def delete_a_server(self) -> None:
        """Delete one of the group's servers in Nova, as its owner might."""
        self._owner.compute.delete_server(self.contestant.servers()[0]["id"])

    def break_a_server(self) -> None:
        """Put one of the group's servers to ERROR."""
        action = {"os-resetState": {"state": "error"}}
        path = f"/servers/{self.contestant.servers()[0]['id']}/action"
        self._admin.compute.post(path, json=action).raise_for_status()

    @contextmanager
    def quota_of(self, more: int) -> Iterator[None]:
        """Let the owner's project have no more than so many servers beside those that it has."""
        project = self._owner.current_project_id
        instances = self._admin.compute.get(f"/os-quota-sets/{project}/detail").json()["quota_set"][
            "instances"
        ]
        self._set_quota(instances["in_use"] + more)
        try:
            yield
        finally:
            self._set_quota(instances["limit"])

    @contextmanager
    def outage(self, service: str) -> Iterator[None]:
        """Stop a service, and start it again when half a minute has passed."""
        self._command(f"STOP_{service}")
        began = time.monotonic()
        try:
            yield
            self.watch.wait(_OUTAGE_SECONDS - (time.monotonic() - began))
        finally:
            self._command(f"START_{service}")
        self.watch.note(f"({service} is back after {time.monotonic() - began:.0f} s)")

    def _command(self, name: str) -> None:
        """Run a command, and look on meanwhile."""
        process = self._commands.begin(name)
        self.watch.until(lambda: process.poll() is not None, _COMMAND_WITHIN_SECONDS)
        if process.wait(0):
            raise RuntimeError(f"{name} failed")

    def _set_quota(self, instances: int) -> None:
        path = f"/os-quota-sets/{self._owner.current_project_id}"
        self._admin.compute.put(
            path, json={"quota_set": {"instances": instances, "force": True}}
        ).raise_for_status()
