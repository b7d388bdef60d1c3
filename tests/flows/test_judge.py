"""A group judged tick by tick: samples in, alarms and metric policies looked at, one change at most."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.activity import ActivityKind
from chalicelib.core.alarm import Alarm, AlarmState, Comparison, CompositeRule, ThresholdRule, TimeConstraint
from chalicelib.core.capacity import AdjustmentType
from chalicelib.core.decision import Event
from chalicelib.core.execution import Execution, Outcome, Rule
from chalicelib.core.forecast import Predictive, forecast
from chalicelib.core.group import Group, Observed
from chalicelib.core.ids import AlarmId, GroupId, PolicyId, UserId
from chalicelib.core.pace import Behavior
from chalicelib.core.policy import Policy, ScalingRule
from chalicelib.core.policy_state import PolicyState
from chalicelib.core.sample import Batch, Sample, one
from chalicelib.core.series import Series
from chalicelib.core.steps import Interval, StepScaling
from chalicelib.core.tracking import TargetTracking
from chalicelib.flows import groups, policies, scale, watch
from chalicelib.flows.observe import observe
from chalicelib.flows.story import activity
from chalicelib.ports import Share
from chalicelib.ports.storage import Page
from tests.core import factories
from tests.core.factories import a_threshold, an_alarm, by
from tests.simulation.crash import Died, Executioner, Kind, mortal
from tests.world import CALLER, QUOTA, World, key

TRACKING = TargetTracking(
    metric="cpu", target=60, unready_seconds=0, into=Behavior(stabilization_seconds=180)
)


@pytest.fixture
def world() -> World:
    """A settled group of three, without a cooldown."""
    world = World()
    world.with_group(desired_capacity=3, cooldown_seconds=0, max_size=12)
    world.settle()
    world.clock.now = world.clock.now.replace(second=1, microsecond=0)
    return world


def policy(world: World, id_: str, rule: ScalingRule, **changes: Any) -> Policy:
    new = factories.a_policy(rule, **{"id": PolicyId(id_), "name": id_, "cooldown_seconds": 0, **changes})
    return world.services.policies.create(new, QUOTA)


def alarm(world: World, id_: str = "alarm-1", **changes: Any) -> Alarm:
    new = an_alarm(id=AlarmId(id_), name=id_, created_at=world.clock.now, **changes)
    entry = alarm_history.created(new, UserId("user-1"), world.clock.now)
    return world.services.alarms.create(new, QUOTA, entry)


def report(world: World, value: float, *, members: int | None = None) -> None:
    """Have so many of the members in service (all by default) report the value now."""
    names = [member.name for member in world.members()][:members]
    samples = [Sample(metric="cpu", at=world.clock.now, measure=one(value), source=name) for name in names]
    batch = Batch(samples=tuple(enumerate(samples)))
    observed = observe(world.services, key(), batch, default_batch_id=world.clock.now.isoformat())
    assert not observed.rejected


def judge(world: World) -> None:
    """Do what the tick's watch messages do."""
    world.queue.watches += [Share(shard=shard) for shard in range(world.limits.shards)]
    while world.queue.watches:
        watch.watch(world.services, world.queue.watches.pop(0))


def minutes(world: World, *values: float | None) -> None:
    """Let minutes pass in each of which all members report a value (None: nobody does), then the tick."""
    for value in values:
        if value is not None:
            report(world, value)
        world.clock.pass_(60)
        judge(world)
        world.tick()


def size(world: World) -> int:
    return world.group().desired_capacity


def state(world: World, id_: str = "alarm-1") -> AlarmState:
    return world.services.alarms.get(factories.PROJECT, AlarmId(id_)).state


def executions(world: World) -> list[Execution]:
    s = world.services
    return list(s.executions.of_group(factories.PROJECT, factories.GROUP, 100, None).items)[::-1]


def remembered(world: World, id_: str) -> PolicyState:
    found = world.services.policy_states.get(factories.PROJECT, PolicyId(id_))
    assert found is not None
    return found


