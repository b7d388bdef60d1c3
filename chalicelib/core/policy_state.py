"""What a policy that watches a metric remembers from one minute to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.core.behavior import Window
from chalicelib.core.execution import Step
from chalicelib.core.forecast import Forecast, Verified
from chalicelib.core.ids import PolicyId, ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the latest look at the metric came to.

    Attributes:
        value: what was held against the target; None while it is unknown.
        recommended: the size that would bring the metric to its target; None is no opinion.
        decided: the size that the group was left with; None where the policy had no say.
        steps: how it came about, in words.
    """

    at: datetime
    value: float | None
    recommended: int | None
    decided: int | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What one policy remembers.

    Attributes:
        window: what it recommended of late; what was changed, its group remembers.
        last: its latest evaluation.
        forecast: what it foresees, for a predictive one.
        past: what it foresaw, beside what came.
        version: how often it was written; 0 is a state that is not stored yet.
    """

    project_id: ProjectId
    policy_id: PolicyId
    updated_at: datetime
    window: Window = field(default_factory=Window)
    last: Evaluation | None = None
    forecast: Forecast | None = None
    past: tuple[Verified, ...] = ()
    version: int = 0
