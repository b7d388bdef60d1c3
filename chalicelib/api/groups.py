"""/v1/groups: what is scaled."""

from __future__ import annotations

from dataclasses import replace

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.documents.groups import (
    FreezeDocument,
    GroupDocument,
    GroupList,
    GroupPatch,
    NewFreeze,
    NewGroup,
    freeze_document,
    group_document,
)
from chalicelib.api.operation import Reply, operation
from chalicelib.core.group import Freeze, Group
from chalicelib.core.ids import GroupId
from chalicelib.flows import groups as flow
from chalicelib.flows.adoption import adopted

blueprint = Blueprint(__name__)


def _reply(call: Call, group: Group, status: int = 200) -> Reply:
    document = group_document(group, call.base, call.now)
    headers = {"ETag": f'"{group.generation}"'}
    if status != 200:  # noqa: PLR2004
        headers["Location"] = document.links[0].href
    return Reply(document, status, headers)


def _id(value: str) -> GroupId:
    return GroupId(known_id(value, "group"))


@operation(blueprint, "GET", "/v1/groups", answers={200: GroupList}, query=("limit", "marker"))
def list_groups(call: Call) -> Reply:
    """List the project's groups."""
    paging = call.paging()
    page = call.services.groups.page(call.caller.project_id, paging.limit, paging.marker)
    documents = [group_document(group, call.base, call.now) for group in page.items]
    links = page_links(call.base, "/v1/groups", page, {"limit": paging.limit})
    return Reply(GroupList(groups=documents, links=links))


@operation(blueprint, "POST", "/v1/groups", body=NewGroup, answers={202: GroupDocument})
def create_group(call: Call, body: NewGroup) -> Reply:
    """Create a group; its first members are built from now on."""
    id_ = call.new_id("groups", body.client_token)
    group = body.to_group(call.caller.project_id, id_, call.now, fingerprint(body))
    if group.heat is not None:
        keeps_size = body.desired_capacity is None
        group = adopted(call.services, call.caller, group, keeps_size=keeps_size, request_id=call.request_id)
    return _reply(call, flow.create(call.services, call.caller, group, call.request_id), 202)


@operation(blueprint, "GET", "/v1/groups/{group_id}", answers={200: GroupDocument})
def show_group(call: Call, group_id: str) -> Reply:
    """Show a group."""
    return _reply(call, call.services.groups.get(call.caller.project_id, _id(group_id)))


@operation(
    blueprint,
    "PATCH",
    "/v1/groups/{group_id}",
    body=GroupPatch,
    answers={200: GroupDocument},
    if_match=True,
)
def change_group(call: Call, group_id: str, body: GroupPatch) -> Reply:
    """Change a group; a new desired_capacity neither waits for a cooldown nor starts one."""
    group = flow.change(
        call.services,
        call.caller,
        _id(group_id),
        body.applied_to,
        generation=call.generation(),
        request_id=call.request_id,
    )
    return _reply(call, group)


@operation(blueprint, "DELETE", "/v1/groups/{group_id}", answers={204: None}, if_match=True)
def delete_group(call: Call, group_id: str) -> Reply:
    """Delete a group: it is drained to zero members, then it is gone."""
    flow.delete(
        call.services,
        call.caller,
        _id(group_id),
        generation=call.generation(),
        request_id=call.request_id,
    )
    return Reply(None, 204)


@operation(blueprint, "POST", "/v1/groups/{group_id}/convergences", answers={202: GroupDocument})
def converge_group(call: Call, group_id: str) -> Reply:
    """Look at the group now, and try again whatever failed."""
    group = flow.converge_now(call.services, call.caller, _id(group_id), call.request_id)
    return _reply(call, group, 202)


@operation(
    blueprint,
    "PUT",
    "/v1/groups/{group_id}/freeze",
    body=NewFreeze,
    answers={200: FreezeDocument},
    if_match=True,
)
def freeze_group(call: Call, group_id: str, body: NewFreeze) -> Reply:
    """Freeze a group: until then nobody and nothing changes its members."""
    freeze = body.to_freeze()
    _set_freeze(call, group_id, freeze)
    return Reply(freeze_document(freeze))


@operation(blueprint, "DELETE", "/v1/groups/{group_id}/freeze", answers={204: None}, if_match=True)
def thaw_group(call: Call, group_id: str) -> Reply:
    """Thaw a group."""
    _set_freeze(call, group_id, None)
    return Reply(None, 204)


def _set_freeze(call: Call, group_id: str, freeze: Freeze | None) -> None:
    flow.change(
        call.services,
        call.caller,
        _id(group_id),
        lambda group: replace(group, freeze=freeze),
        generation=call.generation(),
        request_id=call.request_id,
    )