HIGH = a_threshold(threshold=80, evaluation_periods=2, datapoints_to_alarm=2)
LOW = a_threshold(threshold=20, comparison=Comparison.LT, evaluation_periods=2, datapoints_to_alarm=2)


def at_once(rule: ThresholdRule) -> ThresholdRule:
    """Return the rule so that one datapoint is enough."""
    return replace(rule, evaluation_periods=1, datapoints_to_alarm=1)


def test_an_alarm_asks_its_policy_in_every_tick_that_it_lasts(world: World) -> None:
    out = policy(world, "out", by(1))
    alarm(world, rule=HIGH, alarm_actions=(out.id,))
    minutes(world, 90)
    assert (size(world), state(world)) == (3, AlarmState.INSUFFICIENT_DATA)
    minutes(world, 90, 90, 90)
    assert (size(world), state(world)) == (6, AlarmState.ALARM)
    minutes(world, 50, 50)
    assert (size(world), state(world)) == (6, AlarmState.OK)
    assert {e.source for e in executions(world)} == {"alarm:alarm-1"}


def test_what_happened_to_an_alarm_is_told_once(world: World) -> None:
    alarm(world, rule=HIGH)
    minutes(world, 90, 90, 90, 50, 50, 50)
    page = world.services.alarm_history.of_alarm(factories.PROJECT, AlarmId("alarm-1"), 100, None)
    assert [entry.state_after for entry in page.items][::-1] == [
        AlarmState.INSUFFICIENT_DATA,
        AlarmState.ALARM,
        AlarmState.OK,
    ]


def test_a_tick_that_comes_twice_or_late_in_the_same_minute_judges_once(world: World) -> None:
    out = policy(world, "out", by(1))
    alarm(world, rule=HIGH, alarm_actions=(out.id,))
    minutes(world, 90, 90)
    for _ in range(3):
        world.clock.pass_(10)
        judge(world)
    assert (size(world), len(executions(world))) == (4, 1)


def test_ticks_that_were_missed_are_made_up_for_by_the_next(world: World) -> None:
    out = policy(world, "out", by(1))
    alarm(world, rule=HIGH, alarm_actions=(out.id,))
    for _ in range(5):
        report(world, 90)
        world.clock.pass_(60)
    judge(world)
    assert (size(world), state(world)) == (4, AlarmState.ALARM)


def test_no_samples_never_shrink_a_group(world: World) -> None:
    in_ = policy(world, "in", by(-1))
    alarm(world, rule=LOW, alarm_actions=(in_.id,), insufficient_data_actions=(in_.id,))
    minutes(world, 50, 50, *[None] * 10)
    assert (size(world), state(world)) == (3, AlarmState.INSUFFICIENT_DATA)
    assert [e.outcome for e in executions(world)] == [Outcome.DIRECTION_REFUSED]
    stored = world.services.alarms.get(factories.PROJECT, AlarmId("alarm-1"))
    assert stored.silent_since is not None


def test_the_actions_of_ok_are_done_once(world: World) -> None:
    out, back = policy(world, "out", by(4)), policy(world, "back", by(-1))
    alarm(world, rule=HIGH, alarm_actions=(out.id,), ok_actions=(back.id,))
    minutes(world, 90, 90, 50, 50, 50, 50, 50)
    outcomes = [(e.policy_id, e.capacity_after) for e in executions(world)]
    assert outcomes == [("out", 7), ("back", 6)]


def test_steps_are_taken_by_the_size_of_the_breach(world: World) -> None:
    rule = StepScaling(
        type=AdjustmentType.CHANGE,
        steps=(
            Interval(lower=0, upper=10, amount=Fraction(1)),
            Interval(lower=10, upper=None, amount=Fraction(4)),
        ),
        warmup_seconds=0,
    )
    steps = policy(world, "steps", rule)
    alarm(world, rule=HIGH, alarm_actions=(steps.id,))
    minutes(world, 85, 85)
    assert size(world) == 4
    minutes(world, 95)
    assert size(world) == 8


