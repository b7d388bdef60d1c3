"""What operators are told: the fields of log lines, and the metrics that there are.

A measure rides on the line that tells what was measured. Whoever formats the lines passes it on: ``logs`` as
CloudWatch's embedded metric format, ``dev.metrics`` as counters of a process. So no call is made to tell a
number, nothing is told twice, and a flow that says what it did has said all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Unit(StrEnum):
    """What is measured, in CloudWatch's words."""

    COUNT = "Count"
    SECONDS = "Seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: in CloudWatch.
        dimensions: the fields of the line that tell its series apart. Each has few values: never an id.
    """

    name: str
    says: str
    unit: Unit = Unit.COUNT
    dimensions: tuple[str, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """The name in Prometheus: a counter's ends with _total, a histogram's with its unit."""
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()
        return f"thermostat_{snake}" + ("_total" if self.unit is Unit.COUNT else "")


DECISIONS = Metric(name="Decisions", says="Requests to scale, by how they ended.", dimensions=("outcome",))
ROUNDS = Metric(
    name="Rounds", says="Rounds of convergence, by how they left their group.", dimensions=("result",)
)
CONVERGENCE_LAG = Metric(
    name="ConvergenceLagSeconds",
    says="In each round that does not settle its group: for how long it has not been as it is wanted, by "
    "what keeps it from that (none: nothing but the work itself).",
    unit=Unit.SECONDS,
    dimensions=("trouble",),
)
SETTLING = Metric(
    name="SettlingSeconds",
    says="How long a group took from what changed, or was found changed, until it was settled again.",
    unit=Unit.SECONDS,
)
ERRORS = Metric(
    name="Errors",
    says="What went wrong: credential, refused, build, cloud (with an owner's cloud), unavailable (tables, "
    "queue, Keystone), internal (a fault of ours).",
    dimensions=("kind",),
)
WORK_SECONDS = Metric(
    name="WorkSeconds",
    says="How long a tick, a sweep or a judging of one shard, or a round took.",
    unit=Unit.SECONDS,
    dimensions=("work",),
)
DUE_GROUPS = Metric(name="DueGroups", says="Groups that sweeps found due for a round: the backlog.")
JUDGED_GROUPS = Metric(name="JudgedGroups", says="Groups whose alarms and metric policies were judged.")
SOURCES_SILENT = Metric(name="SourcesSilent", says="Alarm sources that were noticed to have fallen silent.")
SOURCES_HEARD = Metric(name="SourcesHeard", says="Silent alarm sources that were heard again.")
SAMPLES_ACCEPTED = Metric(name="SamplesAccepted", says="Samples that were counted.")
SAMPLES_REJECTED = Metric(name="SamplesRejected", says="Samples that were refused.")

METRICS = (
    DECISIONS,
    ROUNDS,
    CONVERGENCE_LAG,
    SETTLING,
    ERRORS,
    WORK_SECONDS,
    DUE_GROUPS,
    JUDGED_GROUPS,
    SOURCES_SILENT,
    SOURCES_HEARD,
    SAMPLES_ACCEPTED,
    SAMPLES_REJECTED,
)
"""Every metric."""

INTERNAL = "internal"
UNAVAILABLE = "unavailable"
"""Kinds of ERRORS that are no trouble of a group's."""

Measure = tuple[Metric, float]

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


@contextmanager
def on_behalf_of(request_id: str) -> Iterator[None]:
    """Have every line that is logged meanwhile, in this thread, carry the request's id."""
    before = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(before)


def about(*measures: Measure, **fields: Any) -> dict[str, Any]:
    """Return what a line is logged with as its ``extra``: its fields, and what was measured.

    The request's id is among the fields; one that is given goes before that of ``on_behalf_of``. Numbers,
    words and times only: no document of a caller's, nothing secret.
    """
    for metric, _ in measures:
        assert fields.keys() >= set(metric.dimensions), f"{metric.name} needs {metric.dimensions}"
    request_id = _request_id.get()
    if request_id is not None:
        fields.setdefault("request_id", request_id)
    return {"fields": fields, "measures": measures}
