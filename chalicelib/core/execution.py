"""The execution: one request to scale, its outcome, and the explanation. Immutable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.core.ids import ExecutionId, GroupId, PolicyId, ProjectId


class Outcome(StrEnum):
    """How a request to scale ended. The codes are part of the API and never change their meaning."""

    EXECUTED = "executed"
    NO_CHANGE = "no_change"
    IN_COOLDOWN = "in_cooldown"
    FROZEN = "frozen"
    DISABLED = "disabled"
    SHADOW = "shadow"
    DUPLICATE = "duplicate"
    CREDENTIAL_ERROR = "credential_error"
    NOT_ALARM = "not_alarm"
    DIRECTION_REFUSED = "direction_refused"
    GROUP_DELETING = "group_deleting"
    NO_DATA = "no_data"
    OUTVOTED = "outvoted"
    WOULD_FLAP = "would_flap"
    MISSED = "missed"
    POLICY_GONE = "policy_gone"
    SIZES_REFUSED = "sizes_refused"
    QUOTA_EXCEEDED = "quota_exceeded"


class Rule(StrEnum):
    """The rules of a decision, in the order in which they are asked."""

    EVENT = "event"
    DELETION = "deletion"
    MODE = "mode"
    FREEZE = "freeze"
    CREDENTIAL = "credential"
    METRIC = "metric"
    TOLERANCE = "tolerance"
    WARM_UP = "warm_up"
    ADJUSTMENT = "adjustment"
    SCALE_IN = "scale_in"
    STABILIZATION = "stabilization"
    RATE = "rate"
    FLAPPING = "flapping"
    RECONCILE = "reconcile"
    CLAMP = "clamp"
    CHANGE = "change"
    DIRECTION = "direction"
    COOLDOWN = "cooldown"
    QUOTA = "quota"


class Verdict(StrEnum):
    """What a rule said."""

    PASS = "pass"  # noqa: S105  (a verdict, not a password)
    CLAMPED = "clamped"
    HOLD = "hold"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rule's verdict, in words, with the time at which a hold ends."""

    rule: Rule
    verdict: Verdict
    detail: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a request ended as it did: a sentence, and each rule that was asked, in order."""

    summary: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One request to scale.

    Attributes:
        policy_id: None where a schedule set sizes without a policy.
        source: who asked: ``user:<id>``, ``webhook:<id>`` or ``schedule:<id>``.
        event_id: the sender's own id of the event, None where it has none.
        retry_at: when a held request makes sense again.
    """

    project_id: ProjectId
    id: ExecutionId
    policy_id: PolicyId | None
    group_id: GroupId
    source: str
    event_id: str | None
    outcome: Outcome
    capacity_before: int
    capacity_after: int
    retry_at: datetime | None
    explanation: Explanation
    request_id: str
    created_at: datetime
