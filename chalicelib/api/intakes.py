"""/v1/groups/{id}/intake: the URL to which the servers of a group post their samples."""

from __future__ import annotations

from datetime import timedelta

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.samples import IntakeDocument, NewIntakeRotation, intake_document
from chalicelib.api.operation import Reply, operation
from chalicelib.core.ids import GroupId
from chalicelib.flows import intakes as flow

blueprint = Blueprint(__name__)


def _id(value: str) -> GroupId:
    return GroupId(known_id(value, "group"))


def _issued(call: Call, issued: flow.Issued) -> Reply:
    document = intake_document(issued.intake, call.base, issued.token)
    if issued.token is None:
        return Reply(document)
    return Reply(document, 201, {"Location": document.links[0].href})


@operation(
    blueprint,
    "PUT",
    "/v1/groups/{group_id}/intake",
    answers={200: IntakeDocument, 201: IntakeDocument},
)
def make_intake(call: Call, group_id: str) -> Reply:
    """Make the group's intake, whose URL is shown this once; or show the one that is there."""
    return _issued(call, flow.ensure(call.services, call.caller.project_id, _id(group_id), call.base))


@operation(blueprint, "GET", "/v1/groups/{group_id}/intake", answers={200: IntakeDocument})
def show_intake(call: Call, group_id: str) -> Reply:
    """Show the group's intake, without its URL."""
    intake = call.services.intakes.get(call.caller.project_id, _id(group_id))
    return Reply(intake_document(intake, call.base))


@operation(
    blueprint,
    "POST",
    "/v1/groups/{group_id}/intake/rotations",
    body=NewIntakeRotation,
    body_required=False,
    answers={201: IntakeDocument},
)
def rotate_intake(call: Call, group_id: str, body: NewIntakeRotation) -> Reply:
    """Issue a new URL, shown this once, which new servers get; the one before lives on as asked."""
    keep = None if body.keep_previous is None else timedelta(seconds=body.keep_previous)
    issued = flow.rotate(
        call.services,
        call.caller.project_id,
        _id(group_id),
        call.base,
        keep_previous=keep,
        rotation=body.client_token,
    )
    return _issued(call, issued)


@operation(blueprint, "DELETE", "/v1/groups/{group_id}/intake", answers={204: None})
def revoke_intake(call: Call, group_id: str) -> Reply:
    """Revoke the group's intake: its URLs are unknown at once."""
    flow.revoke(call.services, call.caller.project_id, _id(group_id))
    return Reply(None, 204)
