"""Everything at once: wishes, alarms, faults, deaths and lost messages in any order; then it must settle.

Laws, in every state: bounds hold; an event scales once; no server stands for two members; never more
members than were ever wanted; and no server is without a member, for as long as servers show themselves
within the time that is waited for them. When the faults stop: exactly the wanted servers, each some member's,
within a bounded number of minutes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chalicelib.core.decision import Event
from chalicelib.core.errors import Conflict
from chalicelib.core.execution import Outcome
from chalicelib.core.group import Group
from chalicelib.core.ids import PolicyId
from chalicelib.core.launch import LaunchType, Template
from chalicelib.core.member import TO_GO
from chalicelib.flows import groups, scale, sweep
from chalicelib.flows.converge import converge
from chalicelib.ports.cloud import CredentialBroken
from tests.core import factories
from tests.fake_cloud import Fault
from tests.simulation.crash import Executioner, mortal
from tests.world import CALLER, World, key

OUT, IN = PolicyId("policy-out"), PolicyId("policy-in")
MAX_SIZE = 12
TOGETHER = factories.a_template()
ONE_BY_ONE = factories.a_template(scheduler_hints={"group": "server-group"})
STACK = factories.a_stack_template()


class Service(RuleBasedStateMachine):
    """One group on one cloud, and all that happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.executioner = Executioner()
        self.mortal = mortal(self.world.services, self.executioner)
        self.executed: dict[str, int] = {}
        self.deleted = False
        self.cloud_is_slower_than_promised = False

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

    # What people and alarms do.

    @rule(size=st.integers(0, MAX_SIZE), dies=st.none() | st.integers(0, 6), late=st.booleans())
    def somebody_wants(self, size: int, dies: int | None, *, late: bool) -> None:
        def edit(group: Group) -> Group:
            return replace(group, desired_capacity=size)

        def run() -> None:
            groups.change(self.mortal, CALLER, factories.GROUP, edit, generation=None, request_id="req-p")

        self.executioner.invoke(run, dies, late=late)

    @rule(
        policy=st.sampled_from([OUT, IN]),
        event=st.sampled_from(["e1", "e2", "e3", "e4"]),
        dies=st.none() | st.integers(0, 6),
        late=st.booleans(),
    )
    def an_alarm_comes_perhaps_again(
        self, policy: PolicyId, event: str, dies: int | None, *, late: bool
    ) -> None:
        ask = scale.Ask(
            project_id=factories.PROJECT,
            policy_id=policy,
            source="webhook:1",
            event_id=event,
            event=Event(),
            request_id="req-a",
        )

        def run() -> None:
            if scale.scale(self.mortal, ask).outcome is Outcome.EXECUTED:
                name = f"{policy}/{event}"
                self.executed[name] = self.executed.get(name, 0) + 1

        self.executioner.invoke(run, dies, late=late)

    @rule(index=st.integers(0, MAX_SIZE), replaced=st.booleans())
    def somebody_dismisses_a_member(self, index: int, *, replaced: bool) -> None:
        members = self.world.members()
        if members and not self.deleted:
            id_ = members[index % len(members)].id
            try:
                groups.dismiss(self.mortal, CALLER, key(), id_, replaced=replaced, request_id="req-d")
            except Conflict:
                assert self.world.group().desired_capacity == 0

    @precondition(lambda self: not self.deleted)
    @rule(really=st.integers(0, 9))
    def somebody_deletes_the_group(self, really: int) -> None:
        if really == 0:
            groups.delete(self.mortal, CALLER, factories.GROUP, generation=None, request_id="req-x")
            self.deleted = True

    # What the machinery does.

    @rule(dies=st.none() | st.integers(0, 40), late=st.booleans())
    def a_message_is_delivered(self, dies: int | None, *, late: bool) -> None:
        self.executioner.invoke(lambda: converge(self.mortal, key(), "req-c"), dies, late=late)

    @rule(dies=st.none() | st.integers(0, 10), late=st.booleans())
    def a_minute_ticks(self, dies: int | None, *, late: bool) -> None:
        def run() -> None:
            for shard in range(self.world.limits.shards):
                sweep.sweep(self.mortal, shard)

        self.executioner.invoke(run, dies, late=late)

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

    @rule(seconds=st.sampled_from([0, 2, 30, 50]))
    def lists_lag(self, seconds: int) -> None:
        self.world.cloud.lag = timedelta(seconds=seconds)

    @rule(really=st.integers(0, 3))
    def lists_lag_longer_than_is_waited(self, really: int) -> None:
        if really == 0:
            self.cloud_is_slower_than_promised = True
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
        index=st.integers(0, MAX_SIZE), what=st.sampled_from(["vanish", "stay", "ERROR", "SHUTOFF", "RESCUE"])
    )
    def something_happens_to_a_server(self, index: int, what: str) -> None:
        machines = self.world.cloud.machines
        if machines:
            id_ = list(machines)[index % len(machines)]
            if what == "vanish":
                del machines[id_]
            elif what == "stay":
                machines[id_].stays = machines[id_].kind is LaunchType.STACK
            else:
                machines[id_].forced_status = what

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
    def an_event_scales_once(self) -> None:
        assert all(count == 1 for count in self.executed.values())

    @invariant()
    def no_server_stands_for_two_members(self) -> None:
        ids = [m.resource_id for m in self.world.memory.members.values() if m.resource_id]
        assert len(ids) == len(set(ids))

    @invariant()
    def there_are_never_more_members_than_wanted(self) -> None:
        members = self.world.memory.members.values()
        assert sum(m.state not in TO_GO for m in members) <= MAX_SIZE

    @invariant()
    def no_server_is_without_a_member(self) -> None:
        members = self.world.memory.members.values()
        known = {m.resource_id for m in members} | {m.name for m in members}
        if not self.cloud_is_slower_than_promised:
            assert all(m.id in known or m.name in known for m in self.world.cloud.machines.values())

    def teardown(self) -> None:
        """The faults stop: it settles, with exactly the wanted servers."""
        cloud = self.world.cloud
        cloud.faults, cloud.fail_builds, cloud.capacity, cloud.broken = [], 0, 10_000, None
        cloud.lag, cloud.build = timedelta(0), timedelta(seconds=3)
        if not self.world.memory.groups:
            if self.deleted:
                assert cloud.machines == {}
            return
        self._arm_again()
        self.world.settle()
        if self.deleted:
            assert self.world.memory.groups == {}
            assert cloud.machines == {}
            return
        group = self.world.group()
        members = self.world.members()
        now = self.world.clock.now
        statuses = {m.seen(now).status for m in cloud.machines.values()}
        assert len(cloud.machines) == len(members) == group.desired_capacity
        assert {m.resource_id for m in members} == set(cloud.machines)
        assert statuses <= {"ACTIVE", "CREATE_COMPLETE", "RESCUE"}

    def _arm_again(self) -> None:
        """As an owner would, who has mended what kept the group from its members."""
        groups.converge_now(self.world.services, CALLER, factories.GROUP, "req-m")
        now = self.world.clock.now
        for machine in self.world.cloud.machines.values():
            machine.ready_at, machine.listed_at = min(machine.ready_at, now), min(machine.listed_at, now)
            machine.stays = False


Service.TestCase.settings = settings(
    max_examples=400,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestService = Service.TestCase
