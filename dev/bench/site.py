"""Where the benchmark measures: the running service, the cloud below it, groups that grow by webhook."""

from __future__ import annotations

import json
import logging
import os
import queue
import random
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from chalice.test import Client as Functions

from chalicelib import wiring
from chalicelib.core.ids import GroupId
from chalicelib.core.member import group_tag
from dev import simulated
from dev.client import Client, Document, call_hook
from dev.receivers import take_messages
from dev.simcloud import SimCloud
from dev.stack import Stack

_GROWN_WITHIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Group:
    """A settled group, and the webhook by which it grows."""

    project_id: str
    id: str
    hook: str

    @property
    def path(self) -> str:
        """The group's, in the API."""
        return f"/v1/groups/{self.id}"


@dataclass(frozen=True, slots=True)
class Growth:
    """How long a growth took, in seconds from its request, by the cloud's own times.

    Attributes:
        accepted: until Nova took the first server's request.
        active: until the last server was ACTIVE.
    """

    accepted: float
    active: float


class Site:
    """A running stack and its simulated cloud, seen by the owner ``demo``."""

    def __init__(self, stack: Stack, cloud: SimCloud) -> None:
        self.stack = stack
        self.cloud = cloud
        self._api = Client(stack.url, cloud.token("demo", "demo"))
        cloud.backstage.set_quota("demo", -1)
        self._made_of = self._ingredients()

    def group(self, name: str, *, adjustment: int, max_size: int, desired: int = 0) -> Group:
        """Make a group that grows by ``adjustment``, without cooldown; return it once it is settled."""
        sizes = {"min_size": 0, "max_size": max_size, "desired_capacity": desired, "cooldown": 0}
        group = self._api.post("/v1/groups", {"name": name, **sizes, **self._made_of})
        policy = self._api.post(
            "/v1/policies",
            {
                "name": name,
                "group_id": group["id"],
                "type": "change_in_capacity",
                "adjustment": adjustment,
            },
        )
        webhook = self._api.post(f"/v1/policies/{policy['id']}/webhooks", {"name": name})
        made = Group(group["project_id"], group["id"], webhook["url"])
        self.settle(made)
        return made

    def grow(self, group: Group, count: int) -> Growth:
        """Call the group's webhook, which asks for ``count`` more; return how long they took."""
        tag = group_tag(GroupId(group.id))
        before = len(self._servers(tag))
        began = datetime.now(UTC)
        call_hook(group.hook).raise_for_status()
        return self.growth(tag, count, began, before)

    def growth(self, tag: str, count: int, began: datetime, before: int = 0) -> Growth:
        """Wait until Nova has taken ``count`` servers with ``tag`` beside the ones ``before``.

        When they will be ACTIVE need not be waited for: the simulated cloud knows.

        Raises:
            TimeoutError: they were not asked for in time.
        """
        end = time.monotonic() + _GROWN_WITHIN_SECONDS
        while len(new := self._servers(tag)[before:]) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(new)} of {count} servers after {_GROWN_WITHIN_SECONDS} s")
            time.sleep(0.01)
        accepted = min(server.created_at for server in new)
        active = max(server.built_at for server in new)
        return Growth((accepted - began).total_seconds(), (active - began).total_seconds())

    def grown(self, tags: Collection[str], size: int) -> tuple[datetime, datetime]:
        """Wait until Nova has taken ``size`` servers with each of the tags.

        Returns:
            When the last of them was asked for, and when the last will be ACTIVE, by the cloud's own clock.

        Raises:
            TimeoutError: they were not asked for in time.
        """
        wanted = set(tags)
        end = time.monotonic() + _GROWN_WITHIN_SECONDS
        while True:
            servers = [s for s in self.cloud.backstage.servers("demo") if not wanted.isdisjoint(s.tags)]
            if len(servers) >= size * len(tags):
                return max(s.created_at for s in servers), max(s.built_at for s in servers)
            if time.monotonic() > end:
                raise TimeoutError(f"{len(servers)} servers after {_GROWN_WITHIN_SECONDS} s")
            time.sleep(0.05)

    def settle(self, group: Group) -> None:
        """Wait until the group itself says that it is as it is wanted."""
        self._api.until(group.path, _settled)

    def intake(self, group: Group) -> str:
        """Return the path of the group's new intake."""
        return urlsplit(self._api.call("PUT", f"{group.path}/intake")["url"]).path

    def watch_closely(self, group: Group, metric: str) -> None:
        """Have the group's policy set in motion in each period of 10 s in which ``metric`` was above 0."""
        [policy] = self._api.get(f"/v1/policies?group_id={group.id}")["policies"]
        alarm = {
            "name": metric,
            "group_id": group.id,
            "metric": metric,
            "statistic": "average",
            "period": 10,
            "evaluation_periods": 1,
            "comparison_operator": "gt",
            "threshold": 0,
            "alarm_actions": [policy["id"]],
        }
        self._api.post("/v1/alarms", alarm)

    def server_ids(self, group: Group) -> list[str]:
        """Return the ids of the group's servers."""
        return [member["server_id"] for member in self._api.get(f"{group.path}/members")["members"]]

    def _servers(self, tag: str) -> list[Any]:
        return [server for server in self.cloud.backstage.servers("demo") if tag in server.tags]

    def _ingredients(self) -> Document:
        credential = self._api.post("/v1/credentials", {"name": "bench", "type": "trust"})
        server = {"image": simulated.IMAGE, "flavor": simulated.FLAVOR, "networks": "none"}
        configuration = self._api.post("/v1/launch-configurations", {"name": "bench", "server": server})
        return {"credential_id": credential["id"], "launch_configuration_id": configuration["id"]}


