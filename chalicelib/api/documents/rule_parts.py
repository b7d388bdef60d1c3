"""What the documents of policies are made of: their types with bounds, and the objects inside them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import Input, consists_of
from chalicelib.core.pace import Behavior, RateLimit, RateType, Select
from chalicelib.core.steps import STEPS_MAX

_AMOUNT_MAX = 1_000_000
_VALUE_MAX = 1e15
_DIMENSIONS_MAX = 30
_LIMITS_MAX = 10
_HOUR, _DAY = 3600, 86_400

Amount = (
    Annotated[int, Meta(ge=-_AMOUNT_MAX, le=_AMOUNT_MAX)]
    | Annotated[float, Meta(ge=-_AMOUNT_MAX, le=_AMOUNT_MAX)]
)
Bound = Annotated[float, Meta(ge=-_VALUE_MAX, le=_VALUE_MAX, description="Relative to the threshold.")]
MinStep = Annotated[int, Meta(ge=1, le=10_000, description="Members; for percent_change_in_capacity.")]
Mode = Literal["active", "shadow", "disabled"]
MetricKindName = Literal["average", "total", "value"]
AdjustmentTypeName = Literal["change_in_capacity", "percent_change_in_capacity", "exact_capacity"]
WarmupSeconds = Annotated[int, Meta(ge=0, le=_DAY, description="Seconds.")]

_printable = r"[^\x00-\x1f\x7f]+"
Metric = Annotated[str, consists_of(_printable, min_length=1, max_length=255)]
DimensionText = Annotated[str, consists_of(_printable, min_length=1, max_length=255)]
Dimensions = Annotated[
    dict[DimensionText, DimensionText],
    Meta(max_length=_DIMENSIONS_MAX, description="The series that has exactly these."),
]
Target = Annotated[
    float, Meta(ge=1e-9, le=_VALUE_MAX, description="In the unit of the metric, for each member or as is.")
]
StatisticName = Annotated[
    str,
    consists_of(
        r"(average|sum|minimum|maximum|sample_count|rate|p([0-9]{1,2}(\.[0-9]{1,2})?|100))",
        description="Or a percentile, like p99 or p99.9.",
    ),
]
PeriodSeconds = Annotated[
    int, Meta(ge=10, le=_HOUR, multiple_of=10, description="10, 20, 30, or a multiple of 60 seconds.")
]
Tolerance = Annotated[float, Meta(ge=0, le=10, description="Of the ratio of value and target, from 1.")]
UnreadySeconds = Annotated[
    int, Meta(ge=0, le=_DAY, description="How long a new member is not believed when the group would grow.")
]
MissingValue = Annotated[
    float,
    Meta(
        ge=-_VALUE_MAX,
        le=_VALUE_MAX,
        description="What a silent member counts as before the group shrinks; null is the target.",
    ),
]
WindowSeconds = Annotated[int, Meta(ge=0, le=_HOUR, description="Seconds.")]
LimitPeriodSeconds = Annotated[int, Meta(ge=1, le=_HOUR, description="Seconds.")]
LimitValue = Annotated[int, Meta(ge=1, le=10_000)]
LeadSeconds = Annotated[
    int, Meta(ge=0, le=_DAY, description="How long before the need the members are asked for.")
]


class StepFields(Input, kw_only=True):
    """One step, from ``lower`` to ``upper``; null is without end."""

    lower: Bound | None = None
    upper: Bound | None = None
    adjustment: Amount


Steps = Annotated[list[StepFields], Meta(min_length=1, max_length=STEPS_MAX)]


class ToleranceFields(Input, kw_only=True):
    """How far the ratio of value and target may be from 1 without a change."""

    out: Tolerance = 0.1
    in_: Tolerance = msgspec.field(default=0.1, name="in")


class LimitFields(Input, kw_only=True):
    """At most so many members, or so many percent, within ``period``."""

    type: Literal["members", "percent"]
    value: LimitValue
    period: LimitPeriodSeconds


class DirectionFields(Input, kw_only=True):
    """How fast one direction may go. ``select`` says which of several limits holds, or disables it."""

    stabilization: WindowSeconds = 0
    limits: Annotated[list[LimitFields], Meta(max_length=_LIMITS_MAX)] = []
    select: Literal["max", "min", "disabled"] = "max"

    def behavior(self) -> Behavior:
        """Return the behaviour."""
        return Behavior(
            stabilization_seconds=self.stabilization,
            limits=tuple(
                RateLimit(type=RateType(each.type), value=each.value, period_seconds=each.period)
                for each in self.limits
            ),
            select=Select(self.select),
        )

    @classmethod
    def shown(cls, behavior: Behavior) -> Self:
        """Return the behaviour as it is shown."""
        return cls(
            stabilization=behavior.stabilization_seconds,
            limits=[
                LimitFields(type=each.type.value, value=each.value, period=each.period_seconds)
                for each in behavior.limits
            ],
            select=behavior.select.value,
        )


class BehaviorFields(Input, kw_only=True):
    """How fast each direction may go."""

    scale_out: DirectionFields = msgspec.field(default_factory=DirectionFields)
    scale_in: DirectionFields = msgspec.field(default_factory=lambda: DirectionFields(stabilization=300))
