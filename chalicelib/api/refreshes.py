"""/v1/groups/{id}/refreshes: the members of a group replaced, batch by batch."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.documents.refreshes import (
    NewRefresh,
    RefreshDocument,
    RefreshList,
    RefreshPatch,
    refresh_document,
)
from chalicelib.api.operation import Reply, operation
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, RefreshId
from chalicelib.core.refresh import Refresh
from chalicelib.flows import refreshes as flow
from chalicelib.ports.storage import GroupKey

blueprint = Blueprint(__name__)


def _reply(call: Call, refresh: Refresh, status: int = 200) -> Reply:
    document = refresh_document(refresh, call.base)
    headers = {"ETag": f'"{refresh.generation}"'}
    if status == 202:  # noqa: PLR2004
        headers["Location"] = document.links[0].href
    return Reply(document, status, headers)


def _key(call: Call, group_id: str) -> GroupKey:
    return GroupKey(project_id=call.caller.project_id, group_id=GroupId(known_id(group_id, "group")))


def _id(value: str) -> RefreshId:
    return RefreshId(known_id(value, "refresh"))


@operation(
    blueprint,
    "GET",
    "/v1/groups/{group_id}/refreshes",
    answers={200: RefreshList},
    query=("limit", "marker"),
)
def list_refreshes(call: Call, group_id: str) -> Reply:
    """List a group's refreshes, newest first; those of a group that is gone, too, until that expires."""
    paging, key = call.paging(), _key(call, group_id)
    marker = RefreshId(paging.marker) if paging.marker else None
    page = call.services.refreshes.of_group(key, paging.limit, marker)
    if not page.items:
        call.services.groups.get(key.project_id, key.group_id)  # without any it must at least be there
    documents = [refresh_document(refresh, call.base) for refresh in page.items]
    links = page_links(call.base, f"/v1/groups/{group_id}/refreshes", page, {"limit": paging.limit})
    return Reply(RefreshList(refreshes=documents, links=links))


@operation(
    blueprint,
    "POST",
    "/v1/groups/{group_id}/refreshes",
    body=NewRefresh,
    answers={202: RefreshDocument},
)
def create_refresh(call: Call, group_id: str, body: NewRefresh) -> Reply:
    """Begin to replace the members that are not of the group's launch configuration, in batches."""
    key = _key(call, group_id)
    id_ = call.new_id(f"refreshes of {key.group_id}", body.client_token)
    marked = fingerprint(body)

    def make(group: Group) -> Refresh:
        return body.to_refresh(group, id_, call.now, marked)

    return _reply(call, flow.begin(call.services, call.caller, key.group_id, make, call.request_id), 202)


@operation(blueprint, "GET", "/v1/groups/{group_id}/refreshes/{refresh_id}", answers={200: RefreshDocument})
def show_refresh(call: Call, group_id: str, refresh_id: str) -> Reply:
    """Show a refresh and how far it has come."""
    return _reply(call, call.services.refreshes.get(_key(call, group_id), _id(refresh_id)))


@operation(
    blueprint,
    "PATCH",
    "/v1/groups/{group_id}/refreshes/{refresh_id}",
    body=RefreshPatch,
    answers={200: RefreshDocument},
    if_match=True,
)
def change_refresh(call: Call, group_id: str, refresh_id: str, body: RefreshPatch) -> Reply:
    """Pause a refresh once its batch is complete, or let it go on."""
    refresh = flow.set_paused(
        call.services,
        call.caller,
        _key(call, group_id),
        _id(refresh_id),
        paused=body.paused,
        generation=call.generation(),
        request_id=call.request_id,
    )
    return _reply(call, refresh)


@operation(
    blueprint,
    "DELETE",
    "/v1/groups/{group_id}/refreshes/{refresh_id}",
    answers={204: None},
    if_match=True,
)
def abort_refresh(call: Call, group_id: str, refresh_id: str) -> Reply:
    """Abort a refresh: what was replaced stays so, the rest stays as it is."""
    flow.abort(
        call.services,
        call.caller,
        _key(call, group_id),
        _id(refresh_id),
        generation=call.generation(),
        request_id=call.request_id,
    )
    return Reply(None, 204)
