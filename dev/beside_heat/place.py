"""The real cloud that the environment names, and our service running on it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openstack.connection import Connection

from dev.client import Client, Document
from dev.clouds import environment_of
from dev.ports import free_ports
from dev.stack import Stack

WITHIN_SECONDS = 300
_WORKERS = 2
_ASK_EACH_SECONDS = 0.1
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where both groups are.

    Attributes:
        owner: whose servers and stacks they are.
        server: the smallest server, as Nova's API takes it.
    """

    owner: Connection
    server: Mapping[str, Any]
    stack: Stack

    @property
    def api(self) -> Client:
        """Our service, for the owner, with a token that is good for now."""
        return Client(self.stack.url, str(self.owner.auth_token))

    def servers(self, key: str, value: str) -> list[Document]:
        """Return the servers with something in their metadata, as Nova shows them.

        Not by a tag: Heat tags a server only when it is ACTIVE, and never if its engine dies before that.
        """
        answer = self.owner.compute.get("/servers/detail", microversion="2.79")
        answer.raise_for_status()
        return [server for server in answer.json()["servers"] if server["metadata"].get(key) == value]


@contextmanager
def place() -> Iterator[Place]:
    """Run our service on the cloud of the service user OS_CLOUD, for the owner OWNER_CLOUD."""
    owner = Connection(cloud=os.environ["OWNER_CLOUD"], api_timeout=_TIMEOUT_SECONDS)
    flavors = {flavor.name: flavor.id for flavor in owner.compute.flavors()}
    flavor = flavors[os.environ.get("FLAVOR", "m1.tiny")]
    server = {"imageRef": next(owner.image.images()).id, "flavorRef": flavor, "networks": "none"}
    user = environment_of(os.environ["OS_CLOUD"])
    with (
        tempfile.TemporaryDirectory(prefix="thermostat-bench-") as state,
        Stack(port=free_ports(2), state=Path(state), service_user=user, workers=_WORKERS) as stack,
    ):
        yield Place(owner=owner, server=server, stack=stack)


def until(holds: Callable[[], bool], within_seconds: float = WITHIN_SECONDS) -> None:
    """Return once it holds; TimeoutError in the end."""
    end = time.monotonic() + within_seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within_seconds} s")
        time.sleep(_ASK_EACH_SECONDS)
