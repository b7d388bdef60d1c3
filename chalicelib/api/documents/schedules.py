"""Schedules as documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.common import (
    ClientToken,
    Input,
    Link,
    Name,
    Size,
    Time,
    Uuid,
    consists_of,
    given_time,
    self_link,
    utc,
    utc_or_none,
)
from chalicelib.api.documents.executions import OutcomeCode
from chalicelib.core.cron import EXPRESSION_MAX_CHARACTERS, Cron, parsed_cron, zone_of
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import GroupId, PolicyId, ProjectId, ScheduleId
from chalicelib.core.schedule import Action, ExecutePolicy, Once, Schedule, SetSizes, Timing, firings

_FIRINGS_SHOWN = 5
_DEFAULT_ZONE = "UTC"

CronText = Annotated[
    str,
    consists_of(
        r"[0-9A-Za-z*/,#-]+( [0-9A-Za-z*/,#-]+){4}",
        max_length=EXPRESSION_MAX_CHARACTERS,
        description="Minute, hour, day of month, month, day of week.",
    ),
]
Zone = Annotated[
    str,
    consists_of(r"[A-Za-z0-9_+/-]+", max_length=96, description="A name of IANA's time zone database."),
]
Moment = Annotated[datetime, Meta(tz=True)]


class _Wish(msgspec.Struct, kw_only=True, frozen=True):
    """What is wanted of a schedule: one way to be due, one thing to do."""

    at: datetime | None = None
    cron: str | None = None
    timezone: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    min_size: int | None = None
    max_size: int | None = None
    desired_capacity: int | None = None
    policy_id: str | None = None
    honor_cooldown: bool = False

    def timing(self) -> Timing:
        """Return when it is due."""
        if (self.at is None) == (self.cron is None):
            raise Invalid("schedule.timing", "Give at (once) or cron (again and again), one of them.")
        if self.cron is not None:
            return parsed_cron(
                self.cron, self.timezone or _DEFAULT_ZONE, given_time(self.start), given_time(self.end)
            )
        if (self.timezone, self.start, self.end) != (None, None, None):
            raise Invalid("schedule.timing", "timezone, start and end go with cron.")
        at = given_time(self.at)
        assert at is not None
        return Once(at=at)

    def action(self) -> Action:
        """Return what it does."""
        sizes = (self.min_size, self.max_size, self.desired_capacity)
        if self.policy_id is None:
            if self.honor_cooldown:
                raise Invalid("schedule.action", "honor_cooldown goes with policy_id.")
            return SetSizes(
                min_size=self.min_size, max_size=self.max_size, desired_capacity=self.desired_capacity
            )
        if sizes != (None, None, None):
            raise Invalid("schedule.action", "Give sizes or a policy_id, one of them.")
        return ExecutePolicy(policy_id=PolicyId(self.policy_id), honor_cooldown=self.honor_cooldown)


_WISHES = frozenset(_Wish.__struct_fields__)
_ONCE, _AGAIN = {"at"}, {"cron", "timezone", "start", "end"}
_SIZES, _POLICY = {"min_size", "max_size", "desired_capacity"}, {"policy_id", "honor_cooldown"}


def _wish_of(body: msgspec.Struct) -> dict[str, Any]:
    """Return what a body gives of a wish."""
    given = msgspec.structs.asdict(body)
    return {name: value for name, value in given.items() if name in _WISHES and value is not UNSET}


class NewSchedule(Input, kw_only=True):
    """A schedule to be made: ``at`` or ``cron``; sizes or a ``policy_id``, which also names the group."""

    name: Name
    group_id: Uuid | None = None
    at: Moment | None = None
    cron: CronText | None = None
    timezone: Zone | None = None
    start: Moment | None = None
    end: Moment | None = None
    min_size: Size | None = None
    max_size: Size | None = None
    desired_capacity: Size | None = None
    policy_id: Uuid | None = None
    honor_cooldown: bool = False
    enabled: bool = True
    client_token: ClientToken | None = None

    def to_schedule(
        self, project_id: ProjectId, id_: str, group_id: GroupId, now: datetime, fingerprint: str | None
    ) -> Schedule:
        """Return the schedule of this group, not armed yet."""
        wish = _Wish(**_wish_of(self))
        return Schedule(
            project_id=project_id,
            id=ScheduleId(id_),
            group_id=group_id,
            name=self.name,
            timing=wish.timing(),
            action=wish.action(),
            enabled=self.enabled,
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class SchedulePatch(Input, kw_only=True):
    """What is to change of a schedule; what is left out stays.

    ``at`` takes the place of ``cron``, sizes that of a policy, and the other way round.
    """

    name: Name | UnsetType = UNSET
    at: Moment | UnsetType = UNSET
    cron: CronText | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    start: Moment | UnsetType | None = UNSET
    end: Moment | UnsetType | None = UNSET
    min_size: Size | UnsetType | None = UNSET
    max_size: Size | UnsetType | None = UNSET
    desired_capacity: Size | UnsetType | None = UNSET
    policy_id: Uuid | UnsetType = UNSET
    honor_cooldown: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET

    def applied_to(self, schedule: Schedule, now: datetime) -> Schedule:
        """Return the schedule as it is to be, not armed yet."""
        given = _wish_of(self)
        present = _present(schedule)
        for one, other in ((_ONCE, _AGAIN), (_AGAIN, _ONCE), (_SIZES, _POLICY), (_POLICY, _SIZES)):
            if given.keys() & one and not given.keys() & other:
                present = {name: value for name, value in present.items() if name not in other}
        wish = _Wish(**{**present, **given})
        return replace(
            schedule,
            name=schedule.name if isinstance(self.name, UnsetType) else self.name,
            timing=wish.timing() if given.keys() & (_ONCE | _AGAIN) else schedule.timing,
            action=wish.action() if given.keys() & (_SIZES | _POLICY) else schedule.action,
            enabled=schedule.enabled if isinstance(self.enabled, UnsetType) else self.enabled,
            updated_at=now,
        )


def _present(schedule: Schedule) -> dict[str, Any]:
    """Return the wish that the schedule was made of, without what it leaves open."""
    present: dict[str, Any] = {}
    match schedule.timing:
        case Once(at=at):
            present["at"] = at
        case Cron() as cron:
            present |= {"cron": cron.expression, "timezone": cron.timezone}
            present |= {"start": cron.start, "end": cron.end}
    match schedule.action:
        case SetSizes() as sizes:
            present |= {"min_size": sizes.min_size, "max_size": sizes.max_size}
            present["desired_capacity"] = sizes.desired_capacity
        case ExecutePolicy() as execute:
            present |= {"policy_id": execute.policy_id, "honor_cooldown": execute.honor_cooldown}
    return present


class FiringDocument(msgspec.Struct, kw_only=True):
    """A time at which the schedule will fire, in UTC and by the clock of its zone."""

    utc: Time
    local: Time


class LastFiringDocument(msgspec.Struct, kw_only=True):
    """How the schedule last fired: for which due time, when, with which outcome."""

    due_at: Time
    fired_at: Time
    outcome: OutcomeCode
    execution_id: str


class ScheduleDocument(msgspec.Struct, kw_only=True):
    """A schedule. ``next_firings`` are the next five, fewer where it ends, none where it is disabled."""

    id: str
    project_id: str
    group_id: str
    name: str
    at: Time | None
    cron: str | None
    timezone: str | None
    start: Time | None
    end: Time | None
    min_size: int | None
    max_size: int | None
    desired_capacity: int | None
    policy_id: str | None
    honor_cooldown: bool
    enabled: bool
    next_firings: list[FiringDocument]
    last_firing: LastFiringDocument | None
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]


class ScheduleList(msgspec.Struct, kw_only=True):
    """Part of the schedules."""

    schedules: list[ScheduleDocument]
    links: list[Link]


def schedule_document(schedule: Schedule, base: str, now: datetime) -> ScheduleDocument:
    """Return the schedule as it is shown at ``now``."""
    wish = _Wish(**_present(schedule))
    last = schedule.last_firing
    return ScheduleDocument(
        id=schedule.id,
        project_id=schedule.project_id,
        group_id=schedule.group_id,
        name=schedule.name,
        at=utc_or_none(wish.at),
        cron=wish.cron,
        timezone=wish.timezone,
        start=utc_or_none(wish.start),
        end=utc_or_none(wish.end),
        min_size=wish.min_size,
        max_size=wish.max_size,
        desired_capacity=wish.desired_capacity,
        policy_id=wish.policy_id,
        honor_cooldown=wish.honor_cooldown,
        enabled=schedule.enabled,
        next_firings=_firings(schedule, wish.timezone or _DEFAULT_ZONE, now),
        last_firing=None
        if last is None
        else LastFiringDocument(
            due_at=utc(last.due_at),
            fired_at=utc(last.fired_at),
            outcome=last.outcome.value,
            execution_id=last.execution_id,
        ),
        generation=schedule.generation,
        created_at=utc(schedule.created_at),
        updated_at=utc(schedule.updated_at),
        links=self_link(base, f"/v1/schedules/{schedule.id}"),
    )


def _firings(schedule: Schedule, timezone: str, now: datetime) -> list[FiringDocument]:
    zone = zone_of(timezone)
    return [
        FiringDocument(utc=utc(due_at), local=due_at.astimezone(zone).isoformat(timespec="milliseconds"))
        for due_at in firings(schedule, now, _FIRINGS_SHOWN)
    ]
