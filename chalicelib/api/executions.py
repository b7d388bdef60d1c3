"""/v1/policies/{id}/executions and /v1/executions: requests to scale, and what came of them."""

from __future__ import annotations

import math

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import page_links
from chalicelib.api.documents.executions import (
    ExecutionDocument,
    ExecutionList,
    NewExecution,
    execution_document,
)
from chalicelib.api.errors import error_item
from chalicelib.api.operation import Reply, operation
from chalicelib.core.decision import Event
from chalicelib.core.errors import Conflict
from chalicelib.core.execution import Execution, Outcome
from chalicelib.core.ids import ExecutionId, GroupId, PolicyId
from chalicelib.flows.scale import Ask, scale
from chalicelib.intake.notification import name_of_event
from chalicelib.ports.storage import Page

blueprint = Blueprint(__name__)

_DONE = {
    Outcome.EXECUTED: 202,
    Outcome.NO_CHANGE: 200,
    Outcome.SHADOW: 200,
    Outcome.DUPLICATE: 200,
}
"""The statuses of outcomes; every other one is a 409: not possible in the present state."""

_CONFLICT = 409


def _policy_id(value: str) -> PolicyId:
    return PolicyId(known_id(value, "policy"))


@operation(
    blueprint,
    "POST",
    "/v1/policies/{policy_id}/executions",
    body=NewExecution,
    body_required=False,
    answers={200: ExecutionDocument, 202: ExecutionDocument, 409: ExecutionDocument},
)
def execute_policy(call: Call, policy_id: str, body: NewExecution) -> Reply:
    """Scale now, through a policy; answered with the outcome and its explanation."""
    ask = Ask(
        project_id=call.caller.project_id,
        policy_id=_policy_id(policy_id),
        source=f"user:{call.caller.user_id}",
        event_id=name_of_event(call.headers, body.event_id),
        event=Event(breach=body.breach),
        request_id=call.request_id,
    )
    return _reply(call, scale(call.services, ask))


def _reply(call: Call, execution: Execution) -> Reply:
    """Return the execution; held or refused, with the error that says so and when to try again."""
    document = execution_document(execution, call.base)
    headers = {"Location": document.links[0].href}
    status = _DONE.get(execution.outcome, _CONFLICT)
    if status == _CONFLICT:
        error = Conflict(f"policy.{execution.outcome}", execution.explanation.summary)
        document.errors = [error_item(error, call.request_id)]
        if execution.retry_at is not None:
            wait = math.ceil((execution.retry_at - call.now).total_seconds())
            headers["Retry-After"] = str(max(1, wait))
    return Reply(document, status, headers)


@operation(
    blueprint,
    "GET",
    "/v1/policies/{policy_id}/executions",
    answers={200: ExecutionList},
    query=("limit", "marker"),
)
def list_policy_executions(call: Call, policy_id: str) -> Reply:
    """List a policy's executions, newest first."""
    paging, project_id = call.paging(), call.caller.project_id
    policy = call.services.policies.get(project_id, _policy_id(policy_id))
    marker = ExecutionId(paging.marker) if paging.marker else None
    page = call.services.executions.of_policy(project_id, policy.id, paging.limit, marker)
    return _list(call, page, f"/v1/policies/{policy.id}/executions", {"limit": paging.limit})


@operation(
    blueprint,
    "GET",
    "/v1/executions",
    answers={200: ExecutionList},
    query=("group_id", "limit", "marker"),
)
def list_executions(call: Call) -> Reply:
    """List the executions of one group (``group_id`` is needed), newest first."""
    paging, group_id = call.paging(), call.needed_id_in_query("group_id")
    marker = ExecutionId(paging.marker) if paging.marker else None
    page = call.services.executions.of_group(call.caller.project_id, GroupId(group_id), paging.limit, marker)
    return _list(call, page, "/v1/executions", {"group_id": group_id, "limit": paging.limit})


def _list(call: Call, page: Page[Execution], path: str, query: dict[str, str | int]) -> Reply:
    documents = [execution_document(execution, call.base) for execution in page.items]
    return Reply(ExecutionList(executions=documents, links=page_links(call.base, path, page, query)))


@operation(blueprint, "GET", "/v1/executions/{execution_id}", answers={200: ExecutionDocument})
def show_execution(call: Call, execution_id: str) -> Reply:
    """Show an execution."""
    id_ = ExecutionId(known_id(execution_id, "execution"))
    found = call.services.executions.get(call.caller.project_id, id_)
    return Reply(execution_document(found, call.base))
