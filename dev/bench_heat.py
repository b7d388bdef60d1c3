"""``make bench-heat``: seconds from a signal until all servers are ACTIVE: Nova alone, our group, Heat's own.

All three grow by 1, 10 and 50 in turn on the same real Nova, each as often, and shrink again untimed. The
end is what Nova says, asked in the same way for all three. OS_CLOUD names the service user's entry in
clouds.yaml, OWNER_CLOUD the owner's.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from openstack.connection import Connection

from dev.client import Client, call_hook
from dev.clouds import environment_of
from dev.ports import free_ports
from dev.stack import Stack

_COUNTS = (1, 10, 50)
_WITHIN_SECONDS = 300
_ASK_EACH_SECONDS = 0.1
_WORKERS = 2


class Contestant(Protocol):
    """Something that grows and shrinks servers."""

    name: str

    def grow(self, count: int) -> None:
        """Ask for ``count`` more servers."""

    def servers(self) -> Sequence[str]:
        """Return the status of each of its servers, as Nova says."""

    def shrink(self) -> None:
        """Have no server, and be ready to grow again."""


class Nova:
    """One request for all servers, and nothing around it: the floor."""

    name = "Nova alone"

    def __init__(self, owner: Connection, server: dict[str, Any]) -> None:
        self._nova = owner.compute
        self._server = server
        self._tag = f"bench-{uuid.uuid4()}"

    def grow(self, count: int) -> None:
        """Ask Nova."""
        wanted = {
            **self._server,
            "name": "bench",
            "tags": [self._tag],
            "min_count": count,
            "max_count": count,
        }
        answer = self._nova.post("/servers", json={"server": wanted}, microversion="2.79")
        answer.raise_for_status()

    def servers(self) -> Sequence[str]:
        """List by tag."""
        return _statuses(self._nova, self._tag)

    def shrink(self) -> None:
        """Delete them all."""
        for server in list(self._nova.servers(tags=self._tag)):
            self._nova.delete_server(server)
        _until(lambda: not self.servers())


class Heat:
    """An OS::Heat::AutoScalingGroup with a policy for each change, signalled by its owner."""

    name = "Heat"

    def __init__(self, owner: Connection, server: dict[str, Any]) -> None:
        self._nova, self._heat = owner.compute, owner.orchestration
        self._name = f"bench-{uuid.uuid4().hex[:8]}"
        template = _template(server, tag=self._name)
        answer = self._heat.post("/stacks", json={"stack_name": self._name, "template": template})
        answer.raise_for_status()
        self._stack = f"/stacks/{self._name}/{answer.json()['stack']['id']}"
        _until(lambda: self._shown("")["stack"]["stack_status"] == "CREATE_COMPLETE")

    def grow(self, count: int) -> None:
        """Signal the policy."""
        self._heat.post(f"{self._stack}/resources/out{count}/signal", json={}).raise_for_status()

    def servers(self) -> Sequence[str]:
        """List by the tag that the template gives them."""
        return _statuses(self._nova, self._name)

    def shrink(self) -> None:
        """Signal the policy that leaves none, once the group takes signals again."""
        self._until_idle()
        self._heat.post(f"{self._stack}/resources/none/signal", json={}).raise_for_status()
        _until(lambda: not self.servers())
        self._until_idle()

    def close(self) -> None:
        """Delete the stack."""
        self._heat.delete(self._stack)

    def _until_idle(self) -> None:
        """Wait until the group is not scaling: what it is asked meanwhile, Heat drops."""
        _until(lambda: not self._shown("/resources/asg/metadata")["metadata"].get("scaling_in_progress"))

    def _shown(self, path: str) -> dict[str, Any]:
        shown: dict[str, Any] = self._heat.get(f"{self._stack}{path}").json()
        return shown


class Ours:
    """A group whose policies' webhooks are called."""

    name = "Thermostat"

    def __init__(self, owner: Connection, server: dict[str, Any], api: Client) -> None:
        self._nova, self._api = owner.compute, api
        template = {"image": server["imageRef"], "flavor": server["flavorRef"], "networks": "none"}
        made_of = {
            "credential_id": api.post("/v1/credentials", {"name": "bench", "type": "trust"})["id"],
            "launch_configuration_id": api.post(
                "/v1/launch-configurations", {"name": "bench", "server": template}
            )["id"],
        }
        sizes = {"min_size": 0, "max_size": 100, "desired_capacity": 0, "cooldown": 0}
        self._group = api.post("/v1/groups", {"name": "bench", **sizes, **made_of})["id"]
        self._hooks = {count: self._hook(count) for count in _COUNTS}
        self._made_of = made_of

    def grow(self, count: int) -> None:
        """Call the webhook."""
        call_hook(self._hooks[count]).raise_for_status()

    def servers(self) -> Sequence[str]:
        """List by the group's tag."""
        return _statuses(self._nova, f"thermostat:group:{self._group}")

    def shrink(self) -> None:
        """Want none."""
        self._api.patch(f"/v1/groups/{self._group}", {"desired_capacity": 0})
        self._api.until(
            f"/v1/groups/{self._group}",
            lambda group: bool(group["status"] == "active" and group["current_size"] == 0),
            within_seconds=_WITHIN_SECONDS,
        )

    def close(self) -> None:
        """Delete the group, and with its credential the trust."""
        self._api.delete(f"/v1/groups/{self._group}")
        _until(lambda: not self._api.get("/v1/groups")["groups"])
        self._api.delete(f"/v1/launch-configurations/{self._made_of['launch_configuration_id']}")
        self._api.delete(f"/v1/credentials/{self._made_of['credential_id']}")

    def _hook(self, count: int) -> str:
        change = {"type": "change_in_capacity", "adjustment": count}
        policy = self._api.post("/v1/policies", {"name": f"+{count}", "group_id": self._group, **change})
        return str(self._api.post(f"/v1/policies/{policy['id']}/webhooks", {"name": "bench"})["url"])


