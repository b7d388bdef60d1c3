"""A request to scale: a person, a webhook, later an alarm or a schedule, through one policy.

Verified, decided and committed; nothing here waits for OpenStack. The execution's id is derived from the
event, so the same event delivered again finds the execution of the first time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core.decision import Decision, Event, decide
from chalicelib.core.execution import Execution, Explanation, Outcome, Rule, Step, Verdict
from chalicelib.core.forecast import Predictive
from chalicelib.core.group import Group
from chalicelib.core.ids import ExecutionId, PolicyId, ProjectId, derived_id
from chalicelib.core.policy import Policy
from chalicelib.core.tracking import TargetTracking
from chalicelib.flows.measure import measure_now
from chalicelib.flows.nudge import nudge
from chalicelib.flows.retry import until_not_stale
from chalicelib.ports import Services
from chalicelib.ports.storage import AlreadyDecided
from chalicelib.telemetry import DECISIONS, about

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Who asks for what.

    Attributes:
        source: ``user:<id>``, ``webhook:<id>``, ``alarm:<id>``, ``policy:<id>`` or ``schedule:<id>``.
        event_id: the sender's own id of the event; without one every delivery is an event of its own.
        execution_id: where the asker knows by which id the event is handled once; else derived from event_id.
    """

    project_id: ProjectId
    policy_id: PolicyId
    source: str
    event_id: str | None
    event: Event
    request_id: str
    execution_id: ExecutionId | None = None


def scale(s: Services, ask: Ask) -> Execution:
    """Decide ``ask``, write the outcome and, where the group changes, the group; return the execution.

    Raises:
        NotFound: there is no such policy (any more).
        Unavailable: the group is written by others all the time, or the tables do not answer.
    """
    try:
        execution = scale_first(s, ask)
    except AlreadyDecided as found:
        execution = _duplicate(found.execution)
    log_execution(execution)
    return execution


def scale_first(s: Services, ask: Ask) -> Execution:
    """Do as ``scale``, for an event that was not handled before.

    Raises:
        AlreadyDecided: it was; that execution comes with it.
    """
    id_ = ask.execution_id or id_of(s, ask)
    return until_not_stale(s, lambda: _decided(s, ask, id_))


def id_of(s: Services, ask: Ask) -> ExecutionId:
    """Return the id of the execution that an ask comes to: for the same event always the same."""
    return ExecutionId(s.new_id() if ask.event_id is None else derived_id(ask.policy_id, ask.event_id))


def log_execution(execution: Execution) -> None:
    """Say in the log what a request to scale came to."""
    told = about(
        (DECISIONS, 1),
        request_id=execution.request_id,
        project_id=execution.project_id,
        group_id=execution.group_id,
        policy_id=execution.policy_id,
        execution_id=execution.id,
        source=execution.source,
        outcome=execution.outcome,
        capacity_before=execution.capacity_before,
        capacity_after=execution.capacity_after,
        retry_at=execution.retry_at,
    )
    _log.info("decision", extra=told)


def _decided(s: Services, ask: Ask, id_: ExecutionId) -> Execution:
    policy = s.policies.get(ask.project_id, ask.policy_id)
    group = s.groups.get(ask.project_id, policy.group_id)
    now = s.now()
    decision = decide(policy, group, with_proposal(s, policy, group, ask.event), now)
    execution = execution_of(ask, id_, group, decision, now)
    s.groups.decide(group, decision.group, execution)
    if decision.outcome is Outcome.EXECUTED:
        nudge(s, group, ask.request_id)
    return execution


def with_proposal(s: Services, policy: Policy, group: Group, event: Event) -> Event:
    """Return the event with what a metric policy wants at this moment, where nobody looked before."""
    if event.proposal is None and isinstance(policy.rule, TargetTracking | Predictive):
        return replace(event, proposal=measure_now(s, policy, group))
    return event


def execution_of(ask: Ask, id_: ExecutionId, group: Group, decision: Decision, now: datetime) -> Execution:
    """Return the record of what ``decision`` made of ``ask``."""
    return Execution(
        project_id=ask.project_id,
        id=id_,
        policy_id=ask.policy_id,
        group_id=group.id,
        source=ask.source,
        event_id=ask.event_id,
        outcome=decision.outcome,
        capacity_before=group.desired_capacity,
        capacity_after=decision.group.desired_capacity,
        retry_at=decision.retry_at,
        explanation=decision.explanation,
        request_id=ask.request_id,
        created_at=now,
    )


def _duplicate(first: Execution) -> Execution:
    """Return the answer to an event that was handled before: the same id, and what came of it then."""
    summary = (
        f"This event was handled at {first.created_at:%Y-%m-%dT%H:%M:%SZ}: {first.outcome}. "
        f"{first.explanation.summary}"
    )
    found = Step(rule=Rule.EVENT, verdict=Verdict.REFUSE, detail=summary)
    return replace(
        first,
        outcome=Outcome.DUPLICATE,
        explanation=Explanation(summary=summary, steps=(found, *first.explanation.steps)),
    )
