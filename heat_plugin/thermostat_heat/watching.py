"""The properties of policies and alarms, which may watch metrics."""

from __future__ import annotations

from .fields import BOOLEAN, INTEGER, LIST, MAP, NUMBER, STRING, Field, Shape
from .shapes import ENABLED, GROUP_ID, named, text

_DAY = 86_400
_PERIODS_MAX = 1440
_ADJUSTMENTS = ("change_in_capacity", "percent_change_in_capacity", "exact_capacity")


def _seconds(says: str, **more: object) -> Field:
    return Field(kind=INTEGER, says=says, least=0, most=_DAY, **more)  # type: ignore[arg-type]


_STEP = Field(
    kind=MAP,
    says="One step; without a bound it has no end.",
    fields={
        "lower": Field(kind=NUMBER, says="From where, relative to the threshold."),
        "upper": Field(kind=NUMBER, says="Up to where, relative to the threshold."),
        "adjustment": Field(kind=NUMBER, says="By how much.", required=True),
    },
)

_LIMIT = Field(
    kind=MAP,
    says="At most so much within a period.",
    fields={
        "type": Field(kind=STRING, says="Of what.", required=True, values=("members", "percent")),
        "value": Field(kind=INTEGER, says="How much.", required=True, least=1),
        "period": Field(kind=INTEGER, says="Seconds.", required=True, least=1, most=3600),
    },
)

_DIRECTION = Field(
    kind=MAP,
    says="How fast one direction may go.",
    fields={
        "stabilization": Field(
            kind=INTEGER, says="Seconds that a recommendation has to last.", least=0, most=3600
        ),
        "limits": Field(kind=LIST, says="Limits of pace.", items=_LIMIT),
        "select": Field(kind=STRING, says="Which limit holds.", values=("max", "min", "disabled")),
    },
)

POLICY = Shape(
    noun="policy",
    collection="/v1/policies",
    fields={
        "name": named("policy"),
        "group_id": GROUP_ID,
        "type": Field(
            kind=STRING,
            says="How it comes to a size; the other properties go with it.",
            required=True,
            values=(*_ADJUSTMENTS, "steps", "target_tracking", "predictive"),
        ),
        "cooldown": _seconds("Seconds until it acts again.", default=0),
        "mode": Field(
            kind=STRING,
            says="Whether it acts, only says what it would do, or neither.",
            default="active",
            values=("active", "shadow", "disabled"),
        ),
        "adjustment": Field(kind=NUMBER, says="By how much, or to how many."),
        "min_adjustment_step": Field(
            kind=INTEGER, says="Of a percentage: at least so many members.", least=1, most=10_000, reset=1
        ),
        "steps": Field(kind=LIST, says="Of steps: what to do how far from the threshold.", items=_STEP),
        "adjustment_type": Field(
            kind=STRING,
            says="Of steps: what their adjustments are.",
            values=_ADJUSTMENTS,
            reset=_ADJUSTMENTS[0],
        ),
        "warmup": _seconds("Of steps: seconds that new members take to warm up."),
        "metric": text("The metric that it watches."),
        "target": Field(kind=NUMBER, says="What the metric is held at."),
        "metric_kind": Field(
            kind=STRING,
            says="What the metric's value is.",
            values=("average", "total", "value"),
            reset="average",
        ),
        "dimensions": Field(kind=MAP, says="The dimensions of the metric.", reset={}),
        "statistic": Field(kind=STRING, says="average, sum, maximum, p99 ...", reset="average"),
        "period": Field(kind=INTEGER, says="Seconds.", least=10, most=3600, reset=60),
        "tolerance": Field(
            kind=MAP,
            says="How far from the target nothing changes.",
            reset={},
            fields={
                "out": Field(kind=NUMBER, says="Above."),
                "in": Field(kind=NUMBER, says="Below."),
            },
        ),
        "unready": _seconds("Seconds that a new member is not believed.", reset=300),
        "missing_value": Field(kind=NUMBER, says="What a silent member counts as.", reset=None),
        "scale_in": Field(kind=BOOLEAN, says="Whether it may make the group smaller.", reset=True),
        "behavior": Field(
            kind=MAP,
            says="How fast the group may grow and shrink.",
            reset={},
            fields={"scale_out": _DIRECTION, "scale_in": _DIRECTION},
        ),
        "lead": _seconds("Of predictive: how long before the need members are asked for.", reset=300),
        "act": Field(kind=BOOLEAN, says="Of predictive: whether it acts.", reset=False),
    },
)


