"""/v1/alarms: rules over a group's metrics, and what happened to them."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.alarm_history import AlarmHistoryList, alarm_history_document
from chalicelib.api.documents.alarms import (
    AlarmDocument,
    AlarmList,
    AlarmPatch,
    NewAlarm,
    NewState,
    alarm_document,
)
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.operation import Reply, operation
from chalicelib.core.alarm import Alarm, AlarmState
from chalicelib.core.ids import AlarmHistoryId, AlarmId, GroupId
from chalicelib.flows import alarms as flow
from chalicelib.flows import backends
from chalicelib.flows.lint import warnings

blueprint = Blueprint(__name__)


def _reply(call: Call, alarm: Alarm, status: int = 200) -> Reply:
    document = alarm_document(alarm, call.base, call.now)
    document.warnings = list(warnings(call.services, alarm))
    headers = {"ETag": f'"{alarm.generation}"'}
    if status == 201:  # noqa: PLR2004
        headers["Location"] = document.links[0].href
    return Reply(document, status, headers)


def _id(value: str) -> AlarmId:
    return AlarmId(known_id(value, "alarm"))


@operation(blueprint, "GET", "/v1/alarms", answers={200: AlarmList}, query=("group_id", "limit", "marker"))
def list_alarms(call: Call) -> Reply:
    """List the project's alarms, or those of one group."""
    paging, group_id = call.paging(), call.id_in_query("group_id")
    of_group = GroupId(group_id) if group_id else None
    page = call.services.alarms.page(call.caller.project_id, of_group, paging.limit, paging.marker)
    asked: dict[str, str | int] = {"limit": paging.limit, **({"group_id": group_id} if group_id else {})}
    documents = [alarm_document(alarm, call.base, call.now) for alarm in page.items]
    return Reply(AlarmList(alarms=documents, links=page_links(call.base, "/v1/alarms", page, asked)))


@operation(blueprint, "POST", "/v1/alarms", body=NewAlarm, answers={201: AlarmDocument})
def create_alarm(call: Call, body: NewAlarm) -> Reply:
    """Create an alarm for a group; it is evaluated each minute from now on."""
    id_ = call.new_id("alarms", body.client_token)
    wanted = body.to_alarm(call.caller.project_id, id_, call.now, fingerprint(body))
    alarm = flow.create(call.services, call.caller, wanted, base=call.base, request_id=call.request_id)
    return _reply(call, alarm, 201)


@operation(blueprint, "GET", "/v1/alarms/{alarm_id}", answers={200: AlarmDocument})
def show_alarm(call: Call, alarm_id: str) -> Reply:
    """Show an alarm; of one that a backend evaluates, the state that it has there now."""
    alarm = call.services.alarms.get(call.caller.project_id, _id(alarm_id))
    return _reply(call, backends.as_seen(call.services, alarm, call.request_id))


@operation(
    blueprint,
    "PATCH",
    "/v1/alarms/{alarm_id}",
    body=AlarmPatch,
    answers={200: AlarmDocument},
    if_match=True,
)
def change_alarm(call: Call, alarm_id: str, body: AlarmPatch) -> Reply:
    """Change an alarm; its state stays, unless it looks at another metric from now on."""
    alarm = flow.change(
        call.services,
        call.caller,
        _id(alarm_id),
        body.applied_to,
        generation=call.generation(),
        base=call.base,
        request_id=call.request_id,
    )
    return _reply(call, alarm)


@operation(
    blueprint,
    "PUT",
    "/v1/alarms/{alarm_id}/state",
    body=NewState,
    answers={200: AlarmDocument},
    if_match=True,
)
def set_alarm_state(call: Call, alarm_id: str, body: NewState) -> Reply:
    """Set an alarm's state by hand, until the next evaluation finds otherwise."""
    alarm = flow.set_state(
        call.services,
        call.caller,
        _id(alarm_id),
        AlarmState(body.state),
        body.reason,
        generation=call.generation(),
        request_id=call.request_id,
    )
    return _reply(call, alarm)


@operation(
    blueprint,
    "GET",
    "/v1/alarms/{alarm_id}/history",
    answers={200: AlarmHistoryList},
    query=("limit", "marker"),
)
def list_alarm_history(call: Call, alarm_id: str) -> Reply:
    """List what happened to an alarm, newest first; also to one that is gone, until that expires."""
    paging, project_id, id_ = call.paging(), call.caller.project_id, _id(alarm_id)
    marker = AlarmHistoryId(paging.marker) if paging.marker else None
    page = call.services.alarm_history.of_alarm(project_id, id_, paging.limit, marker)
    if not page.items:
        call.services.alarms.get(project_id, id_)  # without any history it must at least be there
    documents = [alarm_history_document(entry) for entry in page.items]
    links = page_links(call.base, f"/v1/alarms/{id_}/history", page, {"limit": paging.limit})
    return Reply(AlarmHistoryList(history=documents, links=links))


@operation(blueprint, "DELETE", "/v1/alarms/{alarm_id}", answers={204: None}, if_match=True)
def delete_alarm(call: Call, alarm_id: str) -> Reply:
    """Delete an alarm that no composite is made of; its history stays for a while."""
    flow.delete(
        call.services,
        call.caller,
        _id(alarm_id),
        generation=call.generation(),
        request_id=call.request_id,
    )
    return Reply(None, 204)
