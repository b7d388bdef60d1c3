"""What each type of policy has, as fields of its document; the same ones are taken and shown."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Self

import msgspec
from msgspec import Struct

from chalicelib.api.documents.common import CooldownSeconds, Name, Uuid
from chalicelib.api.documents.rule_parts import (
    AdjustmentTypeName,
    Amount,
    BehaviorFields,
    Dimensions,
    DirectionFields,
    LeadSeconds,
    Metric,
    MetricKindName,
    MinStep,
    MissingValue,
    Mode,
    PeriodSeconds,
    StatisticName,
    StepFields,
    Steps,
    Target,
    ToleranceFields,
    UnreadySeconds,
    WarmupSeconds,
)
from chalicelib.core.capacity import Adjustment, AdjustmentType
from chalicelib.core.errors import Invalid
from chalicelib.core.forecast import Predictive
from chalicelib.core.policy import Policy
from chalicelib.core.steps import Interval, StepScaling, in_order
from chalicelib.core.tracking import MetricKind, TargetTracking


class PolicyFields(Struct, kw_only=True):
    """What every policy has."""

    name: Name
    group_id: Uuid
    cooldown: CooldownSeconds = 0
    mode: Mode = "active"


class AdjustmentFields(PolicyFields, kw_only=True):
    """A change by a number, by a percentage, or to a number."""

    adjustment: Amount
    min_adjustment_step: MinStep = 1

    def rule(self, type_: str) -> Adjustment:
        """Return the adjustment."""
        kind = _adjustment_type(type_, self.min_adjustment_step)
        return Adjustment(type=kind, amount=_exactly(self.adjustment), min_step=self.min_adjustment_step)

    @classmethod
    def shown(cls, policy: Policy, rule: Adjustment) -> Self:
        """Return the policy as it is shown."""
        return cls(**_common(policy), adjustment=_plain(rule.amount), min_adjustment_step=rule.min_step)


class StepsFields(PolicyFields, kw_only=True):
    """A change whose size depends on how far the metric is beyond the threshold."""

    steps: Steps
    adjustment_type: AdjustmentTypeName = "change_in_capacity"
    min_adjustment_step: MinStep = 1
    warmup: WarmupSeconds | None = None

    def rule(self, _type: str) -> StepScaling:
        """Return the steps, in the order of their bounds."""
        intervals = (
            Interval(lower=step.lower, upper=step.upper, amount=_exactly(step.adjustment))
            for step in self.steps
        )
        return StepScaling(
            type=_adjustment_type(self.adjustment_type, self.min_adjustment_step),
            steps=in_order(intervals),
            min_step=self.min_adjustment_step,
            warmup_seconds=self.warmup,
        )

    @classmethod
    def shown(cls, policy: Policy, rule: StepScaling) -> Self:
        """Return the policy as it is shown."""
        return cls(
            **_common(policy),
            steps=[
                StepFields(lower=step.lower, upper=step.upper, adjustment=_plain(step.amount))
                for step in rule.steps
            ],
            adjustment_type=rule.type.value,
            min_adjustment_step=rule.min_step,
            warmup=rule.warmup_seconds,
        )


class TrackingFields(PolicyFields, kw_only=True):
    """A metric that is held at its target."""

    metric: Metric
    target: Target
    metric_kind: MetricKindName = "average"
    dimensions: Dimensions = {}
    statistic: StatisticName = "average"
    period: PeriodSeconds = 60
    tolerance: ToleranceFields = msgspec.field(default_factory=ToleranceFields)
    unready: UnreadySeconds = 300
    missing_value: MissingValue | None = None
    scale_in: bool = True
    behavior: BehaviorFields = msgspec.field(default_factory=BehaviorFields)

    def rule(self, _type: str) -> TargetTracking:
        """Return the target, and how it is held."""
        return TargetTracking(
            metric=self.metric,
            target=self.target,
            kind=MetricKind(self.metric_kind),
            dimensions=tuple(sorted(self.dimensions.items())),
            statistic=self.statistic,
            period_seconds=self.period,
            tolerance_out=self.tolerance.out,
            tolerance_in=self.tolerance.in_,
            unready_seconds=self.unready,
            missing_value=self.missing_value,
            scale_in=self.scale_in,
            out=self.behavior.scale_out.behavior(),
            into=self.behavior.scale_in.behavior(),
        )

    @classmethod
    def shown(cls, policy: Policy, rule: TargetTracking) -> Self:
        """Return the policy as it is shown."""
        return cls(
            **_common(policy),
            metric=rule.metric,
            target=rule.target,
            metric_kind=rule.kind.value,
            dimensions=dict(rule.dimensions),
            statistic=rule.statistic,
            period=rule.period_seconds,
            tolerance=ToleranceFields(out=rule.tolerance_out, in_=rule.tolerance_in),
            unready=rule.unready_seconds,
            missing_value=rule.missing_value,
            scale_in=rule.scale_in,
            behavior=BehaviorFields(
                scale_out=DirectionFields.shown(rule.out), scale_in=DirectionFields.shown(rule.into)
            ),
        )


class PredictiveFields(PolicyFields, kw_only=True):
    """What is foreseen, and whether it is acted upon."""

    metric: Metric
    target: Target
    dimensions: Dimensions = {}
    lead: LeadSeconds = 300
    act: bool = False

    def rule(self, _type: str) -> Predictive:
        """Return what is foreseen."""
        return Predictive(
            metric=self.metric,
            target=self.target,
            dimensions=tuple(sorted(self.dimensions.items())),
            lead_seconds=self.lead,
            act=self.act,
        )

    @classmethod
    def shown(cls, policy: Policy, rule: Predictive) -> Self:
        """Return the policy as it is shown."""
        return cls(
            **_common(policy),
            metric=rule.metric,
            target=rule.target,
            dimensions=dict(rule.dimensions),
            lead=rule.lead_seconds,
            act=rule.act,
        )


FieldsOfType = AdjustmentFields | StepsFields | TrackingFields | PredictiveFields


def shown_fields(policy: Policy) -> tuple[str, FieldsOfType]:
    """Return the policy's type, and its fields as they are shown."""
    match policy.rule:
        case Adjustment() as rule:
            return rule.type.value, AdjustmentFields.shown(policy, rule)
        case StepScaling() as rule:
            return "steps", StepsFields.shown(policy, rule)
        case TargetTracking() as rule:
            return "target_tracking", TrackingFields.shown(policy, rule)
        case Predictive() as rule:
            return "predictive", PredictiveFields.shown(policy, rule)


def _common(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "group_id": policy.group_id,
        "cooldown": policy.cooldown_seconds,
        "mode": policy.mode.value,
    }


def _adjustment_type(type_: str, min_step: int) -> AdjustmentType:
    kind = AdjustmentType(type_)
    if kind is not AdjustmentType.PERCENT and min_step != 1:
        raise Invalid("policy.min_adjustment_step", "min_adjustment_step is for percent_change_in_capacity.")
    return kind


def _exactly(amount: float) -> Fraction:
    """Return a decimal as it was written, not as the nearest binary fraction."""
    return Fraction(repr(amount))


def _plain(amount: Fraction) -> int | float:
    return int(amount) if amount.denominator == 1 else float(amount)
