"""All storage ports side by side, in memory or in DynamoDB, and a project to use them in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from chalicelib.core import alarm_history
from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.alarm import Alarm
from chalicelib.core.execution import Execution, Explanation, Outcome, Rule, Step, Verdict
from chalicelib.core.group import Group
from chalicelib.core.ids import ActivityId, ExecutionId, GroupId, PolicyId, ProjectId, UserId
from chalicelib.core.policy import Policy
from chalicelib.core.quota import Quota
from chalicelib.ports.alarms import AlarmHistory, Alarms
from chalicelib.ports.history import Activities, Executions
from chalicelib.ports.policies import Policies, Webhooks
from chalicelib.ports.policy_states import PolicyStates
from chalicelib.ports.rates import Tallies
from chalicelib.ports.refreshes import Refreshes
from chalicelib.ports.samples import Folds, Intakes, MeterBooks
from chalicelib.ports.schedules import Schedules
from chalicelib.ports.storage import (
    Credentials,
    GroupKey,
    Groups,
    LaunchConfigurations,
    Lease,
    Members,
    Usage,
)
from chalicelib.tables.activities import ActivityTable
from chalicelib.tables.alarm_history import AlarmHistoryTable
from chalicelib.tables.alarms import AlarmTable
from chalicelib.tables.credentials import CredentialTable
from chalicelib.tables.database import Database
from chalicelib.tables.executions import ExecutionTable
from chalicelib.tables.folds import FoldTable
from chalicelib.tables.groups import GroupTable
from chalicelib.tables.intakes import IntakeTable
from chalicelib.tables.launch_configurations import LaunchConfigurationTable
from chalicelib.tables.members import MemberTable
from chalicelib.tables.meters import MeterTable
from chalicelib.tables.policies import PolicyTable
from chalicelib.tables.policy_states import PolicyStateTable
from chalicelib.tables.rates import TallyTable
from chalicelib.tables.refreshes import RefreshTable
from chalicelib.tables.schedules import ScheduleTable
from chalicelib.tables.usage import UsageTable
from chalicelib.tables.webhooks import WebhookTable
from tests import fakes
from tests.core.factories import (
    NOW,
    a_credential,
    a_group,
    a_launch_configuration,
    a_policy,
    an_alarm,
    seconds,
)

KEEP_DAYS = 3650
"""Long enough that the engine drops nothing while a test looks, though the tests' clock is in the past."""