class Here:
    """The functions in this very process, on the stack's tables; nobody works on what they queue.

    Args:
        empty_queue_url: a further queue, which nobody uses.
    """

    def __init__(self, functions: Functions, empty_queue_url: str) -> None:
        self._functions = functions
        self._empty_queue_url = empty_queue_url

    def decide(self, group: Group) -> None:
        """Call the group's webhook; it must change the group."""
        answer = self._functions.http.post(urlsplit(group.hook).path, headers={"Host": "localhost"})
        assert answer.json_body["outcome"] == "executed", answer.json_body

    def post_samples(self, path: str, body: Mapping[str, Any], count: int) -> None:
        """Post samples to an intake; all of them must be accepted."""
        headers = {"Host": "localhost", "Content-Type": "application/json"}
        answer = self._functions.http.post(f"{path}/samples", headers=headers, body=json.dumps(body).encode())
        assert answer.json_body == {"accepted": count, "rejected": []}, answer.json_body

    def round(self, group: Group) -> None:
        """Run a round for the group."""
        message = {
            "kind": "converge",
            "project_id": group.project_id,
            "group_id": group.id,
            "request_id": f"req-{uuid.uuid4()}",
        }
        event = self._functions.events.generate_sqs_event([json.dumps(message)])
        self._functions.lambda_.invoke("work", event)

    def deliveries(self, count: int, workers: int) -> list[float]:
        """Return the seconds that messages take through the queue to whichever receiver has one first.

        Args:
            workers: as many receivers wait as in so many of the stack's processes.
        """
        url = self._empty_queue_url
        sqs: Any = boto3.client("sqs")
        arrivals: queue.SimpleQueue[float] = queue.SimpleQueue()
        over = threading.Event()

        def arrived(_message: Any) -> bool:
            arrivals.put(time.perf_counter())
            return True

        waiting = [threading.Thread(target=take_messages, args=(url, arrived, over)) for _ in range(workers)]
        for each in waiting:
            time.sleep(random.uniform(0.0, 0.1))  # processes do not begin at the same moment
            each.start()
        taken = []
        for _ in range(count):
            time.sleep(random.uniform(0.1, 0.3))
            sent = time.perf_counter()
            sqs.send_message(QueueUrl=url, MessageBody="-")
            taken.append(arrivals.get(timeout=10) - sent)
        over.set()
        for each in waiting:
            each.join()  # their last calls must not be watched as somebody else's
        return taken


@contextmanager
def functions_here(stack: Stack) -> Iterator[Here]:
    """Have the functions in this process for as long as the block; once in a process."""
    with _environment(stack.environment):
        sqs = boto3.client("sqs")
        decided, empty = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("decided", "empty"))
        with _environment({"QUEUE_URL": decided}), Path(os.devnull).open("w") as nowhere:
            from app import app  # noqa: PLC0415  (its settings are those of the environment)

            wiring.settings()  # has the logs configured: lines are made, for that takes time, and not shown
            for handler in logging.getLogger("chalicelib").handlers:
                assert isinstance(handler, logging.StreamHandler)
                handler.setStream(nowhere)
            with Functions(app) as functions:
                yield Here(functions, empty)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    was = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(was)


def _settled(group: Document) -> bool:
    return bool(group["status"] == "active" and group["in_service"] == group["desired_capacity"])