def test_a_scale_in_that_would_set_off_the_other_alarm_is_not_made(world: World) -> None:
    out, in_ = policy(world, "out", by(1)), policy(world, "in", by(-1))
    alarm(world, "high", rule=replace(HIGH, threshold=25), alarm_actions=(out.id,))
    alarm(world, "low", rule=LOW, alarm_actions=(in_.id,))
    minutes(world, 18, 18)
    assert [e.outcome for e in executions(world)] == [Outcome.WOULD_FLAP]
    assert "27" in executions(world)[0].explanation.summary
    minutes(world, 10)
    assert size(world) == 2


def test_a_composite_is_judged_of_what_its_parts_come_to_in_the_same_tick(world: World) -> None:
    out = policy(world, "out", by(1))
    alarm(world, "high", rule=HIGH)
    alarm(world, "off", rule=replace(HIGH, metric="off", threshold=0))
    expression = json.dumps({"and": [{"alarm": "high"}, {"not": {"alarm": "off"}}]})
    alarm(world, "both", rule=CompositeRule(expression=expression), alarm_actions=(out.id,))
    minutes(world, 90, 90)
    assert (state(world, "both"), size(world)) == (AlarmState.INSUFFICIENT_DATA, 3), "off is unknown"
    world.services.alarms.change(
        off := world.services.alarms.get(factories.PROJECT, AlarmId("off")),
        new := replace(off, state=AlarmState.OK, rule=replace(HIGH, metric="cpu", threshold=95)),
        alarm_history.found(off, new, world.clock.now),
    )
    minutes(world, 90)
    assert (state(world, "both"), size(world)) == (AlarmState.ALARM, 4)


def test_outside_of_its_windows_an_alarm_rests(world: World) -> None:
    out = policy(world, "out", by(1))
    hours = TimeConstraint(name="night", start="0 0 * * *", duration_seconds=3600)
    alarm(world, rule=HIGH, alarm_actions=(out.id,), time_constraints=(hours,))
    minutes(world, 90, 90, 90)
    assert (size(world), state(world)) == (3, AlarmState.INSUFFICIENT_DATA)


def test_target_tracking_follows_the_load_and_shrinks_only_when_that_lasts(world: World) -> None:
    policy(world, "track", TRACKING)
    minutes(world, 90)
    assert size(world) == 5, "3 at 90 are 5 at 54"
    assert executions(world)[-1].source == "policy:track"
    minutes(world, 54)
    assert size(world) == 5
    minutes(world, 20, 20)
    assert size(world) == 5, "held by the window of scale-in"
    last = remembered(world, "track").last
    assert last is not None
    assert last.recommended == 2
    assert Rule.STABILIZATION in {step.rule for step in last.steps}
    minutes(world, 20, 20)
    assert size(world) == 2


def test_a_metric_that_is_lost_keeps_the_size(world: World) -> None:
    policy(world, "track", TRACKING)
    minutes(world, 20, *[None] * 10)
    assert size(world) == 3
    last = remembered(world, "track").last
    assert last is not None
    assert (last.value, last.recommended, last.decided) == (None, None, 3)


def test_target_tracking_changes_a_group_once_a_tick(world: World) -> None:
    policy(world, "track", TRACKING)
    minutes(world, 90)
    judge(world)
    assert (size(world), len(executions(world))) == (5, 1)


@pytest.mark.parametrize("calls", range(9))
def test_a_size_that_somebody_sets_while_a_tick_is_judged_is_not_taken_back(world: World, calls: int) -> None:
    policy(world, "track", TRACKING)
    report(world, 60)
    world.clock.pass_(60)

    def ten(group: Group) -> Group:
        return replace(group, desired_capacity=10)

    def meanwhile() -> None:
        groups.change(world.services, CALLER, factories.GROUP, ten, generation=None, request_id="req-p")

    interrupted = mortal(world.services, Executioner(calls, meanwhile=meanwhile, kind=Kind.STALLS))
    for shard in range(world.limits.shards):
        watch.watch(interrupted, Share(shard=shard))
    assert size(world) == 10


