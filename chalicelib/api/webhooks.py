"""/v1/policies/{id}/webhooks and /v1/webhooks: capability URLs for one policy."""

from __future__ import annotations

from datetime import timedelta

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.documents.webhooks import (
    NewRotation,
    NewWebhook,
    WebhookDocument,
    WebhookList,
    WebhookPatch,
    webhook_document,
)
from chalicelib.api.operation import Reply, operation
from chalicelib.core.ids import PolicyId, WebhookId
from chalicelib.flows import webhooks as flow

blueprint = Blueprint(__name__)


def _id(value: str) -> WebhookId:
    return WebhookId(known_id(value, "webhook"))


def _issued(call: Call, issued: flow.Issued) -> Reply:
    document = webhook_document(issued, call.base)
    return Reply(document, 201, {"Location": document.links[0].href})


@operation(
    blueprint,
    "GET",
    "/v1/policies/{policy_id}/webhooks",
    answers={200: WebhookList},
    query=("limit", "marker"),
)
def list_webhooks(call: Call, policy_id: str) -> Reply:
    """List a policy's webhooks."""
    paging, project_id = call.paging(), call.caller.project_id
    policy = call.services.policies.get(project_id, PolicyId(known_id(policy_id, "policy")))
    page = call.services.webhooks.page(project_id, policy.id, paging.limit, paging.marker)
    documents = [webhook_document(flow.Issued(webhook, None), call.base) for webhook in page.items]
    links = page_links(call.base, f"/v1/policies/{policy.id}/webhooks", page, {"limit": paging.limit})
    return Reply(WebhookList(webhooks=documents, links=links))


@operation(
    blueprint,
    "POST",
    "/v1/policies/{policy_id}/webhooks",
    body=NewWebhook,
    answers={201: WebhookDocument},
)
def create_webhook(call: Call, policy_id: str, body: NewWebhook) -> Reply:
    """Create a webhook; its URL, and the key to sign with if we made it, are shown this once."""
    project_id = call.caller.project_id
    policy = call.services.policies.get(project_id, PolicyId(known_id(policy_id, "policy")))
    id_ = call.new_id(f"policies/{policy.id}/webhooks", body.client_token)
    wanted = body.to_webhook(policy, id_, call.now, fingerprint(body.without_secret()))
    return _issued(call, flow.create(call.services, wanted, body.signing()))


@operation(blueprint, "GET", "/v1/webhooks/{webhook_id}", answers={200: WebhookDocument})
def show_webhook(call: Call, webhook_id: str) -> Reply:
    """Show a webhook, without its URL."""
    webhook = call.services.webhooks.get(call.caller.project_id, _id(webhook_id))
    return Reply(webhook_document(flow.Issued(webhook, None), call.base))


@operation(
    blueprint,
    "PATCH",
    "/v1/webhooks/{webhook_id}",
    body=WebhookPatch,
    answers={200: WebhookDocument},
)
def change_webhook(call: Call, webhook_id: str, body: WebhookPatch) -> Reply:
    """Change a webhook: its name, its end, who may call it and how; its URL stays as it is."""
    issued = flow.change(
        call.services,
        call.caller.project_id,
        _id(webhook_id),
        lambda webhook: body.applied_to(webhook, call.now),
        body.signing(),
    )
    return Reply(webhook_document(issued, call.base))


@operation(
    blueprint,
    "POST",
    "/v1/webhooks/{webhook_id}/rotations",
    body=NewRotation,
    body_required=False,
    answers={201: WebhookDocument},
)
def rotate_webhook(call: Call, webhook_id: str, body: NewRotation) -> Reply:
    """Issue a new URL, shown this once; the one before stays live for ``keep_previous`` seconds."""
    issued = flow.rotate(
        call.services,
        call.caller.project_id,
        _id(webhook_id),
        keep_previous=timedelta(seconds=body.keep_previous),
        rotation=body.client_token,
    )
    return _issued(call, issued)


@operation(blueprint, "DELETE", "/v1/webhooks/{webhook_id}", answers={204: None})
def delete_webhook(call: Call, webhook_id: str) -> Reply:
    """Revoke a webhook: its URLs are unknown at once."""
    flow.delete(call.services, call.caller.project_id, _id(webhook_id))
    return Reply(None, 204)
