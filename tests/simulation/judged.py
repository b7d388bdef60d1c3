"""A group that is judged: its policies, alarms and schedules, what it reports, the ledger of its changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Comparison
from chalicelib.core.capacity import AdjustmentType
from chalicelib.core.cron import Cron
from chalicelib.core.execution import Execution, Outcome
from chalicelib.core.group import Group
from chalicelib.core.ids import AlarmId, PolicyId, ScheduleId, UserId
from chalicelib.core.pace import Behavior
from chalicelib.core.policy import PolicyMode, ScalingRule
from chalicelib.core.quota import Quota
from chalicelib.core.sample import Batch, Sample, one
from chalicelib.core.schedule import Action
from chalicelib.core.steps import Interval, StepScaling
from chalicelib.core.tracking import TargetTracking
from chalicelib.flows import policies, schedules
from chalicelib.flows.observe import observe
from tests.core import factories
from tests.world import QUOTA, World, key

MIN_SIZE, MAX_SIZE = 1, 12
TARGET = 60.0
OUT, IN, STEPS, TRACK, SHADOW = (
    PolicyId(f"policy-{name}") for name in ("out", "in", "steps", "track", "shadow")
)
HIGH, LOW, DARK = (AlarmId(f"alarm-{name}") for name in ("high", "low", "dark"))
TRACKING = TargetTracking(
    metric="cpu", target=TARGET, unready_seconds=0, into=Behavior(stabilization_seconds=180)
)
HIGH_RULE = factories.a_threshold(threshold=80, evaluation_periods=2, datapoints_to_alarm=2)
LOW_RULE = replace(HIGH_RULE, threshold=20, comparison=Comparison.LT)
KNOWN_FOR = timedelta(minutes=6)
"""No alarm looks further back: four periods of a minute, and the one that is under way."""
FOLLOWED_FOR = timedelta(minutes=3)
"""Nor does target tracking: two periods of a minute, and the one that is under way."""


@dataclass
class Ledger:
    """The groups' port, which writes down every decision that took effect, and which laws it breaks.

    They are not asserted here: flows catch what is raised of one group, so that the others are judged.
    """

    world: World
    groups: Any
    broken: list[str] = field(default_factory=list)
    changes: list[tuple[Group, Group, Execution]] = field(default_factory=list)
    reported: list[tuple[datetime, float]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.groups, name)

    def decide(self, was: Group, new: Group, execution: Execution, quota: Quota | None = None) -> Group:
        """Write a decision as the port does; note it, if it did."""
        written: Group = self.groups.decide(was, new, execution, quota)
        self._require(
            (execution.outcome is Outcome.EXECUTED) == (new is not was), "one execution, one change"
        )
        self._require(execution.capacity_before == was.desired_capacity, "what is said was so")
        self._require(execution.capacity_after == written.desired_capacity, "what is said is so")
        if new is not was:
            self._hold_to_the_laws(was, written, execution)
            self.changes.append((was, written, execution))
        return written

    def _require(self, holds: bool, law: str) -> None:
        if not holds:
            self.broken.append(law)

    def _hold_to_the_laws(self, was: Group, new: Group, execution: Execution) -> None:
        self._require(not was.frozen(self.world.clock.now), "nothing changes a frozen group")
        if execution.policy_id is None:
            return
        policy = self.world.memory.policies[factories.PROJECT, execution.policy_id]
        self._require(policy.mode is PolicyMode.ACTIVE, "nothing comes of a shadow")
        if execution.source.startswith(("schedule:", "user:")):
            return
        first = new.judged_at is not None and (was.judged_at is None or was.judged_at < new.judged_at)
        self._require(first, "one change a tick")
        recent = [v for at, v in self.reported if self.world.clock.now - at < KNOWN_FOR]
        grows = new.desired_capacity > was.desired_capacity
        self._require(grows or bool(recent), "what is unknown shrinks nothing")
        if policy.id == TRACK:
            newest = [v for at, v in self.reported if self.world.clock.now - at <= FOLLOWED_FOR]
            news = any(v > TARGET if grows else v < TARGET for v in newest)
            self._require(news, "nobody is overruled by old news")


def with_policies(world: World, cooldown: int, tracking: TargetTracking) -> None:
    steps = StepScaling(
        type=AdjustmentType.CHANGE,
        steps=(
            Interval(lower=0, upper=10, amount=Fraction(1)),
            Interval(lower=10, upper=None, amount=Fraction(3)),
        ),
        warmup_seconds=120,
    )
    rules: dict[PolicyId, ScalingRule] = {
        OUT: factories.by(2),
        IN: factories.by(-1),
        STEPS: steps,
        TRACK: tracking,
        SHADOW: replace(TRACKING, target=5.0),
    }
    for id_, rule_ in rules.items():
        mode = PolicyMode.SHADOW if id_ == SHADOW else PolicyMode.ACTIVE
        new = factories.a_policy(rule_, id=id_, name=id_, cooldown_seconds=cooldown, mode=mode)
        policies.create(world.services, new)


def with_alarms(world: World) -> None:
    rules = {
        HIGH: (HIGH_RULE, (OUT, STEPS), ()),
        LOW: (LOW_RULE, (IN,), (IN,)),
        DARK: (replace(HIGH_RULE, metric="dark"), (), (OUT,)),
    }
    for id_, (rule_, in_alarm, without_data) in rules.items():
        new = factories.an_alarm(
            rule_,
            id=id_,
            name=id_,
            created_at=world.clock.now,
            alarm_actions=in_alarm,
            insufficient_data_actions=without_data,
            ok_actions=without_data,
        )
        entry = alarm_history.created(new, UserId("user-1"), world.clock.now)
        world.services.alarms.create(new, QUOTA, entry)


def with_schedule(world: World, id_: str, expression: str, action: Action) -> None:
    timing = Cron(expression=expression, timezone="UTC")
    now = world.clock.now
    new = factories.a_schedule(
        timing, id=ScheduleId(id_), name=id_, action=action, created_at=now, updated_at=now
    )
    schedules.create(world.services, new)


def report(world: World, values: Sequence[float], order: Sequence[int] | None = None) -> None:
    """Have the members report, each its value, in some order."""
    members = sorted(world.members(), key=lambda member: (member.created_at, member.id))
    samples = [
        Sample(metric="cpu", at=world.clock.now, measure=one(value), source=member.name)
        for member, value in zip(members, values, strict=False)
    ]
    if order is not None:
        samples = [samples[place] for place in order if place < len(samples)]
    batch = Batch(samples=tuple(enumerate(samples)))
    assert not observe(world.services, key(), batch, default_batch_id=world.clock.now.isoformat()).rejected
