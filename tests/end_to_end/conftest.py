"""The service, started once for all end-to-end tests, and what an owner makes first.

Its functions are processes of ours (``dev.stack``); with E2E_ON=bundle they are those of the packaged bundle,
deployed to an AWS stand-in (``tests.deployed``).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from deploy.package import package
from dev.client import Document, Refused
from dev.ports import free_ports
from dev.stack import Stack
from tests.deployed import Deployed, deployed
from tests.end_to_end.site import KeepingClient, Party, Site, site
from tests.kept_secrets import watch

_SETTINGS = {
    "TICK_SECONDS": "5",
    "ROUND_SECONDS": "10",
    "LEASE_SECONDS": "30",
    "ADOPTION_SECONDS": "20",
    "LOG_LEVEL": "DEBUG",
}
"""Shorter than in production, so that a test of what comes after a death need not wait for long; and with all
that is ever logged, for no secret may be in it. Of a deployed bundle, only the last can be set."""

ON_BUNDLE = os.environ.get("E2E_ON") == "bundle"
PATIENCE = 3 if ON_BUNDLE else 1
"""How many times longer than elsewhere anything may take: the bundle ticks each minute, and starts cold."""


@pytest.fixture(scope="session")
def where() -> Iterator[Site]:
    with site() as found:
        yield found


@pytest.fixture(scope="session")
def stack(where: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack | Deployed]:
    state: Path = watch(tmp_path_factory.mktemp("state"))
    with _bundle(where, state) if ON_BUNDLE else _processes(where, state) as running:
        yield running


def _bundle(where: Site, state: Path) -> AbstractContextManager[Deployed]:
    assert "OS_CACERT" not in where.service_user, "the stand-in has no /var/task with certificates"
    made = package("e2e", state / "package").bundle.parent
    return deployed("e2e", made, where.service_user | {"LOG_LEVEL": _SETTINGS["LOG_LEVEL"]}, logs=state)


def _processes(where: Site, state: Path) -> Stack:
    port = free_ports(8)
    user = where.service_user
    return Stack(port=port, state=state, service_user=user, settings=_SETTINGS, metrics_port=port + 2)


@pytest.fixture
def processes(stack: Stack | Deployed) -> Stack:
    """The stack where it is of processes, for tests of what only these have."""
    if isinstance(stack, Deployed):
        pytest.skip("Lambda's processes are not ours to kill, and serve no metrics")
    return stack


@pytest.fixture
def owner(stack: Stack | Deployed, where: Site) -> Iterator[Party]:
    with party(stack.url, where.owner) as found:
        yield found


@pytest.fixture
def other(stack: Stack | Deployed, where: Site) -> Iterator[Party]:
    with party(stack.url, where.other) as found:
        yield found


@contextmanager
def party(url: str, cloud: Connection, patience: int = PATIENCE) -> Iterator[Party]:
    """Yield somebody who uses the service at ``url``, and clean up behind them."""
    party = Party(KeepingClient(url, str(cloud.auth_token), patience), cloud)
    yield party
    groups = party.api.get("/v1/groups")["groups"]
    for group in groups:
        party.api.delete(f"/v1/groups/{group['id']}")
    for group in groups:
        _wait_until_gone(party, group)
    for noun in ("launch-configurations", "credentials"):
        for item in party.api.get(f"/v1/{noun}")[noun.replace("-", "_")]:
            party.api.delete(f"/v1/{noun}/{item['id']}")


def _wait_until_gone(party: Party, group: Document) -> None:
    """Wait until a group that was deleted is drained, and so not found any more."""
    with pytest.raises(Refused, match="404"):
        party.api.until(f"/v1/groups/{group['id']}", lambda _: False, within_seconds=90)


MakeGroup = Callable[..., Document]


@pytest.fixture
def make_group(owner: Party, where: Site) -> MakeGroup:
    return group_maker(owner, where)


def group_maker(owner: Party, where: Site) -> MakeGroup:
    """Return a function that makes a group of the owner's, with what it is made of."""
    numbers = itertools.count(1)

    def make(*, flavor: str | None = None, credential: Document | None = None, **wanted: Any) -> Document:
        name = f"e2e-{next(numbers)}"
        credential = credential or owner.api.post("/v1/credentials", {"name": name, "type": "trust"})
        configuration = owner.api.post("/v1/launch-configurations", launch(where, name, flavor))
        defaults = {"name": name, "min_size": 0, "max_size": 100, "cooldown": 0}
        made = {"launch_configuration_id": configuration["id"], "credential_id": credential["id"]}
        return owner.api.post("/v1/groups", {**defaults, **made, **wanted})

    return make


def launch(where: Site, name: str, flavor: str | None = None) -> Document:
    """Return the document of a launch configuration of the smallest server there is."""
    server = {"image": where.image, "flavor": flavor or where.flavor, "networks": "none"}
    return {"name": name, "type": "server", "server": server}