def kind_of_policy(type_: str) -> str:
    """Return the kind that a type of policy belongs to: a policy cannot become one of another kind."""
    return "adjustment" if type_ in _ADJUSTMENTS else type_


_ACTIONS = Field(
    kind=LIST,
    says="Policies of the group that are asked in this state.",
    default=[],
    items=Field(kind=STRING, says="A policy.", constraint="thermostat.policy"),
)

_WINDOW = Field(
    kind=MAP,
    says="Outside of all windows the alarm is not evaluated.",
    fields={
        "name": Field(kind=STRING, says="A name.", required=True),
        "start": Field(kind=STRING, says="When it starts: cron, five fields.", required=True),
        "duration": Field(kind=INTEGER, says="Seconds.", required=True, least=1),
        "timezone": text("The zone of start; UTC by default."),
    },
)

ALARM = Shape(
    noun="alarm",
    collection="/v1/alarms",
    fields={
        "name": named("alarm"),
        "group_id": GROUP_ID,
        "backend": Field(
            kind=STRING,
            says="Who evaluates it: the service itself, or the cloud's Aodh.",
            default="builtin",
            values=("builtin", "aodh"),
            updatable=False,
        ),
        "metric": text("The metric."),
        "dimensions": Field(kind=MAP, says="Its dimensions.", reset={}),
        "statistic": Field(kind=STRING, says="average, sum, maximum, p99 ...", reset="average"),
        "period": Field(kind=INTEGER, says="Seconds.", least=10, most=_DAY, reset=60),
        "evaluation_periods": Field(
            kind=INTEGER, says="How many periods are looked at.", least=1, most=_PERIODS_MAX, reset=1
        ),
        "datapoints_to_alarm": Field(
            kind=INTEGER,
            says="How many of them must breach; all by default.",
            least=1,
            most=_PERIODS_MAX,
            reset=1,
        ),
        "comparison_operator": Field(
            kind=STRING, says="How the threshold is breached.", values=("gt", "ge", "lt", "le")
        ),
        "threshold": Field(kind=NUMBER, says="In the unit of the metric."),
        "treat_missing_data": Field(
            kind=STRING,
            says="What a missing datapoint counts as.",
            values=("missing", "ignore", "breaching", "not_breaching"),
            reset="missing",
        ),
        "low_samples": Field(
            kind=STRING,
            says="Whether percentiles of few samples count.",
            values=("evaluate", "ignore"),
            reset="evaluate",
        ),
        "composite": Field(
            kind=MAP,
            says='In place of a metric: other alarms of the group, {"and": [{"alarm": "<id>"}, ...]}.',
        ),
        "alarm_actions": _ACTIONS,
        "ok_actions": _ACTIONS,
        "insufficient_data_actions": _ACTIONS,
        "time_constraints": Field(kind=LIST, says="When it is evaluated.", default=[], items=_WINDOW),
        "enabled": ENABLED,
        "severity": Field(
            kind=STRING, says="How bad it is.", default="low", values=("low", "moderate", "critical")
        ),
    },
)


def alarm_patch(document: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    """Return what is patched of an alarm: where the template leaves it open, all periods must breach.

    Args:
        document: what is patched otherwise.
        after: all properties as they are to be.
    """
    if document.keys() & {"evaluation_periods", "datapoints_to_alarm"} and not after.get(
        "datapoints_to_alarm"
    ):
        return {**document, "datapoints_to_alarm": after.get("evaluation_periods") or 1}
    return document
