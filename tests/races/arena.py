"""What is raced for: one group of one owner, the processes that work on it, and the tables behind them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.ports.storage import GroupKey
from chalicelib.queue import SqsQueue
from chalicelib.tables.database import Database
from dev.client import Client, Document
from dev.local_server import HOST
from dev.ports import free_ports
from dev.simcloud import IMAGE_ID, SimCloud
from dev.simcloud.faults import Effect, Fault
from dev.simcloud.records import Server
from dev.simulated import FLAVOR, service_user
from dev.stack import Function, Stack
from tests.end_to_end.site import KeepingClient
from tests.kept_secrets import keep_all_of, watch
from tests.tables.storage import Storage, in_dynamodb

FIRST_SIZE = 5
LARGEST = 40
"""The group is never allowed more members than this, whatever its owner changes."""

ADJUSTMENTS = (1, 3, -1, -3)
"""By how much the group's policies change it."""

_PATIENCE_SECONDS = 300
_SETTINGS = {
    "TICK_SECONDS": "1",
    "ROUND_SECONDS": "4",
    "LEASE_SECONDS": "6",
    "ADOPTION_SECONDS": "15",
    "RATE_WEBHOOK": "1000000",
    "RATE_INTAKE": "1000000",
    "RATE_PROJECT_WEBHOOKS": "1000000",
    "RATE_PROJECT_SAMPLES": "1000000",
    "RATE_PROJECT_CALLS": "1000000",
    "LOG_LEVEL": "DEBUG",
}
"""Short, so that what a death left behind is soon taken up; and nobody is refused for calling often."""


_SLOW = Fault(
    what=Effect.DELAY, service="nova", method="POST", path="/servers$", delay_seconds=0.2, times=None
)
"""So that a kill may come while servers are being asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """Everything that a race needs.

    Attributes:
        functions: the service's processes by their names: two of the API, four workers, one tick.
        urls: of each API.
        tables: the service's own, seen past it.
        queue: the service's own, too.
        hooks: the path of a webhook for each of ``ADJUSTMENTS``.
        intake: the path of the group's.
        logs: the folder that each process has its log in.
    """

    functions: Mapping[str, Function]
    urls: tuple[str, ...]
    cloud: SimCloud
    tables: Storage
    queue: SqsQueue
    owner: Client
    token: str
    key: GroupKey
    hooks: Mapping[int, str]
    intake: str
    logs: Path

    @property
    def group(self) -> str:
        """The path of the group."""
        return f"/v1/groups/{self.key.group_id}"

    def stored(self) -> Group:
        """Return the group as it is stored; waits while the database is down."""
        while True:
            with suppress(Unavailable):
                return self.tables.groups.get(self.key.project_id, self.key.group_id)

    def servers(self) -> Sequence[Server]:
        """Return all servers of the owner's project that are not gone: there are none but the group's."""
        return self.cloud.backstage.servers("demo")

    def settle(self) -> float:
        """Wait until the group is as it is wanted; return after how many seconds it was."""
        return _until(lambda: self.stored().settled)

    def vanish(self) -> float:
        """Wait until the group is gone; return after how many seconds it was."""

        def gone() -> bool:
            try:
                self.stored()
            except NotFound:
                return True
            return False

        return _until(gone)


def _until(condition: Callable[[], bool]) -> float:
    """Wait for the condition; return for how many seconds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + _PATIENCE_SECONDS, "the group does not come to rest"
        time.sleep(0.1)
    return time.monotonic() - began


@contextmanager
def arena(dynamodb_url: str, state: Path) -> Iterator[Arena]:
    """Run the service on the engine at ``dynamodb_url``; yield it with a group that is settled."""
    port, watched = free_ports(3), watch(state)
    with SimCloud(build_seconds=0.3, delete_seconds=0.2) as cloud:
        keep_all_of(cloud)
        cloud.faults.add(_SLOW)
        stack = Stack(
            port=port,
            state=watched,
            service_user=service_user(cloud.auth_url),
            settings={**_SETTINGS, "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url},
            stage=f"races-{uuid.uuid4().hex[:8]}",
        )
        with stack, _another_api(stack, port + 2, watched) as other:
            urls = (stack.url, f"http://{HOST}:{port + 2}")
            yield _arena(stack, {**stack.functions, "api-2": other}, urls, cloud, watched)


@contextmanager
def _another_api(stack: Stack, port: int, state: Path) -> Iterator[Function]:
    function = Function(["api", "--port", str(port)], stack.environment, state / "api-2.log")
    try:
        yield function
    finally:
        function.stop()


def _arena(
    stack: Stack, functions: Mapping[str, Function], urls: tuple[str, str], cloud: SimCloud, logs: Path
) -> Arena:
    token = cloud.token("demo", "demo")
    owner = KeepingClient(stack.url, token)
    group = _group(owner)
    hooks = {by: _hook(owner, group, by) for by in ADJUSTMENTS}
    intake = owner.call("PUT", f"/v1/groups/{group['id']}/intake")["url"]
    owner.until(f"/v1/groups/{group['id']}", lambda shown: shown["in_service"] == FIRST_SIZE)
    project = ProjectId(group["project_id"])
    with pytest.MonkeyPatch.context() as patch:  # clients look up where to go as they are made
        for name, value in stack.environment.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        database = Database(f"thermostat-{stack.environment['STAGE']}-")
        queue = SqsQueue(stack.environment["QUEUE_URL"])
    return Arena(
        functions=functions,
        urls=urls,
        cloud=cloud,
        tables=replace(in_dynamodb(database), project=project),
        queue=queue,
        owner=owner,
        token=token,
        key=GroupKey(project_id=project, group_id=GroupId(group["id"])),
        hooks=hooks,
        intake=urlsplit(intake).path,
        logs=logs,
    )


def _group(owner: Client) -> Document:
    server = {"image": IMAGE_ID, "flavor": FLAVOR, "networks": "none"}
    configuration = owner.post("/v1/launch-configurations", {"name": "races", "server": server})
    credential = owner.post("/v1/credentials", {"name": "races", "type": "trust"})
    made_of = {"launch_configuration_id": configuration["id"], "credential_id": credential["id"]}
    sizes = {"min_size": 0, "max_size": LARGEST, "desired_capacity": FIRST_SIZE, "cooldown": 0}
    return owner.post("/v1/groups", {"name": "races", **made_of, **sizes})


def _hook(owner: Client, group: Document, by: int) -> str:
    rule = {"type": "change_in_capacity", "adjustment": by}
    policy = owner.post("/v1/policies", {"name": f"by {by}", "group_id": group["id"], **rule})
    url: str = owner.post(f"/v1/policies/{policy['id']}/webhooks", {"name": "races"})["url"]
    return urlsplit(url).path
