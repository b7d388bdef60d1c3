"""What an alarm is about, as documents: a metric and a threshold, or a composite; and when it is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.common import Input, Name, Uuid
from chalicelib.core.alarm import (
    Comparison,
    CompositeRule,
    LowSamples,
    MissingData,
    ThresholdRule,
    TimeConstraint,
)
from chalicelib.core.alarm_check import DIMENSIONS_MAX, PERIODS_MAX
from chalicelib.core.composite import OPERANDS_MAX
from chalicelib.core.errors import Invalid
from chalicelib.core.window import CONSTRAINTS_MAX, DURATION_MAX_SECONDS
from chalicelib.decoding import decoder_of

Dimensions = Annotated[dict[Name, Name], Meta(max_length=DIMENSIONS_MAX)]
StatisticName = Annotated[
    str, Meta(max_length=32, description="average, sum, minimum, maximum, sample_count, rate, or like p99.")
]
PeriodSeconds = Annotated[
    int, Meta(ge=10, le=86_400, description="Seconds: 10, 20, 30, or a multiple of 60; 60 by default.")
]
Periods = Annotated[int, Meta(ge=1, le=PERIODS_MAX)]
Operator = Literal["gt", "ge", "lt", "le"]
Missing = Literal["missing", "ignore", "breaching", "not_breaching"]
Low = Literal["evaluate", "ignore"]


class ExpressionDocument(
    Input, kw_only=True, omit_defaults=True, rename={"not_": "not", "and_": "and", "or_": "or"}
):
    """One of: another alarm of the group, which fires; not, and, or of such.

    In all at most 8 levels, 20 different alarms, and 100 places where one is named.
    """

    alarm: Uuid | UnsetType = UNSET
    not_: ExpressionDocument | UnsetType = UNSET
    and_: Annotated[list[ExpressionDocument], Meta(min_length=1, max_length=OPERANDS_MAX)] | UnsetType = UNSET
    or_: Annotated[list[ExpressionDocument], Meta(min_length=1, max_length=OPERANDS_MAX)] | UnsetType = UNSET


class TimeConstraintDocument(Input, kw_only=True):
    """A window outside of which the alarm is not evaluated; ``start`` is cron, five fields, in the zone."""

    name: Name
    start: Annotated[str, Meta(max_length=255)]
    duration: Annotated[int, Meta(ge=1, le=DURATION_MAX_SECONDS, description="Seconds.")]
    timezone: Annotated[str, Meta(max_length=64)] = "UTC"


_THRESHOLD_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "metric": ("metric", str),
    "dimensions": ("dimensions", lambda given: tuple(sorted(given.items()))),
    "statistic": ("statistic", str),
    "period": ("period_seconds", int),
    "evaluation_periods": ("evaluation_periods", int),
    "datapoints_to_alarm": ("datapoints_to_alarm", int),
    "comparison_operator": ("comparison", Comparison),
    "threshold": ("threshold", float),
    "treat_missing_data": ("treat_missing_data", MissingData),
    "low_samples": ("low_samples", LowSamples),
}
"""The fields of a threshold rule: what the core calls each, and what it is there."""

Constraints = Annotated[list[TimeConstraintDocument], Meta(max_length=CONSTRAINTS_MAX)]


class RuleFields(Input, kw_only=True):
    """A metric and a threshold, or a composite."""

    metric: Name | UnsetType = UNSET
    dimensions: Dimensions | UnsetType = UNSET
    statistic: StatisticName | UnsetType = UNSET
    period: PeriodSeconds | UnsetType = UNSET
    evaluation_periods: Periods | UnsetType = UNSET
    datapoints_to_alarm: Periods | UnsetType = UNSET
    comparison_operator: Operator | UnsetType = UNSET
    threshold: float | UnsetType = UNSET
    treat_missing_data: Missing | UnsetType = UNSET
    low_samples: Low | UnsetType = UNSET
    composite: ExpressionDocument | UnsetType = UNSET

    def _threshold_fields(self) -> dict[str, Any]:
        """Return what is given of a threshold rule, by the names and in the types of the core."""
        given = {field: getattr(self, field) for field in _THRESHOLD_FIELDS}
        return {
            name: of(given[field])
            for field, (name, of) in _THRESHOLD_FIELDS.items()
            if given[field] is not UNSET
        }

    def new_rule(self) -> ThresholdRule | CompositeRule:
        """Return the rule of a new alarm; Invalid where it is neither the one nor the other."""
        given = self._threshold_fields()
        if not isinstance(self.composite, UnsetType):
            return _composite(self.composite, given)
        if not given.keys() >= {"metric", "comparison", "threshold"}:
            raise Invalid(
                "alarm.rule", "An alarm needs metric, comparison_operator and threshold, or else composite."
            )
        given.setdefault("datapoints_to_alarm", given.get("evaluation_periods", 1))
        return ThresholdRule(**given)

    def rule_after(self, present: ThresholdRule | CompositeRule) -> ThresholdRule | CompositeRule:
        """Return the rule as it is to be; Invalid where it would become of the other kind."""
        given = self._threshold_fields()
        match present:
            case CompositeRule() if isinstance(self.composite, UnsetType) and not given:
                return present
            case CompositeRule() if not isinstance(self.composite, UnsetType):
                return _composite(self.composite, given)
            case ThresholdRule() if isinstance(self.composite, UnsetType):
                return replace(present, **given)
            case _:
                raise _either()


def shown_rule(rule: ThresholdRule | CompositeRule) -> dict[str, Any]:
    """Return the fields of the document that say what the rule is."""
    if isinstance(rule, CompositeRule):
        expression = decoder_of(ExpressionDocument).decode(rule.expression)
        return {**dict.fromkeys(_THRESHOLD_FIELDS), "composite": expression}
    return {
        "metric": rule.metric,
        "dimensions": dict(rule.dimensions),
        "statistic": rule.statistic,
        "period": rule.period_seconds,
        "evaluation_periods": rule.evaluation_periods,
        "datapoints_to_alarm": rule.datapoints_to_alarm,
        "comparison_operator": rule.comparison.value,
        "threshold": rule.threshold,
        "treat_missing_data": rule.treat_missing_data.value,
        "low_samples": rule.low_samples.value,
        "composite": None,
    }


def constraints_of(documents: list[TimeConstraintDocument]) -> tuple[TimeConstraint, ...]:
    """Return the windows that are asked for."""
    return tuple(
        TimeConstraint(name=d.name, start=d.start, duration_seconds=d.duration, timezone=d.timezone)
        for d in documents
    )


def constraint_document(constraint: TimeConstraint) -> TimeConstraintDocument:
    """Return the window as it is shown."""
    return TimeConstraintDocument(
        name=constraint.name,
        start=constraint.start,
        duration=constraint.duration_seconds,
        timezone=constraint.timezone,
    )


def _composite(expression: ExpressionDocument, given: dict[str, Any]) -> CompositeRule:
    if given:
        raise _either()
    return CompositeRule(expression=msgspec.json.encode(expression).decode())


def _either() -> Invalid:
    return Invalid(
        "alarm.rule", "An alarm is over a metric or a composite, and stays what it is: make another one."
    )
