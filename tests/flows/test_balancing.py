"""Groups whose members stand in pools, against a cloud and load balancers in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.group import Freeze, Group, GroupStatus
from chalicelib.core.ids import PoolId
from chalicelib.core.member import Member, MemberState
from chalicelib.core.pool import OVERDUE_AFTER, Pool, Readiness, pool_name
from chalicelib.core.refresh import RefreshStatus
from chalicelib.flows import groups
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable
from tests.core import factories
from tests.fake_cloud import WITHOUT_SUCCESS, Fault
from tests.flows.test_refreshes import NEW, Fleet
from tests.world import CALLER, World, key

POOL = factories.a_pool()


@pytest.fixture
def world() -> World:
    world = World()
    world.balancers.add_pool(POOL.id)
    return world


def a_balanced_group(world: World, size: int = 2, *pools: Pool, **changes: Any) -> None:
    """Make a group in pools that has settled."""
    world.with_group(desired_capacity=size, load_balancers=pools or (POOL,), **changes)
    world.settle()


def want(world: World, **changes: object) -> Group:
    def edit(group: Group) -> Group:
        return replace(group, **changes)  # type: ignore[arg-type]

    return groups.change(world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-2")


def told(world: World) -> str:
    page = world.services.activities.of_group(factories.PROJECT, factories.GROUP, 200, None)
    return "\n".join(f"{line.kind}: {line.detail}" for line in page.items)


def pass_rounds(world: World, seconds: int, each: int = 5) -> None:
    """Let time pass, with a round every few seconds."""
    for _ in range(seconds // each):
        world.clock.pass_(each)
        world.round()


def name_of(member: Member) -> str:
    return pool_name(factories.GROUP, member.id)


def the_draining(world: World) -> list[Member]:
    return [member for member in world.members() if member.state is MemberState.DRAINING]


def test_members_stand_in_the_pool_once_they_serve(world: World) -> None:
    a_balanced_group(world, 3)
    assert world.balancers.names(POOL.id) == {name_of(member): 1 for member in world.members()}
    assert [member.missing_from for member in world.members()] == [(), (), ()]
    assert world.group().status(world.clock.now) == (GroupStatus.ACTIVE, None)


def test_fifty_more_are_one_change(world: World) -> None:
    world.limits = replace(world.limits, steps_max=50)
    world.services = replace(world.services, limits=world.limits)
    a_balanced_group(world, 1, max_size=60)
    world.balancers.changes.clear()
    want(world, desired_capacity=51)
    world.settle()
    assert world.balancers.changes == [POOL.id]
    assert len(world.balancers.names(POOL.id)) == 51


def test_a_group_without_pools_asks_nothing_of_octavia(world: World) -> None:
    world.balancers.outage = AssertionError("nobody asks")
    world.with_group(desired_capacity=2)
    world.settle()
    want(world, desired_capacity=1)
    world.settle()
    assert world.balancers.looks == 0


def test_one_that_goes_drains_for_its_time_and_leaves_the_pool_before_its_server(world: World) -> None:
    a_balanced_group(world, 2)
    want(world, desired_capacity=1)
    pass_rounds(world, 10)
    (going,) = the_draining(world)
    assert world.balancers.names(POOL.id)[name_of(going)] == 0
    assert (world.group().observed.current_size, world.group().observed.in_service) == (1, 1)
    pass_rounds(world, 50)
    assert len(world.cloud.machines) == 2
    assert name_of(going) in world.balancers.names(POOL.id)
    pass_rounds(world, 30)
    assert len(world.cloud.machines) == 1
    assert name_of(going) not in world.balancers.names(POOL.id)
    assert world.group().settled
    story = told(world)
    assert f"member_draining: {going.name} leaves its pools: surplus." in story
    assert f"{going.name} is gone: deleted, surplus." in story
    order = [story.index(f"{kind}: ") for kind in ("member_gone", "member_removed", "member_draining")]
    assert order == sorted(order), "the last comes first"


def test_who_is_protected_while_a_round_is_about_to_have_it_drain_stays(world: World) -> None:
    a_balanced_group(world, 2)
    oldest, other = sorted(world.members(), key=lambda m: (m.created_at, m.name))
    want(world, desired_capacity=1)
    world.cloud.meanwhile.append(lambda: world.protect(oldest.id))
    world.round()
    assert the_draining(world) == []
    assert "member_draining" not in told(world)
    world.round()
    assert [member.id for member in the_draining(world)] == [other.id]


def test_a_dismissed_member_drains_and_is_replaced_meanwhile(world: World) -> None:
    a_balanced_group(world, 2)
    first = world.members()[0]
    groups.dismiss(world.services, CALLER, key(), first.id, replaced=True, request_id="req-2")
    (going,) = the_draining(world)
    assert going.id == first.id
    groups.dismiss(world.services, CALLER, key(), first.id, replaced=True, request_id="req-2")
    pass_rounds(world, 30)
    assert len(world.cloud.machines) == 3
    assert world.group().observed.in_service == 2
    world.settle()
    assert len(world.cloud.machines) == 2
    assert first.id not in {member.id for member in world.members()}
    assert world.balancers.names(POOL.id) == {name_of(member): 1 for member in world.members()}


def test_many_that_go_fall_silent_together_and_leave_one_by_one(world: World) -> None:
    a_balanced_group(world, 8)
    world.balancers.changes.clear()
    want(world, desired_capacity=0, bounds=replace(world.group().bounds, min_size=0))
    pass_rounds(world, 15)
    assert set(world.balancers.names(POOL.id).values()) == {0}
    assert len(world.balancers.changes) == 1
    world.settle()
    assert world.balancers.names(POOL.id) == {}
    assert len(world.balancers.changes) == 9
    assert world.balancers.refusals == 0


def test_a_server_that_vanished_is_taken_out_at_once_and_so_is_a_broken_one(world: World) -> None:
    a_balanced_group(world, 3)
    broken, gone, whole = world.members()
    assert gone.resource_id
    assert broken.resource_id
    del world.cloud.machines[gone.resource_id]
    world.cloud.machines[broken.resource_id].forced_status = "ERROR"
    pass_rounds(world, 30)
    names = world.balancers.names(POOL.id)
    assert name_of(whole) in names
    assert not {name_of(broken), name_of(gone)} & names.keys()
    assert broken.resource_id not in world.cloud.machines
    world.settle()
    assert len(world.balancers.names(POOL.id)) == 3


def test_what_is_not_ours_is_never_touched(world: World) -> None:
    theirs = [world.balancers.add_foreign(POOL.id, f"192.0.2.{number}") for number in (1, 2)]
    a_balanced_group(world, 3)
    want(world, desired_capacity=1)
    world.settle()
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    world.settle()
    assert world.memory.groups == {}
    assert list(world.balancers.members[POOL.id].values()) == theirs


@pytest.mark.parametrize("fault", WITHOUT_SUCCESS)
def test_a_change_that_fails_is_made_again_and_shown_meanwhile(world: World, fault: Fault) -> None:
    world.with_group(desired_capacity=2, load_balancers=(POOL,))
    world.balancers.faults = [fault]
    pass_rounds(world, 10)
    group = world.group()
    assert group.pool_trouble is not None
    assert f"Pool {POOL.id} could not be changed" in group.pool_trouble.reason
    assert group.status(world.clock.now) == (GroupStatus.CONVERGING, group.pool_trouble.reason)
    world.settle()
    assert len(world.balancers.names(POOL.id)) == 2
    assert "kept the group from its pools is over" in told(world)


def test_a_broken_load_balancer_is_an_error_and_keeps_no_server_from_being_made(world: World) -> None:
    a_balanced_group(world, 1)
    world.balancers.balancers["lb-1"].forced = Readiness.BROKEN
    want(world, desired_capacity=3)
    pass_rounds(world, 60)
    assert len(world.cloud.machines) == 3
    group = world.group()
    status, reason = group.status(world.clock.now)
    assert (status, group.observed.in_service) == (GroupStatus.ERROR, 3)
    assert reason is not None
    assert "Load balancer lb-1 of pool pool-1 is in ERROR" in reason
    assert sorted(member.missing_from for member in world.members()) == [(), (POOL.id,), (POOL.id,)]
    world.balancers.balancers["lb-1"].forced = None
    world.settle(10)
    assert len(world.balancers.names(POOL.id)) == 3
    assert world.group().status(world.clock.now) == (GroupStatus.ACTIVE, None)


@pytest.mark.parametrize("how", ["ERROR", "PENDING", "unreachable", "forbidden"])
def test_whatever_is_wrong_with_a_pool_servers_go_within_the_bound(world: World, how: str) -> None:
    a_balanced_group(world, 2)
    balancer = world.balancers.balancers["lb-1"]
    match how:
        case "ERROR":
            balancer.forced = Readiness.BROKEN
        case "PENDING":
            balancer.forced = Readiness.BUSY
        case "unreachable":
            world.balancers.outage = CloudUnavailable("502 Bad Gateway")
        case "forbidden":
            world.balancers.outage = CloudRefused("Policy does not allow this request to be performed.")
    want(world, desired_capacity=1)
    bound = POOL.drain + OVERDUE_AFTER
    pass_rounds(world, int(bound.total_seconds()) - 30, each=30)
    assert len(world.cloud.machines) == 2
    assert world.group().status(world.clock.now)[0] is GroupStatus.ERROR
    pass_rounds(world, 90, each=30)
    assert len(world.cloud.machines) == 1
    assert len(world.members()) == 1
    assert len(world.balancers.names(POOL.id)) == 2
    assert world.group().status(world.clock.now)[0] is GroupStatus.ERROR
    balancer.forced, world.balancers.outage = None, None
    world.settle(20)
    assert world.balancers.names(POOL.id) == {name_of(member): 1 for member in world.members()}


def test_octavia_out_of_reach_is_asked_ever_more_seldom(world: World) -> None:
    a_balanced_group(world, 1, POOL, replace(POOL, id=world.balancers.add_pool(PoolId("pool-2"))))
    world.balancers.outage = CloudUnavailable("no answer")
    want(world, desired_capacity=2)
    entered = world.balancers.entered
    pass_rounds(world, 600)
    assert 4 <= world.balancers.entered - entered <= 12
    assert world.group().pool_trouble is not None


def test_a_pool_that_is_gone_is_told_and_holds_nobody(world: World) -> None:
    a_balanced_group(world, 2)
    world.balancers.delete_pool(POOL.id)
    want(world, desired_capacity=1)
    pass_rounds(world, 30)
    assert len(world.cloud.machines) == 1
    status, reason = world.group().status(world.clock.now)
    assert status is GroupStatus.ERROR
    assert reason is not None
    assert "Octavia has no pool pool-1" in reason


def test_a_server_without_an_address_is_told(world: World) -> None:
    world.with_group(desired_capacity=1, load_balancers=(replace(POOL, network="dmz"),))
    pass_rounds(world, 20)
    (member,) = world.members()
    reason = world.group().status(world.clock.now)[1]
    assert reason == f"{member.name} has no fixed address on network dmz, and cannot enter pool pool-1."
    assert member.missing_from == (POOL.id,)


def test_a_pool_taken_off_the_list_is_left_and_one_put_on_it_entered(world: World) -> None:
    a_balanced_group(world, 2)
    other = replace(POOL, id=world.balancers.add_pool(PoolId("pool-2"), "lb-2"))

    def edit(group: Group) -> Group:
        return replace(group, load_balancers=(other,), former_pools=(POOL.id,))

    groups.change(world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-2")
    world.settle()
    assert world.balancers.names(POOL.id) == {}
    assert len(world.balancers.names(other.id)) == 2
    assert world.group().former_pools == ()
    looks = world.balancers.looks
    world.round()
    assert world.balancers.looks == looks + 1


def test_a_frozen_group_leaves_its_pools_alone(world: World) -> None:
    a_balanced_group(world, 2)
    want(world, freeze=Freeze(reason="Audit.", until=None), desired_capacity=1)
    looks = world.balancers.looks
    world.balancers.members[POOL.id].clear()
    pass_rounds(world, 120)
    assert (world.balancers.looks, world.balancers.names(POOL.id)) == (looks, {})
    want(world, freeze=None)
    world.settle()
    assert len(world.balancers.names(POOL.id)) == 1


def test_a_group_that_goes_leaves_its_pools_empty(world: World) -> None:
    a_balanced_group(world, 3)
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    pass_rounds(world, 30)
    assert set(world.balancers.names(POOL.id).values()) == {0}
    assert len(world.cloud.machines) == 3
    world.settle()
    assert (world.memory.groups, world.cloud.machines, world.balancers.names(POOL.id)) == ({}, {}, {})


def test_a_group_goes_after_its_pool(world: World) -> None:
    a_balanced_group(world, 2)
    world.balancers.delete_pool(POOL.id)
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    pass_rounds(world, 30)
    assert (world.memory.groups, world.cloud.machines) == ({}, {})


def test_a_group_goes_although_its_load_balancer_is_broken_for_ever(world: World) -> None:
    a_balanced_group(world, 2)
    world.balancers.balancers["lb-1"].forced = Readiness.BROKEN
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    pass_rounds(world, 600, each=60)
    assert len(world.cloud.machines) == 2
    status, reason = world.group().status(world.clock.now)
    assert (status, "is in ERROR" in (reason or "")) == (GroupStatus.DELETING, True)
    pass_rounds(world, 180, each=60)
    assert world.cloud.machines == {}
    pass_rounds(world, 900, each=60)
    assert world.memory.groups == {}
    assert len(world.balancers.names(POOL.id)) == 2
    assert "is gone, and leaves members behind in its pools: Load balancer lb-1" in told(world)


def test_two_groups_in_one_pool_take_turns(world: World) -> None:
    """Changes exclude each other; each group knows its own, and looks again when the other was first."""
    a_balanced_group(world, 2)
    world.balancers.change = timedelta(seconds=20)
    world.balancers.balancers["lb-1"].busy_until = world.clock.now + timedelta(seconds=30)
    want(world, desired_capacity=4)
    pass_rounds(world, 20)
    assert len(world.balancers.names(POOL.id)) == 2
    assert world.group().pool_trouble is None
    pass_rounds(world, 60)
    assert len(world.balancers.names(POOL.id)) == 4


def test_a_refresh_goes_on_only_when_those_in_service_stand_in_their_pools() -> None:
    """A batch is one member; at any time two of three are in service and in the pool, at full weight."""
    fleet = Fleet()
    fleet.balancers.add_pool(POOL.id)
    fleet.ready(load_balancers=(POOL,))
    fleet.begin()
    for _ in range(200):
        fleet.clock.pass_(5)
        fleet.round()
        serving = {name_of(m) for m in fleet.members() if m.state is MemberState.IN_SERVICE}
        standing = {name for name, weight in fleet.balancers.names(POOL.id).items() if weight}
        assert len(serving & standing) >= 2
        if fleet.seen().status is RefreshStatus.SUCCEEDED:
            break
    else:
        pytest.fail("it does not end")
    assert {member.launch_configuration_id for member in fleet.members()} == {NEW}
    assert "leaves its pools: replaced" in told(fleet)


def test_a_refresh_waits_while_a_load_balancer_is_broken() -> None:
    fleet = Fleet()
    fleet.balancers.add_pool(POOL.id)
    fleet.ready(load_balancers=(POOL,))
    fleet.begin()
    pass_rounds(fleet, 5)
    fleet.balancers.balancers["lb-1"].forced = Readiness.BROKEN
    pass_rounds(fleet, 2400, each=60)
    old = [m for m in fleet.members() if m.launch_configuration_id != NEW]
    assert len(old) == 2, "the first batch is through, within its bound, and no other has begun"
    fleet.balancers.balancers["lb-1"].forced = None
    pass_rounds(fleet, 1200, each=10)
    assert fleet.seen().status is RefreshStatus.SUCCEEDED
