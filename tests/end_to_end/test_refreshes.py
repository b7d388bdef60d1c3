"""Servers replaced one after the other, as an owner has it done over REST and Nova shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dev.client import Document
from tests.end_to_end.conftest import MakeGroup, launch
from tests.end_to_end.site import Party, Site
from tests.end_to_end.test_main_job import path, reached

pytestmark = pytest.mark.timeout(600)


class Watch:
    """What Nova shows of a group's servers, looked at again and again.

    Attributes:
        active: how many were ACTIVE and not going, look by look.
        most: the most that there were.
    """

    def __init__(self, owner: Party, group: Document) -> None:
        self._owner, self._group = owner, group
        self._over = threading.Event()
        self.active: list[int] = []
        self.most = 0

    def look(self) -> None:
        """Look until told that it is over."""
        while not self._over.is_set():
            servers = self._owner.servers_of(self._group)
            self.active.append(sum(server["status"] == "ACTIVE" for server in servers))
            self.most = max(self.most, len(servers))
            time.sleep(0.1)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look as long as this lasts."""
        thread = threading.Thread(target=self.look)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


def reconfigured(owner: Party, where: Site, group: Document) -> str:
    """Set another launch configuration; return its id."""
    other = owner.api.post("/v1/launch-configurations", launch(where, "newer"))
    owner.api.patch(path(group), {"launch_configuration_id": other["id"]})
    return str(other["id"])


@pytest.mark.parametrize(("min_in_service", "most"), [(2, 3), (3, 4)])
def test_three_servers_are_replaced_while_enough_are_active(
    owner: Party, where: Site, make_group: MakeGroup, min_in_service: int, most: int
) -> None:
    group = make_group(desired_capacity=3, max_size=3)
    reached(owner, group, 3)
    before = {server["id"] for server in owner.servers_of(group)}
    configuration = reconfigured(owner, where, group)
    watch = Watch(owner, group)
    began = time.monotonic()
    with watch.looking():
        refresh = owner.api.post(
            f"{path(group)}/refreshes", {"batch_size": 1, "min_in_service": min_in_service}
        )
        assert refresh["remaining"] == 3
        here = f"{path(group)}/refreshes/{refresh['id']}"
        done = owner.api.until(here, lambda seen: seen["status"] != "running", within_seconds=240)
    took = time.monotonic() - began
    print(
        f"min_in_service {min_in_service}: {took:.1f} s, {len(watch.active)} looks, least {min(watch.active)}"
    )
    assert (done["status"], done["replaced"], done["remaining"]) == ("succeeded", 3, 0), done
    assert min(watch.active) >= min_in_service
    assert watch.most <= most
    reached(owner, group, 3)
    assert not before & {server["id"] for server in owner.servers_of(group)}
    members = owner.api.get(f"{path(group)}/members")["members"]
    assert {member["launch_configuration_id"] for member in members} == {configuration}
    shown = owner.api.get(path(group))
    assert (shown["outdated"], shown["refresh_id"], shown["desired_capacity"]) == (0, None, 3)


def test_servers_that_the_cloud_cannot_build_replace_nobody(
    owner: Party, where: Site, make_group: MakeGroup
) -> None:
    group = make_group(desired_capacity=2)
    reached(owner, group, 2)
    before = {server["id"] for server in owner.servers_of(group)}
    impossible = owner.api.post("/v1/launch-configurations", launch(where, "huge", where.flavor_too_big))
    owner.api.patch(path(group), {"launch_configuration_id": impossible["id"]})
    refresh = owner.api.post(f"{path(group)}/refreshes", {"min_in_service": 2})
    here = f"{path(group)}/refreshes/{refresh['id']}"
    waiting = owner.api.until(here, lambda seen: seen["status_reason"], within_seconds=120)
    assert waiting["status"] in ("running", "failed")
    assert {server["id"] for server in owner.servers_of(group) if server["status"] == "ACTIVE"} == before
    if waiting["status"] == "running":
        owner.api.delete(here)
    owner.api.patch(path(group), {"launch_configuration_id": group["launch_configuration_id"]})
    reached(owner, group, 2)
    assert {server["id"] for server in owner.servers_of(group)} == before
