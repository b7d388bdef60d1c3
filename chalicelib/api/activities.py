"""/v1/activities: what was done to a group, and why."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call
from chalicelib.api.documents.common import page_links
from chalicelib.api.documents.executions import ActivityList, activity_document
from chalicelib.api.operation import Reply, operation
from chalicelib.core.ids import ActivityId, GroupId

blueprint = Blueprint(__name__)


@operation(
    blueprint,
    "GET",
    "/v1/activities",
    answers={200: ActivityList},
    query=("group_id", "limit", "marker"),
)
def list_activities(call: Call) -> Reply:
    """List the activities of one group (``group_id`` is needed), newest first; also of one that is gone."""
    paging, group_id = call.paging(), call.needed_id_in_query("group_id")
    marker = ActivityId(paging.marker) if paging.marker else None
    page = call.services.activities.of_group(call.caller.project_id, GroupId(group_id), paging.limit, marker)
    query: dict[str, str | int] = {"group_id": group_id, "limit": paging.limit}
    documents = [activity_document(activity) for activity in page.items]
    links = page_links(call.base, "/v1/activities", page, query)
    return Reply(ActivityList(activities=documents, links=links))
