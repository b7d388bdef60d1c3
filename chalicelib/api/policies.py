"""/v1/policies: what may change a group's size, and by how much."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.documents.policies import (
    NewPolicy,
    PolicyDocument,
    PolicyList,
    PolicyPatch,
    PredictiveDocument,
    TargetTrackingDocument,
    new_policy,
    policy_document,
)
from chalicelib.api.documents.policy_states import evaluation_document, forecast_document
from chalicelib.api.operation import Reply, operation
from chalicelib.core.ids import GroupId, PolicyId
from chalicelib.core.policy import Policy
from chalicelib.flows import policies as flow

blueprint = Blueprint(__name__)


def _reply(call: Call, policy: Policy, status: int = 200) -> Reply:
    document = policy_document(policy, call.base)
    headers = {"ETag": f'"{policy.generation}"'}
    if status == 201:  # noqa: PLR2004
        headers["Location"] = document.links[0].href
    return Reply(document, status, headers)


def _id(value: str) -> PolicyId:
    return PolicyId(known_id(value, "policy"))


@operation(blueprint, "GET", "/v1/policies", answers={200: PolicyList}, query=("group_id", "limit", "marker"))
def list_policies(call: Call) -> Reply:
    """List the project's policies, or those of one group."""
    paging, group_id = call.paging(), call.id_in_query("group_id")
    of_group = GroupId(group_id) if group_id else None
    page = call.services.policies.page(call.caller.project_id, of_group, paging.limit, paging.marker)
    asked: dict[str, str | int] = {"limit": paging.limit, **({"group_id": group_id} if group_id else {})}
    documents = [policy_document(policy, call.base) for policy in page.items]
    return Reply(PolicyList(policies=documents, links=page_links(call.base, "/v1/policies", page, asked)))


@operation(blueprint, "POST", "/v1/policies", body=NewPolicy, answers={201: PolicyDocument})
def create_policy(call: Call, body: NewPolicy) -> Reply:
    """Create a policy for a group."""
    id_ = call.new_id("policies", body.client_token)
    wanted = new_policy(body, call.caller.project_id, id_, call.now, fingerprint(body))
    return _reply(call, flow.create(call.services, wanted), 201)


@operation(blueprint, "GET", "/v1/policies/{policy_id}", answers={200: PolicyDocument})
def show_policy(call: Call, policy_id: str) -> Reply:
    """Show a policy; one that watches a metric with its latest evaluation and its forecast."""
    policy = call.services.policies.get(call.caller.project_id, _id(policy_id))
    reply = _reply(call, policy)
    document = reply.document
    if isinstance(document, TargetTrackingDocument | PredictiveDocument):
        state = call.services.policy_states.get(policy.project_id, policy.id)
        last = state.last if state is not None else None
        document.evaluation = None if last is None else evaluation_document(last)
        if isinstance(document, PredictiveDocument):
            made = state.forecast if state is not None else None
            document.forecast = None if state is None or made is None else forecast_document(made, state.past)
    return reply


@operation(
    blueprint,
    "PATCH",
    "/v1/policies/{policy_id}",
    body=PolicyPatch,
    answers={200: PolicyDocument},
    if_match=True,
)
def change_policy(call: Call, policy_id: str, body: PolicyPatch) -> Reply:
    """Change a policy; waits that were promised before stay as they are."""
    policy = flow.change(
        call.services,
        call.caller.project_id,
        _id(policy_id),
        lambda policy: body.applied_to(policy, call.now),
        generation=call.generation(),
    )
    return _reply(call, policy)


@operation(blueprint, "DELETE", "/v1/policies/{policy_id}", answers={204: None}, if_match=True)
def delete_policy(call: Call, policy_id: str) -> Reply:
    """Delete a policy and its webhooks."""
    flow.delete(call.services, call.caller.project_id, _id(policy_id), generation=call.generation())
    return Reply(None, 204)
