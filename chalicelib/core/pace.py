"""How fast a group may follow a recommendation, for each direction apart; ``behavior`` applies it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