def test_target_tracking_that_somebody_executes_looks_at_its_metric_at_once(world: World) -> None:
    tracking = policy(world, "track", TRACKING)
    report(world, 120)
    world.clock.pass_(60)
    ask = scale.Ask(
        project_id=factories.PROJECT,
        policy_id=tracking.id,
        source="user:user-1",
        event_id=None,
        event=Event(),
        request_id="req-1",
    )
    assert scale.scale(world.services, ask).capacity_after == 6


def test_alarms_and_target_tracking_come_to_one_change(world: World) -> None:
    in_ = policy(world, "in", by(-1))
    policy(world, "track", TRACKING)
    alarm(
        world,
        rule=replace(LOW, threshold=95, evaluation_periods=1, datapoints_to_alarm=1),
        alarm_actions=(in_.id,),
    )
    minutes(world, 90)
    assert size(world) == 5
    by_source = {e.source: e.outcome for e in executions(world)}
    assert by_source["policy:track"] is Outcome.EXECUTED
    assert by_source["alarm:alarm-1"] in (Outcome.OUTVOTED, Outcome.WOULD_FLAP)


@pytest.mark.parametrize("minutes_passed", [1, 3])
def test_an_alarm_may_set_target_tracking_in_motion_which_looks_at_its_metric(
    world: World, minutes_passed: int
) -> None:
    tracking = policy(world, "track", TRACKING)
    alarm(world, rule=at_once(HIGH), alarm_actions=(tracking.id,))
    minutes(world, *[90] * minutes_passed)
    by_alarm = [e for e in executions(world) if e.source == "alarm:alarm-1"]
    assert by_alarm[0].outcome is Outcome.EXECUTED
    assert by_alarm[0].capacity_after == 5
    assert {e.outcome for e in by_alarm[1:]} <= {Outcome.EXECUTED, Outcome.NO_CHANGE}
    last = remembered(world, "track").last
    assert last is not None
    assert last.decided == size(world)


def test_target_tracking_that_an_alarm_asks_keeps_nobody_from_shrinking_that_agrees(world: World) -> None:
    in_ = policy(world, "in", by(-1))
    tracking = policy(world, "track", replace(TRACKING, into=Behavior(stabilization_seconds=0)))
    alarm(world, rule=at_once(LOW), alarm_actions=(in_.id, tracking.id))
    minutes(world, 10)
    assert size(world) == 2


def test_a_forecast_that_an_alarm_asks_and_that_is_not_there_yet_keeps_nobody_from_shrinking(
    world: World,
) -> None:
    in_ = policy(world, "in", by(-1))
    foresee = policy(world, "foresee", Predictive(metric="cpu", target=60, act=True))
    alarm(world, rule=at_once(LOW), alarm_actions=(in_.id, foresee.id))
    minutes(world, 10)
    assert size(world) == 2
    assert [e.outcome for e in executions(world) if e.policy_id == "foresee"] == [Outcome.NO_DATA]


def daily(hour: int) -> float:
    return 20.0 if hour != 12 else 100.0


def test_a_forecast_asks_for_members_before_they_are_needed(world: World) -> None:
    rule = Predictive(metric="cpu", target=60, lead_seconds=900, act=True)
    policy(world, "foresee", rule)
    midnight = world.clock.now.replace(hour=0, minute=0, second=1)
    for hour in range(3 * 24 + 11):
        world.clock.now = midnight + timedelta(hours=hour, minutes=30)
        report(world, daily(hour % 24))
    world.clock.now = midnight + timedelta(days=3, hours=11, minutes=36)
    report(world, 20)
    for _ in range(5):  # the first ones have three days of samples to compress
        world.clock.pass_(60)
        judge(world)
        assert size(world) == 3
    world.clock.pass_(300)
    judge(world)
    assert size(world) == 4, "at 12 o'clock, in ten minutes, three members were at 100 % each day so far"
    made = remembered(world, "foresee").forecast
    assert made is not None
    assert made.reason is None


