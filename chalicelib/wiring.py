"""Builds the real Services, once per container; nothing is imported or built before it is used."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import secrets
import time
from datetime import UTC, datetime

from chalicelib import aws, logs
from chalicelib import settings as environment
from chalicelib.at_once import at_once
from chalicelib.cold_start import imported_when_used, when_used
from chalicelib.core.alarm import Backend
from chalicelib.core.ids import time_sorted_id
from chalicelib.ports import Services
from chalicelib.settings import Misconfigured, Settings
from chalicelib.tables.database import Database

with imported_when_used():
    from chalicelib import queue, sns, vault, web
    from chalicelib.openstack import (
        aodh,
        clouds,
        delegation,
        keystone,
        octavia,
        orchestration,
        rehearsal,
        session,
    )
    from chalicelib.tables import (
        activities,
        alarm_history,
        alarms,
        credentials,
        executions,
        folds,
        groups,
        intakes,
        launch_configurations,
        members,
        meters,
        policies,
        policy_states,
        rates,
        refreshes,
        roster,
        schedules,
        throttle,
        usage,
        webhooks,
    )


@functools.cache
def settings() -> Settings:
    """Return the settings of this container; Misconfigured names all that is missing."""
    found = environment.read(os.environ)
    logs.configure(found.log_level, found.stage if found.metrics else None)
    return found


@functools.cache
def services() -> Services:
    """Return the real services. The database is there; all else is built when it is first used."""
    found = settings()
    database = Database(found.table_prefix, found.region, found.history_days, aws.session())
    member_table = when_used(lambda: members.MemberTable(database))
    public_web = when_used(lambda: web.PublicWeb())  # noqa: PLW0108  (the module runs when it is used)
    kms = when_used(lambda: vault.KmsVault(found.kms_key, found.region))
    user = functools.cache(lambda: session.ServiceUser(found.service_user, lambda: _password(found)))
    delegations = functools.cache(lambda: delegation.Delegations(user(), kms))
    shards, limits = found.limits.shards, found.limits
    return Services(
        groups=when_used(lambda: groups.GroupTable(database, shards)),
        members=member_table,
        launch_configurations=when_used(lambda: launch_configurations.LaunchConfigurationTable(database)),
        credentials=when_used(lambda: credentials.CredentialTable(database)),
        policies=when_used(lambda: policies.PolicyTable(database, shards)),
        policy_states=when_used(lambda: policy_states.PolicyStateTable(database)),
        alarms=when_used(lambda: alarms.AlarmTable(database, shards)),
        alarm_history=when_used(lambda: alarm_history.AlarmHistoryTable(database)),
        schedules=when_used(lambda: schedules.ScheduleTable(database, shards)),
        refreshes=when_used(lambda: refreshes.RefreshTable(database)),
        webhooks=when_used(lambda: webhooks.WebhookTable(database, shards)),
        executions=when_used(lambda: executions.ExecutionTable(database)),
        activities=when_used(lambda: activities.ActivityTable(database)),
        usage=when_used(lambda: usage.UsageTable(database)),
        folds=when_used(lambda: folds.FoldTable(database, limits.samples_shards, limits.samples_days)),
        intakes=when_used(lambda: intakes.IntakeTable(database)),
        meters=when_used(lambda: meters.MeterTable(database, limits.samples_days, time.monotonic)),
        throttle=when_used(lambda: throttle.SharedThrottle(rates.TallyTable(database))),
        roster=when_used(lambda: roster.MemberRoster(member_table, time.monotonic)),
        vault=kms,
        identity=when_used(lambda: keystone.Keystone(user(), delegations())),
        clouds=when_used(lambda: clouds.OwnersClouds(user(), delegations())),
        balancers=when_used(lambda: octavia.OwnersBalancers(user(), delegations())),
        orchestration=when_used(lambda: orchestration.OwnersOrchestration(user(), delegations())),
        rehearsals=when_used(lambda: rehearsal.StackRehearsals(user(), delegations())),
        monitoring={Backend.AODH: when_used(lambda: aodh.Aodh(user(), delegations()))},
        queue=when_used(lambda: queue.SqsQueue(found.queue_url, found.region)),
        web=public_web,
        sns=when_used(lambda: sns.SnsCertificates(public_web)),
        limits=found.limits,
        now=lambda: datetime.now(UTC),
        new_id=new_id,
        new_token=lambda: secrets.token_urlsafe(32),
        jitter=random.random,
        sleep=time.sleep,
        at_once=at_once,
    )


def begin() -> None:
    """Build the services before the first request: Lambda gives more CPU until then.

    What is wrong with the environment is said to whoever asks for them, as always.
    """
    with contextlib.suppress(Misconfigured):
        services()


def new_id() -> str:
    """Return a new id, which sorts by time."""
    return time_sorted_id(time.time_ns() // 1_000_000, secrets.randbits(74))


def _password(found: Settings) -> str:
    """Return the service user's password, from the environment or from Secrets Manager."""
    user = found.service_user
    if user.password is not None:
        return user.password
    return vault.password(user.password_secret or "", found.region)
