"""A group in Heat among wishes, faults, deaths, lost messages and people who meddle; then it must settle.

Laws, in every state: a signal and an update never meet, nor do two of our own requests, whatever died or was
lost in between; only what a process that stood still beyond its lease was about to ask for may meet another,
once; a stack is only ever asked in the group's one way; bounds hold. When the faults stop: the stack has
exactly the wanted members, the group says so, and has a row for each of them.
"""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chalicelib.core.group import Group
from chalicelib.core.heat import Adjust
from chalicelib.flows import groups, sweep
from chalicelib.flows.converge import converge
from chalicelib.ports.cloud import CredentialBroken
from tests.core import factories
from tests.core.heat_factories import a_heat_target
from tests.fake_cloud import WITHOUT_SUCCESS, Fault
from tests.simulation.crash import Executioner, Mishap, mishaps, mortal
from tests.simulation.runs import runs
from tests.simulation.scenes import its_lease_ends
from tests.simulation.test_simulation import ANY, BEFORE_ITS_LEASE
from tests.world import CALLER, World, key

MAX_SIZE = 12


class HeatManaged(RuleBasedStateMachine):
    """One group of one stack, and all that happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.executioner = Executioner()
        self.mortal = mortal(self.world.services, self.executioner)
        self.executioner.meanwhile = self._others_go_on
        self.asked_when_it_goes_on: int | None = None
        self.asked_too_late = 0

    @initialize(adjust=st.sampled_from(Adjust), size=st.integers(1, MAX_SIZE))
    def begin(self, adjust: Adjust, size: int) -> None:
        """A stack of some size, and a group that wants another."""
        self.adjust = adjust
        self.stack = self.world.heat.add(size=size, parameter=size)
        self.world.with_group(
            heat=a_heat_target(adjust), desired_capacity=2, min_size=1, max_size=MAX_SIZE, cooldown_seconds=0
        )

    @rule(size=st.integers(1, MAX_SIZE), mishap=mishaps(6))
    def somebody_wants(self, size: int, mishap: Mishap | None) -> None:
        def edit(group: Group) -> Group:
            return replace(group, desired_capacity=size)

        def run() -> None:
            groups.change(self.mortal, CALLER, factories.GROUP, edit, generation=None, request_id="req-p")

        self.executioner.invoke(run, mishap)

    @rule(mishap=mishaps(20, ANY))
    def a_message_is_delivered(self, mishap: Mishap | None) -> None:
        self.asked_when_it_goes_on = None
        self.executioner.invoke(lambda: converge(self.mortal, key(), "req-c"), mishap)
        if self.asked_when_it_goes_on is not None and mishap != BEFORE_ITS_LEASE:
            self.asked_too_late += self._asked() - self.asked_when_it_goes_on

    @rule(
        size=st.integers(1, MAX_SIZE), seconds=st.sampled_from([1, 5, 20]), lies=st.sampled_from([0, 2, 20])
    )
    def rounds_follow_each_other(self, size: int, seconds: int, lies: int) -> None:
        """While Heat can be reached, and lets lie for some time what it is asked for."""
        self.heat_is_not_as_it_should_be(0, suspended=False, down=False)
        self.keystone_lets_us_in_or_not(broken=False, for_good=False)
        self.stack.take_up_seconds = lies
        self.somebody_wants(size, None)
        for _ in range(4):
            self.world.clock.pass_(seconds)
            self.a_message_is_delivered(None)

    @rule(mishap=mishaps(10))
    def a_minute_ticks(self, mishap: Mishap | None) -> None:
        def run() -> None:
            for shard in range(self.world.limits.shards):
                sweep.sweep(self.mortal, shard)

        self.executioner.invoke(run, mishap)

    @rule(seconds=st.sampled_from([1, 3, 5, 20, 61, 300, 2000]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.pass_(seconds)

    @rule(faults=st.lists(st.sampled_from(WITHOUT_SUCCESS), min_size=1, max_size=4))
    def requests_go_wrong(self, faults: list[Fault]) -> None:
        self.world.heat.faults += faults

    @rule(number=st.integers(0, 3))
    def members_fail(self, number: int) -> None:
        self.stack.fails = number

    @rule(seconds=st.sampled_from([1, 4, 200]), lies=st.sampled_from([0, 2, 20]))
    def heat_is_slow(self, seconds: int, lies: int) -> None:
        self.stack.work_seconds, self.stack.take_up_seconds = seconds, lies

    @rule(size=st.integers(0, MAX_SIZE + 3))
    def somebody_meddles(self, size: int) -> None:
        """But not while a request of ours works or lies: theirs would be what meets it."""
        if self.stack.at_rest:
            self.stack.meddle(size)

    @rule(suspended=st.booleans(), down=st.booleans(), hidden=st.integers(0, 1))
    def heat_is_not_as_it_should_be(self, hidden: int, *, suspended: bool, down: bool) -> None:
        self.stack.suspended, self.world.heat.unreachable = suspended, down
        self.stack.hides_servers = hidden

    @rule(broken=st.booleans(), for_good=st.booleans())
    def keystone_lets_us_in_or_not(self, *, broken: bool, for_good: bool) -> None:
        self.world.heat.broken = CredentialBroken("no", for_good=for_good) if broken else None

    @invariant()
    def nothing_meets_on_the_stack(self) -> None:
        assert self.stack.overlaps <= self.asked_too_late, "nothing fences Heat"

    @invariant()
    def it_is_asked_in_one_way(self) -> None:
        assert not (self.stack.patches if self.adjust is Adjust.SIGNAL else self.stack.signals)

    @invariant()
    def what_is_asked_lies_within_bounds(self) -> None:
        assert all(1 <= value <= MAX_SIZE for value in self.stack.patches)

    def teardown(self) -> None:
        """The faults stop: it settles at what is wanted."""
        heat, stack = self.world.heat, self.stack
        heat.faults, heat.broken, heat.unreachable = [], None, False
        stack.fails = stack.hides_servers = 0
        stack.suspended, stack.work_seconds, stack.take_up_seconds = False, 4, 0
        groups.converge_now(self.world.services, CALLER, factories.GROUP, "req-m")
        if self.adjust is Adjust.SIGNAL and stack.failure:
            stack.failure = None  # as the owner's update of the stack does: no signal mends what failed
        self.world.settle()
        group = self.world.group()
        assert len(stack.members) == group.observed.in_service == group.desired_capacity
        assert {m.resource_id for m in self.world.members()} == {
            server for member in stack.members for server in member.servers
        }
        assert stack.failure is None
        if self.adjust is Adjust.PARAMETER:
            assert stack.parameter == group.desired_capacity

    def _others_go_on(self) -> None:
        """While one process stands still its lease ends, and others do rounds."""
        its_lease_ends(self.world)
        self.asked_when_it_goes_on = self._asked()

    def _asked(self) -> int:
        return len(self.stack.patches) + len(self.stack.signals)


HeatManaged.TestCase.settings = runs(400, 40)
TestHeatManaged = HeatManaged.TestCase
