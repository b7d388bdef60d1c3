"""/v1/groups/{id}/members: the servers of a group."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import page_links
from chalicelib.api.documents.members import MemberDocument, MemberList, MemberPatch, member_document
from chalicelib.api.operation import Reply, operation
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import GroupId, MemberId
from chalicelib.flows import groups as flow
from chalicelib.ports.storage import GroupKey

blueprint = Blueprint(__name__)


def _group(call: Call, group_id: str) -> GroupKey:
    """Return the key of a group that exists in the caller's project."""
    group = call.services.groups.get(call.caller.project_id, GroupId(known_id(group_id, "group")))
    return GroupKey(project_id=group.project_id, group_id=group.id)


def _id(value: str) -> MemberId:
    return MemberId(known_id(value, "member"))


@operation(
    blueprint,
    "GET",
    "/v1/groups/{group_id}/members",
    answers={200: MemberList},
    query=("limit", "marker"),
)
def list_members(call: Call, group_id: str) -> Reply:
    """List the members of a group."""
    paging = call.paging()
    page = call.services.members.page(_group(call, group_id), paging.limit, paging.marker)
    documents = [member_document(member, call.base) for member in page.items]
    links = page_links(call.base, f"/v1/groups/{group_id}/members", page, {"limit": paging.limit})
    return Reply(MemberList(members=documents, links=links))


@operation(blueprint, "GET", "/v1/groups/{group_id}/members/{member_id}", answers={200: MemberDocument})
def show_member(call: Call, group_id: str, member_id: str) -> Reply:
    """Show a member."""
    member = call.services.members.get(_group(call, group_id), _id(member_id))
    return Reply(member_document(member, call.base))


@operation(
    blueprint,
    "PATCH",
    "/v1/groups/{group_id}/members/{member_id}",
    body=MemberPatch,
    answers={200: MemberDocument},
)
def change_member(call: Call, group_id: str, member_id: str, body: MemberPatch) -> Reply:
    """Protect a member from being removed when the group gets smaller, or stop protecting it."""
    member = flow.protect(
        call.services,
        call.caller,
        _group(call, group_id),
        _id(member_id),
        protected=body.protected,
        request_id=call.request_id,
    )
    return Reply(member_document(member, call.base))


@operation(
    blueprint,
    "DELETE",
    "/v1/groups/{group_id}/members/{member_id}",
    answers={204: None},
    query=("replace",),
)
def delete_member(call: Call, group_id: str, member_id: str) -> Reply:
    """Remove a member; ``replace=false`` also makes the group want one member less."""
    replace = call.query.get("replace", "true")
    if replace not in ("true", "false"):
        raise Invalid("request.query", "replace is true or false.")
    flow.dismiss(
        call.services,
        call.caller,
        _group(call, group_id),
        _id(member_id),
        replaced=replace == "true",
        request_id=call.request_id,
    )
    return Reply(None, 204)
