"""Everything at once: wishes, alarms, faults, deaths and lost messages in any order; then it must settle.

Laws, in every state: bounds hold; an event scales once, and what was acknowledged is in the history; no
server stands for two members; of members that are to stay there are never more than were ever wanted, and no
round makes more than are wanted as it begins; of a frozen group nothing is changed; what is not settled is
looked at again; a round that stood still beyond its lease finishes the step it was at and begins no other;
and no server is without a member, for as long as servers show themselves within the time that is waited for
them. When the faults stop: exactly the wanted servers, each some member's, within a bounded number of
minutes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chalicelib.core.decision import Event
from chalicelib.core.errors import Conflict
from chalicelib.core.execution import Outcome
from chalicelib.core.group import Freeze, Group
from chalicelib.core.ids import ExecutionId, PolicyId
from chalicelib.core.launch import LaunchType, Template
from chalicelib.core.member import TO_GO
from chalicelib.flows import groups, scale, sweep
from chalicelib.flows.converge import converge
from chalicelib.ports.cloud import CredentialBroken
from tests.core import factories
from tests.fake_cloud import Fault
from tests.fakes.memory import Held
from tests.simulation.crash import Executioner, Kind, Mishap, mishaps, mortal
from tests.simulation.laws import require_exactly_the_wanted_servers
from tests.simulation.runs import runs
from tests.world import CALLER, SETTLES_WITHIN_MINUTES, World, key

OUT, IN = PolicyId("policy-out"), PolicyId("policy-in")
MAX_SIZE = 12
TOGETHER = factories.a_template()
ONE_BY_ONE = factories.a_template(scheduler_hints={"group": "server-group"})
STACK = factories.a_stack_template()
ANY = tuple(Kind)
BEFORE_ITS_LEASE = Mishap(at_call=0, late=False, kind=Kind.STALLS)
LONGEST_WAIT = timedelta(minutes=46)
"""The longest back-off is half an hour, at worst half as much again; then comes the next tick."""


class Service(RuleBasedStateMachine):
    """One group on one cloud, and all that happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.executioner = Executioner()
        self.mortal = mortal(self.world.services, self.executioner)
        self.executioner.meanwhile = self._others_go_on
        self.others = Executioner()
        self.when_it_goes_on: tuple[int, Held | None, int] | None = None
        self.acknowledged: dict[str, ExecutionId] = {}
        self.deleted = False
        self.most_wanted = 0
        self.may_stand_still = False
        self.servers_may_come_unexpected = False
        self.servers_may_show_too_late = False

    @initialize(
        size=st.integers(0, MAX_SIZE),
        template=st.sampled_from([TOGETHER, ONE_BY_ONE, STACK]),
        zones=st.sampled_from([(), ("a", "b")]),
    )
    def begin(self, size: int, template: Template, zones: tuple[str, ...]) -> None:
        """A group of some size, of stacks, or of servers that are asked for together or one by one."""
        self.world.with_group(
            template,
            desired_capacity=size,
            min_size=0,
            max_size=MAX_SIZE,
            cooldown_seconds=0,
            availability_zones=() if template is STACK else zones,
        )
        for id_, by in ((OUT, 3), (IN, -2)):
            policy = factories.a_policy(id=id_, rule=factories.by(by), cooldown_seconds=0)
            self.world.services.policies.create(policy, self.world.limits.quota)

    @initialize(may=st.booleans())
    def processes_may_stand_still_or_not(self, *, may: bool) -> None:
        """In half of the runs: once one did, servers may come unexpected, and some laws hold no longer."""
        self.may_stand_still = may

    # What people and alarms do.

    @rule(size=st.integers(0, MAX_SIZE), as_seen=st.booleans(), mishap=mishaps(6))
    def somebody_wants(self, size: int, mishap: Mishap | None, *, as_seen: bool) -> None:
        """Whatever the group is now, or only as it was seen: whom another preceded is told then."""
        seen = self._seen() if as_seen else None
        generation = None if seen is None else seen.generation

        def edit(group: Group) -> Group:
            return replace(group, desired_capacity=size)

        def run() -> None:
            groups.change(
                self.mortal, CALLER, factories.GROUP, edit, generation=generation, request_id="req-p"
            )

        self.executioner.invoke(run, mishap, tells=as_seen)
        if seen is not None and mishap is not None and mishap.kind is Kind.LOSES and self.executioner.struck:
            assert self._seen() == seen

    @rule(
        policy=st.sampled_from([OUT, IN]),
        event=st.sampled_from(["e1", "e2", "e3", "e4"]),
        mishap=mishaps(6),
    )
    def an_alarm_comes_perhaps_again(self, policy: PolicyId, event: str, mishap: Mishap | None) -> None:
        ask = scale.Ask(
            project_id=factories.PROJECT,
            policy_id=policy,
            source="webhook:1",
            event_id=event,
            event=Event(),
            request_id="req-a",
        )

        def run() -> None:
            execution = scale.scale(self.mortal, ask)
            if execution.outcome is Outcome.EXECUTED:
                name = f"{policy}/{event}"
                assert name not in self.acknowledged, "an event scales once"
                self.acknowledged[name] = execution.id

        self.executioner.invoke(run, mishap)

    @rule(index=st.integers(0, MAX_SIZE), replaced=st.booleans(), mishap=mishaps(6))
    def somebody_dismisses_a_member(self, index: int, mishap: Mishap | None, *, replaced: bool) -> None:
        members = self.world.members()
        if not members or self.deleted:
            return
        id_ = members[index % len(members)].id

        def run() -> None:
            try:
                groups.dismiss(self.mortal, CALLER, key(), id_, replaced=replaced, request_id="req-d")
            except Conflict:
                assert self.world.group().desired_capacity == 0

        self.executioner.invoke(run, mishap)

    @rule(frozen=st.booleans(), really=st.integers(0, 2))
    def somebody_freezes_or_thaws(self, really: int, *, frozen: bool) -> None:
        if not self.deleted and (really == 0 or not frozen):
            self._freeze(Freeze(reason="a test", until=None) if frozen else None)

    @precondition(lambda self: not self.deleted)
    @rule(really=st.integers(0, 9), mishap=mishaps(6))
    def somebody_deletes_the_group(self, really: int, mishap: Mishap | None) -> None:
        def run() -> None:
            groups.delete(self.mortal, CALLER, factories.GROUP, generation=None, request_id="req-x")

        if really == 0:
            self.executioner.invoke(run, mishap)
            seen = self._seen()
            self.deleted = seen is None or seen.deleting

    # What the machinery does.

    @rule(mishap=mishaps(20, ANY))
    def a_message_is_delivered(self, mishap: Mishap | None) -> None:
        if mishap is not None and mishap.kind is Kind.STALLS and not self.may_stand_still:
            mishap = None
        frozen = not self.deleted and self.world.group().freeze is not None
        before, self.when_it_goes_on = self.world.cloud.changes, None
        self._round(mishap)
        assert not frozen or self.world.cloud.changes == before
        if self.when_it_goes_on is not None and mishap != BEFORE_ITS_LEASE:
            changes, held, members = self._written()
            assert changes - self.when_it_goes_on[0] <= 1, "only the step it was at"
            assert held == self.when_it_goes_on[1], "it has no lease, and so nothing to write"
            assert members <= self.when_it_goes_on[2]

    @rule(
        size=st.integers(0, MAX_SIZE),
        at_call=st.integers(0, 20),
        late=st.booleans(),
        really=st.integers(0, 3),
    )
    def a_round_with_much_to_do_stands_still(
        self, size: int, at_call: int, really: int, *, late: bool
    ) -> None:
        if really == 0:
            self.somebody_wants(size, None, as_seen=False)
            self.a_message_is_delivered(Mishap(at_call, late=late, kind=Kind.STALLS))

    @rule(size=st.integers(0, MAX_SIZE), seconds=st.sampled_from([1, 5, 20, 61]))
    def a_resized_group_is_looked_at_again_and_again(self, size: int, seconds: int) -> None:
        self.somebody_wants(size, None, as_seen=False)
        for _ in range(3):
            self.a_message_is_delivered(None)
            self.world.clock.pass_(seconds)

    @rule(mishap=mishaps(10))
    def a_minute_ticks(self, mishap: Mishap | None) -> None:
        def run() -> None:
            for shard in range(self.world.limits.shards):
                sweep.sweep(self.mortal, shard)

        self.executioner.invoke(run, mishap)

    @rule(seconds=st.sampled_from([1, 3, 20, 61, 300, 900]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.pass_(seconds)

    # What the cloud does.

    @rule(faults=st.lists(st.sampled_from(list(Fault)), min_size=1, max_size=4))
    def requests_go_wrong(self, faults: list[Fault]) -> None:
        self.world.cloud.faults += faults

    @rule(number=st.integers(1, 5))
    def builds_fail(self, number: int) -> None:
        self.world.cloud.fail_builds = number

    @rule(seconds=st.sampled_from([0, 2, 20, 30]))
    def lists_lag(self, seconds: int) -> None:
        """No longer than is waited: that counts from the request, which may be answered late itself."""
        self.world.cloud.lag = timedelta(seconds=seconds)

    @rule(really=st.integers(0, 3))
    def lists_lag_longer_than_is_waited(self, really: int) -> None:
        if really == 0:
            self.servers_may_come_unexpected = self.servers_may_show_too_late = True
            self.world.cloud.lag = timedelta(seconds=3 * self.world.limits.adoption_seconds)

    @rule(seconds=st.sampled_from([30, 400]))
    def a_cell_is_down(self, seconds: int) -> None:
        """Half of the servers that are known are left out of lists, and still shown by id."""
        known = [m.resource_id for m in self.world.memory.members.values()]
        for machine in [m for m in self.world.cloud.machines.values() if m.id in known][::2]:
            machine.listed_at = self.world.clock.now + timedelta(seconds=seconds)

    @rule(seconds=st.sampled_from([0, 3, 700]))
    def builds_take(self, seconds: int) -> None:
        self.world.cloud.build = timedelta(seconds=seconds)

    @rule(capacity=st.sampled_from([3, 8, 100]))
    def the_quota_is(self, capacity: int) -> None:
        self.world.cloud.capacity = capacity

    @rule(
        index=st.integers(0, MAX_SIZE),
        what=st.sampled_from(["vanish", "stay", "ERROR", "SHUTOFF", "RESCUE"]),
        at_once=st.booleans(),
    )
    def something_happens_to_a_server(self, index: int, what: str, *, at_once: bool) -> None:
        """A round sees it at once, or only behind what comes next."""
        machines = self.world.cloud.machines
        if not machines:
            return
        id_ = list(machines)[index % len(machines)]
        if what == "vanish":
            del machines[id_]
        elif what == "stay":
            machines[id_].stays = machines[id_].kind is LaunchType.STACK
        else:
            machines[id_].forced_status = what
        if at_once:
            self.a_message_is_delivered(None)

    @rule(broken=st.booleans(), for_good=st.booleans())
    def keystone_lets_us_in_or_not(self, *, broken: bool, for_good: bool) -> None:
        self.world.cloud.broken = CredentialBroken("no", for_good=for_good) if broken else None

    # The laws.

    @invariant()
    def bounds_hold(self) -> None:
        for held in self.world.memory.groups.values():
            bounds = held.group.bounds
            assert bounds.min_size <= held.group.desired_capacity <= bounds.max_size

    @invariant()
    def what_was_acknowledged_is_in_the_history(self) -> None:
        for id_ in self.acknowledged.values():
            stored = self.world.memory.executions[factories.PROJECT, id_]
            assert stored.outcome is Outcome.EXECUTED

    @invariant()
    def what_is_not_settled_is_looked_at_again(self) -> None:
        for held in self.world.memory.groups.values():
            assert held.due_at - self.world.clock.now <= LONGEST_WAIT

    @invariant()
    def no_server_stands_for_two_members(self) -> None:
        ids = [m.resource_id for m in self.world.memory.members.values() if m.resource_id]
        assert len(ids) == len(set(ids))

    @invariant()
    def there_are_never_more_members_than_were_ever_wanted(self) -> None:
        self._note_what_is_wanted()
        assert self._staying() <= self.most_wanted

    @invariant()
    def no_server_is_without_a_member(self) -> None:
        members = self.world.memory.members.values()
        known = {m.resource_id for m in members} | {m.name for m in members}
        if not self.servers_may_come_unexpected:
            assert all(m.id in known or m.name in known for m in self.world.cloud.machines.values())

    def teardown(self) -> None:
        """The faults stop: it settles, with exactly the wanted servers."""
        cloud = self.world.cloud
        cloud.faults, cloud.fail_builds, cloud.capacity, cloud.broken = [], 0, 10_000, None
        cloud.lag, cloud.build = timedelta(0), timedelta(seconds=3)
        if not self.world.memory.groups:
            # What showed itself only when its group was gone stays: nobody looks there any more.
            assert not self.deleted or self.servers_may_show_too_late or cloud.machines == {}
            return
        self._arm_again()
        self.world.settle(self._minutes_to_settle())
        if self.deleted:
            assert self.world.memory.groups == {}
            assert cloud.machines == {}
            return
        require_exactly_the_wanted_servers(self.world, also=frozenset({"RESCUE"}))

    def _minutes_to_settle(self) -> int:
        """Return how many minutes it may take, with one round in each."""
        return SETTLES_WITHIN_MINUTES

    def _round(self, mishap: Mishap | None) -> None:
        """Run a round: it makes no more members than are wanted as it begins."""
        self._note_what_is_wanted()
        before, may_be = self._staying(), self._may_be()
        self.executioner.invoke(lambda: converge(self.mortal, key(), "req-c"), mishap)
        assert self._staying() <= max(before, may_be)

    def _note_what_is_wanted(self) -> None:
        self.most_wanted = max(self.most_wanted, self._may_be())

    def _may_be(self) -> int:
        """Return how many members there may be: those that are wanted now."""
        seen = self._seen()
        return 0 if seen is None else seen.wanted_capacity()

    def _seen(self) -> Group | None:
        """Return the group as it is now, if it is not gone."""
        return next((held.group for held in self.world.memory.groups.values()), None)

    def _staying(self) -> int:
        """Return how many members are not to go: one that is goes its way while another takes its place."""
        return sum(member.state not in TO_GO for member in self.world.memory.members.values())

    def _others_go_on(self) -> None:
        """While one process stands still its lease ends, and others do a round and begin another."""
        self.servers_may_come_unexpected = True
        self.world.clock.pass_(self.world.limits.lease_seconds + 1)
        converge(self.world.services, key(), "req-o")
        self.world.clock.pass_(self.world.limits.lease_seconds + 1)
        dying = mortal(self.world.services, self.others)
        self.others.invoke(lambda: converge(dying, key(), "req-o"), Mishap(at_call=3))
        self.when_it_goes_on = self._written()

    def _written(self) -> tuple[int, Held | None, int]:
        """Return how often the cloud was changed, the group's row, and how many members there are."""
        rows = self.world.memory.groups.values()
        held = next((replace(row) for row in rows), None)
        return self.world.cloud.changes, held, len(self.world.memory.members)

    def _freeze(self, freeze: Freeze | None) -> None:
        def edit(group: Group) -> Group:
            return replace(group, freeze=freeze)

        groups.change(self.world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-f")

    def _arm_again(self) -> None:
        """As an owner would, who has mended what kept the group from its members."""
        if not self.deleted:
            self._freeze(None)
        groups.converge_now(self.world.services, CALLER, factories.GROUP, "req-m")
        now = self.world.clock.now
        for machine in self.world.cloud.machines.values():
            machine.ready_at, machine.listed_at = min(machine.ready_at, now), min(machine.listed_at, now)
            machine.stays = False


Service.TestCase.settings = runs(800, 40)
TestService = Service.TestCase
