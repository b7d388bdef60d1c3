"""Target tracking: keep a metric at its target, as the Kubernetes horizontal autoscaler does."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class MetricKind(StrEnum):
    """What the metric's value is about."""

    AVERAGE = "average"  # each member reports its own; the mean over members is held at the target (CPU)
    TOTAL = "total"  # one value for the whole group; its share per member is held (a queue's length)
    VALUE = "value"  # one value that is itself held at the target, whatever the size (a latency)


class Select(StrEnum):
    """Which of several rate limits holds."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class RateType(StrEnum):
    """How a rate limit's number is meant."""

    MEMBERS = "members"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most so many members, or so many percent, within the last ``period_seconds``."""

    type: RateType
    value: int
    period_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """How fast one direction may go.

    Attributes:
        stabilization_seconds: how long a recommendation has to last before it is followed.
        limits: none is no limit.
    """

    stabilization_seconds: int
    limits: tuple[RateLimit, ...] = ()
    select: Select = Select.MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTracking:
    """What is held, and how.

    Attributes:
        target: in the unit of the metric, greater than zero.
        period_seconds: the latest complete period of this length is looked at.
        tolerance_out, tolerance_in: how far the ratio of value and target may be from 1 without a change.
        unready_seconds: how long a new member's samples are not believed when the group would grow.
        scale_in: False never shrinks the group.
    """

    metric: str
    target: float
    kind: MetricKind = MetricKind.AVERAGE
    dimensions: tuple[tuple[str, str], ...] = ()
    statistic: str = "average"
    period_seconds: int = 60
    tolerance_out: float = 0.1
    tolerance_in: float = 0.1
    unready_seconds: int = 300
    scale_in: bool = True
    out: Behavior = field(default_factory=lambda: Behavior(stabilization_seconds=0))
    into: Behavior = field(default_factory=lambda: Behavior(stabilization_seconds=300))
