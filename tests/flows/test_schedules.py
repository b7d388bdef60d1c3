"""Schedules in a world in memory: ticks come once, twice, late, not at all; and each due time fires once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.core.cron import Cron
from chalicelib.core.decision import Event
from chalicelib.core.errors import Invalid, NotFound, Stale, Unavailable
from chalicelib.core.execution import Execution, Outcome
from chalicelib.core.group import Freeze, Group
from chalicelib.core.ids import GroupId, ProjectId, ScheduleId
from chalicelib.core.policy import PolicyMode
from chalicelib.core.schedule import ExecutePolicy, Once, Schedule, SetSizes
from chalicelib.flows import groups, policies, schedules
from chalicelib.flows.firing import fire_due
from chalicelib.flows.scale import Ask, scale
from chalicelib.flows.sweep import sweep
from chalicelib.ports import Services
from chalicelib.ports.schedules import ScheduleKey
from tests.core import factories
from tests.core.factories import GROUP, NOW, POLICY, PROJECT, a_policy, a_schedule, a_stamp
from tests.simulation.crash import Died, Executioner, Kind, Mishap, mortal
from tests.world import CALLER, World

MINUTE, HOUR, DAY = 60, 3600, 86_400
IN_A_MINUTE = Once(at=NOW + timedelta(minutes=1))
EVERY_MINUTE = Cron(expression="* * * * *", timezone="UTC")


@pytest.fixture
def world() -> World:
    world = World()
    world.with_group(desired_capacity=2, max_size=10)
    world.services.policies.create(a_policy(), world.limits.quota)
    return world


def planned(world: World, timing: Once | Cron = IN_A_MINUTE, **changes: Any) -> Schedule:
    """Return a schedule that is stored, armed at the present."""
    now = world.clock.now
    return schedules.create(
        world.services, a_schedule(timing, **{"created_at": now, "updated_at": now, **changes})
    )


def fire(world: World, services: Services | None = None) -> None:
    for shard in range(world.limits.shards):
        fire_due(services or world.services, shard)


def told(world: World) -> list[Execution]:
    """Return the group's executions, in the order of their due times."""
    page = world.services.executions.of_group(PROJECT, GROUP, 1000, None)
    return sorted(page.items, key=lambda execution: execution.event_id or "")


def now_stored(world: World, id_: str = "schedule-1") -> Schedule:
    return world.services.schedules.get(PROJECT, ScheduleId(id_))


def change(world: World, **changes: Any) -> Group:
    return groups.change(
        world.services,
        CALLER,
        GROUP,
        lambda group: replace(group, **changes),
        generation=None,
        request_id="req-2",
    )


def test_sizes_are_set_when_it_is_time_and_not_before(world: World) -> None:
    schedule = planned(world)
    world.clock.pass_(59)
    fire(world)
    assert world.group().desired_capacity == 2
    world.clock.pass_(1)
    fire(world)
    group = world.group()
    assert (group.bounds.min_size, group.desired_capacity) == (4, 4)
    (execution,) = told(world)
    assert (execution.outcome, execution.capacity_before, execution.capacity_after) == ("executed", 2, 4)
    assert (execution.source, execution.policy_id) == (f"schedule:{schedule.id}", None)
    assert execution.event_id == "2026-03-01T12:01:00Z"
    assert [key.group_id for key, _, _ in world.queue.rounds] == [GROUP]
    spent = now_stored(world)
    assert spent.next_due_at is None
    assert spent.last_firing
    assert (spent.last_firing.outcome, spent.last_firing.execution_id) == ("executed", execution.id)
    assert spent.generation == schedule.generation


def test_the_minutes_sweep_fires_and_the_group_follows(world: World) -> None:
    planned(world)
    world.settle()
    world.clock.pass_(MINUTE)
    world.tick()
    world.settle()
    assert len(world.cloud.machines) == 4


