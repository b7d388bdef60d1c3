"""What alarm sources call.

/v1/hooks/{token}: the token in the path is all the authentication that is needed, unless the webhook asks
for signatures. /v1/policies/{id}/notifications: the same, for senders with a Keystone token.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from chalice.app import Blueprint

from chalicelib.api.context import Call, is_token, known_id
from chalicelib.api.documents.executions import HookReply, SubscriptionReply, hook_reply
from chalicelib.api.operation import Access, Reply, operation
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.ids import PolicyId
from chalicelib.flows import hooks as flow
from chalicelib.flows import rates
from chalicelib.flows.webhooks import of_token
from chalicelib.intake import notification

blueprint = Blueprint(__name__)

_ORIGIN = re.compile(r"[A-Za-z0-9.:\[\]*-]{1,255}")


def _token(value: str) -> str:
    if not is_token(value):
        raise NotFound("webhook.unknown", "There is no such webhook.")
    return value


def _delivery(call: Call) -> flow.Delivery:
    return flow.Delivery(headers=call.headers, body=call.raw_body, request_id=call.request_id)


def _received(call: Call, token: str) -> Reply:
    result = flow.receive(call.services, _token(token), _delivery(call), notification.read)
    if isinstance(result, flow.Subscription):
        return Reply(SubscriptionReply(topic_arn=result.topic_arn, subscription=result.state.value), 200)
    return Reply(hook_reply(result), 202)


_hook = functools.partial(
    operation,
    blueprint,
    path="/v1/hooks/{token}",
    access=Access.OPEN,
    body=dict[str, Any],
    body_required=False,
    body_is_raw=True,
    any_query=True,
    answers={200: SubscriptionReply, 202: HookReply},
    content_types=("*/*",),
)


@_hook("POST")
def call_hook(call: Call, token: str) -> Reply:
    """Call a webhook: with no body, or with the notification of an alarm source."""
    return _received(call, token)


@_hook("PUT")
def put_to_hook(call: Call, token: str) -> Reply:
    """Call a webhook, for senders that PUT: the same as POST."""
    return _received(call, token)


@operation(
    blueprint,
    "OPTIONS",
    "/v1/hooks/{token}",
    access=Access.OPEN,
    any_query=True,
    answers={200: None},
    content_types=("*/*",),
)
def greet_hook(call: Call, token: str) -> Reply:
    """Tell a sender of CloudEvents that it may call this webhook, and how often a minute."""
    webhook = of_token(call.services, _token(token))
    rates.admit_hook(call.services, webhook.project_id, token)
    origin = call.headers.get("webhook-request-origin")
    allowed = {"Allow": "OPTIONS, POST, PUT"}
    if origin is not None:
        if not _ORIGIN.fullmatch(origin):
            raise Invalid("request.origin", "WebHook-Request-Origin is the name of a host.")
        allowed |= {
            "WebHook-Allowed-Origin": origin,
            "WebHook-Allowed-Rate": str(call.services.limits.rates.webhook),
        }
    return Reply(None, 200, allowed)


@operation(
    blueprint,
    "POST",
    "/v1/policies/{policy_id}/notifications",
    body=dict[str, Any],
    body_required=False,
    body_is_raw=True,
    any_query=True,
    answers={202: HookReply},
    content_types=("*/*",),
)
def notify_policy(call: Call, policy_id: str) -> Reply:
    """Hand a policy the notification of an alarm source, with a Keystone token instead of a webhook's URL."""
    id_ = PolicyId(known_id(policy_id, "policy"))
    execution = flow.tell(call.services, call.caller, id_, _delivery(call), notification.read)
    return Reply(hook_reply(execution), 202)
