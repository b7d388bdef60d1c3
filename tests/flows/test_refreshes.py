"""Refreshes against a cloud in memory: each story goes from a wish to what the cloud then holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.errors import Conflict, NotFound, Stale
from chalicelib.core.group import Freeze, Group, GroupStatus
from chalicelib.core.ids import LaunchConfigurationId, MemberId, RefreshId
from chalicelib.core.member import Member
from chalicelib.core.refresh import ATTEMPTS_MAX, Refresh, RefreshStatus
from chalicelib.flows import groups, refreshes
from tests.core import factories
from tests.core.factories import a_refresh
from tests.fake_cloud import Fault
from tests.world import CALLER, QUOTA, World, key

NEW = LaunchConfigurationId("configuration-2")
NEWEST = LaunchConfigurationId("configuration-3")


class Fleet(World):
    """A group of three that is to be replaced by members of a new configuration.

    Attributes:
        fewest: the fewest members that were in service after any round, and the most that there were.
    """

    fewest = most = 3

    def ready(self, **changes: Any) -> None:
        """Have the group built, and another configuration set."""
        self.with_group(**{"desired_capacity": 3, **changes})
        self.settle()
        self.configure(NEW)

    def configure(self, id_: LaunchConfigurationId) -> None:
        """Have new members made from another configuration from now on."""
        s = self.services
        configuration = factories.a_launch_configuration(id=id_, fingerprint="made-by-a-test")
        s.launch_configurations.create(configuration, QUOTA)
        self.want(launch_configuration_id=id_)

    def want(self, **changes: Any) -> Group:
        """Change the group as its owner does."""

        def edit(group: Group) -> Group:
            return replace(group, **changes)

        return groups.change(
            self.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-2"
        )

    def begin(self, **changes: Any) -> Refresh:
        """Begin a refresh."""

        def make(group: Group) -> Refresh:
            now = self.clock.now
            wanted = a_refresh(group, created_at=now, updated_at=now)
            return replace(wanted, **changes)

        return refreshes.begin(self.services, CALLER, factories.GROUP, make, "req-3")

    def seen(self, id_: RefreshId = factories.REFRESH) -> Refresh:
        """Return the refresh as it is now."""
        return self.services.refreshes.get(key(), id_)

    def pause(self, *, paused: bool = True) -> Refresh:
        """Pause the refresh, or let it go on."""
        return refreshes.set_paused(
            self.services, CALLER, key(), factories.REFRESH, paused=paused, generation=None, request_id="r"
        )

    def abort(self) -> None:
        """Abort the refresh."""
        refreshes.abort(self.services, CALLER, key(), factories.REFRESH, generation=None, request_id="r")

    def run(self, until: Callable[[Refresh], bool] = lambda seen: seen.ended, steps: int = 400) -> Refresh:
        """Let rounds follow each other, each some seconds behind the other."""
        for _ in range(steps):
            if until(self.seen()):
                return self.seen()
            self.clock.pass_(2)
            self.tick()
            serving = sum(m.seen(self.clock.now).status == "ACTIVE" for m in self.cloud.machines.values())
            self.fewest, self.most = min(self.fewest, serving), max(self.most, len(self.cloud.machines))
        raise AssertionError(f"still {self.seen()}")

    def of(self, configuration: LaunchConfigurationId) -> list[Member]:
        """Return the members of a configuration."""
        return [m for m in self.members() if m.launch_configuration_id == configuration]

    def told(self) -> list[str]:
        """Return the group's story, oldest first."""
        page = self.services.activities.of_group(factories.PROJECT, factories.GROUP, 100, None)
        return [f"{line.kind}: {line.detail}" for line in reversed(page.items)]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_without_a_refresh_old_members_stay_and_are_counted(fleet: Fleet) -> None:
    fleet.ready()
    fleet.settle()
    assert len(fleet.of(factories.CONFIGURATION)) == 3
    assert fleet.group().observed.outdated == 3
    fleet.want(desired_capacity=4)
    fleet.settle()
    assert len(fleet.of(NEW)) == 1
    assert fleet.group().observed.outdated == 3


@pytest.mark.parametrize(
    ("batch_size", "min_in_service", "fewest", "most", "batches"),
    [
        (1, None, 2, 3, 3),
        (2, None, 1, 3, 2),
        (1, 3, 3, 4, 4),
        (2, 2, 2, 4, 2),
        (2, 3, 3, 5, 3),
        (3, 0, 0, 3, 1),
    ],
)
def test_all_are_replaced_and_enough_serve(
    fleet: Fleet, batch_size: int, min_in_service: int | None, fewest: int, most: int, batches: int
) -> None:
    fleet.ready(max_size=3)
    assert fleet.begin(batch_size=batch_size, min_in_service=min_in_service).remaining == 3
    done = fleet.run()
    assert (done.status, done.replaced, done.remaining, done.batches) == ("succeeded", 3, 0, batches)
    fleet.settle()
    assert len(fleet.of(NEW)) == len(fleet.members()) == len(fleet.cloud.machines) == 3
    assert (fleet.fewest, fleet.most) == (fewest, most)
    assert (fleet.group().refresh_id, fleet.group().observed.outdated) == (None, 0)
    assert fleet.group().desired_capacity == 3
