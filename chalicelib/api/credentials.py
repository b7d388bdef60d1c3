"""/v1/credentials: how we act as a group's owner."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.documents.resources import (
    CredentialDocument,
    CredentialList,
    NewApplicationCredential,
    NewCredential,
    credential_document,
    wanted_credential,
)
from chalicelib.api.operation import Reply, operation
from chalicelib.core.ids import CredentialId
from chalicelib.flows import credentials as flow

blueprint = Blueprint(__name__)


_SECRET = "application_credential_secret"  # noqa: S105  (a field's name)


def _id(value: str) -> CredentialId:
    return CredentialId(known_id(value, "credential"))


@operation(blueprint, "GET", "/v1/credentials", answers={200: CredentialList}, query=("limit", "marker"))
def list_credentials(call: Call) -> Reply:
    """List the project's credentials."""
    paging = call.paging()
    page = call.services.credentials.page(call.caller.project_id, paging.limit, paging.marker)
    documents = [credential_document(credential, call.base) for credential in page.items]
    links = page_links(call.base, "/v1/credentials", page, {"limit": paging.limit})
    return Reply(CredentialList(credentials=documents, links=links))


@operation(blueprint, "POST", "/v1/credentials", body=NewCredential, answers={201: CredentialDocument})
def create_credential(call: Call, body: NewCredential) -> Reply:
    """Create a credential: a trust from your token, or an application credential; tried before it is kept."""
    id_ = call.new_id("credentials", body.client_token)
    wanted = wanted_credential(body, call.caller, id_, call.now, fingerprint(body, secret=_SECRET))
    secret = body.application_credential_secret if isinstance(body, NewApplicationCredential) else None
    document = credential_document(flow.create(call.services, call.caller, wanted, secret), call.base)
    return Reply(document, 201, {"Location": document.links[0].href})


@operation(blueprint, "GET", "/v1/credentials/{credential_id}", answers={200: CredentialDocument})
def show_credential(call: Call, credential_id: str) -> Reply:
    """Show a credential, without its secret."""
    found = call.services.credentials.get(call.caller.project_id, _id(credential_id))
    return Reply(credential_document(found, call.base))


@operation(blueprint, "DELETE", "/v1/credentials/{credential_id}", answers={204: None})
def delete_credential(call: Call, credential_id: str) -> Reply:
    """Delete a credential that no group uses; a trust is deleted in Keystone with it."""
    flow.delete(call.services, call.caller, _id(credential_id))
    return Reply(None, 204)
