"""The policy: what an alarm, a webhook or a person sets in motion; and the webhook that may do so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.core.capacity import Adjustment, Direction
from chalicelib.core.forecast import Predictive
from chalicelib.core.ids import GroupId, PolicyId, ProjectId, WebhookId
from chalicelib.core.signature import SignatureRule
from chalicelib.core.source import Source
from chalicelib.core.steps import StepScaling
from chalicelib.core.token import TokenHash
from chalicelib.core.tracking import TargetTracking

ScalingRule = Adjustment | StepScaling | TargetTracking | Predictive
"""How a policy comes to a size."""


class PolicyMode(StrEnum):
    """Whether a policy acts, only says what it would do, or is off."""

    ACTIVE = "active"
    SHADOW = "shadow"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A rule that changes the desired capacity of one group."""

    project_id: ProjectId
    id: PolicyId
    group_id: GroupId
    name: str
    rule: ScalingRule
    cooldown_seconds: int
    mode: PolicyMode
    created_at: datetime
    updated_at: datetime
    generation: int = 1
    fingerprint: str | None = None

    @property
    def watched(self) -> bool:
        """Whether the policy looks at its metric by itself, each minute."""
        watches = isinstance(self.rule, TargetTracking | Predictive)
        return watches and self.mode is not PolicyMode.DISABLED


class DirectionLimit(StrEnum):
    """Which changes a webhook may set in motion."""

    ANY = "any"
    OUT = "out"
    IN = "in"

    def allows(self, direction: Direction) -> bool:
        """Return whether a change in ``direction`` is within the limit."""
        return self is DirectionLimit.ANY or self.value == direction.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A capability URL for one policy.

    Attributes:
        tokens: newest first, at most two: the one in use and, for a while after a rotation, the one before.
        expires_at: when the webhook as a whole ends; None is never.
        signature: how its deliveries are signed; None where the URL is all that is asked for.
        sns_topic_arn: the one topic of Amazon SNS that may call it, and then nobody else may.
        source: what is known of who calls it; None where nobody is expected to.
    """

    project_id: ProjectId
    id: WebhookId
    policy_id: PolicyId
    group_id: GroupId
    name: str
    direction: DirectionLimit
    tokens: tuple[TokenHash, ...]
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    signature: SignatureRule | None = None
    sns_topic_arn: str | None = None
    source: Source | None = None
    generation: int = 1
    fingerprint: str | None = None

    def token_is_live(self, sha256: str, now: datetime) -> bool:
        """Return whether the token with this hash may be used at ``now``."""
        ends = [self.expires_at, *(t.expires_at for t in self.tokens if t.is_of(sha256))]
        known = len(ends) > 1
        return known and all(end is None or now < end for end in ends)
