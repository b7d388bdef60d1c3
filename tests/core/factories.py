"""The nouns, ready made: each factory gives a sensible one and takes what a test wants different."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from chalicelib.core.alarm import (
    NOT_EVALUATED,
    Alarm,
    AlarmState,
    Backend,
    Comparison,
    CompositeRule,
    Severity,
    ThresholdRule,
)
from chalicelib.core.capacity import Adjustment, AdjustmentType, Bounds, Direction
from chalicelib.core.cooldown import Stamp
from chalicelib.core.credential import Credential, CredentialStatus, CredentialType
from chalicelib.core.cron import Cron
from chalicelib.core.group import Group, Observed, RemovalOrder, Trouble, TroubleKind
from chalicelib.core.ids import (
    AlarmId,
    CredentialId,
    GroupId,
    LaunchConfigurationId,
    MemberId,
    PolicyId,
    PoolId,
    PoolMemberId,
    ProjectId,
    RefreshId,
    ResourceId,
    ScheduleId,
    UserId,
    WebhookId,
)
from chalicelib.core.launch import LaunchConfiguration, LaunchType, ServerTemplate, StackTemplate, Template
from chalicelib.core.member import Member, MemberState, Patience, Resource
from chalicelib.core.plan import Plan
from chalicelib.core.policy import DirectionLimit, Policy, PolicyMode, ScalingRule, Webhook
from chalicelib.core.pool import Address, Pool, PoolMember, PoolSight, Readiness, pool_name
from chalicelib.core.refresh import Refresh, RefreshStatus
from chalicelib.core.schedule import Schedule, SetSizes, Timing
from chalicelib.core.target import Target
from chalicelib.core.token import TokenHash

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)

PROJECT = ProjectId("project-1")
GROUP = GroupId("group-1")
POLICY = PolicyId("policy-1")
CONFIGURATION = LaunchConfigurationId("configuration-1")
CREDENTIAL = CredentialId("credential-1")
REFRESH = RefreshId("refresh-1")

PATIENCE = Patience(build=timedelta(seconds=600), adoption=timedelta(seconds=60))


def seconds(number: float) -> timedelta:
    """Return so many seconds."""
    return timedelta(seconds=number)


def by(members: int) -> Adjustment:
    """Return an adjustment by a number of members."""
    return Adjustment(type=AdjustmentType.CHANGE, amount=Fraction(members))


def by_percent(percent: float | str, min_step: int = 1) -> Adjustment:
    """Return an adjustment by a percentage; a string is exact ("66.7")."""
    return Adjustment(type=AdjustmentType.PERCENT, amount=Fraction(percent), min_step=min_step)


def to(members: int) -> Adjustment:
    """Return an adjustment to a number of members."""
    return Adjustment(type=AdjustmentType.EXACT, amount=Fraction(members))


def a_credential(**changes: Any) -> Credential:
    """Return a working trust."""
    credential = Credential(
        project_id=PROJECT,
        id=CREDENTIAL,
        name="mine",
        type=CredentialType.TRUST,
        user_id=UserId("user-1"),
        roles=("member",),
        reference="trust-1",
        sealed_secret=None,
        status=CredentialStatus.OK,
        status_reason=None,
        checked_at=LONG_AGO,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    return replace(credential, **changes)


def a_template(**changes: Any) -> ServerTemplate:
    """Return the smallest server that Nova takes."""
    return replace(ServerTemplate(image="image-1", flavor="flavor-1"), **changes)


def a_stack_template(**changes: Any) -> StackTemplate:
    """Return the smallest stack that Heat takes."""
    return replace(StackTemplate(template="heat_template_version: 2021-04-16\n"), **changes)


def a_launch_configuration(template: Template | None = None, **changes: Any) -> LaunchConfiguration:
    """Return a launch configuration of one plain server, or of what ``template`` describes."""
    is_stack = isinstance(template, StackTemplate)
    configuration = LaunchConfiguration(
        project_id=PROJECT,
        id=CONFIGURATION,
        name="web",
        type=LaunchType.STACK if is_stack else LaunchType.SERVER,
        server=None if isinstance(template, StackTemplate) else template or a_template(),
        stack=template if isinstance(template, StackTemplate) else None,
        created_at=LONG_AGO,
    )
    return replace(configuration, **changes)


def a_group(**changes: Any) -> Group:
    """Return a group of 2, within 1 to 10, that is settled; ``trouble`` and ``settled`` are as observed.

    ``min_size`` and ``max_size`` stand for ``bounds``.
    """
    bounds = Bounds(min_size=changes.pop("min_size", 1), max_size=changes.pop("max_size", 10))
    desired = changes.get("desired_capacity", 2)
    generation = changes.get("generation", 1)
    trouble = changes.pop("trouble", None)
    group = Group(
        project_id=PROJECT,
        id=GROUP,
        name="web",
        launch_configuration_id=CONFIGURATION,
        credential_id=CREDENTIAL,
        bounds=bounds,
        desired_capacity=desired,
        cooldown_seconds=300,
        removal_order=RemovalOrder.OLDEST,
        availability_zones=(),
        build_timeout_seconds=600,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
        observed=Observed(
            generation=generation,
            settled=changes.pop("settled", trouble is None),
            current_size=desired,
            in_service=desired,
            trouble=trouble,
        ),
    )
    return replace(group, **changes)


def a_trouble(kind: TroubleKind = TroubleKind.BUILD, **changes: Any) -> Trouble:
    """Return trouble that began a minute ago and is tried again in a minute."""
    trouble = Trouble(
        kind=kind,
        reason="No valid host was found.",
        since=NOW - seconds(60),
        attempts=1,
        retry_at=NOW + seconds(60),
    )
    return replace(trouble, **changes)


def a_stamp(direction: Direction = Direction.OUT, **changes: Any) -> Stamp:
    """Return the group's stamp of a change that completed, with 100 s of its 300 s still to wait."""
    stamp = Stamp(
        policy_id=None,
        direction=direction,
        seconds=300,
        until=NOW + seconds(100),
        under_way_until=None,
    )
    return replace(stamp, **changes)


