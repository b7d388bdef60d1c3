"""/v1/schedules: what is to happen to a group, and when."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.documents.schedules import (
    NewSchedule,
    ScheduleDocument,
    ScheduleList,
    SchedulePatch,
    schedule_document,
)
from chalicelib.api.operation import Reply, operation
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.ids import GroupId, PolicyId, ScheduleId
from chalicelib.core.schedule import Schedule
from chalicelib.flows import schedules as flow

blueprint = Blueprint(__name__)


def _reply(call: Call, schedule: Schedule, status: int = 200) -> Reply:
    document = schedule_document(schedule, call.base, call.now)
    headers = {"ETag": f'"{schedule.generation}"'}
    if status == 201:  # noqa: PLR2004
        headers["Location"] = document.links[0].href
    return Reply(document, status, headers)


def _id(value: str) -> ScheduleId:
    return ScheduleId(known_id(value, "schedule"))


@operation(
    blueprint, "GET", "/v1/schedules", answers={200: ScheduleList}, query=("group_id", "limit", "marker")
)
def list_schedules(call: Call) -> Reply:
    """List the project's schedules, or those of one group."""
    paging, group_id = call.paging(), call.id_in_query("group_id")
    of_group = GroupId(group_id) if group_id else None
    page = call.services.schedules.page(call.caller.project_id, of_group, paging.limit, paging.marker)
    asked: dict[str, str | int] = {"limit": paging.limit, **({"group_id": group_id} if group_id else {})}
    documents = [schedule_document(schedule, call.base, call.now) for schedule in page.items]
    return Reply(ScheduleList(schedules=documents, links=page_links(call.base, "/v1/schedules", page, asked)))


@operation(blueprint, "POST", "/v1/schedules", body=NewSchedule, answers={201: ScheduleDocument})
def create_schedule(call: Call, body: NewSchedule) -> Reply:
    """Create a schedule, for a group or for a policy of one."""
    id_ = call.new_id("schedules", body.client_token)
    project_id = call.caller.project_id
    wanted = body.to_schedule(project_id, id_, _group_id(call, body), call.now, fingerprint(body))
    return _reply(call, flow.create(call.services, wanted), 201)


def _group_id(call: Call, body: NewSchedule) -> GroupId:
    """Return the group that a new schedule is for: the one that is named, or that of its policy."""
    if body.group_id is not None:
        return GroupId(body.group_id)
    if body.policy_id is None:
        raise Invalid("schedule.group", "Give a group_id, or the policy_id of one of its policies.")
    try:
        return call.services.policies.get(call.caller.project_id, PolicyId(body.policy_id)).group_id
    except NotFound:
        raise Invalid("schedule.no_such_policy", f"There is no policy {body.policy_id}.") from None


@operation(blueprint, "GET", "/v1/schedules/{schedule_id}", answers={200: ScheduleDocument})
def show_schedule(call: Call, schedule_id: str) -> Reply:
    """Show a schedule, with the next five times at which it will fire."""
    return _reply(call, call.services.schedules.get(call.caller.project_id, _id(schedule_id)))


@operation(
    blueprint,
    "PATCH",
    "/v1/schedules/{schedule_id}",
    body=SchedulePatch,
    answers={200: ScheduleDocument},
    if_match=True,
)
def change_schedule(call: Call, schedule_id: str, body: SchedulePatch) -> Reply:
    """Change a schedule; where its times change, a due time that has not fired yet is forgotten."""
    schedule = flow.change(
        call.services,
        call.caller.project_id,
        _id(schedule_id),
        lambda schedule: body.applied_to(schedule, call.now),
        generation=call.generation(),
    )
    return _reply(call, schedule)


@operation(blueprint, "DELETE", "/v1/schedules/{schedule_id}", answers={204: None}, if_match=True)
def delete_schedule(call: Call, schedule_id: str) -> Reply:
    """Delete a schedule."""
    flow.delete(call.services, call.caller.project_id, _id(schedule_id), generation=call.generation())
    return Reply(None, 204)
