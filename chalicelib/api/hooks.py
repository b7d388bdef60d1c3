"""/v1/hooks/{token}: what an alarm source calls. The token in the path is the only authentication."""

from __future__ import annotations

import re
from typing import Any

from chalice.app import Blueprint

from chalicelib.api.context import Call
from chalicelib.api.documents.executions import HookReply, hook_reply
from chalicelib.api.operation import Access, Reply, operation
from chalicelib.core.errors import NotFound
from chalicelib.flows import webhooks as flow
from chalicelib.intake import notification

blueprint = Blueprint(__name__)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@operation(
    blueprint,
    "POST",
    "/v1/hooks/{token}",
    access=Access.OPEN,
    body=dict[str, Any],
    body_required=False,
    body_is_raw=True,
    any_query=True,
    answers={202: HookReply},
    content_types=("*/*",),
)
def call_hook(call: Call, token: str) -> Reply:
    """Call a webhook: with no body, or with the notification of an alarm source."""
    if not _TOKEN.fullmatch(token):
        raise NotFound("webhook.unknown", "There is no such webhook.")
    webhook = flow.of_token(call.services, token)
    said = notification.parse(call.raw_body, call.headers)
    execution = flow.fire(call.services, webhook, said.event, said.event_id, call.request_id)
    return Reply(hook_reply(execution), 202)