QUOTA = Quota(
    groups=5,
    members=100,
    policies=3,
    webhooks=3,
    launch_configurations=3,
    credentials=3,
    alarms=3,
    schedules=3,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The ports, and a project that no other test uses."""

    groups: Groups
    members: Members
    launch_configurations: LaunchConfigurations
    credentials: Credentials
    policies: Policies
    policy_states: PolicyStates
    webhooks: Webhooks
    alarms: Alarms
    alarm_history: AlarmHistory
    schedules: Schedules
    refreshes: Refreshes
    executions: Executions
    activities: Activities
    usage: Usage
    folds: Folds
    intakes: Intakes
    meters: MeterBooks
    tallies: Tallies
    project: ProjectId

    def a_stored_group(self, **changes: Any) -> Group:
        """Return a group that is stored, with what it uses stored before it."""
        group = a_group(project_id=self.project, **changes)
        if group.launch_configuration_id is not None:
            configuration = a_launch_configuration(
                project_id=self.project, id=group.launch_configuration_id, fingerprint="made-by-a-test"
            )
            self.launch_configurations.create(configuration, QUOTA)
        credential = a_credential(
            project_id=self.project, id=group.credential_id, fingerprint="made-by-a-test"
        )
        self.credentials.create(credential, QUOTA)
        return self.groups.create(group, QUOTA, self.an_activity())

    def a_stored_policy(self, **changes: Any) -> Policy:
        """Return a policy that is stored; its group must be."""
        return self.policies.create(a_policy(project_id=self.project, **changes), QUOTA)

    def a_stored_alarm(self, **changes: Any) -> Alarm:
        """Return an alarm that is stored; its group must be."""
        alarm = an_alarm(project_id=self.project, **changes)
        return self.alarms.create(alarm, QUOTA, alarm_history.created(alarm, UserId("user-1"), NOW))

    def an_activity(self, **changes: Any) -> Activity:
        """Return an activity of the group."""
        activity = Activity(
            project_id=self.project,
            group_id=a_group().id,
            id=ActivityId(uuid.uuid4().hex),
            kind=ActivityKind.GROUP_CHANGED,
            detail="said by a test",
            members=(),
            request_id="req-1",
            created_at=NOW,
        )
        return replace(activity, **changes)

    def leased(self, group: Group, owner: str = "round-1") -> Lease:
        """Return the lease of a group, taken at NOW for a minute."""
        lease = Lease(key=key_of(group), owner=owner)
        assert self.groups.lease(lease.key, owner, NOW, NOW + seconds(60)) is not None
        return lease


def in_memory(shards: int = 8) -> Storage:
    """Return the fakes."""
    memory = fakes.Memory()
    return Storage(
        groups=fakes.FakeGroups(memory, shards),
        members=fakes.FakeMembers(memory),
        launch_configurations=fakes.FakeLaunchConfigurations(memory),
        credentials=fakes.FakeCredentials(memory),
        policies=fakes.FakePolicies(memory, shards),
        policy_states=fakes.FakePolicyStates(memory),
        alarms=fakes.FakeAlarms(memory, shards),
        alarm_history=fakes.FakeAlarmHistory(memory),
        schedules=fakes.FakeSchedules(memory, shards),
        refreshes=fakes.FakeRefreshes(memory),
        webhooks=fakes.FakeWebhooks(memory, shards),
        executions=fakes.FakeExecutions(memory),
        activities=fakes.FakeActivities(memory),
        usage=fakes.FakeUsage(memory),
        folds=fakes.FakeFolds(memory),
        intakes=fakes.FakeIntakes(memory),
        meters=fakes.FakeMeters(memory, timedelta(days=KEEP_DAYS)),
        tallies=fakes.FakeTallies(),
        project=_project(),
    )


def in_dynamodb(database: Database, shards: int = 8) -> Storage:
    """Return the real adapters."""
    return Storage(
        groups=GroupTable(database, shards),
        members=MemberTable(database),
        launch_configurations=LaunchConfigurationTable(database),
        credentials=CredentialTable(database),
        policies=PolicyTable(database, shards),
        policy_states=PolicyStateTable(database),
        alarms=AlarmTable(database, shards),
        alarm_history=AlarmHistoryTable(database),
        schedules=ScheduleTable(database, shards),
        refreshes=RefreshTable(database),
        webhooks=WebhookTable(database, shards),
        executions=ExecutionTable(database),
        activities=ActivityTable(database),
        usage=UsageTable(database),
        folds=FoldTable(database, 4, KEEP_DAYS),
        intakes=IntakeTable(database),
        meters=MeterTable(database, KEEP_DAYS, lambda: 0.0),
        tallies=TallyTable(database),
        project=_project(),
    )


def key_of(group: Group) -> GroupKey:
    """Return what names the group."""
    return GroupKey(project_id=group.project_id, group_id=group.id)


def an_execution(group: Group, id_: str = "execution-1", **changes: Any) -> Execution:
    """Return an execution that grew the group by one."""
    execution = Execution(
        project_id=group.project_id,
        id=ExecutionId(id_),
        policy_id=PolicyId("policy-1"),
        group_id=GroupId(group.id),
        source="user:user-1",
        event_id=None,
        outcome=Outcome.EXECUTED,
        capacity_before=group.desired_capacity,
        capacity_after=group.desired_capacity + 1,
        retry_at=None,
        explanation=Explanation(
            summary="It grows.",
            steps=(Step(rule=Rule.EVENT, verdict=Verdict.PASS, detail="A request to scale."),),
        ),
        request_id="req-1",
        created_at=NOW,
    )
    return replace(execution, **changes)


def _project() -> ProjectId:
    return ProjectId(uuid.uuid4().hex)
