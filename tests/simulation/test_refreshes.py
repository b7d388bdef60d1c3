"""Refreshes amid everything else that happens: other wishes, faults, deaths and lost messages.

Beside the laws of any group: what a round does never leaves fewer members in service than must serve, as far
as their servers are known or listed; while there is a refresh, there may be a batch of members beyond those
wanted; one refresh at a time has not ended, and the group knows it. When the faults stop it succeeds within a
bounded number of minutes, and every member is of the group's configuration.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
from hypothesis.stateful import invariant, rule

from chalicelib.core.errors import Conflict
from chalicelib.core.group import Group
from chalicelib.core.ids import LaunchConfigurationId, RefreshId
from chalicelib.core.member import MemberState
from chalicelib.core.refresh import ATTEMPTS_MAX, Refresh, RefreshStatus
from chalicelib.core.rolling import least_in_service
from chalicelib.flows import groups, refreshes
from tests.core import factories
from tests.simulation.crash import Mishap, mishaps
from tests.simulation.runs import runs
from tests.simulation.test_simulation import MAX_SIZE, Service
from tests.world import CALLER, QUOTA, key

BATCH_MAX = 4
CONFIGURATIONS = [LaunchConfigurationId(f"configuration-{number}") for number in (1, 2, 3)]


class Refreshing(Service):
    """One group whose members are replaced now and then."""

    # What people do.

    @rule(number=st.integers(0, 2), mishap=mishaps(6))
    def another_configuration_is_set(self, number: int, mishap: Mishap | None) -> None:
        id_ = CONFIGURATIONS[number]
        known = self.world.memory.launch_configurations
        if (factories.PROJECT, id_) not in known:
            of_the_same_kind = replace(known[factories.PROJECT, factories.CONFIGURATION], id=id_)
            self.world.services.launch_configurations.create(of_the_same_kind, QUOTA)

        def edit(group: Group) -> Group:
            return replace(group, launch_configuration_id=id_)

        def run() -> None:
            groups.change(self.mortal, CALLER, factories.GROUP, edit, generation=None, request_id="req-l")

        self.executioner.invoke(run, mishap)

    @rule(
        batch_size=st.integers(1, BATCH_MAX),
        least=st.none() | st.integers(0, MAX_SIZE),
        pause=st.sampled_from([0, 60]),
        replace_all=st.booleans(),
        mishap=mishaps(6),
    )
    def a_refresh_begins(
        self,
        batch_size: int,
        least: int | None,
        pause: int,
        mishap: Mishap | None,
        *,
        replace_all: bool,
    ) -> None:
        changes = {"batch_size": batch_size, "min_in_service": least, "pause_seconds": pause}
        self.executioner.invoke(lambda: self._begin(replace_all=replace_all, **changes), mishap)

    @rule(paused=st.booleans(), mishap=mishaps(6))
    def somebody_pauses_it_or_lets_it_go_on(self, mishap: Mishap | None, *, paused: bool) -> None:
        refresh = self._under_way()
        if refresh is None:
            return

        def run() -> None:
            refreshes.set_paused(
                self.mortal, CALLER, key(), refresh.id, paused=paused, generation=None, request_id="req-q"
            )

        self.executioner.invoke(run, mishap)

    @rule(really=st.integers(0, 3), mishap=mishaps(6))
    def somebody_aborts_it(self, really: int, mishap: Mishap | None) -> None:
        refresh = self._under_way()
        if refresh is None or really:
            return

        def run() -> None:
            refreshes.abort(self.mortal, CALLER, key(), refresh.id, generation=None, request_id="req-o")

        self.executioner.invoke(run, mishap)

    # What the machinery does.

    @rule(mishap=mishaps(20))
    def a_round_replaces_members(self, mishap: Mishap | None) -> None:
        before, refresh = self._serving(), self._under_way()
        self._round(mishap)
        if self.servers_may_come_unexpected:
            return  # and serve as members that were given up, which the round then finds out
        if refresh is not None and not self.deleted and not refresh.ended:
            group = self.world.group()
            rolling = refresh.rolling(group, self.world.limits.steps_max, self.world.clock.now)
            assert self._serving() >= min(before, least_in_service(rolling, group.desired_capacity))

    @rule(rounds=st.integers(2, 12))
    def rounds_follow_each_other(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.clock.pass_(5)
            self.a_round_replaces_members(None)

    @rule(
        serving=st.integers(1, 6),
        batch_size=st.integers(1, BATCH_MAX),
        least=st.none() | st.integers(0, MAX_SIZE),
        sizes=st.lists(st.integers(0, MAX_SIZE), min_size=1, max_size=3),
    )
    def the_group_is_resized_amid_a_batch(
        self, serving: int, batch_size: int, least: int | None, sizes: list[int]
    ) -> None:
        """While old members serve and new ones build: those of the batch, and those that are more."""
        if self.deleted:
            return
        took, self.world.cloud.build = self.world.cloud.build, timedelta(seconds=3)
        self.somebody_wants(serving, None, as_seen=False)
        self.rounds_follow_each_other(3)
        self.world.cloud.build = timedelta(seconds=300)
        if self._under_way() is None:
            self._begin(replace_all=True, batch_size=batch_size, min_in_service=least)
        for size in sizes:
            self.rounds_follow_each_other(2)
            self.somebody_wants(size, None, as_seen=False)
        self.rounds_follow_each_other(1)
        self.world.cloud.build = took

    # The laws.

    @invariant()
    def one_refresh_at_a_time_has_not_ended_and_the_group_knows_it(self) -> None:
        going = [refresh.id for refresh in self.world.memory.refreshes.values() if not refresh.ended]
        known = [held.group.refresh_id for held in self.world.memory.groups.values() if held.group.refresh_id]
        assert going == known

    def teardown(self) -> None:
        """The faults stop: a refresh succeeds, and then the group settles as any does."""
        if not self.deleted and self.world.memory.groups:
            self._mend()
            if self._under_way() is None:
                self._begin()
            self._end_of_the_refresh()
        super().teardown()

    def _end_of_the_refresh(self, *, had_faults: bool = True) -> None:
        """Let it end; one whose builds failed while there were faults may fail at last, the next may not."""
        refresh = self._under_way()
        assert refresh is not None
        if refresh.status is RefreshStatus.PAUSED:
            refreshes.set_paused(
                self.world.services, CALLER, key(), refresh.id, paused=False, generation=None, request_id="r"
            )
        for _ in range(120):
            self.world.clock.pass_(60)
            self.world.tick()
            refresh = self.world.services.refreshes.get(key(), refresh.id)
            if refresh.ended:
                break
        if had_faults and refresh.status is RefreshStatus.FAILED and refresh.attempts == ATTEMPTS_MAX:
            self._arm_again()
            self._begin()
            self._end_of_the_refresh(had_faults=False)
            return
        assert refresh.status is RefreshStatus.SUCCEEDED
        current = self.world.group().launch_configuration_id
        assert {m.launch_configuration_id for m in self.world.members()} <= {current}

    def _mend(self) -> None:
        cloud = self.world.cloud
        cloud.faults, cloud.fail_builds, cloud.capacity, cloud.broken = [], 0, 10_000, None
        cloud.lag, cloud.build = timedelta(0), timedelta(seconds=3)
        for machine in cloud.machines.values():
            machine.forced_status = None if machine.forced_status == "RESCUE" else machine.forced_status
        self._arm_again()

    def _begin(self, **changes: object) -> None:
        def make(group: Group) -> Refresh:
            now = self.world.clock.now
            id_ = RefreshId(self.world.services.new_id())
            return replace(a_refresh_of(group, id_), created_at=now, updated_at=now, **changes)  # type: ignore[arg-type]

        services = self.mortal if self.executioner.calls_left is not None else self.world.services
        try:
            refreshes.begin(services, CALLER, factories.GROUP, make, "req-b")
        except Conflict:
            assert self._under_way() is not None or self.deleted

    def _under_way(self) -> Refresh | None:
        return next((r for r in self.world.memory.refreshes.values() if not r.ended), None)

    def _may_be(self) -> int:
        """Return how many members there may be: those that are wanted now, and a batch while there is one."""
        refresh = self._under_way()
        return super()._may_be() + (0 if refresh is None or self.deleted else refresh.batch_size)

    def _serving(self) -> int:
        """Return how many members serve and are not to go: of servers that lists show, or that are known."""
        now = self.world.clock.now
        staying = [m for m in self.world.memory.members.values() if m.state is not MemberState.DELETING]
        known, awaited = {m.resource_id for m in staying}, {m.name for m in staying}
        machines = [m for m in self.world.cloud.machines.values() if m.seen(now).status == "ACTIVE"]
        return sum(m.id in known or (m.name in awaited and m.listed_at <= now) for m in machines)


def a_refresh_of(group: Group, id_: RefreshId) -> Refresh:
    """Return a refresh of the group, one by one."""
    return factories.a_refresh(group, id=id_)


Refreshing.TestCase.settings = runs(400, 40)
TestRefreshing = Refreshing.TestCase
