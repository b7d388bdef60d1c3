"""The resource of alarms."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace

from dev.simcloud.aodh import documents
from dev.simcloud.aodh.call import caller_of
from dev.simcloud.aodh.quotas import check_quota
from dev.simcloud.keystone.tokens import Caller
from dev.simcloud.messages import Document, Malformed, Refused, Request, Response, Routes
from dev.simcloud.records import Alarm
from dev.simcloud.world import World, stable_id

_FILTERS = ("name", "state", "enabled", "type", "severity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Alarms; each project sees its own."""

    world: World
    base_url: str

    def add_to(self, routes: Routes) -> None:
        """Add what this answers to ``routes``."""
        routes.add("GET", "/v2/alarms", self.index)
        routes.add("POST", "/v2/alarms", self.create)
        routes.add("GET", "/v2/alarms/{alarm_id}", self.show)
        routes.add("PUT", "/v2/alarms/{alarm_id}", self.update)
        routes.add("DELETE", "/v2/alarms/{alarm_id}", self.delete)
        routes.add("GET", "/v2/alarms/{alarm_id}/state", self.show_state)
        routes.add("PUT", "/v2/alarms/{alarm_id}/state", self.set_state)

    def index(self, request: Request) -> Response:
        """List the alarms of the caller's project, filtered by equality."""
        caller = caller_of(self.world, request, "reader")
        wanted = _filters(request)
        shown = [_shown(alarm) for alarm in self.world.alarms.values() if _may_see(caller, alarm)]
        matching = [each for each in shown if all(each[name] == value for name, value in wanted.items())]
        return Response(status=200, body=matching)

    def create(self, request: Request) -> Response:
        """Make an alarm; names need not be unique."""
        caller = caller_of(self.world, request, "member")
        project_id, now = caller.token.project_id or "", self.world.now()
        document = documents.wanted(request.document())
        check_quota(self.world, project_id, caller.user_id)
        alarm = Alarm(
            id=str(uuid.uuid4()),
            project_id=project_id,
            user_id=caller.user_id,
            document=self._scoped(document, project_id),
            state_reason="Not evaluated yet",
            updated_at=now,
            state_at=now,
        )
        self.world.alarms[alarm.id] = alarm
        location = f"{self.base_url}/alarming/v2/alarms/{alarm.id}"
        return Response(status=201, body=_shown(alarm), headers={"Location": location})

    def show(self, request: Request, alarm_id: str) -> Response:
        """Show an alarm."""
        return Response(status=200, body=_shown(self._found(request, alarm_id, "reader")))

    def update(self, request: Request, alarm_id: str) -> Response:
        """Replace an alarm by a whole other; a state that is not sent is that of a new one."""
        alarm, now = self._found(request, alarm_id, "member"), self.world.now()
        document = documents.wanted(request.document())
        changed = replace(alarm, document=self._scoped(document, alarm.project_id), updated_at=now)
        if document["state"] != alarm.document["state"]:
            changed = replace(changed, state_at=now, state_reason="Manually set via API")
        self.world.alarms[alarm_id] = changed
        return Response(status=200, body=_shown(changed))

    def delete(self, request: Request, alarm_id: str) -> Response:
        """Delete an alarm."""
        del self.world.alarms[self._found(request, alarm_id, "member").id]
        return Response(status=204)

    def show_state(self, request: Request, alarm_id: str) -> Response:
        """Show an alarm's state, as a bare JSON string."""
        return _bare(self._found(request, alarm_id, "reader").document["state"])

    def set_state(self, request: Request, alarm_id: str) -> Response:
        """Set an alarm's state, which lasts until the next evaluation."""
        alarm, state = self._found(request, alarm_id, "member"), json.loads(request.body)
        if state not in documents.STATES:
            raise Malformed("state invalid")
        self.world.alarms[alarm_id] = replace(
            alarm,
            document={**alarm.document, "state": state},
            state_reason="Manually set via API",
            state_at=self.world.now(),
        )
        return _bare(state)

    def _found(self, request: Request, alarm_id: str, role: str) -> Alarm:
        caller = caller_of(self.world, request, role)
        alarm = self.world.alarms.get(alarm_id)
        if alarm is None or not _may_see(caller, alarm):
            raise Refused(404, f"Alarm {alarm_id} not found")
        return alarm

    def _scoped(self, document: Document, project_id: str) -> Document:
        return documents.scoped(document, project_id, stable_id("project", "service"))


def _filters(request: Request) -> Document:
    names, values = request.query.get("q.field", []), request.query.get("q.value", [])
    for name in names:
        if name not in _FILTERS:
            allowed = set(_FILTERS)
            why = f"only fields {allowed} are allowed"
            raise Malformed(f"Invalid input for field/attribute field. Value: '{ {name} }'. {why}")
    return dict(zip(names, values, strict=True))


def _may_see(caller: Caller, alarm: Alarm) -> bool:
    return caller.is_admin or alarm.project_id == caller.token.project_id


def _shown(alarm: Alarm) -> Document:
    return {
        "alarm_id": alarm.id,
        **alarm.document,
        "project_id": alarm.project_id,
        "user_id": alarm.user_id,
        "timestamp": alarm.updated_at.replace(tzinfo=None).isoformat(),
        "state_timestamp": alarm.state_at.replace(tzinfo=None).isoformat(),
        "state_reason": alarm.state_reason,
        "evaluate_timestamp": alarm.updated_at.replace(tzinfo=None).isoformat(),
    }


def _bare(text: str) -> Response:
    return Response(status=200, body=json.dumps(text), content_type="application/json")
