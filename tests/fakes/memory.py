"""The fakes' one database: dicts, and the rules that several nouns share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from chalicelib.core.activity import Activity
from chalicelib.core.alarm import Alarm
from chalicelib.core.alarm_history import AlarmHistoryEntry
from chalicelib.core.credential import Credential
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from chalicelib.core.execution import Execution
from chalicelib.core.fold import Fold, Hour
from chalicelib.core.group import Group
from chalicelib.core.ids import ProjectId
from chalicelib.core.intake import Intake
from chalicelib.core.launch import LaunchConfiguration
from chalicelib.core.member import Member
from chalicelib.core.meters import Meters
from chalicelib.core.policy import Policy, Webhook
from chalicelib.core.policy_state import PolicyState
from chalicelib.core.quota import Quota
from chalicelib.core.refresh import Refresh
from chalicelib.core.schedule import Schedule
from chalicelib.core.series import Series
from chalicelib.ports.storage import GroupKey, Page

R = TypeVar("R")
V = TypeVar("V")


class Created(Protocol):
    @property
    def project_id(self) -> ProjectId: ...
    @property
    def id(self) -> str: ...
    @property
    def fingerprint(self) -> str | None: ...


O = TypeVar("O", bound=Created)  # noqa: E741
Key = tuple[str, str]


@dataclass(slots=True)
class Held:
    """A group as it lies in its table: what the sweep and the rounds need beside it."""

    group: Group
    due_at: datetime
    lease_owner: str | None = None
    lease_until: datetime | None = None


@dataclass
class Memory:
    """All tables of one database; rows are keyed by project and id, or by project, group and id."""

    groups: dict[Key, Held] = field(default_factory=dict)
    members: dict[tuple[str, str, str], Member] = field(default_factory=dict)
    launch_configurations: dict[Key, LaunchConfiguration] = field(default_factory=dict)
    credentials: dict[Key, Credential] = field(default_factory=dict)
    policies: dict[Key, Policy] = field(default_factory=dict)
    policy_states: dict[Key, PolicyState] = field(default_factory=dict)
    webhooks: dict[Key, Webhook] = field(default_factory=dict)
    alarms: dict[Key, Alarm] = field(default_factory=dict)
    alarm_history: dict[tuple[str, str, str], AlarmHistoryEntry] = field(default_factory=dict)
    schedules: dict[Key, Schedule] = field(default_factory=dict)
    refreshes: dict[tuple[str, str, str], Refresh] = field(default_factory=dict)
    executions: dict[Key, Execution] = field(default_factory=dict)
    activities: dict[tuple[str, str, str], Activity] = field(default_factory=dict)
    intakes: dict[Key, Intake] = field(default_factory=dict)
    folds: dict[Series, dict[tuple[datetime, int], Fold]] = field(default_factory=dict)
    hours: dict[Series, dict[datetime, Hour]] = field(default_factory=dict)
    meters: dict[GroupKey, Meters] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def usage(self, project_id: str) -> Quota:
        """Count what the project has."""
        held = [held.group for (owner, _), held in self.groups.items() if owner == project_id]
        return Quota(
            groups=len(held),
            members=sum(group.bounds.max_size for group in held),
            policies=count(self.policies, project_id),
            webhooks=count(self.webhooks, project_id),
            launch_configurations=count(self.launch_configurations, project_id),
            credentials=count(self.credentials, project_id),
            alarms=count(self.alarms, project_id),
            schedules=count(self.schedules, project_id),
        )

    def room(self, project_id: str, quota: Quota, **more: int) -> None:
        """Refuse what would grow beyond the quota."""
        used, limits = asdict(self.usage(project_id)), asdict(quota)
        for noun, by in more.items():
            if by > 0 and used[noun] + by > limits[noun]:
                raise Forbidden(f"quota.{noun}_exceeded", f"The project may have {limits[noun]} {noun}.")

    def held(self, project_id: str, group_id: str) -> Held:
        """Return the group as it lies there."""
        return get_from(self.groups, project_id, group_id, "group")

    def require_used(self, group: Group) -> None:
        """Refuse a group whose launch configuration or credential is missing."""
        configuration_id = group.launch_configuration_id
        if configuration_id and (group.project_id, configuration_id) not in self.launch_configurations:
            raise Invalid("group.no_such_launch_configuration", "There is no such launch configuration.")
        if (group.project_id, group.credential_id) not in self.credentials:
            raise Invalid("group.no_such_credential", "There is no such credential.")

    def rewrite(self, was: Group, new: Group) -> Callable[[], Group]:
        """Check that ``was`` is what is stored; return what then writes ``new``, due at once."""
        held = self.held(was.project_id, was.id)
        if held.group.generation != was.generation:
            raise Stale("group.stale", "The group was changed meanwhile; read it again.")
        written = replace(new, generation=was.generation + 1)

        def write() -> Group:
            held.group = replace(written, observed=held.group.observed)
            held.due_at = new.updated_at
            return written

        return write


def remember(memory: Memory, activity: Activity) -> None:
    memory.activities[(*group_of(activity), activity.id)] = activity


def group_of(thing: Member | Activity | Execution) -> Key:
    return thing.project_id, thing.group_id


def count(rows: dict[Key, Any], project_id: str) -> int:
    return sum(owner == project_id for owner, _ in rows)


def owned(rows: dict[Key, V], project_id: str) -> list[V]:
    return [row for (owner, _), row in rows.items() if owner == project_id]


def missing(noun: str) -> NotFound:
    return NotFound(f"{noun}.not_found", f"There is no such {noun.replace('_', ' ')} in this project.")


def get_from(rows: dict[Key, V], project_id: str, id_: str, noun: str) -> V:
    if (project_id, id_) not in rows:
        raise missing(noun)
    return rows[project_id, id_]


def same(stored: O, new: O) -> O:
    if stored.fingerprint is None or stored.fingerprint != new.fingerprint:
        raise Conflict("client_token.reused", "This client_token was used before, for a different request.")
    return stored


def create_in(rows: dict[Key, O], new: O, check: Callable[[], None]) -> tuple[O, bool]:
    key = (new.project_id, new.id)
    if key in rows:
        return same(rows[key], new), False
    check()
    rows[key] = new
    return new, True


def page_of(found: Iterable[R], limit: int, marker: str | None) -> Page[R]:
    rest = sorted((v for v in found if marker is None or id_of(v) > marker), key=id_of)
    return Page(tuple(rest[:limit]), id_of(rest[limit - 1]) if len(rest) > limit else None)


def id_of(value: Any) -> str:
    return str(value.id)
