"""What the service logs, as its lines are written."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.logs import JsonFormatter


class Lines(list[dict[str, Any]]):
    """The lines that were logged, in order."""

    def said(self, message: str) -> list[dict[str, Any]]:
        """Return those with this message."""
        return [line for line in self if line["message"] == message]

    def measured(self, name: str) -> list[dict[str, Any]]:
        """Return those of which CloudWatch makes the metric."""
        return [line for line in self if name in metrics_of(line)]


def metrics_of(line: dict[str, Any]) -> dict[str, tuple[dict[str, str], float]]:
    """Return what CloudWatch makes of a line: the dimensions and the value of each metric."""
    found = {}
    for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
        for metric in directive["Metrics"]:
            for dimensions in directive["Dimensions"]:
                values = {name: line[name] for name in dimensions}
                assert all(isinstance(value, str) and value for value in values.values()), values
                found[metric["Name"]] = (values, line[metric["Name"]])
    return found


@contextmanager
def logged() -> Iterator[Lines]:
    """Collect what is logged meanwhile; the lines are there at the end."""
    stream, lines = io.StringIO(), Lines()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("of-the-test"))
    logger = logging.getLogger("chalicelib")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        lines += map(json.loads, stream.getvalue().splitlines())
