"""Refreshes against a cloud in memory: each story goes from a wish to what the cloud then holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.errors import Conflict, NotFound, Stale
from chalicelib.core.group import Freeze, Group, GroupStatus, RemovalOrder
from chalicelib.core.ids import LaunchConfigurationId, MemberId, RefreshId
from chalicelib.core.member import Member
from chalicelib.core.refresh import ATTEMPTS_MAX, Refresh, RefreshStatus
from chalicelib.flows import groups, refreshes
from chalicelib.flows.converge import converge
from tests.core import factories
from tests.core.factories import a_refresh
from tests.fake_cloud import Fault
from tests.simulation.crash import Executioner, Kind, Mishap, mortal
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


def test_members_of_a_group_that_serve_are_not_touched_while_new_ones_fail(fleet: Fleet) -> None:
    """It ends as failed after some attempts; then nothing has gone but the first batch."""
    fleet.ready()
    fleet.begin()
    fleet.cloud.fail_builds = 1000
    failed = fleet.run()
    assert failed.status is RefreshStatus.FAILED
    assert failed.status_reason is not None
    assert f"{ATTEMPTS_MAX} builds in a row failed" in failed.status_reason
    assert "No valid host was found." in failed.status_reason
    assert (failed.replaced, failed.remaining) == (0, 2)
    assert fleet.fewest == 2
    assert len(fleet.of(factories.CONFIGURATION)) == 2
    assert fleet.group().refresh_id is None
    assert any(line.startswith("refresh_ended") and "failed" in line for line in fleet.told())


def test_where_all_have_to_serve_not_even_one_goes_while_new_ones_fail(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin(min_in_service=3)
    fleet.cloud.fail_builds = 1000
    failed = fleet.run()
    assert (failed.status, failed.remaining, fleet.fewest) == ("failed", 3, 3)
    assert len(fleet.of(factories.CONFIGURATION)) == 3
    fleet.settle()
    assert fleet.group().status(fleet.clock.now) == (GroupStatus.ACTIVE, None)


def test_it_waits_while_builds_fail_and_goes_on_when_they_do_not(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    fleet.cloud.fail_builds = 2
    waiting = fleet.run(until=lambda seen: seen.attempts == 2)
    assert waiting.status is RefreshStatus.RUNNING
    assert waiting.status_reason is not None
    assert waiting.status_reason.startswith("It waits: Members fail to build")
    assert fleet.group().status(fleet.clock.now)[0] is GroupStatus.ERROR
    done = fleet.run()
    assert (done.status, done.status_reason, done.attempts) == ("succeeded", None, 0)


def test_it_fails_at_once_when_new_members_are_refused(fleet: Fleet) -> None:
    """One more than wanted is asked for, and the quota has no room for it."""
    fleet.ready()
    fleet.cloud.capacity = 3
    fleet.begin(min_in_service=3)
    failed = fleet.run()
    assert (failed.status, failed.status_reason) == ("failed", "Quota exceeded for instances")
    fleet.settle()
    assert len(fleet.of(factories.CONFIGURATION)) == len(fleet.members()) == 3


def test_no_room_beyond_the_wanted_members_is_needed_to_replace_them_in_place(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.capacity = 3
    fleet.begin(batch_size=2)
    assert fleet.run().status is RefreshStatus.SUCCEEDED
    assert fleet.most == 3


def test_between_batches_it_pauses_as_long_as_was_asked_for(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin(pause_seconds=300)
    for batches in (1, 2):
        rested = fleet.run(until=lambda seen: seen.rested_at is not None)
        assert (rested.batches, rested.replaced) == (batches, batches)
        assert "It pauses until" in (rested.status_reason or "")
        fleet.clock.pass_(10)
        fleet.tick()
        assert fleet.group().status(fleet.clock.now) == (GroupStatus.ACTIVE, None)
        began = fleet.run(until=lambda seen, batches=batches: seen.batches > batches)  # type: ignore[misc]
        assert rested.rested_at is not None
        assert began.batch_began_at is not None
        assert 300 <= (began.batch_began_at - rested.rested_at).total_seconds() <= 330
    assert fleet.run().batches == 3


def test_paused_by_hand_a_batch_is_completed_and_no_other_begins(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    fleet.run(until=lambda seen: seen.batches == 1)
    fleet.pause()
    for _ in range(20):
        fleet.clock.pass_(30)
        fleet.tick()
    seen = fleet.seen()
    assert (seen.status, seen.batches, seen.replaced, seen.remaining) == ("paused", 1, 1, 2)
    assert fleet.group().settled
    fleet.pause(paused=False)
    assert fleet.run().status is RefreshStatus.SUCCEEDED
    kinds = [line.partition(":")[0] for line in fleet.told()]
    assert [kind for kind in kinds if kind.startswith("refresh")] == [
        "refresh_begun",
        "refresh_paused",
        "refresh_resumed",
        "refresh_ended",
    ]


def test_aborted_what_was_replaced_stays_and_what_was_added_for_it_goes(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin(min_in_service=3)
    fleet.run(until=lambda seen: seen.replaced == 1)
    assert len(fleet.members()) == 4
    fleet.abort()
    fleet.settle()
    assert len(fleet.members()) == 3
    assert fleet.seen().status is RefreshStatus.ABORTED
    fleet.begin(id=RefreshId("refresh-2"))
    assert fleet.run(until=lambda _: fleet.seen(RefreshId("refresh-2")).ended)
    assert len(fleet.of(NEW)) == 3


def test_a_frozen_group_waits_and_goes_on_when_thawed(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    until = fleet.clock.now + factories.seconds(600)
    fleet.want(freeze=Freeze(reason="night", until=until))
    fleet.run(until=lambda seen: seen.status_reason is not None)
    assert fleet.seen().status_reason == "It waits: the group is frozen."
    fleet.clock.pass_(500)
    fleet.tick()
    assert fleet.seen().batches == 0
    assert fleet.run().status is RefreshStatus.SUCCEEDED
    assert fleet.clock.now >= until


def test_the_group_is_scaled_meanwhile(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    fleet.run(until=lambda seen: seen.batches == 1)
    fleet.want(desired_capacity=6)
    fleet.run(until=lambda seen: seen.replaced >= 4)
    assert fleet.group().observed.in_service >= 4
    fleet.want(desired_capacity=1)
    done = fleet.run()
    fleet.settle()
    assert (done.status, len(fleet.members()), len(fleet.of(NEW))) == ("succeeded", 1, 1)
    assert fleet.fewest >= 1


def test_a_smaller_group_loses_the_old_members_first(fleet: Fleet) -> None:
    """Though by its own order the newest would go first."""
    fleet.ready(desired_capacity=4, removal_order=RemovalOrder.NEWEST)
    fleet.begin()
    fleet.run(until=lambda seen: seen.replaced == 1)
    fleet.pause()
    fleet.run(until=lambda _: fleet.group().settled)
    new = {member.id for member in fleet.of(NEW)}
    assert len(new) == 2
    fleet.want(desired_capacity=2)
    fleet.settle()
    assert {member.id for member in fleet.members()} == new


def test_it_goes_on_towards_the_newest_configuration(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    fleet.run(until=lambda seen: seen.replaced == 2)
    fleet.configure(NEWEST)
    again = fleet.run(until=lambda seen: seen.launch_configuration_id == NEWEST)
    assert again.remaining >= 2
    assert fleet.run().status is RefreshStatus.SUCCEEDED
    assert len(fleet.of(NEWEST)) == 3


def test_another_configuration_helps_out_of_failing_builds(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    fleet.cloud.fail_builds = 1000
    fleet.run(until=lambda seen: seen.attempts == ATTEMPTS_MAX - 1)
    fleet.cloud.fail_builds = 0
    fleet.configure(NEWEST)
    assert fleet.run().status is RefreshStatus.SUCCEEDED
    assert len(fleet.of(NEWEST)) == 3


def test_protected_members_are_left_and_it_says_how_many(fleet: Fleet) -> None:
    fleet.ready()
    kept = fleet.members()[1].id
    fleet.protect(kept)
    assert fleet.begin(batch_size=2).remaining == 2
    done = fleet.run()
    assert (done.status, done.spared, done.replaced) == ("succeeded", 1, 2)
    assert done.status_reason == "1 protected member was left as before."
    assert [member.id for member in fleet.of(factories.CONFIGURATION)] == [kept]
    assert fleet.group().observed.outdated == 1


def test_who_is_protected_while_a_batch_begins_stays(fleet: Fleet) -> None:
    fleet.ready()
    before = {member.id for member in fleet.members()}

    def protect_all() -> None:
        for id_ in before:
            fleet.protect(id_)

    fleet.begin()
    fleet.cloud.meanwhile.append(protect_all)
    done = fleet.run()
    assert (done.status, done.spared, done.replaced) == ("succeeded", 3, 0)
    assert {member.id for member in fleet.members()} == before


def test_if_so_asked_members_of_the_right_configuration_are_replaced_too(fleet: Fleet) -> None:
    fleet.with_group(desired_capacity=3)
    fleet.settle()
    before: set[MemberId] = {member.id for member in fleet.members()}
    assert fleet.begin(replace_all=True, min_in_service=3).remaining == 3
    done = fleet.run()
    assert (done.status, done.replaced, fleet.fewest) == ("succeeded", 3, 3)
    fleet.settle()
    assert not before & {member.id for member in fleet.members()}
    assert len(fleet.members()) == 3


def test_a_member_in_trouble_stops_a_refresh_that_needs_it(fleet: Fleet) -> None:
    """One of the new servers is in somebody's hands: it does not serve, and all three have to."""
    fleet.ready()
    fleet.begin(min_in_service=3)
    fleet.run(until=lambda seen: seen.replaced == 1)
    held = fleet.of(NEW)[0].resource_id
    assert held is not None
    fleet.cloud.machines[held].forced_status = "RESCUE"
    stuck = fleet.run(until=lambda seen: seen.status_reason is not None)
    assert stuck.status_reason == "It waits: without any one of those in service there would be too few."
    fleet.cloud.machines[held].forced_status = None
    assert fleet.run().status is RefreshStatus.SUCCEEDED


