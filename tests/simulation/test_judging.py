"""Judging, with everything at once: samples of any kind, ticks of any kind, and people in between.

Laws, in every state: the size is within its bounds; each tick changes it once at most, and each executed
execution stands for one change; nothing changes a frozen group, and nothing comes of a shadow; what is
unknown shrinks nothing; no size is taken back that somebody else wanted meanwhile; each batch counts once.
When the faults stop and the load is steady, target tracking comes to rest at its target, or at a bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chalicelib.core.decision import Event
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.execution import Outcome
from chalicelib.core.group import Freeze, Group
from chalicelib.core.ids import AlarmId, PolicyId, ScheduleId
from chalicelib.core.policy import Policy, PolicyMode
from chalicelib.core.sample import Batch, Sample, one
from chalicelib.core.schedule import ExecutePolicy, SetSizes
from chalicelib.flows import alarms, groups, policies, scale, schedules, sweep, watch
from chalicelib.flows.observe import observe
from chalicelib.ports import Share
from tests.core import factories
from tests.simulation.crash import Executioner, Kind, Mishap, mishaps, mortal
from tests.simulation.judged import (
    DARK,
    HIGH,
    IN,
    LOW,
    MAX_SIZE,
    MIN_SIZE,
    OUT,
    SHADOW,
    STEPS,
    TARGET,
    TRACK,
    TRACKING,
    Ledger,
    report,
    with_alarms,
    with_policies,
    with_schedule,
)
from tests.simulation.runs import runs
from tests.world import CALLER, World, key


class Judging(RuleBasedStateMachine):
    """One group with alarms, policies and schedules, and all that happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.ledger = Ledger(self.world, self.world.services.groups)
        self.world.services = replace(self.world.services, groups=self.ledger)
        self.executioner = Executioner()
        self.mortal = mortal(self.world.services, self.executioner)
        self.counted, self.sum = 0, Fraction()
        self.sent: list[tuple[Batch, frozenset[str]]] = []

    @initialize(
        cooldown=st.sampled_from([0, 0, 90]),
        period=st.sampled_from([60, 60, 10]),
        load=st.integers(0, 900),
    )
    def begin(self, cooldown: int, period: int, load: int) -> None:
        """A settled group of three, with a policy of each kind and two schedules.

        Args:
            load: what the members share when the faults have stopped.
        """
        world, self.load = self.world, load
        world.with_group(desired_capacity=3, min_size=MIN_SIZE, max_size=MAX_SIZE, cooldown_seconds=cooldown)
        world.settle()
        with_policies(world, cooldown, replace(TRACKING, period_seconds=period))
        with_alarms(world)
        with_schedule(world, "sizes", "*/13 * * * *", SetSizes(desired_capacity=4))
        with_schedule(world, "policy", "*/17 * * * *", ExecutePolicy(policy_id=OUT, honor_cooldown=True))

    # What members report.

    @rule(
        value=st.floats(0, 200) | st.sampled_from([TARGET, 10.0, 90.0]),
        silent=st.integers(0, 3),
        ago=st.sampled_from([0, 0, 0, 5, 60, 600, 4000]),
        again=st.integers(0, 2),
        mishap=mishaps(20),
    )
    def members_report(self, value: float, silent: int, ago: int, again: int, mishap: Mishap | None) -> None:
        """A batch with a stranger in it, from who asks again until he is answered, and perhaps then."""
        at = self.world.clock.now - timedelta(seconds=ago)
        names = [member.name for member in self.world.members()][silent:]
        samples = [
            Sample(metric="cpu", at=at, measure=one(value), source=name) for name in (*names, "stranger")
        ]
        batch = Batch(samples=tuple(enumerate(samples)), batch_id=f"batch-{len(self.sent)}")
        self.sent.append((batch, self._fine()))
        before = self._stored()
        self.executioner.invoke(lambda: observe(self.mortal, key(), batch, default_batch_id="none"), mishap)
        first = observe(self.world.services, key(), batch, default_batch_id="none")
        self._counted(first.accepted, value, at)
        assert len(names) - first.accepted == (len(names) if ago > 3600 else 0)
        for _ in range(again):
            assert observe(self.world.services, key(), batch, default_batch_id="none") == first
        assert self._stored()[0] - before[0] == first.accepted

    @rule(which=st.integers(0, 40))
    def an_old_batch_comes_again(self, which: int) -> None:
        """While samples are kept as closely as then: else nobody knows it again, in rows of other periods."""
        if which < len(self.sent) and self.sent[which][1] == self._fine():
            observe(self.world.services, key(), self.sent[which][0], default_batch_id="none")

    # What ticks.

    @rule(seconds=st.sampled_from([3, 10, 60, 60, 60, 600]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.pass_(seconds)

    @rule(times=st.integers(0, 2), mishap=mishaps(20))
    def a_minute_ticks(self, times: int, mishap: Mishap | None) -> None:
        """Never, once or twice; and whoever dies has his message delivered again, or lost."""
        self.world.clock.pass_(60)
        for _ in range(times):
            self.executioner.invoke(self._judge, mishap)
            self.executioner.invoke(self._sweep, mishap)
        self.world.tick()

    @rule(first=st.sampled_from([10.0, 75.0]), then=st.sampled_from([10.0, 200.0]))
    def late_news_comes_between_two_judgings_of_a_tick(self, first: float, then: float) -> None:
        self.world.clock.pass_(60)
        for value in (first, then):
            for ago in (60, 120):
                self.members_report(value, silent=0, ago=ago, again=0, mishap=None)
            self._judge_of(self.world.services)

    @rule(mishap=mishaps(20))
    def news_of_close_watching_is_judged(self, mishap: Mishap | None) -> None:
        if self.world.queue.judgings:
            self.executioner.invoke(lambda: watch.judge_promptly(self.mortal, key()), mishap)

    @rule(due=st.booleans(), mishap=mishaps(20))
    def shards_are_swept(self, mishap: Mishap | None, *, due: bool) -> None:
        """At some time, or when the next schedule falls due."""
        times = [each.next_due_at for each in self.world.memory.schedules.values() if each.next_due_at]
        if due:
            self.world.clock.now = max([self.world.clock.now, *sorted(times)[:1]])
        self.executioner.invoke(self._sweep, mishap)

    @rule(
        size=st.integers(MIN_SIZE, MAX_SIZE),
        frozen=st.booleans(),
        steady=st.booleans(),
        at_call=st.integers(0, 12),
        late=st.booleans(),
    )
    def somebody_interferes_with_a_judging(
        self, size: int, at_call: int, *, frozen: bool, steady: bool, late: bool
    ) -> None:
        """While a tick is judged, a person wants another size, or freezes the group."""
        for _ in range(3 if steady else 0):
            self.world.clock.pass_(60)
            self.members_report(TARGET, silent=0, ago=0, again=0, mishap=None)
        self.world.clock.pass_(60)
        self.executioner.meanwhile = lambda: self._edit(
            (lambda group: self._frozen(group, 120))
            if frozen
            else (lambda group: replace(group, desired_capacity=size))
        )
        self.executioner.invoke(self._judge, Mishap(at_call, late=late, kind=Kind.STALLS))

    @rule(at_call=st.integers(0, 20), late=st.booleans())
    def two_judge_at_once(self, at_call: int, *, late: bool) -> None:
        self.world.clock.pass_(60)
        self.executioner.meanwhile = lambda: self._judge_of(self.world.services)
        self.executioner.invoke(self._judge, Mishap(at_call, late=late, kind=Kind.STALLS))

    # What people do.

    @rule(size=st.integers(MIN_SIZE, MAX_SIZE), mishap=mishaps(20))
    def somebody_wants(self, size: int, mishap: Mishap | None) -> None:
        def run() -> None:
            groups.change(
                self.mortal,
                CALLER,
                factories.GROUP,
                lambda group: replace(group, desired_capacity=size),
                generation=None,
                request_id="req-p",
            )

        self.executioner.invoke(run, mishap)

    @rule(policy_id=st.sampled_from([OUT, IN, SHADOW]), mishap=mishaps(6))
    def somebody_executes_a_policy(self, policy_id: PolicyId, mishap: Mishap | None) -> None:
        ask = scale.Ask(
            project_id=factories.PROJECT,
            policy_id=policy_id,
            source="user:user-1",
            event_id=None,
            event=Event(),
            request_id="req-p",
        )
        self.executioner.invoke(lambda: scale.scale(self.mortal, ask), mishap)

    @rule(seconds=st.sampled_from([None, 0, 30, 300]))
    def somebody_freezes_or_thaws(self, seconds: int | None) -> None:
        self._edit(lambda group: self._frozen(group, seconds))

    @rule(
        policy_id=st.sampled_from([OUT, IN, STEPS, TRACK, SHADOW]),
        mode=st.sampled_from([PolicyMode.ACTIVE, PolicyMode.ACTIVE, PolicyMode.SHADOW, PolicyMode.DISABLED]),
    )
    def somebody_edits_a_policy(self, policy_id: PolicyId, mode: PolicyMode) -> None:
        mode = PolicyMode.SHADOW if policy_id == SHADOW else mode
        self._change_policy(policy_id, lambda policy: replace(policy, mode=mode))

    @rule(period=st.sampled_from([10, 60]), scale_in=st.booleans())
    def somebody_looks_more_or_less_closely(self, period: int, *, scale_in: bool) -> None:
        new = replace(TRACKING, period_seconds=period, scale_in=scale_in)
        self._change_policy(TRACK, lambda policy: replace(policy, rule=new))

    @rule(alarm_id=st.sampled_from([HIGH, LOW, DARK]), enabled=st.booleans())
    def somebody_edits_an_alarm(self, alarm_id: AlarmId, *, enabled: bool) -> None:
        with suppress(NotFound):
            alarms.change(
                self.world.services,
                CALLER,
                alarm_id,
                lambda alarm: replace(alarm, enabled=enabled),
                generation=None,
                base="",
                request_id="req-p",
            )

    @rule(alarm_id=st.sampled_from([HIGH, LOW, DARK]), really=st.integers(0, 3))
    def somebody_deletes_an_alarm(self, alarm_id: AlarmId, really: int) -> None:
        if really == 0:
            with suppress(NotFound):
                alarms.delete(self.world.services, CALLER, alarm_id, generation=None, request_id="req-p")

    @rule(policy_id=st.sampled_from([OUT, IN, STEPS]), really=st.integers(0, 3))
    def somebody_deletes_a_policy(self, policy_id: PolicyId, really: int) -> None:
        if really == 0:
            with suppress(NotFound, Conflict):
                policies.delete(self.world.services, factories.PROJECT, policy_id, generation=None)

    # The laws.

    @invariant()
    def bounds_hold(self) -> None:
        if self.world.memory.groups:
            group = self.world.group()
            assert group.bounds.min_size <= group.desired_capacity <= group.bounds.max_size

    @invariant()
    def no_decision_breaks_a_law(self) -> None:
        assert self.ledger.broken == []

    @invariant()
    def each_execution_stands_for_one_change(self) -> None:
        executed = [e for e in self.world.memory.executions.values() if e.outcome is Outcome.EXECUTED]
        assert sorted(e.id for e in executed) == sorted(e.id for _, _, e in self.ledger.changes)

    @invariant()
    def each_tick_has_one_execution_of_each_alarm_and_policy(self) -> None:
        names = [
            (e.source, e.policy_id, e.event_id)
            for e in self.world.memory.executions.values()
            if e.event_id is not None
        ]
        assert len(names) == len(set(names))

    @invariant()
    def each_batch_counts_once(self) -> None:
        count, total = self._stored()
        assert count == self.counted
        assert math.isclose(total, self.sum, rel_tol=1e-9, abs_tol=1e-6)

    def teardown(self) -> None:
        """The faults stop, and the load is steady: it comes to rest, and rests."""
        world = self.world
        if not world.memory.groups:
            return
        self._edit(lambda group: replace(group, freeze=None))
        for schedule_id in ("sizes", "policy"):
            schedules.delete(world.services, factories.PROJECT, ScheduleId(schedule_id), generation=None)
        for alarm_id in (HIGH, LOW, DARK):
            self.somebody_edits_an_alarm(alarm_id, enabled=False)
        self._change_policy(TRACK, lambda policy: replace(policy, rule=TRACKING, mode=PolicyMode.ACTIVE))
        load = self.load
        sizes = [self._minute_of(load) for _ in range(45)]
        rest = sizes[-1]
        assert sizes[-15:] == [rest] * 15, sizes
        ratio = load / rest / TARGET
        best = min(max(math.ceil(load / TARGET), MIN_SIZE), MAX_SIZE)
        assert 0.9 <= ratio <= 1.1 or rest == best, (load, sizes)

    # How.

    def _minute_of(self, load: float) -> int:
        """Let a minute pass in which the members share a load; return what is wanted then."""
        world = self.world
        serving = world.members()
        world.clock.pass_(30)
        share = load / len(serving)
        report(world, [share] * len(serving))
        self.ledger.reported.append((world.clock.now, share))
        world.clock.pass_(30)
        self._judge_of(world.services)
        world.tick()
        return world.group().desired_capacity

    def _judge(self) -> None:
        self._judge_of(self.mortal)

    def _judge_of(self, services: Any) -> None:
        queue = self.world.queue
        queue.watches = [Share(shard=shard) for shard in range(self.world.limits.shards)]
        while queue.watches:
            watch.watch(services, queue.watches.pop(0))

    def _sweep(self) -> None:
        for shard in range(self.world.limits.shards):
            sweep.sweep(self.mortal, shard)

    def _edit(self, edit: Callable[[Group], Group]) -> None:
        groups.change(self.world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-p")

    def _frozen(self, group: Group, seconds: int | None) -> Group:
        now = self.world.clock.now
        until = None if seconds is None else now + timedelta(seconds=seconds)
        return replace(group, freeze=Freeze(reason="a test", until=until) if seconds != 0 else None)

    def _change_policy(self, policy_id: PolicyId, edit: Callable[[Policy], Policy]) -> None:
        with suppress(NotFound):
            policies.change(self.world.services, factories.PROJECT, policy_id, edit, generation=None)

    def _fine(self) -> frozenset[str]:
        return self.world.services.meters.of_group(key()).fine

    def _stored(self) -> tuple[int, float]:
        folds = [fold for held in self.world.memory.folds.values() for fold in held.values()]
        return sum(f.total.count for f in folds), math.fsum(f.total.sum for f in folds)

    def _counted(self, accepted: int, value: float, at: datetime) -> None:
        self.counted += accepted
        self.sum += accepted * Fraction(value)  # as floats are, so that nothing is rounded twice
        self.ledger.reported += [(at, value)] * accepted


Judging.TestCase.settings = runs(200, 30)
TestJudging = Judging.TestCase
