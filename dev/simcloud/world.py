"""The state of the simulated cloud, and how a fresh one is seeded.

Ids of what is seeded are derived from names, so that documentation, restarts and other processes agree.
Whoever touches a ``World`` holds the cloud's one lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dev.simcloud.records import (
    Alarm,
    ApplicationCredential,
    Endpoint,
    Flavor,
    Grant,
    LoadBalancer,
    Pool,
    PoolMember,
    Project,
    RegisteredService,
    Server,
    Token,
    Trust,
    User,
)
from dev.simcloud.stack_records import Stack, StackEvent, StackResource

PASSWORD = "simulated"
REGION = "RegionOne"
ROLES = ("admin", "member", "reader", "service")
IMPLIED_ROLES = {"admin": {"admin", "member", "reader"}, "member": {"member", "reader"}}
ZONES = ("nova", "az1", "az2", "az3")
IMAGE_NAME = "tiny"
FLAVORS = {
    flavor.id: flavor
    for flavor in (
        Flavor(id="m1.huge", vcpus=2000, ram_mib=128, fits=False),
        Flavor(id="m1.small", vcpus=1, ram_mib=512),
        Flavor(id="m1.tiny", vcpus=1, ram_mib=128),
    )
}
DEFAULT_QUOTA = {"cores": -1, "instances": 100, "ram": -1}
_PROJECT_NAMES = ("demo", "demo2", "service", "admin")
_GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "demo": {"demo": ("member", "reader")},
    "demo2": {"demo2": ("member", "reader")},
    "reader": {"demo": ("reader",)},
    "admin": {"admin": ("admin", "member", "reader"), "demo": ("admin", "member", "reader")},
    "thermostat": {"service": ("service",)},
}
_NAMESPACE = uuid.UUID("5b1f3c1e-6f0e-4a7e-9a52-0d7b6f1c9a10")
# The gone are kept for this long, for whoever asks Nova what changed of late.
_MEMORY = timedelta(hours=1)


def stable_id(kind: str, name: str) -> str:
    """Return the id, 32 hexadecimal digits, that a seeded thing of this name always has."""
    return uuid.uuid5(_NAMESPACE, f"{kind}/{name}").hex


IMAGE_ID = str(uuid.UUID(stable_id("image", IMAGE_NAME)))


def with_implied(roles: frozenset[str]) -> frozenset[str]:
    """Return ``roles`` and those they imply: an admin is a member, a member is a reader."""
    return frozenset().union(*(IMPLIED_ROLES.get(role, {role}) for role in roles))


@dataclass(slots=True, kw_only=True)
class World:
    """All users, tokens, trusts, servers and so on, by id; and how long things take.

    Attributes:
        build_seconds: from a server's creation until it is ACTIVE or ERROR.
        delete_seconds: from the answer to a server's deletion until it is gone.
        token_seconds: how long a token lasts.
        token_cache_seconds: how long Nova goes on trusting a token it has once validated, as
            keystonemiddleware does (300 s there). With 0 a revoked token is refused at once.
        balancing_seconds: how long a load balancer is PENDING after each change of it.
        has_aodh, has_octavia: whether the catalog names it.
        heat_seconds: what Heat takes for each resource, beyond what a server takes by itself.
        has_heat: whether the catalog names it.
        stacks_by_delegates: whether a stack may be created with a token of a trust or of an application
            credential. A default Heat cannot make its own trust with such a token, and fails.
    """

    now: Callable[[], datetime]
    build_seconds: float = 0.0
    delete_seconds: float = 0.0
    token_seconds: float = 3600.0
    token_cache_seconds: float = 0.0
    balancing_seconds: float = 0.0
    has_aodh: bool = True
    has_octavia: bool = True
    heat_seconds: float = 0.0
    has_heat: bool = True
    stacks_by_delegates: bool = False
    users: dict[str, User] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    grants: set[Grant] = field(default_factory=set)
    trusts: dict[str, Trust] = field(default_factory=dict)
    credentials: dict[str, ApplicationCredential] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    servers: dict[str, Server] = field(default_factory=dict)
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    alarm_quotas: dict[str, int] = field(default_factory=dict)
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    pool_members: dict[str, PoolMember] = field(default_factory=dict)
    services: dict[str, RegisteredService] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(default_factory=dict)
    stack_resources: dict[str, StackResource] = field(default_factory=dict)
    stack_events: dict[str, StackEvent] = field(default_factory=dict)

    def seed(self) -> None:
        """Add the users, projects and roles that every simulated cloud starts with."""
        for name in _PROJECT_NAMES:
            project = Project(id=stable_id("project", name), name=name)
            self.projects[project.id] = project
        for name, grants in _GRANTS.items():
            user = User(id=stable_id("user", name), name=name, password=PASSWORD)
            self.users[user.id] = user
            for project_name, roles in grants.items():
                project_id = stable_id("project", project_name)
                self.grants |= {Grant(user_id=user.id, project_id=project_id, role=role) for role in roles}

    def user(self, name_or_id: str) -> User | None:
        """Return the user of this name or id."""
        named = (user for user in self.users.values() if user.name == name_or_id)
        return self.users.get(name_or_id) or next(named, None)

    def project(self, name_or_id: str) -> Project | None:
        """Return the project of this name or id."""
        named = (project for project in self.projects.values() if project.name == name_or_id)
        return self.projects.get(name_or_id) or next(named, None)

    def roles(self, user_id: str, project_id: str) -> frozenset[str]:
        """Return the roles of a user on a project, with those they imply."""
        granted = {g.role for g in self.grants if (g.user_id, g.project_id) == (user_id, project_id)}
        return with_implied(frozenset(granted))

    def quota(self, project_id: str) -> dict[str, int]:
        """Return the limits of a project; -1 is none."""
        return DEFAULT_QUOTA | self.quotas.get(project_id, {})

    def forget(self) -> None:
        """Drop expired tokens, servers gone for an hour, pool members whose deletion is complete."""
        """Drop expired tokens, and servers and stacks gone for an hour: a long run must not grow for ever."""
        now = self.now()
        self.tokens = {id_: token for id_, token in self.tokens.items() if token.expires_at > now}
        self.servers = {
            id_: server
            for id_, server in self.servers.items()
            if server.gone_at is None or server.gone_at + _MEMORY > now
        }
        self.pool_members = {
            id_: member
            for id_, member in self.pool_members.items()
            if member.pending != "PENDING_DELETE" or member.busy_until > now
        }
        deleted = {
            id_: stack.deleted_at for id_, stack in self.stacks.items() if stack.deleted_at is not None
        }
        for id_ in [id_ for id_, at in deleted.items() if at + _MEMORY <= now]:
            del self.stacks[id_]
            self.stack_events = {key: e for key, e in self.stack_events.items() if e.stack_id != id_}
