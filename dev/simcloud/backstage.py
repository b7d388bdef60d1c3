"""What happens behind the services' backs: servers vanish, users are disabled, roles revoked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from dev.simcloud.messages import Refused
from dev.simcloud.nova.lifecycle import is_gone, state_of
from dev.simcloud.records import Grant, Project, Server, Status, User
from dev.simcloud.stack_records import Stack
from dev.simcloud.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Backstage:
    """Changes that no client of the services asked for; users and projects are given by name or id."""

    world: World
    lock: threading.RLock

    def servers(self, project: str | None = None) -> tuple[Server, ...]:
        """Return the servers that are not gone, oldest first; of one project, or of all."""
        with self.lock:
            project_id = project and self._project(project).id
            return tuple(
                server
                for server in self.world.servers.values()
                if project_id in (None, server.project_id) and not is_gone(server, self.world.now())
            )

    def status(self, server_id: str) -> Status:
        """Return a server's status as Nova would tell it."""
        with self.lock:
            return state_of(self._server(server_id), self.world.now()).status

    def delete_server(self, server_id: str) -> None:
        """Let a server vanish at once."""
        with self.lock:
            self.world.servers[server_id] = replace(self._server(server_id), gone_at=self.world.now())

    def set_server_status(self, server_id: str, status: str) -> None:
        """Give a server another status, such as ERROR, SHUTOFF or RESCUE."""
        with self.lock:
            server, now = self._server(server_id), self.world.now()
            self.world.servers[server_id] = replace(server, status=_status(status), updated_at=now)

    def disable_user(self, user: str) -> None:
        """Disable a user, which revokes all tokens that speak for them."""
        with self.lock:
            disabled = self._user(user)
            self.world.users[disabled.id] = replace(disabled, enabled=False)
            tokens = self.world.tokens
            self.world.tokens = {id_: t for id_, t in tokens.items() if t.user_id != disabled.id}

    def enable_user(self, user: str) -> None:
        """Enable a user again; tokens revoked meanwhile stay revoked."""
        with self.lock:
            enabled = self._user(user)
            self.world.users[enabled.id] = replace(enabled, enabled=True)

    def grant_role(self, user: str, project: str, role: str) -> None:
        """Give a user a role on a project."""
        with self.lock:
            self.world.grants.add(self._grant(user, project, role))

    def revoke_role(self, user: str, project: str, role: str) -> None:
        """Take a role from a user; those it implies stay if they were granted by themselves."""
        with self.lock:
            self.world.grants.discard(self._grant(user, project, role))

    def delete_trust(self, trust_id: str) -> None:
        """Delete a trust; one already gone is a success."""
        with self.lock:
            self.world.trusts.pop(trust_id, None)

    def set_quota(self, project: str, instances: int) -> None:
        """Limit how many servers a project may have; -1 is no limit."""
        with self.lock:
            project_id = self._project(project).id
            limits = self.world.quotas.get(project_id, {})
            self.world.quotas[project_id] = limits | {"instances": instances}

    def set_load_balancer_status(self, load_balancer_id: str, status: str) -> None:
        """Break a load balancer (ERROR), leave it pending for ever (PENDING_UPDATE), or mend it (ACTIVE)."""
        with self.lock:
            balancer = self.world.load_balancers.get(load_balancer_id)
            if balancer is None:
                raise Refused(404, f"There is no load balancer {load_balancer_id}")
            forced = None if status == "ACTIVE" else status
            self.world.load_balancers[load_balancer_id] = replace(balancer, status=forced)

    def set_pool_member_status(self, member_id: str, status: str) -> None:
        """Give a member of a pool another operating status, such as ERROR or OFFLINE."""
        with self.lock:
            member = self.world.pool_members.get(member_id)
            if member is None:
                raise Refused(404, f"There is no pool member {member_id}")
            self.world.pool_members[member_id] = replace(member, operating_status=status)

    def stacks(self, project: str | None = None) -> tuple[Stack, ...]:
        """Return the stacks that are not deleted, without those nested in them; of one project, or of all."""
        with self.lock:
            project_id = project and self._project(project).id
            return tuple(
                stack
                for stack in self.world.stacks.values()
                if project_id in (None, stack.project_id) and stack.parent_id is None and not stack.deleted_at
            )

    def restart_heat(self) -> None:
        """Start Heat anew: stacks that were stuck go on with what they were last asked for."""
        with self.lock:
            for stack in tuple(self.world.stacks.values()):
                self.world.stacks[stack.id] = replace(stack, stuck=False)

    def allow_stacks_by_delegates(self, *, allowed: bool) -> None:
        """Let stacks be created with tokens of trusts and application credentials, or not, the default."""
        with self.lock:
            self.world.stacks_by_delegates = allowed

    def _server(self, server_id: str) -> Server:
        server = self.world.servers.get(server_id)
        if server is None:
            raise Refused(404, f"There is no server {server_id}")
        return server

    def _user(self, name_or_id: str) -> User:
        user = self.world.user(name_or_id)
        if user is None:
            raise Refused(404, f"There is no user {name_or_id}")
        return user

    def _project(self, name_or_id: str) -> Project:
        project = self.world.project(name_or_id)
        if project is None:
            raise Refused(404, f"There is no project {name_or_id}")
        return project

    def _grant(self, user: str, project: str, role: str) -> Grant:
        return Grant(user_id=self._user(user).id, project_id=self._project(project).id, role=role)


def _status(name: str) -> Status:
    try:
        return Status(name)
    except ValueError:
        raise Refused(400, f"Status must be one of {', '.join(Status)}") from None
