"""The service, started once for all end-to-end tests, and what an owner makes first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.client import Document, Refused
from dev.ports import free_ports
from dev.stack import Stack
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
that is ever logged, for no secret may be in it."""


@pytest.fixture(scope="session")
def where() -> Iterator[Site]:
    with site() as found:
        yield found


@pytest.fixture(scope="session")
def stack(where: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    state: Path = watch(tmp_path_factory.mktemp("state"))
    port = free_ports(8)
    user = where.service_user
    with Stack(
        port=port, state=state, service_user=user, settings=_SETTINGS, metrics_port=port + 2
    ) as running:
        yield running


@pytest.fixture
def owner(stack: Stack, where: Site) -> Iterator[Party]:
    yield from _party(stack, where.owner)


@pytest.fixture
def other(stack: Stack, where: Site) -> Iterator[Party]:
    yield from _party(stack, where.other)


def _party(stack: Stack, cloud: Any) -> Iterator[Party]:
    """Yield somebody who uses the service, and clean up behind them."""
    party = Party(KeepingClient(stack.url, str(cloud.auth_token)), cloud)
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