def test_a_server_that_cannot_be_deleted_keeps_the_next_batch_from_beginning(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    fleet.cloud.faults = [Fault.REFUSED] * 5
    fleet.run(until=lambda seen: seen.batches == 1)
    seen = fleet.run(until=lambda seen: seen.status_reason is not None)
    assert (seen.batches, seen.replaced) == (1, 0)
    assert "It waits: 400" in (seen.status_reason or "")
    assert fleet.run().status is RefreshStatus.SUCCEEDED
    assert fleet.fewest == 2


def test_a_refresh_of_a_group_without_members_succeeds(fleet: Fleet) -> None:
    fleet.ready(desired_capacity=0, min_size=0)
    fleet.begin()
    assert fleet.run().batches == 0


def test_one_that_is_over_cannot_be_changed_and_one_that_was_changed_is_stale(fleet: Fleet) -> None:
    fleet.ready()
    fleet.begin()
    with pytest.raises(Stale):
        refreshes.abort(fleet.services, CALLER, key(), factories.REFRESH, generation=7, request_id="r")
    with pytest.raises(NotFound):
        refreshes.abort(fleet.services, CALLER, key(), RefreshId("no"), generation=None, request_id="r")
    with pytest.raises(Conflict):
        fleet.begin(id=RefreshId("refresh-2"))
    fleet.run()
    with pytest.raises(Conflict):
        fleet.pause()


def test_who_pauses_the_refresh_of_a_group_that_ends_does_not_leave_it_behind(fleet: Fleet) -> None:
    """The round has read both and is about to abort it; without members to wait for, it ends the group."""
    fleet.ready(desired_capacity=0, min_size=0)
    fleet.begin()
    groups.delete(fleet.services, CALLER, factories.GROUP, generation=None, request_id="req-4")
    between = Executioner(meanwhile=fleet.pause)
    services = mortal(fleet.services, between)
    between.invoke(lambda: converge(services, key(), "req-5"), Mishap(1, late=True, kind=Kind.STALLS))
    assert between.struck
    assert fleet.memory.groups == {}
    assert fleet.seen().status is RefreshStatus.ABORTED


def test_a_refresh_whose_row_was_lost_stands_in_nobodys_way(fleet: Fleet) -> None:
    """As after a table was restored from a backup."""
    fleet.ready()
    fleet.begin()
    fleet.memory.refreshes.clear()
    fleet.settle()
    assert len(fleet.of(factories.CONFIGURATION)) == 3
    fleet.begin()
    assert fleet.run().status is RefreshStatus.SUCCEEDED
