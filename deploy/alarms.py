"""The alarms of a stage: what an operator is woken for. docs/runbook.md says what to do about each.

Each tells the SNS topic that the operator names, when it goes off and when it is over. Metrics of AWS's own
stand for what no line of ours could tell: that nothing runs, or not to its end. The service's own
(``chalicelib.telemetry``) stand for what the lines do tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.logs import NAMESPACE
from chalicelib.telemetry import CONVERGENCE_LAG, ERRORS, INTERNAL, UNAVAILABLE, Metric
from deploy.policies import FUNCTIONS, function_name
from deploy.resources import Names

_MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm.

    Attributes:
        name: what its name ends with, behind the stage's.
        says: what it means, in one sentence.
        dimensions: by name; a value is what CloudFormation makes of it.
        threshold: the alarm goes off above it, or below where ``below`` is set.
        periods: for so many periods in a row.
        missing: what it means that nothing was measured.
    """

    name: str
    says: str
    namespace: str
    metric: str
    dimensions: dict[str, Any]
    statistic: str
    threshold: int
    periods: int = 1
    period_seconds: int = 5 * _MINUTE
    below: bool = False
    missing: str = "notBreaching"

    @property
    def logical(self) -> str:
        """The name in the template."""
        return "".join(word.capitalize() for word in self.name.split("-")) + "Alarm"

    def resource(self, stage: str) -> dict[str, Any]:
        """Return the alarm as CloudFormation takes it."""
        told = {"Fn::If": ["OperatorIsTold", [{"Ref": "OperatorTopic"}], {"Ref": "AWS::NoValue"}]}
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": f"thermostat-{stage}-{self.name}",
                "AlarmDescription": f"{self.says} See docs/runbook.md.",
                "Namespace": self.namespace,
                "MetricName": self.metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions.items()],
                "Statistic": self.statistic,
                "Period": self.period_seconds,
                "EvaluationPeriods": self.periods,
                "ComparisonOperator": "LessThanThreshold" if self.below else "GreaterThanThreshold",
                "Threshold": self.threshold,
                "TreatMissingData": self.missing,
                "AlarmActions": told,
                "OKActions": told,
            },
        }


def alarms(stage: str) -> dict[str, Any]:
    """Return a stage's alarms, as resources of its template."""
    return {alarm.logical: alarm.resource(stage) for alarm in alarms_of(stage)}


def alarms_of(stage: str) -> list[Alarm]:
    """Return a stage's alarms."""
    return [
        *_of_the_queue(Names(stage)),
        *_of_the_functions(stage),
        Alarm(
            name="tick-stopped",
            says="The minute's tick does not run: no schedule fires, no alarm is judged.",
            namespace="AWS/Lambda",
            metric="Invocations",
            dimensions={"FunctionName": function_name(stage, "tick")},
            statistic="Sum",
            threshold=1,
            below=True,
            missing="breaching",
        ),
        _own(
            stage,
            CONVERGENCE_LAG,
            {"trouble": "none"},
            name="convergence-lag",
            says="A group has not been as it is wanted for half an hour, and nothing that we know keeps it.",
            statistic="Maximum",
            threshold=1800,
            periods=3,
        ),
        _own(
            stage,
            ERRORS,
            {"kind": INTERNAL},
            name="internal-errors",
            says="The service failed by a fault of its own.",
            statistic="Sum",
            threshold=0,
        ),
        _own(
            stage,
            ERRORS,
            {"kind": UNAVAILABLE},
            name="unavailable",
            says="Tables, queue, key or Keystone do not answer the service.",
            statistic="Sum",
            threshold=10,
            periods=2,
        ),
        _own(
            stage,
            ERRORS,
            {"kind": "cloud"},
            name="cloud-errors",
            says="OpenStack does not answer, is busy, or does not know our service user.",
            statistic="Sum",
            threshold=20,
            periods=3,
        ),
    ]


def _of_the_queue(names: Names) -> list[Alarm]:
    return [
        Alarm(
            name="work-failed",
            says="Work failed for good: messages that were delivered five times lie in their queue.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": names.dead_letters},
            statistic="Maximum",
            threshold=0,
            period_seconds=_MINUTE,
        ),
        Alarm(
            name="work-waits",
            says="Messages wait for longer than any delay of ours: work does not keep up.",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": names.queue},
            statistic="Maximum",
            threshold=1800,
            periods=2,
        ),
    ]


def _of_the_functions(stage: str) -> list[Alarm]:
    """Return alarms on what ends a function from outside: it ran out of time or memory, or cannot start."""
    failed = [
        Alarm(
            name=f"{function.replace('_', '-')}-fails",
            says=f"The function {function} ran out of time or memory, or cannot start.",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions={"FunctionName": function_name(stage, function)},
            statistic="Sum",
            threshold=2,
        )
        for function in FUNCTIONS
    ]
    throttled = [
        Alarm(
            name=f"{function.replace('_', '-')}-throttled",
            says=f"Lambda refuses to run the function {function}: the account's concurrency is used up.",
            namespace="AWS/Lambda",
            metric="Throttles",
            dimensions={"FunctionName": function_name(stage, function)},
            statistic="Sum",
            threshold=0,
            periods=3,
        )
        for function in FUNCTIONS
    ]
    return [*failed, *throttled]


def _own(stage: str, metric: Metric, dimensions: dict[str, Any], **alarm: Any) -> Alarm:
    return Alarm(namespace=NAMESPACE, metric=metric.name, dimensions={"stage": stage, **dimensions}, **alarm)
