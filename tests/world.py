"""A whole service in memory, with its clock in hand: for tests of flows, of routes, and the simulation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.alarm import Backend
from chalicelib.core.credential import Caller
from chalicelib.core.group import Group
from chalicelib.core.ids import ActivityId, GroupId, MemberId, ProjectId, UserId
from chalicelib.core.launch import Template
from chalicelib.core.member import Member
from chalicelib.core.quota import Quota
from chalicelib.core.rates import Rates
from chalicelib.flows import groups, sweep
from chalicelib.flows.converge import converge
from chalicelib.ports import Limits, Services
from chalicelib.ports.storage import GroupKey
from chalicelib.tables.roster import MemberRoster
from chalicelib.tables.throttle import SharedThrottle
from tests import fakes
from tests.core import factories
from tests.fake_cloud import FakeCloud, FakeClouds, FakeIdentity, FakeRehearsals
from tests.fakes.balancing import FakeBalancers
from tests.fakes.monitoring import FakeMonitoring
from tests.fakes.orchestration import FakeStacks
from tests.kept_secrets import keep

QUOTA = Quota(
    groups=10,
    members=1000,
    policies=50,
    webhooks=50,
    launch_configurations=10,
    credentials=10,
    alarms=50,
    schedules=50,
)
UNLIMITED = Rates(**dict.fromkeys((each.name for each in fields(Rates)), 10**9))
"""The clock of most tests stands still, so all that they do falls into one minute."""
SETTLES_WITHIN_MINUTES = 120
"""With a round in each; the longest back-off is half an hour."""
LIMITS = Limits(quota=QUOTA, rates=UNLIMITED, shards=2, steps_max=8)
CALLER = Caller(
    user_id=UserId("user-1"), project_id=factories.PROJECT, roles=frozenset({"member"}), token="token"
)


@dataclass
class Clock:
    """The time, which passes when it is told to."""

    now: datetime = factories.NOW

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    """The service and all it works on."""

    clock: Clock = field(default_factory=Clock)
    memory: fakes.Memory = field(default_factory=fakes.Memory)
    queue: fakes.FakeQueue = field(default_factory=fakes.FakeQueue)
    web: fakes.FakeWeb = field(default_factory=fakes.FakeWeb)
    sns: fakes.FakeSns = field(default_factory=fakes.FakeSns)
    identity: FakeIdentity = field(default_factory=FakeIdentity)
    aodh: FakeMonitoring = field(default_factory=FakeMonitoring)
    rehearsals: FakeRehearsals = field(default_factory=FakeRehearsals)
    tallies: fakes.FakeTallies = field(default_factory=fakes.FakeTallies)
    limits: Limits = LIMITS

    def __post_init__(self) -> None:
        self.cloud = FakeCloud(now=lambda: self.clock.now, wait=self.clock.pass_)
        self.balancers = FakeBalancers(now=lambda: self.clock.now)
        self.heat = FakeStacks(now=lambda: self.clock.now)
        numbers = itertools.count(1)
        tokens = itertools.count(1)
        self.services = Services(
            groups=fakes.FakeGroups(self.memory, self.limits.shards),
            members=fakes.FakeMembers(self.memory),
            launch_configurations=fakes.FakeLaunchConfigurations(self.memory),
            credentials=fakes.FakeCredentials(self.memory),
            policies=fakes.FakePolicies(self.memory, self.limits.shards),
            policy_states=fakes.FakePolicyStates(self.memory),
            alarms=fakes.FakeAlarms(self.memory, self.limits.shards),
            alarm_history=fakes.FakeAlarmHistory(self.memory),
            refreshes=fakes.FakeRefreshes(self.memory),
            schedules=fakes.FakeSchedules(self.memory, self.limits.shards),
            webhooks=fakes.FakeWebhooks(self.memory, self.limits.shards),
            executions=fakes.FakeExecutions(self.memory),
            activities=fakes.FakeActivities(self.memory),
            usage=fakes.FakeUsage(self.memory),
            folds=fakes.FakeFolds(self.memory),
            intakes=fakes.FakeIntakes(self.memory),
            meters=fakes.FakeMeters(self.memory, timedelta(days=self.limits.samples_days)),
            throttle=SharedThrottle(self.tallies),
            roster=MemberRoster(fakes.FakeMembers(self.memory), self.seconds),
            vault=fakes.FakeVault(),
            identity=self.identity,
            clouds=FakeClouds(self.cloud),
            balancers=self.balancers,
            rehearsals=self.rehearsals,
            orchestration=self.heat,
            monitoring={Backend.AODH: self.aodh},
            queue=self.queue,
            web=self.web,
            sns=self.sns,
            limits=self.limits,
            now=lambda: self.clock.now,
            new_id=lambda: f"00000000-0000-7000-8000-{next(numbers):012x}",
            new_token=lambda: keep(f"{next(tokens):043d}"),
            jitter=lambda: 0.5,
            sleep=self.clock.pass_,
            at_once=lambda one, other: (one(), other()),
        )

    def seconds(self) -> float:
        """Return the time in seconds."""
        return self.clock.now.timestamp()

    def with_group(self, template: Template | None = None, **changes: object) -> Group:
        """Return a new group that wants what ``changes`` say, with what it is made of."""
        s = self.services
        if changes.get("heat") is not None:
            changes["launch_configuration_id"] = None
        configuration = factories.a_launch_configuration(template or factories.a_template())
        s.launch_configurations.create(configuration, QUOTA)
        s.credentials.create(factories.a_credential(), QUOTA)
        group = factories.a_group(settled=False, kind=configuration.type, **changes)
        line = Activity(
            project_id=group.project_id,
            group_id=group.id,
            id=ActivityId(s.new_id()),
            kind=ActivityKind.GROUP_CREATED,
            detail="made for a test",
            members=(),
            request_id="req-0",
            created_at=self.clock.now,
        )
        return s.groups.create(group, QUOTA, line)

    def group(self, group_id: GroupId = factories.GROUP) -> Group:
        """Return the group as it is now."""
        return self.services.groups.get(factories.PROJECT, group_id)

    def members(self, group_id: GroupId = factories.GROUP) -> list[Member]:
        """Return the group's members."""
        return list(self.services.members.of_group(key(group_id)))

    def protect(self, member_id: MemberId) -> None:
        """Protect a member, as its owner does."""
        groups.protect(self.services, CALLER, key(), member_id, protected=True, request_id="req-p")

    def round(self, group_id: GroupId = factories.GROUP) -> None:
        """Run one round."""
        converge(self.services, key(group_id), "req-1")

    def tick(self) -> None:
        """Do what a minute's tick and the queue do: every due group has a round."""
        for shard in range(self.limits.shards):
            sweep.sweep(self.services, shard)
        waiting, self.queue.rounds = self.queue.rounds, []
        for group_key in dict.fromkeys(group_key for group_key, _, _ in waiting):
            converge(self.services, group_key, "req-1")

    def settle(self, minutes: int = SETTLES_WITHIN_MINUTES) -> None:
        """Let minutes pass, each with its tick, until every group is settled.

        Raises:
            AssertionError: they do not settle.
        """
        for _ in range(minutes):
            self.clock.pass_(60)
            self.tick()
            if all(held.group.settled for held in self.memory.groups.values()):
                return
        raise AssertionError(f"not settled: {self.memory.groups}")


def key(group_id: GroupId = factories.GROUP, project_id: ProjectId = factories.PROJECT) -> GroupKey:
    """Return what names a group."""
    return GroupKey(project_id=project_id, group_id=group_id)
