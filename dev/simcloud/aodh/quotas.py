"""How many alarms a project may have; an administrator says so."""

from __future__ import annotations

from dataclasses import dataclass

from dev.simcloud.aodh.call import caller_of
from dev.simcloud.messages import Refused, Request, Response, Routes, need
from dev.simcloud.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The resource of quotas."""

    world: World

    def add_to(self, routes: Routes) -> None:
        """Add what this answers to ``routes``."""
        routes.add("POST", "/v2/quotas", self.set)
        routes.add("DELETE", "/v2/quotas/{project_id}", self.reset)

    def set(self, request: Request) -> Response:
        """Limit the alarms of a project."""
        caller_of(self.world, request, "admin")
        asked = request.document()
        project_id = need(asked, "project_id", str)
        for quota in need(asked, "quotas", list):
            self.world.alarm_quotas[project_id] = need(quota, "limit", int)
        return Response(status=201, body=asked)

    def reset(self, request: Request, project_id: str) -> Response:
        """Let a project have any number of alarms again."""
        caller_of(self.world, request, "admin")
        self.world.alarm_quotas.pop(project_id, None)
        return Response(status=204)


def check_quota(world: World, project_id: str, user_id: str) -> None:
    """Refuse one alarm more than the project may have; as Aodh does, by the user's alarms."""
    limit = world.alarm_quotas.get(project_id)
    has = sum(alarm.user_id == user_id for alarm in world.alarms.values())
    if limit is not None and has >= limit:
        raise Refused(403, f"Alarm quota exceeded for user {user_id} on project {project_id}")
