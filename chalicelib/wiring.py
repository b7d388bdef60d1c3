"""Builds the real Services, once per container; nothing is built before it is asked for."""

from __future__ import annotations

import functools
import os
import random
import secrets
import time
from datetime import UTC, datetime

from chalicelib import logs
from chalicelib import settings as environment
from chalicelib.at_once import at_once
from chalicelib.aws import client
from chalicelib.core.alarm import Backend
from chalicelib.core.ids import time_sorted_id
from chalicelib.openstack.aodh import Aodh
from chalicelib.openstack.clouds import OwnersClouds
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.keystone import Keystone
from chalicelib.openstack.octavia import OwnersBalancers
from chalicelib.openstack.orchestration import OwnersOrchestration
from chalicelib.openstack.rehearsal import StackRehearsals
from chalicelib.openstack.session import ServiceUser
from chalicelib.ports import Services
from chalicelib.queue import SqsQueue
from chalicelib.settings import Settings
from chalicelib.sns import SnsCertificates
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
from chalicelib.tables.roster import MemberRoster
from chalicelib.tables.schedules import ScheduleTable
from chalicelib.tables.throttle import SharedThrottle
from chalicelib.tables.usage import UsageTable
from chalicelib.tables.webhooks import WebhookTable
from chalicelib.vault import KmsVault
from chalicelib.web import PublicWeb


@functools.cache
def settings() -> Settings:
    """Return the settings of this container; Misconfigured names all that is missing."""
    found = environment.read(os.environ)
    logs.configure(found.log_level, found.stage if found.metrics else None)
    return found


@functools.cache
def services() -> Services:
    """Return the real services."""
    found = settings()
    database = Database(found.table_prefix, found.region, found.history_days)
    vault = KmsVault(found.kms_key, found.region)
    members = MemberTable(database)
    service_user = ServiceUser(found.service_user, lambda: _password(found))
    delegations = Delegations(service_user, vault)
    web = PublicWeb()
    return Services(
        groups=GroupTable(database, found.limits.shards),
        members=members,
        launch_configurations=LaunchConfigurationTable(database),
        credentials=CredentialTable(database),
        policies=PolicyTable(database, found.limits.shards),
        policy_states=PolicyStateTable(database),
        alarms=AlarmTable(database, found.limits.shards),
        alarm_history=AlarmHistoryTable(database),
        schedules=ScheduleTable(database, found.limits.shards),
        refreshes=RefreshTable(database),
        webhooks=WebhookTable(database, found.limits.shards),
        executions=ExecutionTable(database),
        activities=ActivityTable(database),
        usage=UsageTable(database),
        folds=FoldTable(database, found.limits.samples_shards, found.limits.samples_days),
        intakes=IntakeTable(database),
        meters=MeterTable(database, found.limits.samples_days, time.monotonic),
        throttle=SharedThrottle(TallyTable(database)),
        roster=MemberRoster(members, time.monotonic),
        vault=vault,
        identity=Keystone(service_user, delegations),
        clouds=OwnersClouds(service_user, delegations),
        balancers=OwnersBalancers(service_user, delegations),
        orchestration=OwnersOrchestration(service_user, delegations),
        rehearsals=StackRehearsals(service_user, delegations),
        monitoring={Backend.AODH: Aodh(service_user, delegations)},
        queue=SqsQueue(found.queue_url, found.region),
        web=web,
        sns=SnsCertificates(web),
        limits=found.limits,
        now=lambda: datetime.now(UTC),
        new_id=new_id,
        new_token=lambda: secrets.token_urlsafe(32),
        jitter=random.random,
        sleep=time.sleep,
        at_once=at_once,
    )


def new_id() -> str:
    """Return a new id, which sorts by time."""
    return time_sorted_id(time.time_ns() // 1_000_000, secrets.randbits(74))


def _password(found: Settings) -> str:
    """Return the service user's password, from the environment or from Secrets Manager."""
    user = found.service_user
    if user.password is not None:
        return user.password
    answer = client("secretsmanager", found.region).get_secret_value(SecretId=user.password_secret)
    return str(answer["SecretString"])
