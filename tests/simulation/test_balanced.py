"""The same with load balancers: pools come and go from the group's list, break, and lose answers.

More laws, in every state: a load balancer is never asked for a change while another is under way; what
somebody else put into a pool stays as it is; and a server that drains goes only when no pool of its group
has it, or when they had their time and more. When the faults stop: in each pool exactly the members that
serve (and those that are held where they are), and nothing in those that were taken off the list.
"""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import initialize, invariant, rule

from chalicelib.core.errors import Conflict
from chalicelib.core.group import Group
from chalicelib.core.ids import PoolId, ResourceId
from chalicelib.core.launch import Template
from chalicelib.core.pool import Pool, Readiness, former_after, overdue, pool_name
from chalicelib.flows import groups
from chalicelib.ports.cloud import CloudUnavailable
from tests.core import factories
from tests.fake_cloud import WITHOUT_SUCCESS, FakeCloud, FakeClouds, Fault
from tests.simulation.crash import Mishap, mishaps, mortal
from tests.simulation.runs import runs
from tests.simulation.test_simulation import MAX_SIZE, ONE_BY_ONE, TOGETHER, Service
from tests.world import CALLER, World

POOLS = tuple(factories.a_pool(number, drain_seconds=drain) for number, drain in ((1, 60), (2, 0), (3, 300)))


class WatchedCloud(FakeCloud):
    """Looks, before a server is deleted, whether it may go."""

    world: World

    def delete(self, resource_id: ResourceId) -> None:
        machine = self.machines.get(resource_id)
        held = next(iter(self.world.memory.groups.values()), None)
        named = [m for m in self.world.memory.members.values() if m.resource_id == resource_id]
        for member in named if machine and held else ():
            assert held is not None
            assert machine is not None
            since = member.draining_since
            if since is not None and machine.seen(self.now()).status == "ACTIVE":
                pools = held.group.load_balancers
                name = pool_name(member.group_id, member.id)
                stands = any(name in self.world.balancers.names(p.id) for p in pools if p.id in KNOWN)
                assert not stands or overdue(since, pools, self.now())
        super().delete(resource_id)


KNOWN = {pool.id for pool in POOLS}


class BalancedService(Service):
    """One group whose members stand in pools."""

    def __init__(self) -> None:
        super().__init__()
        world = self.world
        cloud = WatchedCloud(now=lambda: world.clock.now)
        cloud.world = world
        world.cloud = cloud
        world.services = replace(world.services, clouds=FakeClouds(cloud))
        self.mortal = mortal(world.services, self.executioner)
        for pool, balancer in zip(POOLS, ("lb-1", "lb-1", "lb-2"), strict=True):
            world.balancers.add_pool(pool.id, balancer)
        self.theirs = {pool.id: world.balancers.add_foreign(pool.id, "192.0.2.7") for pool in POOLS}
        self.left_behind = False

    @initialize(
        size=st.integers(0, MAX_SIZE),
        template=st.sampled_from([TOGETHER, ONE_BY_ONE]),
        zones=st.sampled_from([(), ("a", "b")]),
    )
    def begin(self, size: int, template: Template, zones: tuple[str, ...]) -> None:
        """A group of servers that already stands in two pools of one load balancer."""
        super().begin(size, template, zones)

        def edit(group: Group) -> Group:
            return replace(group, load_balancers=POOLS[:2])

        groups.change(self.world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-b")
        self.world.settle()

    @rule(
        pools=st.sets(st.sampled_from(POOLS)),
        weight=st.integers(1, 2),
        mishap=mishaps(6),
    )
    def somebody_changes_the_pools(self, pools: set[Pool], weight: int, mishap: Mishap | None) -> None:
        chosen = tuple(replace(pool, weight=weight) for pool in POOLS if pool in pools)

        def edit(group: Group) -> Group:
            former = former_after(group.load_balancers, chosen, group.former_pools)
            return replace(group, load_balancers=chosen, former_pools=former)

        def run() -> None:
            groups.change(self.mortal, CALLER, factories.GROUP, edit, generation=None, request_id="req-b")

        self.executioner.invoke(run, mishap)

    @rule(faults=st.lists(st.sampled_from(WITHOUT_SUCCESS), min_size=1, max_size=4))
    def changes_of_pools_go_wrong(self, faults: list[Fault]) -> None:
        self.world.balancers.faults += faults

    @rule(balancer=st.sampled_from(["lb-1", "lb-2"]), forced=st.none() | st.sampled_from(Readiness))
    def a_load_balancer_breaks_or_is_mended(self, balancer: str, forced: Readiness | None) -> None:
        self.world.balancers.balancers[balancer].forced = None if forced is Readiness.READY else forced

    @rule(out=st.booleans())
    def octavia_is_out_of_reach_or_not(self, *, out: bool) -> None:
        self.world.balancers.outage = CloudUnavailable("502 Bad Gateway") if out else None

    @rule(pool=st.sampled_from(POOLS), weight=st.integers(0, 9))
    def somebody_turns_a_member_up_or_down(self, pool: Pool, weight: int) -> None:
        """By hand, in Octavia."""
        members = self.world.balancers.members[pool.id]
        for place, member in members.items():
            if member.name != "theirs":
                members[place] = replace(member, weight=weight)
                return

    @invariant()
    def one_change_of_a_load_balancer_at_a_time(self) -> None:
        assert self.world.balancers.refusals == 0

    @invariant()
    def what_is_not_ours_stays_as_it_is(self) -> None:
        for id_, member in self.theirs.items():
            assert self.world.balancers.members[id_][member.place] == member

    def teardown(self) -> None:
        """Load balancers are mended, too: it settles, with everybody in his place."""
        balancers = self.world.balancers
        balancers.faults, balancers.outage = [], None
        for balancer in balancers.balancers.values():
            balancer.forced = None
        gone_before = not self.world.memory.groups
        super().teardown()
        if gone_before:
            return
        names = {pool.id: balancers.names(pool.id).keys() - {"theirs"} for pool in POOLS}
        if self.deleted:
            assert names == {pool.id: set() for pool in POOLS}
            return
        self._require_everybody_in_his_place(names)

    def _require_everybody_in_his_place(self, names: dict[PoolId, set[str]]) -> None:
        world = self.world
        wanted = {pool.id: pool for pool in world.group().load_balancers}
        machines, now = world.cloud.machines, world.clock.now
        serving: set[str] = set()
        held: set[str] = set()
        for member in world.members():
            assert member.resource_id is not None
            status = machines[member.resource_id].seen(now).status
            (serving if status == "ACTIVE" else held).add(pool_name(member.group_id, member.id))
        for id_, stands in names.items():
            if id_ in wanted:
                assert serving <= stands <= serving | held
                weights = world.balancers.names(id_)
                assert {weights[name] for name in serving} <= {wanted[id_].weight}
            else:
                assert stands == set()
        assert world.group().former_pools == ()

    def _minutes_to_settle(self) -> int:
        """Each that stands in a pool may have to leave it, and a load balancer takes one change a round."""
        standing = sum(len(self.world.balancers.names(pool.id)) for pool in POOLS)
        return super()._minutes_to_settle() + standing

    def _arm_again(self) -> None:
        try:
            super()._arm_again()
        except Conflict:
            assert self.deleted


BalancedService.TestCase.settings = runs(200, 40)
TestBalancedService = BalancedService.TestCase