def a_policy(rule: ScalingRule | None = None, **changes: Any) -> Policy:
    """Return an active policy that adds one member, with a cooldown of 60 s."""
    policy = Policy(
        project_id=PROJECT,
        id=POLICY,
        group_id=GROUP,
        name="out",
        rule=rule or by(1),
        cooldown_seconds=60,
        mode=PolicyMode.ACTIVE,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    return replace(policy, **changes)


def a_webhook(**changes: Any) -> Webhook:
    """Return a webhook with one token, which never ends."""
    webhook = Webhook(
        project_id=PROJECT,
        id=WebhookId("webhook-1"),
        policy_id=POLICY,
        group_id=GROUP,
        name="aodh",
        direction=DirectionLimit.ANY,
        tokens=(TokenHash(sha256="a" * 64, issued_at=LONG_AGO, expires_at=None),),
        expires_at=None,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    return replace(webhook, **changes)


def a_schedule(timing: Timing | None = None, **changes: Any) -> Schedule:
    """Return a schedule that is not armed yet: at seven each morning at least 4 members are wanted."""
    schedule = Schedule(
        project_id=PROJECT,
        id=ScheduleId("schedule-1"),
        group_id=GROUP,
        name="mornings",
        timing=timing or Cron(expression="0 7 * * *", timezone="UTC"),
        action=SetSizes(min_size=4),
        enabled=True,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    return replace(schedule, **changes)


def a_member(number: int = 1, **changes: Any) -> Member:
    """Return member ``number``, in service, for which ``a_server(number)`` stands; lower is older."""
    asked = LONG_AGO + timedelta(seconds=number)
    member = Member(
        project_id=PROJECT,
        group_id=GROUP,
        id=MemberId(f"member-{number}"),
        name=f"web-{number}",
        state=MemberState.IN_SERVICE,
        launch_configuration_id=CONFIGURATION,
        availability_zone=None,
        requested_at=asked,
        created_at=asked,
        resource_id=ResourceId(f"server-{number}"),
        labelled=True,
    )
    return replace(member, **changes)


def a_planned_member(number: int = 1, **changes: Any) -> Member:
    """Return member ``number``, just asked for: nothing is known of its server but the name."""
    new = a_member(
        number,
        state=MemberState.PLANNED,
        resource_id=None,
        labelled=False,
        requested_at=NOW,
        created_at=NOW + timedelta(milliseconds=number),
    )
    return replace(new, **changes)


def a_server(number: int = 1, **changes: Any) -> Resource:
    """Return the server of ``a_member(number)``, ACTIVE."""
    server = Resource(
        id=ResourceId(f"server-{number}"),
        name=f"web-{number}",
        status="ACTIVE",
        task=None,
        created_at=LONG_AGO + timedelta(seconds=number),
        metadata={},
    )
    return replace(server, **changes)


def a_stack(number: int = 1, **changes: Any) -> Resource:
    """Return the stack of ``a_member(number)``, CREATE_COMPLETE."""
    return a_server(number, **{"status": "CREATE_COMPLETE", **changes})


def a_target(capacity: int = 2, **changes: Any) -> Target:
    """Return a target of so many members, wherever Nova likes."""
    target = Target(
        capacity=capacity,
        launch_configuration_id=CONFIGURATION,
        removal_order=RemovalOrder.OLDEST,
        availability_zones=(),
        patience=PATIENCE,
        steps_max=50,
    )
    return replace(target, **changes)


def a_plan(**changes: Any) -> Plan:
    """Return the plan of a settled group of 2."""
    plan = Plan(steps=(), settled=True, moves=False, current_size=2, in_service=2, failed_builds=())
    return replace(plan, **changes)


def a_refresh(group: Group | None = None, **changes: Any) -> Refresh:
    """Return a refresh one by one that has just begun."""
    of = group or a_group()
    refresh = Refresh(
        project_id=of.project_id,
        group_id=of.id,
        id=REFRESH,
        status=RefreshStatus.RUNNING,
        batch_size=1,
        min_in_service=None,
        pause_seconds=0,
        replace_all=False,
        launch_configuration_id=of.owned_configuration_id,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(refresh, **changes)


def a_threshold(**changes: Any) -> ThresholdRule:
    """Return "2 of 3 minutes with an average above 80"."""
    rule = ThresholdRule(
        metric="cpu",
        comparison=Comparison.GT,
        threshold=80,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )
    return replace(rule, **changes)


def an_alarm(rule: ThresholdRule | CompositeRule | None = None, **changes: Any) -> Alarm:
    """Return an alarm that sets nothing in motion and has not been evaluated."""
    alarm = Alarm(
        project_id=PROJECT,
        id=AlarmId("alarm-1"),
        group_id=GROUP,
        name="cpu-high",
        backend=Backend.BUILTIN,
        rule=rule or a_threshold(),
        enabled=True,
        severity=Severity.LOW,
        alarm_actions=(),
        ok_actions=(),
        insufficient_data_actions=(),
        time_constraints=(),
        state=AlarmState.INSUFFICIENT_DATA,
        state_reason=NOT_EVALUATED,
        state_changed_at=LONG_AGO,
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    return replace(alarm, **changes)


def a_pool(number: int = 1, **changes: Any) -> Pool:
    """Return pool ``number``, on port 80, whose members drain for a minute."""
    return replace(Pool(id=PoolId(f"pool-{number}"), protocol_port=80), **changes)


def an_address(number: int = 1, **changes: Any) -> Address:
    """Return the fixed address of ``a_server(number)``."""
    return replace(Address(network="net", address=f"10.0.0.{number}", version=4), **changes)


def a_pool_member(number: int = 1, **changes: Any) -> PoolMember:
    """Return what stands in a pool for ``a_member(number)``."""
    member = PoolMember(
        id=PoolMemberId(f"pool-member-{number}"),
        name=pool_name(GROUP, MemberId(f"member-{number}")),
        address=f"10.0.0.{number}",
        protocol_port=80,
        weight=1,
    )
    return replace(member, **changes)


def a_pool_sight(*members: PoolMember, number: int = 1, **changes: Any) -> PoolSight:
    """Return what pool ``number`` shows, on a load balancer of its own that is ready."""
    sight = PoolSight(
        id=PoolId(f"pool-{number}"),
        load_balancer_id=f"lb-{number}",
        readiness=Readiness.READY,
        status="ACTIVE",
        members=members,
    )
    return replace(sight, **changes)
