"""/v1/stacks: what of a Heat stack can be taken over."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_segment
from chalicelib.api.documents.heat import StackDocument, stack_document
from chalicelib.api.operation import Reply, operation
from chalicelib.core.ids import CredentialId
from chalicelib.flows.adoption import discover

blueprint = Blueprint(__name__)


@operation(
    blueprint,
    "GET",
    "/v1/stacks/{stack}",
    answers={200: StackDocument},
    query=("credential_id",),
)
def show_stack(call: Call, stack: str) -> Reply:
    """Show the groups of a Heat stack, by its name or id, and what stands against taking them over."""
    name_or_id = known_segment(stack, "stack")
    credential_id = call.needed_id_in_query("credential_id")
    found = discover(call.services, call.caller, name_or_id, CredentialId(credential_id), call.request_id)
    return Reply(stack_document(found, credential_id, call.base))
