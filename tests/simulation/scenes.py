"""Scenes that are played with a mishap at each of their calls: what is found, what is done, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.core import alarm_history
from chalicelib.core.cron import Cron
from chalicelib.core.decision import Event
from chalicelib.core.execution import Outcome
from chalicelib.core.heat import Adjust
from chalicelib.core.ids import UserId
from chalicelib.core.launch import ServerTemplate
from chalicelib.core.pool import pool_name
from chalicelib.core.refresh import RefreshStatus
from chalicelib.core.schedule import SetSizes
from chalicelib.flows import groups, scale, schedules, sweep, watch
from chalicelib.flows.converge import converge
from chalicelib.ports import Services, Share
from tests.core import factories
from tests.core.heat_factories import a_heat_target
from tests.flows.test_refreshes import NEW, Fleet
from tests.simulation.judged import HIGH_RULE, report
from tests.simulation.laws import require_exactly_the_wanted_servers
from tests.world import CALLER, World, key

TOGETHER = factories.a_template()
ONE_BY_ONE = factories.a_template(scheduler_hints={"group": "server-group"})
POOL = factories.a_pool()


# What others do while it stands still.


def its_lease_ends(world: World) -> None:
    """Twice, and each time another does a round."""
    for _ in range(2):
        world.clock.pass_(world.limits.lease_seconds + 1)
        converge(world.services, key(), "req-o")


def the_tick_is_judged(world: World) -> None:
    """Judging has no lease, but a tick: in the next one an alarm that has not ended would scale again."""
    world.clock.pass_(20)
    judge_all(world, world.services)
    converge(world.services, key(), "req-o")


@dataclass(frozen=True, slots=True)
class Scene:
    """One invocation: what it finds, what it does, and what must have become of it in the end.

    Attributes:
        calls: so many calls to the world it makes at least.
        meanwhile: what others do while it stands still.
        end_of_standstill: what must have become of it then, where that is not the same.
    """

    found: Callable[[], World]
    run: Callable[[World, Services], object]
    end: Callable[[World], None]
    calls: int
    meanwhile: Callable[[World], None] = its_lease_ends
    end_of_standstill: Callable[[World], None] | None = None


# What is found.


def two_servers() -> Fleet:
    fleet = Fleet()
    fleet.with_group(desired_capacity=2, max_size=9, cooldown_seconds=0)
    fleet.settle()
    policy = factories.a_policy(rule=factories.by(3), cooldown_seconds=0)
    fleet.services.policies.create(policy, fleet.limits.quota)
    return fleet


def five_wanted(template: ServerTemplate = TOGETHER) -> World:
    world = World()
    world.with_group(template, desired_capacity=5)
    return world


def five_built() -> World:
    world = five_wanted()
    world.round()
    world.clock.pass_(10)
    return world


def five_of_which_two_are_wanted() -> World:
    fleet = two_servers()
    fleet.want(desired_capacity=5)
    fleet.settle()
    fleet.want(desired_capacity=2)
    return fleet


def two_broken_of_five() -> World:
    world = five_wanted()
    world.settle()
    broken, vanished, *_ = world.cloud.machines.values()
    broken.forced_status = "ERROR"
    del world.cloud.machines[vanished.id]
    return world


def a_group_that_goes() -> World:
    fleet = two_servers()
    groups.delete(fleet.services, CALLER, factories.GROUP, generation=None, request_id="req-x")
    return fleet


def a_refresh_of_nobody_whose_group_goes() -> World:
    fleet = Fleet()
    fleet.ready(desired_capacity=0, min_size=0)
    fleet.begin()
    groups.delete(fleet.services, CALLER, factories.GROUP, generation=None, request_id="req-x")
    return fleet


def a_refresh_of_three() -> World:
    fleet = Fleet()
    fleet.ready()
    fleet.begin(batch_size=2, min_in_service=1)
    return fleet


def three_in_a_pool(wanted: int) -> World:
    fleet = Fleet()
    fleet.balancers.add_pool(POOL.id)
    fleet.with_group(desired_capacity=3, load_balancers=(POOL,))
    fleet.settle()
    fleet.want(desired_capacity=wanted)
    return fleet


def a_stack_of_two(adjust: Adjust) -> World:
    world = World()
    world.heat.add(size=2, parameter=2)
    world.with_group(heat=a_heat_target(adjust), desired_capacity=5, min_size=1, cooldown_seconds=0)
    return world


def a_schedule_that_is_due() -> World:
    fleet = two_servers()
    hourly = Cron(expression="0 * * * *", timezone="UTC")
    due = factories.a_schedule(hourly, action=SetSizes(desired_capacity=5), created_at=fleet.clock.now)
    schedules.create(fleet.services, due)
    fleet.clock.pass_(3600)
    return fleet


def an_alarm_that_fires() -> World:
    fleet = two_servers()
    alarm = factories.an_alarm(
        HIGH_RULE, created_at=fleet.clock.now, alarm_actions=(factories.a_policy().id,)
    )
    made = alarm_history.created(alarm, UserId("user-1"), fleet.clock.now)
    fleet.services.alarms.create(alarm, fleet.limits.quota, made)
    for _ in range(2):
        report(fleet, [95.0, 95.0])
        fleet.clock.pass_(60)
    return fleet


# What is done.


def notify(_world: World, s: Services) -> None:
    policy = factories.a_policy()
    event = scale.Ask(
        project_id=factories.PROJECT,
        policy_id=policy.id,
        source="webhook:1",
        event_id="event-1",
        event=Event(),
        request_id="req-a",
    )
    scale.scale(s, event)


def do_a_round(_world: World, s: Services) -> None:
    converge(s, key(), "req-c")


def sweep_all(world: World, s: Services) -> None:
    for shard in range(world.limits.shards):
        sweep.sweep(s, shard)


def judge_all(world: World, s: Services) -> None:
    for shard in range(world.limits.shards):
        watch.watch(s, Share(shard=shard))


# What must have become of it.


def five_servers(world: World) -> None:
    assert world.group().desired_capacity == 5
    require_exactly_the_wanted_servers(world)


def scaled_once(world: World) -> None:
    five_servers(world)
    executed = [e for e in world.memory.executions.values() if e.outcome is Outcome.EXECUTED]
    assert len(executed) == 1


def two_remain(world: World) -> None:
    assert world.group().desired_capacity == 2
    require_exactly_the_wanted_servers(world)


def nothing_remains(world: World) -> None:
    assert world.memory.groups == {}
    assert world.memory.members == {}
    assert world.cloud.machines == {}


def nothing_goes_on(world: World) -> None:
    nothing_remains(world)
    assert [refresh.status for refresh in world.memory.refreshes.values()] == [RefreshStatus.ABORTED]


def all_are_new(world: World) -> None:
    (refresh,) = world.memory.refreshes.values()
    assert refresh.status is RefreshStatus.SUCCEEDED
    assert {member.launch_configuration_id for member in world.members()} == {NEW}
    require_exactly_the_wanted_servers(world)


def all_stand_in_the_pool(world: World) -> None:
    require_exactly_the_wanted_servers(world)
    stand = set(world.balancers.names(POOL.id))
    assert stand == {pool_name(member.group_id, member.id) for member in world.members()}


def the_stack_has_five(world: World) -> None:
    (stack,) = world.heat.stacks.values()
    assert len(stack.members) == 5
    assert stack.overlaps == 0


def it_was_signalled_once_too_often(world: World) -> None:
    """At most: nothing fences Heat. What came of that is put right."""
    (stack,) = world.heat.stacks.values()
    assert len(stack.members) == 5
    assert stack.overlaps <= 1


SCENES: Mapping[str, Scene] = {
    "a notification": Scene(two_servers, notify, scaled_once, calls=4),
    "an alarm that fires": Scene(
        an_alarm_that_fires, judge_all, scaled_once, calls=8, meanwhile=the_tick_is_judged
    ),
    "a schedule that is due": Scene(a_schedule_that_is_due, sweep_all, scaled_once, calls=8),
    "a sweep": Scene(five_wanted, sweep_all, five_servers, calls=6),
    "five are asked for": Scene(five_wanted, do_a_round, five_servers, calls=10),
    "five are asked for one by one": Scene(
        lambda: five_wanted(ONE_BY_ONE), do_a_round, five_servers, calls=20
    ),
    "five are found to serve": Scene(five_built, do_a_round, five_servers, calls=15),
    "three are too many": Scene(five_of_which_two_are_wanted, do_a_round, two_remain, calls=12),
    "one is broken, one vanished": Scene(two_broken_of_five, do_a_round, five_servers, calls=12),
    "the group goes": Scene(a_group_that_goes, do_a_round, nothing_remains, calls=9),
    "the group goes amid a refresh": Scene(
        a_refresh_of_nobody_whose_group_goes, do_a_round, nothing_goes_on, calls=9
    ),
    "two are replaced": Scene(a_refresh_of_three, do_a_round, all_are_new, calls=12),
    "two more enter a pool": Scene(lambda: three_in_a_pool(5), do_a_round, all_stand_in_the_pool, calls=12),
    "one leaves a pool": Scene(lambda: three_in_a_pool(2), do_a_round, all_stand_in_the_pool, calls=10),
    "a stack is updated": Scene(
        lambda: a_stack_of_two(Adjust.PARAMETER), do_a_round, the_stack_has_five, calls=7
    ),
    "a stack is signalled": Scene(
        lambda: a_stack_of_two(Adjust.SIGNAL),
        do_a_round,
        the_stack_has_five,
        calls=7,
        end_of_standstill=it_was_signalled_once_too_often,
    ),
}
