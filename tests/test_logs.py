"""The lines themselves: JSON, of the embedded metric format where they measure."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chalicelib import logs
from chalicelib.telemetry import (
    DECISIONS,
    DUE_GROUPS,
    METRICS,
    SETTLING,
    WORK_SECONDS,
    Unit,
    about,
    on_behalf_of,
)
from tests.logged import logged, metrics_of

log = logging.getLogger("chalicelib.of_the_test")


@pytest.fixture
def untouched() -> Iterator[None]:
    """The service's logger as it was, after a test that configures it."""
    logger = logging.getLogger("chalicelib")
    before = (logger.handlers, logger.propagate, logger.level)
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


def test_a_line_is_one_json_object_with_its_fields_beside_its_message() -> None:
    at = datetime(2026, 1, 2, 5, 4, tzinfo=timezone(timedelta(hours=2)))
    with logged() as lines:
        log.info("of %d\nlines", 2, extra=about(group_id="g", retry_at=at, policy_id=None))
    (line,) = lines
    assert line["message"] == "of 2\nlines"
    assert (line["level"], line["logger"]) == ("INFO", "chalicelib.of_the_test")
    assert (line["group_id"], line["retry_at"], line["policy_id"]) == ("g", "2026-01-02T03:04:00Z", None)
    assert abs(datetime.fromisoformat(line["time"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_traceback_stays_in_its_line() -> None:
    with logged() as lines:
        log.error("failed", exc_info=ValueError("first\nsecond"))
    (line,) = lines
    assert "ValueError: first\nsecond" in line["exception"]


def test_every_line_names_the_request_it_was_written_for() -> None:
    with logged() as lines:
        with on_behalf_of("req-outer"):
            with on_behalf_of("req-inner"):
                log.info("a", extra=about())
            log.info("b", extra=about())
            log.info("c", extra=about(request_id="req-of-another"))
        log.info("d", extra=about())
    assert [line.get("request_id") for line in lines] == ["req-inner", "req-outer", "req-of-another", None]


def test_a_line_that_measures_is_of_the_embedded_metric_format() -> None:
    """The members that the specification requires, and metric targets that are there."""
    before = time.time() * 1000
    with logged() as lines:
        told = about((DUE_GROUPS, 3), (WORK_SECONDS, 0.5), work="sweep", shard=1)
        log.info("sweep", extra=told)
    (line,) = lines
    assert before - 1 <= line["_aws"]["Timestamp"] <= time.time() * 1000 + 1
    assert metrics_of(line) == {
        "DueGroups": ({"stage": "of-the-test"}, 3),
        "WorkSeconds": ({"stage": "of-the-test", "work": "sweep"}, 0.5),
    }
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert directive["Namespace"] == "Thermostat"
        assert all(len(each) <= 30 for each in directive["Dimensions"])
    units = {m["Name"]: m["Unit"] for d in line["_aws"]["CloudWatchMetrics"] for m in d["Metrics"]}
    assert units == {"DueGroups": "Count", "WorkSeconds": "Seconds"}


def test_a_measure_without_the_fields_that_tell_its_series_apart_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="outcome"):
        about((DECISIONS, 1), group_id="g")


def test_metrics_have_one_name_each_and_no_dimension_that_grows() -> None:
    assert (
        len({metric.name for metric in METRICS}) == len({m.prometheus_name for m in METRICS}) == len(METRICS)
    )
    for metric in METRICS:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", metric.name)
        assert metric.name.endswith("Seconds") is (metric.unit is Unit.SECONDS)
        assert not [name for name in metric.dimensions if name.endswith("_id")]
    assert SETTLING.prometheus_name == "thermostat_settling_seconds"
    assert DECISIONS.prometheus_name == "thermostat_decisions_total"


@pytest.mark.usefixtures("untouched")
def test_what_is_measured_is_logged_at_any_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ERROR", "prod")
    log.info("quiet", extra=about())
    log.info("measured", extra=about((DUE_GROUPS, 1)))
    log.error("loud")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == ["measured", "loud"]
    assert lines[0]["stage"] == "prod"


@pytest.mark.usefixtures("untouched")
def test_without_cloudwatch_lines_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    log.info("measured", extra=about((DUE_GROUPS, 1), shard=0))
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert set(line) == {"time", "level", "logger", "message", "shard"}