def test_a_policy_is_executed_past_its_cooldown_and_starts_none(world: World) -> None:
    planned(world, action=ExecutePolicy(policy_id=POLICY))
    ask = Ask(
        project_id=PROJECT, policy_id=POLICY, source="user:1", event_id=None, event=Event(), request_id="r"
    )
    assert scale(world.services, ask).outcome is Outcome.EXECUTED
    cooldowns = world.group().cooldowns
    assert cooldowns
    world.clock.pass_(MINUTE)
    fire(world)
    assert (world.group().desired_capacity, world.group().cooldowns) == (4, cooldowns)
    assert (told(world)[-1].policy_id, told(world)[-1].outcome) == (POLICY, "executed")


def test_a_policys_cooldown_may_be_honored(world: World) -> None:
    planned(world, action=ExecutePolicy(policy_id=POLICY, honor_cooldown=True))
    held = a_stamp(until=NOW + timedelta(hours=1))
    change(world, cooldowns=(held,))
    world.clock.pass_(MINUTE)
    fire(world)
    assert (told(world)[-1].outcome, world.group().desired_capacity) == ("in_cooldown", 2)


@pytest.mark.parametrize(
    ("mode", "outcome"), [(PolicyMode.SHADOW, "shadow"), (PolicyMode.DISABLED, "disabled")]
)
def test_a_policy_that_does_not_act_says_so(world: World, mode: PolicyMode, outcome: str) -> None:
    planned(world, action=ExecutePolicy(policy_id=POLICY))
    policies.change(
        world.services, PROJECT, POLICY, lambda policy: replace(policy, mode=mode), generation=None
    )
    world.clock.pass_(MINUTE)
    fire(world)
    assert [execution.outcome for execution in told(world)] == [outcome]
    assert world.group().desired_capacity == 2


def test_a_policy_that_is_gone_is_recorded(world: World) -> None:
    planned(world, EVERY_MINUTE, action=ExecutePolicy(policy_id=POLICY))
    policies.delete(world.services, PROJECT, POLICY, generation=None)
    for _ in range(2):
        world.clock.pass_(MINUTE)
        fire(world)
    assert [execution.outcome for execution in told(world)] == ["policy_gone", "policy_gone"]
    assert POLICY in told(world)[0].explanation.summary
    last = now_stored(world).last_firing
    assert last
    assert last.outcome is Outcome.POLICY_GONE


def test_two_schedules_of_one_policy_due_at_once_both_execute_it(world: World) -> None:
    for id_ in ("a", "b"):
        planned(world, id=ScheduleId(id_), action=ExecutePolicy(policy_id=POLICY))
    world.clock.pass_(MINUTE)
    fire(world)
    assert world.group().desired_capacity == 4


def test_a_webhook_cannot_take_a_firings_name(world: World) -> None:
    planned(world, action=ExecutePolicy(policy_id=POLICY))
    world.clock.pass_(MINUTE)
    name = "2026-03-01T12:01:00Z"
    ask = Ask(project_id=PROJECT, policy_id=POLICY, source="w", event_id=name, event=Event(), request_id="r")
    scale(world.services, ask)
    fire(world)
    assert [execution.outcome for execution in told(world)] == ["executed", "executed"]


def test_a_frozen_group_is_left_alone_also_when_it_is_thawed(world: World) -> None:
    planned(world)
    change(world, freeze=Freeze(reason="audit", until=NOW + timedelta(minutes=2)))
    for _ in range(5):
        world.clock.pass_(MINUTE)
        fire(world)
    assert [execution.outcome for execution in told(world)] == ["frozen"]
    assert world.group().bounds.min_size == 1


@pytest.mark.parametrize("action", [SetSizes(min_size=4), ExecutePolicy(policy_id=POLICY)])
def test_a_group_that_is_being_deleted_is_recorded_and_takes_its_schedules_along(
    world: World, action: SetSizes | ExecutePolicy
) -> None:
    planned(world, EVERY_MINUTE, action=action)
    groups.delete(world.services, CALLER, GROUP, generation=None, request_id="req-3")
    world.clock.pass_(MINUTE)
    fire(world)
    assert [execution.outcome for execution in told(world)] == ["group_deleting"]
    world.settle()
    assert world.memory.schedules == {}
    assert world.memory.groups == {}


