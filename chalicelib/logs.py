"""Logs: one JSON object a line, on standard error. Secrets never get here: they are not logged.

A line that carries measures is one of CloudWatch's embedded metric format, too: CloudWatch makes metrics of
it by its ``_aws`` member, whatever else is in it. Specification:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from chalicelib.telemetry import Measure

NAMESPACE = "Thermostat"
"""Where the metrics are found in CloudWatch."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON.

    Args:
        stage: the dimension that every metric has; None makes no metrics of the lines.
    """

    def __init__(self, stage: str | None = None) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        measures = measures_of(record)
        if measures and self._stage is not None:
            line |= self._embedded(record, measures)
        return json.dumps(line, default=_written, separators=(",", ":"))

    def _embedded(self, record: logging.LogRecord, measures: tuple[Measure, ...]) -> dict[str, Any]:
        """Return what CloudWatch makes metrics of; the dimensions beside the stage are fields of the line."""
        by_dimensions: dict[tuple[str, ...], list[dict[str, str]]] = {}
        for metric, _ in measures:
            named = {"Name": metric.name, "Unit": metric.unit.value}
            by_dimensions.setdefault(metric.dimensions, []).append(named)
        told = [
            {"Namespace": NAMESPACE, "Dimensions": [["stage", *dimensions]], "Metrics": metrics}
            for dimensions, metrics in by_dimensions.items()
        ]
        return {
            "_aws": {"Timestamp": int(record.created * 1000), "CloudWatchMetrics": told},
            "stage": self._stage,
            **{metric.name: value for metric, value in measures},
        }


def measures_of(record: logging.LogRecord) -> tuple[Measure, ...]:
    """Return what a line measures."""
    found: tuple[Measure, ...] = getattr(record, "measures", ())
    return found


def configure(level: str, stage: str | None = None) -> None:
    """Send the service's own log lines to standard error, from ``level`` up; those that measure, always.

    Args:
        stage: of the metrics that CloudWatch makes of the lines; None makes none.
    """
    lowest = logging.getLevelNamesMapping()[level]
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(stage))
    handler.addFilter(lambda record: record.levelno >= lowest or bool(measures_of(record)))
    logger = logging.getLogger("chalicelib")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(min(lowest, logging.INFO))


def _written(value: object) -> str:
    """Return a field that JSON has no form for: a time as our API writes it, anything else in its words."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)