def test_a_forecast_is_held_against_each_hour_that_passes_as_it_was_foreseen_at_its_beginning(
    world: World,
) -> None:
    """The load is another in each hour, so a forecast of three hours ago would be told from the last."""
    policy(world, "foresee", Predictive(metric="cpu", target=60))
    midnight = world.clock.now.replace(hour=0, minute=0, second=1)
    foreseen = {}
    for hour in range(2 * 24 + 6):
        for minute in (1, 30, 59):  # as an hour begins, those that ended are not compressed yet
            world.clock.now = midnight + timedelta(hours=hour, minutes=minute - 1)
            judge(world)
            world.clock.pass_(30)
            report(world, 20.0 + hour)
        made = remembered(world, "foresee").forecast
        assert made is not None
        if made.hours:
            foreseen[made.hours[0].hour] = made.hours[0].load
    past = remembered(world, "foresee").past
    loads = {midnight.replace(second=0) + timedelta(hours=hour): 60.0 + 3 * hour for hour in range(53)}
    assert {each.hour: each.actual for each in past} == dict([*loads.items()][24:])
    assert {each.hour: each.foreseen for each in past}.items() <= foreseen.items()
    assert past[-1].day_before == loads[past[-1].hour - timedelta(days=1)]
    last = remembered(world, "foresee").forecast
    assert last is not None
    assert last.hours == forecast([*loads.items()], last.made_at).hours, "made of all hours that ended"


def test_a_forecast_that_only_shows_itself_changes_nothing(world: World) -> None:
    policy(world, "foresee", Predictive(metric="cpu", target=1))
    minutes(world, 90)
    made = remembered(world, "foresee").forecast
    assert made is not None
    assert made.reason is not None
    assert not executions(world)


def test_a_group_that_is_closely_watched_is_judged_as_its_samples_come(world: World) -> None:
    policy(world, "track", replace(TRACKING, period_seconds=10))
    world.services.meters.watch(key(), "cpu", fine=True)
    world.clock.pass_(31)
    report(world, 90)
    world.clock.pass_(10)
    report(world, 90)
    assert key() in world.queue.judgings
    watch.judge_promptly(world.services, key())
    assert size(world) == 5


def test_between_ticks_a_group_only_grows_and_minutes_are_not_judged(world: World) -> None:
    tracking = replace(TRACKING, period_seconds=10, into=Behavior(stabilization_seconds=0))
    policy(world, "track", tracking)
    out = policy(world, "out", by(1))
    alarm(world, rule=LOW, alarm_actions=(out.id,))
    world.services.meters.watch(key(), "cpu", fine=True)
    minutes(world, None, None)
    for _ in range(14):
        report(world, 10)
        world.clock.pass_(10)
        watch.judge_promptly(world.services, key())
    assert (size(world), executions(world)) == (3, [])
    assert state(world) is AlarmState.INSUFFICIENT_DATA
    judge(world)
    assert state(world) is AlarmState.ALARM
    assert [e.policy_id for e in executions(world) if e.outcome is Outcome.EXECUTED] == ["out"]


def test_who_acts_on_a_composite_by_steps_keeps_nobody_from_shrinking(world: World) -> None:
    steps = StepScaling(
        type=AdjustmentType.CHANGE, steps=(Interval(lower=0, upper=None, amount=Fraction(1)),)
    )
    stepping, shrinking = policy(world, "steps", steps), policy(world, "in", by(-1))
    alarm(world, "low", rule=LOW, alarm_actions=(shrinking.id,))
    composite = CompositeRule(expression=json.dumps({"alarm": "low"}))
    alarm(world, "composite", rule=composite, alarm_actions=(stepping.id,))
    minutes(world, 10, 10)
    assert size(world) == 2
    assert {e.outcome for e in executions(world)} == {Outcome.NO_DATA, Outcome.EXECUTED}