def test_a_schedule_whose_group_is_gone_goes_too(world: World) -> None:
    planned(world)
    world.memory.groups.clear()
    world.clock.pass_(MINUTE)
    fire(world)
    assert world.memory.schedules == {}
    assert told(world) == []


def test_sizes_that_do_not_fit_are_recorded(world: World) -> None:
    planned(world, action=SetSizes(min_size=11))
    world.clock.pass_(MINUTE)
    fire(world)
    (execution,) = told(world)
    assert execution.outcome is Outcome.SIZES_REFUSED
    assert "min_size 11 and max_size 10 do not fit" in execution.explanation.summary


def test_what_the_quota_has_no_room_for_is_recorded(world: World) -> None:
    planned(world, action=SetSizes(max_size=1001))
    world.clock.pass_(MINUTE)
    for _ in range(2):
        fire(world)
    assert [execution.outcome for execution in told(world)] == ["quota_exceeded"]
    assert world.group().bounds.max_size == 10


def test_a_larger_group_is_counted(world: World) -> None:
    planned(world, action=SetSizes(max_size=40))
    world.clock.pass_(MINUTE)
    fire(world)
    assert world.services.usage.of_project(PROJECT).members == 40


# Ticks that repeat, race, come late, or never.


def test_a_due_time_fires_once_however_often_it_is_swept(world: World) -> None:
    planned(world, action=ExecutePolicy(policy_id=POLICY))
    world.clock.pass_(MINUTE)
    for _ in range(3):
        fire(world)
    assert world.group().desired_capacity == 3


