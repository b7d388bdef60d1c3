"""``make bench-fleet``: many groups scaled at once on a real cloud, beside as many bare requests to its Nova.

Each group grows by one server, from one webhook, and all webhooks are called at once; in turn with them the
same number of servers is asked for with nothing around. The end is what Nova says. OS_CLOUD names the service
user's entry in clouds.yaml, OWNER_CLOUD the owner's.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from openstack.connection import Connection

from dev.bench.fleet import HEAT_A_SECOND, at_once
from dev.client import Client, call_hook
from dev.clouds import environment_of
from dev.ports import free_ports
from dev.stack import Stack

_WORKERS = 2
_WITHIN_SECONDS = 600
_ASK_EACH_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Took:
    """Seconds until the last server was in Nova's list, and until the last was ACTIVE."""

    asked: float
    active: float


class Nova:
    """As many requests, and nothing around them: the floor."""

    name = "Nova alone"

    def __init__(self, owner: Connection, server: dict[str, Any], size: int) -> None:
        self.tag = f"bench-{uuid.uuid4()}"
        self._nova = owner.compute
        self._wanted = {"server": {**server, "name": "bench", "tags": [self.tag]}}
        self._size = size

    def grow(self) -> None:
        """Ask for one server, so many times."""
        at_once(lambda _: self._ask(), range(self._size))

    def shrink(self) -> None:
        """Delete them all."""
        at_once(self._nova.delete_server, list(self._nova.servers(tags=self.tag)))

    def _ask(self) -> None:
        self._nova.post("/servers", json=self._wanted, microversion="2.79").raise_for_status()


class Fleet:
    """So many groups of ours, each with a webhook that adds a server."""

    name = "Thermostat"

    def __init__(self, api: Client, server: dict[str, Any], size: int) -> None:
        self.tag = f"bench-{uuid.uuid4()}"
        self._api = api
        template = {"image": server["imageRef"], "flavor": server["flavorRef"], "networks": "none"}
        configuration = {"name": "bench", "server": {**template, "tags": [self.tag]}}
        self._credential = api.post("/v1/credentials", {"name": "bench", "type": "trust"})["id"]
        self._configuration = api.post("/v1/launch-configurations", configuration)["id"]
        self._groups = [self._group(f"bench-{number}") for number in range(size)]
        self._hooks = [self._hook(group) for group in self._groups]

    def grow(self) -> None:
        """Call all webhooks."""
        at_once(lambda hook: call_hook(hook).raise_for_status(), self._hooks)

    def shrink(self) -> None:
        """Want none."""
        for group in self._groups:
            self._api.patch(f"/v1/groups/{group}", {"desired_capacity": 0})

    def close(self) -> None:
        """Delete the groups, and with their credential the trust."""
        for group in self._groups:
            self._api.delete(f"/v1/groups/{group}")
        _until(lambda: not self._api.get("/v1/groups")["groups"])
        self._api.delete(f"/v1/launch-configurations/{self._configuration}")
        self._api.delete(f"/v1/credentials/{self._credential}")

    def _group(self, name: str) -> str:
        made_of = {"credential_id": self._credential, "launch_configuration_id": self._configuration}
        sizes = {"min_size": 0, "max_size": 1, "desired_capacity": 0, "cooldown": 0}
        return str(self._api.post("/v1/groups", {"name": name, **sizes, **made_of})["id"])

    def _hook(self, group: str) -> str:
        change = {"type": "change_in_capacity", "adjustment": 1}
        policy = self._api.post("/v1/policies", {"name": "+1", "group_id": group, **change})
        return str(self._api.post(f"/v1/policies/{policy['id']}/webhooks", {"name": "bench"})["url"])


def main() -> int:
    """Print a line for each of the two; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench_fleet")
    parser.add_argument("--groups", type=int, default=20)
    parser.add_argument("--times", type=int, default=3)
    wanted = parser.parse_args()
    with _contestants(wanted.groups) as (owner, contestants):
        took: dict[str, list[_Took]] = {each.name: [] for each in contestants}
        for turn in range(wanted.times + 1):
            for each in contestants:
                timed = _timed(owner, each, wanted.groups)
                if turn:  # a first time is left out: connections are opened, tokens fetched
                    took[each.name].append(timed)
        for name, times in took.items():
            _print(name, times, wanted.groups)
    return 0


def _timed(owner: Connection, contestant: Nova | Fleet, size: int) -> _Took:
    """Return how long it takes to grow by ``size`` servers from none; shrink again, untimed."""
    began = time.monotonic()
    contestant.grow()
    _until(lambda: len(_statuses(owner, contestant.tag)) == size)
    asked = time.monotonic() - began
    _until(lambda: _statuses(owner, contestant.tag) == ["ACTIVE"] * size)
    active = time.monotonic() - began
    contestant.shrink()
    _until(lambda: not _statuses(owner, contestant.tag))
    return _Took(asked, active)


def _print(name: str, took: Sequence[_Took], size: int) -> None:
    asked, active = median(each.asked for each in took), median(each.active for each in took)
    rate = size / active
    times = f"{rate:.2f} groups a second, {rate / HEAT_A_SECOND:.1f} x Heat's {HEAT_A_SECOND}"
    print(f"{size} x +1 {name:12} asked for in {asked:.1f} s, ACTIVE in {active:.1f} s: {times}", flush=True)


@contextmanager
def _contestants(size: int) -> Iterator[tuple[Connection, Sequence[Nova | Fleet]]]:
    owner = Connection(cloud=os.environ["OWNER_CLOUD"])
    flavors = {flavor.name: flavor.id for flavor in owner.compute.flavors()}
    flavor = flavors[os.environ.get("FLAVOR", "m1.tiny")]
    server = {"imageRef": next(owner.image.images()).id, "flavorRef": flavor, "networks": "none"}
    user = environment_of(os.environ["OS_CLOUD"])
    with (
        tempfile.TemporaryDirectory(prefix="thermostat-bench-") as state,
        Stack(port=free_ports(2), state=Path(state), service_user=user, workers=_WORKERS) as stack,
    ):
        fleet = Fleet(Client(stack.url, str(owner.auth_token)), server, size)
        try:
            yield owner, [Nova(owner, server, size), fleet]
        finally:
            fleet.close()


def _statuses(owner: Connection, tag: str) -> Sequence[str]:
    answer = owner.compute.get("/servers/detail", params={"tags": tag}, microversion="2.79")
    answer.raise_for_status()
    return [server["status"] for server in answer.json()["servers"]]


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _WITHIN_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_WITHIN_SECONDS} s")
        time.sleep(_ASK_EACH_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
