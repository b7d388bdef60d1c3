"""Executions and activities as documents."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.common import Input, Link, Time, self_link, utc, utc_or_none
from chalicelib.api.errors import ErrorItem
from chalicelib.core.activity import Activity
from chalicelib.core.execution import Execution, Step

OutcomeCode = Literal[
    "executed",
    "no_change",
    "in_cooldown",
    "frozen",
    "disabled",
    "shadow",
    "duplicate",
    "credential_error",
    "not_alarm",
    "direction_refused",
    "group_deleting",
    "no_data",
    "outvoted",
    "would_flap",
    "missed",
    "policy_gone",
    "sizes_refused",
    "quota_exceeded",
]


_BREACH = "How far the metric is beyond its threshold, for a policy of steps; negative below it."


class NewExecution(Input, kw_only=True):
    """A request to scale now. The same event_id scales once."""

    event_id: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    breach: Annotated[float, Meta(ge=-1e15, le=1e15, description=_BREACH)] | None = None


class StepDocument(msgspec.Struct, kw_only=True):
    """One rule's verdict."""

    rule: str
    verdict: Literal["pass", "clamped", "hold", "refuse"]
    detail: str
    until: Time | None


class ExplanationDocument(msgspec.Struct, kw_only=True):
    """Why a request ended as it did."""

    summary: str
    steps: list[StepDocument]


class ExecutionDocument(msgspec.Struct, kw_only=True):
    """One request to scale. ``errors`` is there where the request was held or refused with a 409.

    ``policy_id`` is null where a schedule set sizes without a policy.
    """

    id: str
    project_id: str
    policy_id: str | None
    group_id: str
    source: str
    event_id: str | None
    outcome: OutcomeCode
    capacity_before: int
    capacity_after: int
    retry_at: Time | None
    explanation: ExplanationDocument
    request_id: str
    created_at: Time
    links: list[Link]
    errors: list[ErrorItem] | UnsetType = UNSET


class ExecutionList(msgspec.Struct, kw_only=True):
    """Part of the executions, newest first."""

    executions: list[ExecutionDocument]
    links: list[Link]


def step_document(step: Step) -> StepDocument:
    """Return one rule's verdict as it is shown."""
    return StepDocument(
        rule=step.rule.value, verdict=step.verdict.value, detail=step.detail, until=utc_or_none(step.until)
    )


def execution_document(execution: Execution, base: str) -> ExecutionDocument:
    """Return the execution as it is shown."""
    return ExecutionDocument(
        id=execution.id,
        project_id=execution.project_id,
        policy_id=execution.policy_id,
        group_id=execution.group_id,
        source=execution.source,
        event_id=execution.event_id,
        outcome=execution.outcome.value,
        capacity_before=execution.capacity_before,
        capacity_after=execution.capacity_after,
        retry_at=utc_or_none(execution.retry_at),
        explanation=ExplanationDocument(
            summary=execution.explanation.summary,
            steps=[step_document(step) for step in execution.explanation.steps],
        ),
        request_id=execution.request_id,
        created_at=utc(execution.created_at),
        links=self_link(base, f"/v1/executions/{execution.id}"),
    )


class HookReply(msgspec.Struct, kw_only=True):
    """What a webhook's sender is told: the outcome, and why."""

    id: str
    policy_id: str
    group_id: str
    outcome: OutcomeCode
    capacity_before: int
    capacity_after: int
    retry_at: Time | None
    explanation: ExplanationDocument


def hook_reply(execution: Execution) -> HookReply:
    """Return the execution as far as it is the sender's business."""
    assert execution.policy_id is not None, "a webhook is one of a policy"
    shown = execution_document(execution, "")
    return HookReply(
        id=shown.id,
        policy_id=execution.policy_id,
        group_id=shown.group_id,
        outcome=shown.outcome,
        capacity_before=shown.capacity_before,
        capacity_after=shown.capacity_after,
        retry_at=shown.retry_at,
        explanation=shown.explanation,
    )


class SubscriptionReply(msgspec.Struct, kw_only=True):
    """What a topic of SNS is told that subscribed, or was unsubscribed."""

    topic_arn: str
    subscription: Literal["confirmed", "ended"]


class ActivityDocument(msgspec.Struct, kw_only=True):
    """One thing that was done to a group."""

    id: str
    project_id: str
    group_id: str
    kind: str
    detail: str
    members: list[str]
    request_id: str
    created_at: Time


class ActivityList(msgspec.Struct, kw_only=True):
    """Part of a group's activities, newest first."""

    activities: list[ActivityDocument]
    links: list[Link]


def activity_document(activity: Activity) -> ActivityDocument:
    """Return the activity as it is shown."""
    return ActivityDocument(
        id=activity.id,
        project_id=activity.project_id,
        group_id=activity.group_id,
        kind=activity.kind.value,
        detail=activity.detail,
        members=list(activity.members),
        request_id=activity.request_id,
        created_at=utc(activity.created_at),
    )