def test_sweeps_at_the_same_time_fire_once(world: World) -> None:
    planned(world, EVERY_MINUTE, action=ExecutePolicy(policy_id=POLICY))
    world.clock.pass_(MINUTE)
    threads = [threading.Thread(target=fire, args=(world,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.group().desired_capacity == 3
    assert [execution.outcome for execution in told(world)] == ["executed"]
    assert now_stored(world).next_due_at == NOW + timedelta(minutes=2)


@pytest.mark.parametrize("action", [SetSizes(desired_capacity=3), ExecutePolicy(policy_id=POLICY)])
@pytest.mark.parametrize("after_effect", [False, True])
def test_who_dies_at_any_call_is_made_good_by_the_next_minute(
    action: SetSizes | ExecutePolicy, after_effect: bool
) -> None:
    for calls_left in range(30):
        world = World()
        world.with_group(desired_capacity=2)
        world.services.policies.create(a_policy(), world.limits.quota)
        hourly = Cron(expression="0 * * * *", timezone="UTC")
        planned(world, hourly, action=action)
        world.clock.pass_(HOUR)
        executioner = Executioner(calls_left, after_effect)
        died = False
        try:
            fire(world, mortal(world.services, executioner))
        except Died:
            died = True
        world.clock.pass_(MINUTE)
        fire(world)
        assert world.group().desired_capacity == 3
        assert [execution.outcome for execution in told(world)] == ["executed"]
        stored = now_stored(world)
        assert stored.next_due_at == NOW + timedelta(hours=2)
        assert stored.last_firing
        assert stored.last_firing.outcome is Outcome.EXECUTED
        if not died:
            assert calls_left > 4
            return
    raise AssertionError("a firing makes fewer calls than that")


def test_who_dies_among_missed_ones_is_made_good_too() -> None:
    for calls_left in range(40):
        world = World()
        world.with_group(desired_capacity=2)
        world.services.policies.create(a_policy(), world.limits.quota)
        planned(world, EVERY_MINUTE, action=ExecutePolicy(policy_id=POLICY))
        world.clock.pass_(3 * MINUTE)
        executioner = Executioner(calls_left, after_effect=bool(calls_left % 2))
        died = False
        try:
            fire(world, mortal(world.services, executioner))
        except Died:
            died = True
        fire(world)
        assert [e.outcome for e in told(world)] == ["missed", "missed", "executed"]
        assert [e.event_id for e in told(world)] == [f"2026-03-01T12:0{n}:00Z" for n in (1, 2, 3)]
        assert world.group().desired_capacity == 3
        if not died:
            return
    raise AssertionError("a firing makes fewer calls than that")


def test_who_died_after_firing_and_comes_minutes_later_fires_the_latest_only(world: World) -> None:
    """The due time that was acted on before keeps its outcome; it is not called missed."""
    planned(world, EVERY_MINUTE, action=ExecutePolicy(policy_id=POLICY))
    world.clock.pass_(MINUTE)
    stored = now_stored(world)
    fire(world)
    world.memory.schedules[PROJECT, stored.id] = stored  # as if it had never been advanced
    world.clock.pass_(2 * MINUTE)
    fire(world)
    assert [execution.outcome for execution in told(world)] == ["executed", "missed", "executed"]
    assert world.group().desired_capacity == 4


def test_a_late_tick_makes_up_for_what_was_due_within_an_hour(world: World) -> None:
    planned(world)
    world.clock.pass_(MINUTE + HOUR)
    fire(world)
    assert world.group().desired_capacity == 4


def test_what_was_due_earlier_is_missed(world: World) -> None:
    planned(world)
    world.clock.pass_(MINUTE + HOUR + 1)
    for _ in range(2):
        fire(world)
    assert world.group().desired_capacity == 2
    (execution,) = told(world)
    assert (execution.outcome, execution.event_id) == ("missed", "2026-03-01T12:01:00Z")
    spent = now_stored(world)
    assert spent.next_due_at is None
    assert spent.last_firing
    assert spent.last_firing.outcome is Outcome.MISSED


def test_after_an_outage_of_days_little_is_written_and_all_goes_on(world: World) -> None:
    planned(world, EVERY_MINUTE, action=ExecutePolicy(policy_id=POLICY))
    world.clock.pass_(3 * DAY)
    fire(world)
    assert [execution.outcome for execution in told(world)] == ["missed"] * 10 + ["executed"]
    assert "not listed one by one" in told(world)[9].explanation.summary
    assert world.group().desired_capacity == 3
    world.clock.pass_(MINUTE)
    fire(world)
    assert world.group().desired_capacity == 4


def test_after_an_outage_what_was_due_last_wins(world: World) -> None:
    """In the order of the due times that are acted on, not of those that were missed first."""
    every_ten = Cron(expression="*/10 * * * *", timezone="UTC")
    planned(world, every_ten, id=ScheduleId("z"), action=SetSizes(desired_capacity=7))
    half_past = Once(at=NOW + timedelta(minutes=35))
    planned(world, half_past, id=ScheduleId("a"), action=SetSizes(desired_capacity=3))
    world.clock.pass_(45 * MINUTE)
    fire(world)
    assert [e.capacity_after for e in told(world) if e.outcome is Outcome.EXECUTED] == [3, 7]
    assert world.group().desired_capacity == 7


# One schedule's trouble is its own.


class _Broken:
    """Storage of groups that fails for one of them."""

    def __init__(self, port: Any, group_id: GroupId, error: Exception) -> None:
        self._port, self._group_id, self._error = port, group_id, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def get(self, project_id: ProjectId, group_id: GroupId) -> Group:
        if group_id == self._group_id:
            raise self._error
        group: Group = self._port.get(project_id, group_id)
        return group


@pytest.mark.parametrize(
    "error", [ValueError("what nobody thought of"), Unavailable("storage.unavailable", "busy")]
)
def test_what_fails_stops_no_other_and_is_tried_again(world: World, error: Exception) -> None:
    other = GroupId("group-2")
    line = next(iter(world.memory.activities.values()))
    world.services.groups.create(factories.a_group(id=other), world.limits.quota, line)
    planned(world, id=ScheduleId("a"), group_id=other, action=SetSizes(desired_capacity=5))
    planned(world, id=ScheduleId("b"), action=SetSizes(desired_capacity=5))
    world.clock.pass_(MINUTE)
    groups_port: Any = _Broken(world.services.groups, other, error)
    fire(world, replace(world.services, groups=groups_port))
    assert (world.group().desired_capacity, world.group(other).desired_capacity) == (5, 2)
    fire(world)
    assert world.group(other).desired_capacity == 5


def test_a_queue_that_takes_nothing_keeps_no_schedule_from_firing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups are due, and stay so until the next sweep."""
    planned(world, action=SetSizes(desired_capacity=5))
    world.clock.pass_(10 * MINUTE)

    def fail(*_: object, **__: object) -> None:
        raise Unavailable("queue.unavailable", "SQS is out of reach")

    monkeypatch.setattr(world.services.queue, "converge_soon", fail)
    for shard in range(world.limits.shards):
        sweep(world.services, shard)
    assert world.group().desired_capacity == 5
    due = [
        key
        for shard in range(world.limits.shards)
        for key in world.services.groups.due(shard, world.clock.now, 9)
    ]
    assert [key.group_id for key in due] == [GROUP]


def test_a_sweep_ends_in_time_and_the_next_goes_on(world: World) -> None:
    for number in range(6):
        planned(world, id=ScheduleId(f"s-{number}"), action=ExecutePolicy(policy_id=POLICY))
    world.clock.pass_(MINUTE)

    class Slow:
        """Each schedule is looked at within 2 s, and written within 10 s."""

        def __getattr__(self, name: str) -> Any:
            world.clock.pass_({"advance": 10, "find": 2}.get(name, 0))
            return getattr(world.services.schedules, name)

    slow: Any = Slow()
    services = replace(world.services, schedules=slow)
    done = []
    for _ in range(4):
        fire(world, services)
        done.append(len(told(world)))
        world.clock.pass_(MINUTE)
    assert done == [2, 4, 6, 6]


def test_what_the_index_still_shows_is_looked_at_first(world: World) -> None:
    schedule = planned(world)
    key = ScheduleKey(project_id=PROJECT, schedule_id=schedule.id)
    gone = ScheduleKey(project_id=PROJECT, schedule_id=ScheduleId("gone"))

    class Lagging:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.services.schedules, name)

        def due(self, shard: int, now: datetime, limit: int) -> list[ScheduleKey]:
            return [gone, key]

    lagging: Any = Lagging()
    fire(world, replace(world.services, schedules=lagging))
    assert told(world) == []


# What owners do.


def test_a_change_of_times_arms_anew_and_any_other_leaves_what_is_due(world: World) -> None:
    planned(world)
    world.clock.pass_(MINUTE)

    def edit(**changes: Any) -> Schedule:
        now = world.clock.now
        return schedules.change(
            world.services,
            PROJECT,
            ScheduleId("schedule-1"),
            lambda schedule: replace(schedule, updated_at=now, **changes),
            generation=None,
        )

    assert edit(name="new").next_due_at == NOW + timedelta(minutes=1)
    assert edit(timing=EVERY_MINUTE).next_due_at == NOW + timedelta(minutes=2)
    assert edit(enabled=False).next_due_at is None
    fire(world)
    assert told(world) == []
    with pytest.raises(Invalid):
        edit(enabled=True, timing=IN_A_MINUTE)
    assert edit(enabled=True).next_due_at == NOW + timedelta(minutes=2)


def test_a_schedule_is_changed_and_deleted_as_it_was_seen(world: World) -> None:
    schedule = planned(world)
    s, id_ = world.services, schedule.id
    schedules.change(s, PROJECT, id_, lambda was: replace(was, name="new"), generation=1)
    with pytest.raises(Stale):
        schedules.change(s, PROJECT, id_, lambda was: was, generation=1)
    with pytest.raises(Stale):
        schedules.delete(s, PROJECT, id_, generation=1)
    schedules.delete(s, PROJECT, id_, generation=2)
    with pytest.raises(NotFound):
        schedules.delete(s, PROJECT, id_, generation=None)


@pytest.mark.parametrize("call", range(2))
def test_a_schedule_that_is_changed_while_it_is_deleted_as_it_was_seen_stays(world: World, call: int) -> None:
    schedule = planned(world)
    s, id_ = world.services, schedule.id

    def rename() -> None:
        schedules.change(s, PROJECT, id_, lambda was: replace(was, name="new"), generation=None)

    executioner = Executioner(meanwhile=rename)
    late = mortal(s, executioner)
    executioner.invoke(
        lambda: schedules.delete(late, PROJECT, id_, generation=1), Mishap(call, kind=Kind.STALLS), tells=True
    )
    assert executioner.struck
    assert s.schedules.get(PROJECT, id_).name == "new"


def test_a_schedule_that_would_never_fire_is_not_made_but_the_same_request_finds_it(world: World) -> None:
    with pytest.raises(Invalid):
        planned(world, Once(at=NOW))
    with pytest.raises(Invalid):
        planned(world, Once(at=NOW), enabled=False)
    first = planned(world, fingerprint="same")
    world.clock.pass_(DAY)
    assert planned(world, fingerprint="same") == first


# A week with a change of clocks, minute by minute.


def sizes_by_the_clock(world: World, zone: ZoneInfo, begin: datetime, days: int) -> Iterator[tuple[str, int]]:
    """Yield the local time and the size, each time that the size changes."""
    was = world.group().desired_capacity
    while world.clock.now < begin + timedelta(days=days):
        world.clock.pass_(MINUTE)
        world.tick()
        size = world.group().desired_capacity
        if size != was:
            yield f"{world.clock.now.astimezone(zone):%a %d %H:%M %z}", size
        was = size


@pytest.mark.parametrize(
    ("zone", "begin", "expected"),
    [
        (
            "Europe/Ljubljana",
            datetime(2026, 3, 28, 0, 0, tzinfo=UTC),
            [
                *(("Sat 28 02:30 +0100", 1), ("Sat 28 07:00 +0100", 4)),
                *(("Sun 29 03:00 +0200", 1), ("Sun 29 07:00 +0200", 4)),
                *(("Mon 30 02:30 +0200", 1), ("Mon 30 07:00 +0200", 4)),
            ],
        ),
        (
            "America/New_York",
            datetime(2026, 10, 31, 4, 30, tzinfo=UTC),
            [
                *(("Sat 31 02:30 -0400", 1), ("Sat 31 07:00 -0400", 4)),
                *(("Sun 01 02:30 -0500", 1), ("Sun 01 07:00 -0500", 4)),
                *(("Mon 02 02:30 -0500", 1), ("Mon 02 07:00 -0500", 4)),
            ],
        ),
    ],
)
def test_a_group_follows_the_clock_on_the_wall(
    zone: str, begin: datetime, expected: list[tuple[str, int]]
) -> None:
    world = World()
    world.clock.now = begin
    world.with_group(desired_capacity=2, min_size=0)
    night = Cron(expression="30 2 * * *", timezone=zone)
    planned(world, night, id=ScheduleId("n"), action=SetSizes(min_size=1, desired_capacity=1))
    planned(world, Cron(expression="0 7 * * *", timezone=zone), id=ScheduleId("m"))
    assert list(sizes_by_the_clock(world, ZoneInfo(zone), begin, 3)) == expected
    assert [execution.outcome for execution in told(world)] == ["executed"] * 6
    world.settle()
    assert len(world.cloud.machines) == 4
