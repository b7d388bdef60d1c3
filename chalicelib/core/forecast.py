"""Predictive scaling: what a group will need, from what it needed at the same hours before. Out only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictive:
    """What is foreseen, and whether it is acted upon.

    Attributes:
        metric, dimensions: each member reports its own value; their sum is the load that is foreseen.
        target: the value per member that the group is sized for, greater than zero.
        lead_seconds: how long before the need the members are asked for.
        act: False only shows the forecast.
    """

    metric: str
    target: float
    dimensions: tuple[tuple[str, str], ...] = ()
    lead_seconds: int = 300
    act: bool = False
