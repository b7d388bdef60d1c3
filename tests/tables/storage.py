"""All storage ports side by side, in memory or in DynamoDB, and a project to use them in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.execution import Execution, Explanation, Outcome, Rule, Step, Verdict
from chalicelib.core.group import Group
from chalicelib.core.ids import ActivityId, ExecutionId, GroupId, PolicyId, ProjectId
from chalicelib.core.policy import Policy
from chalicelib.core.quota import Quota
from chalicelib.ports.storage import (
    Activities,
    Credentials,
    Executions,
    GroupKey,
    Groups,
    LaunchConfigurations,
    Lease,
    Members,
    Policies,
    Usage,
    Webhooks,
)
from chalicelib.tables.activities import ActivityTable
from chalicelib.tables.credentials import CredentialTable
from chalicelib.tables.database import Database
from chalicelib.tables.executions import ExecutionTable
from chalicelib.tables.groups import GroupTable
from chalicelib.tables.launch_configurations import LaunchConfigurationTable
from chalicelib.tables.members import MemberTable
from chalicelib.tables.policies import PolicyTable
from chalicelib.tables.usage import UsageTable
from chalicelib.tables.webhooks import WebhookTable
from tests import fakes
from tests.core.factories import NOW, a_credential, a_group, a_launch_configuration, a_policy, seconds

QUOTA = Quota(groups=5, members=100, policies=3, webhooks=3, launch_configurations=3, credentials=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The ports, and a project that no other test uses."""

    groups: Groups
    members: Members
    launch_configurations: LaunchConfigurations
    credentials: Credentials
    policies: Policies
    webhooks: Webhooks
    executions: Executions
    activities: Activities
    usage: Usage
    project: ProjectId

    def a_stored_group(self, **changes: Any) -> Group:
        """Return a group that is stored, with what it uses stored before it."""
        group = a_group(project_id=self.project, **changes)
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
        policies=fakes.FakePolicies(memory),
        webhooks=fakes.FakeWebhooks(memory, shards),
        executions=fakes.FakeExecutions(memory),
        activities=fakes.FakeActivities(memory),
        usage=fakes.FakeUsage(memory),
        project=_project(),
    )


def in_dynamodb(database: Database, shards: int = 8) -> Storage:
    """Return the real adapters."""
    return Storage(
        groups=GroupTable(database, shards),
        members=MemberTable(database),
        launch_configurations=LaunchConfigurationTable(database),
        credentials=CredentialTable(database),
        policies=PolicyTable(database),
        webhooks=WebhookTable(database, shards),
        executions=ExecutionTable(database),
        activities=ActivityTable(database),
        usage=UsageTable(database),
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