def _template(server: dict[str, Any], tag: str) -> dict[str, Any]:
    """Return a stack of one group, as Heat's own documentation writes one."""
    member = {
        "image": server["imageRef"],
        "flavor": server["flavorRef"],
        "networks": [{"allocate_network": "none"}],
        "tags": [tag],
    }
    group = {"min_size": 0, "max_size": 100, "desired_capacity": 0}
    resources = {
        "asg": {
            "type": "OS::Heat::AutoScalingGroup",
            "properties": {**group, "resource": {"type": "OS::Nova::Server", "properties": member}},
        },
        "none": _policy("exact_capacity", 0),
        **{f"out{count}": _policy("change_in_capacity", count) for count in _COUNTS},
    }
    return {"heat_template_version": "2018-08-31", "resources": resources}


def _policy(kind: str, adjustment: int) -> dict[str, Any]:
    properties = {
        "auto_scaling_group_id": {"get_resource": "asg"},
        "adjustment_type": kind,
        "scaling_adjustment": adjustment,
        "cooldown": 0,
    }
    return {"type": "OS::Heat::ScalingPolicy", "properties": properties}


def _statuses(nova: Any, tag: str) -> Sequence[str]:
    answer = nova.get("/servers/detail", params={"tags": tag}, microversion="2.79")
    answer.raise_for_status()
    return [server["status"] for server in answer.json()["servers"]]


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _WITHIN_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_WITHIN_SECONDS} s")
        time.sleep(_ASK_EACH_SECONDS)


def _timed(contestant: Contestant, count: int) -> float:
    """Return the seconds from the request until ``count`` servers are ACTIVE, all there are."""
    began = time.monotonic()
    contestant.grow(count)
    _until(lambda: list(contestant.servers()) == ["ACTIVE"] * count)
    took = time.monotonic() - began
    contestant.shrink()
    return took


@contextmanager
def _contestants() -> Iterator[Sequence[Contestant]]:
    owner = Connection(cloud=os.environ["OWNER_CLOUD"])
    flavors = {flavor.name: flavor.id for flavor in owner.compute.flavors()}
    flavor = flavors[os.environ.get("FLAVOR", "m1.tiny")]
    server = {"imageRef": next(owner.image.images()).id, "flavorRef": flavor, "networks": "none"}
    with ExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="thermostat-bench-")))
        user = environment_of(os.environ["OS_CLOUD"])
        stack = Stack(port=free_ports(2), state=state, service_user=user, workers=_WORKERS)
        exits.enter_context(stack)
        ours = Ours(owner, server, Client(stack.url, str(owner.auth_token)))
        exits.callback(ours.close)
        heat = Heat(owner, server)
        exits.callback(heat.close)
        yield [Nova(owner, server), ours, heat]


def main() -> int:
    """Print a line for each change, and the median of all turns; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench_heat")
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with _contestants() as contestants:
        for each in contestants:  # a first time, untimed: connections are opened, tokens fetched
            _timed(each, 1)
        for count in _COUNTS:
            took: dict[str, list[float]] = {each.name: [] for each in contestants}
            for _ in range(times):
                for each in contestants:
                    took[each.name].append(_timed(each, count))
            _print(count, took)
    return 0


def _print(count: int, took: dict[str, list[float]]) -> None:
    floor = median(took[Nova.name])
    for name, seconds in took.items():
        middle = median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        ratio = f"{middle / floor:.2f} x, {middle - floor:+.2f} s" if name != Nova.name else ""
        print(f"+{count:<3} {name:12} {middle:7.2f} s  ({spread}; {len(seconds)} times)  {ratio}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
