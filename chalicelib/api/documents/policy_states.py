"""What a policy that watches a metric did last, and what it foresees, as parts of its document."""

from __future__ import annotations

import msgspec

from chalicelib.api.documents.common import Time, utc
from chalicelib.api.documents.executions import StepDocument, step_document
from chalicelib.core.forecast import Forecast, Verified, accuracy
from chalicelib.core.policy_state import Evaluation


class EvaluationDocument(msgspec.Struct, kw_only=True):
    """The latest look at the metric. ``value`` is what was held against the target; null is unknown."""

    at: Time
    value: float | None
    recommended: int | None
    decided: int | None
    steps: list[StepDocument]


class ExpectedDocument(msgspec.Struct, kw_only=True):
    """The load that is foreseen for one hour; four of five lay between ``low`` and ``high`` before."""

    hour: Time
    load: float
    low: float
    high: float


class AccuracyDocument(msgspec.Struct, kw_only=True):
    """How far the forecasts of the last week were off, as fractions of the load.

    ``day_before_wape`` is what the same hour of the day before would have been off.
    """

    hours: int
    mape: float | None
    wape: float | None
    bias: float | None
    day_before_wape: float | None


class ForecastDocument(msgspec.Struct, kw_only=True):
    """What is foreseen, hour by hour; ``reason`` says why nothing is."""

    made_at: Time
    reason: str | None
    hours: list[ExpectedDocument]
    accuracy: AccuracyDocument


def evaluation_document(evaluation: Evaluation) -> EvaluationDocument:
    """Return the evaluation as it is shown."""
    return EvaluationDocument(
        at=utc(evaluation.at),
        value=evaluation.value,
        recommended=evaluation.recommended,
        decided=evaluation.decided,
        steps=[step_document(step) for step in evaluation.steps],
    )


def forecast_document(forecast: Forecast, past: tuple[Verified, ...]) -> ForecastDocument:
    """Return the forecast as it is shown, with how good those before it were."""
    good = accuracy(past)
    return ForecastDocument(
        made_at=utc(forecast.made_at),
        reason=forecast.reason,
        hours=[
            ExpectedDocument(hour=utc(each.hour), load=each.load, low=each.low, high=each.high)
            for each in forecast.hours
        ],
        accuracy=AccuracyDocument(
            hours=good.hours,
            mape=good.mape,
            wape=good.wape,
            bias=good.bias,
            day_before_wape=good.day_before_wape,
        ),
    )