class Lagging:
    """A table whose index of groups does not have what is new yet."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def page(self, *_: Any) -> Page[Any]:
        return Page((), None)


def test_what_was_made_a_moment_before_its_group_ended_is_deleted_once_it_is_judged(world: World) -> None:
    out = policy(world, "out", TRACKING)
    world.services.webhooks.create(factories.a_webhook(policy_id=out.id), QUOTA)
    alarm(world)
    s = world.services
    world.services = replace(s, policies=Lagging(s.policies), alarms=Lagging(s.alarms))
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    world.settle()
    assert (world.memory.groups, len(world.memory.policies), len(world.memory.alarms)) == ({}, 1, 1)
    world.services = s
    judge(world)
    used = s.usage.of_project(factories.PROJECT)
    assert (used.policies, used.alarms, used.webhooks) == (0, 0, 0)
    assert world.memory.policy_states == {}


def test_one_groups_trouble_keeps_no_other_from_being_judged(world: World) -> None:
    gone = policy(world, "gone", by(1))
    alarm(world, "a", rule=HIGH, alarm_actions=(gone.id,))
    out = policy(world, "out", by(2))
    alarm(world, "b", rule=HIGH, alarm_actions=(out.id,))
    world.services.policies.delete(factories.PROJECT, gone.id)
    minutes(world, 90, 90)
    assert size(world) == 5


class Broken:
    """Folds that fail in a way that nobody thought of, for one series."""

    def __init__(self, folds: Any, metric: str) -> None:
        self._folds, self._metric = folds, metric

    def __getattr__(self, name: str) -> Any:
        return getattr(self._folds, name)

    def read(self, series: Series, *args: Any) -> Any:
        if series.metric == self._metric:
            raise OverflowError
        return self._folds.read(series, *args)


def test_not_even_a_bug_of_ours_keeps_another_group_from_being_judged(world: World) -> None:
    s = world.services
    other = GroupId("group-0")
    first = replace(world.group(), id=other, observed=Observed(), generation=1)
    s.groups.create(first, QUOTA, activity(s, first, ActivityKind.GROUP_CREATED, "made", "req-0"))
    world.services = replace(s, folds=Broken(s.folds, "odd"))
    alarm(world, "odd", rule=replace(HIGH, metric="odd"), group_id=other)
    out = policy(world, "out", by(1))
    alarm(world, rule=HIGH, alarm_actions=(out.id,))
    minutes(world, 90, 90)
    assert size(world) == 4


def test_what_an_alarm_says_once_is_said_once_though_it_is_read_as_it_was(world: World) -> None:
    back = policy(world, "back", by(-1))
    alarm(world, rule=HIGH, ok_actions=(back.id,))
    minutes(world, 90, 90)
    was = world.memory.alarms[factories.PROJECT, AlarmId("alarm-1")]
    minutes(world, 50, 50)
    assert (size(world), state(world)) == (2, AlarmState.OK)
    world.memory.alarms[factories.PROJECT, AlarmId("alarm-1")] = was
    minutes(world, 50)
    assert size(world) == 2


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_what_looks_closely_is_kept_closely_from_the_next_minute_on_whoever_died(
    world: World, calls: int
) -> None:
    dies = mortal(world.services, Executioner(calls))
    new = factories.a_policy(replace(TRACKING, period_seconds=10), cooldown_seconds=0)
    with suppress(Died):
        policies.create(dies, new)
    judge(world)
    stored = (factories.PROJECT, new.id) in world.memory.policies
    assert (world.services.meters.of_group(key()).fine == {"cpu"}) == stored


def ids(count: int) -> Iterable[AlarmId]:
    return (AlarmId(f"alarm-{number:04}") for number in range(count))


@pytest.mark.parametrize("part", [1, 3, 100])
def test_a_shard_is_judged_in_parts_and_nothing_is_left_out(world: World, part: int) -> None:
    for id_ in ids(8):
        alarm(world, id_, rule=HIGH)
    policy(world, "track", TRACKING)
    for _ in range(2):
        report(world, 90)
        world.clock.pass_(60)
        for shard in range(world.limits.shards):
            watch.watch(world.services, Share(shard=shard), part=part)
        while world.queue.watches:
            watch.watch(world.services, world.queue.watches.pop(0), part=part)
    assert {state(world, id_) for id_ in ids(8)} == {AlarmState.ALARM}
    assert size(world) == 5


def test_what_there_is_no_time_for_is_passed_on_and_nothing_is_judged_twice(world: World) -> None:
    """Each judging takes so long that only one group is judged with each message."""
    for number in range(4):
        id_ = GroupId(f"group-{number}")
        if id_ != factories.GROUP:
            world.memory.groups[factories.PROJECT, id_] = replace(
                world.memory.groups[factories.PROJECT, factories.GROUP], group=factories.a_group(id=id_)
            )
        alarm(world, f"alarm-{number}", rule=HIGH, group_id=id_)
    judged: list[str] = []

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.services.folds, name)

        def read(self, series: Series, since: datetime, until: datetime) -> Any:
            judged.append(series.group_id)
            world.clock.pass_(30)
            return world.services.folds.read(series, since, until)

    slow = replace(world.services, folds=Slow())
    shares = [Share(shard=shard) for shard in range(world.limits.shards)]
    messages = 0
    while shares:
        messages += 1
        watch.watch(slow, shares.pop(0), part=3)
        shares, world.queue.watches = [*shares, *world.queue.watches], []
    assert sorted(judged) == ["group-0", "group-1", "group-2", "group-3"]
    assert messages >= 4


def test_hours_and_minutes_of_one_series_are_read_apart(world: World) -> None:
    begin = world.clock.now.replace(minute=0)
    alarm(world, "hours", rule=replace(HIGH, period_seconds=3600, evaluation_periods=24))
    alarm(world, "rate", rule=replace(HIGH, statistic="rate", period_seconds=3600, threshold=0.01))
    alarm(world, "minutes", rule=HIGH)
    for minute in range(0, 5 * 60, 10):
        world.clock.now = begin + timedelta(minutes=minute)
        report(world, 85 + minute)
    reads = Counted(world.services.folds)
    world.services = replace(world.services, folds=reads)
    world.clock.now = begin + timedelta(hours=5, seconds=1)
    judge(world)
    assert state(world, "rate") is AlarmState.ALARM, "85 to 375 in five hours are 0.016 a second"
    reads.spans.clear()
    judge(world)
    assert max(reads.spans) < timedelta(hours=6), "of a day of hours, minutes are read only behind the last"


def test_an_alarm_of_days_waits_until_all_hours_there_are_have_been_made(world: World) -> None:
    """Four days of samples are four calls' worth of hours; the last three hours are read as minutes."""
    in_ = policy(world, "in", by(-1))
    midnight = world.clock.now.replace(hour=0, minute=0, second=1)
    for hour in range(4 * 24):
        world.clock.now = midnight + timedelta(hours=hour, minutes=30)
        report(world, 10)
    whole_day = replace(at_once(LOW), statistic="sum", period_seconds=86_400, threshold=24 * 3 * 10)
    alarm(world, "less", rule=whole_day, alarm_actions=(in_.id,))
    alarm(world, "at least", rule=replace(whole_day, comparison=Comparison.GE))
    world.clock.now = midnight + timedelta(days=4)
    states = []
    for _ in range(5):
        judge(world)
        states.append((state(world, "less"), state(world, "at least")))
        world.clock.pass_(60)
    unknown = AlarmState.INSUFFICIENT_DATA
    assert states == [(unknown, unknown)] * 3 + [(AlarmState.OK, AlarmState.ALARM)] * 2
    assert (size(world), executions(world)) == (3, [])


class Counted(Broken):
    """Folds that remember how far back minutes were read."""

    def __init__(self, folds: Any) -> None:
        super().__init__(folds, "")
        self.spans: list[timedelta] = []

    def read(self, series: Series, *args: Any) -> Any:
        self.spans.append(args[1] - args[0])
        return super().read(series, *args)
