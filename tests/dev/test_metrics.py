"""What Prometheus is served: the counts of one process, in its text format."""

from __future__ import annotations

import logging
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from chalicelib.telemetry import (
    DECISIONS,
    DUE_GROUPS,
    METRICS,
    SAMPLES_ACCEPTED,
    SETTLING,
    WORK_SECONDS,
    Unit,
    about,
)
from dev.metrics import CONTENT_TYPE, MetricsServer, serve_metrics

log = logging.getLogger("chalicelib.of_the_test")
_SAMPLE = re.compile(r'([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? ([0-9.e+-]+)')


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    logger = logging.getLogger("chalicelib")
    level = logger.level
    logger.setLevel(logging.INFO)
    server = serve_metrics(0)
    yield server
    logger.removeHandler(server.counters)
    logger.setLevel(level)
    server.shutdown()
    server.server_close()


def scraped(server: MetricsServer, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}{path}") as answer:
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        return str(answer.read().decode())


def values(text: str) -> dict[str, float]:
    """Return each series of an exposition and its value; every line has to be of the format."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = _SAMPLE.fullmatch(line)
            assert match, line
            assert line not in found, "a series stands there once"
            found[(match[1] + (match[2] or ""))] = float(match[3])
    return found


def test_what_lines_measure_is_counted_by_its_dimensions(server: MetricsServer) -> None:
    for outcome, times in (("executed", 2), ("in_cooldown", 1)):
        for _ in range(times):
            log.info("decision", extra=about((DECISIONS, 1), outcome=outcome, group_id="a-group"))
    log.info("sweep", extra=about((DUE_GROUPS, 7), (WORK_SECONDS, 0.3), work="sweep"))
    text = scraped(server)
    found = values(text)
    assert found['thermostat_decisions_total{outcome="executed"}'] == 2
    assert found['thermostat_decisions_total{outcome="in_cooldown"}'] == 1
    assert found["thermostat_due_groups_total"] == 7
    assert found['thermostat_work_seconds_count{work="sweep"}'] == 1
    assert "a-group" not in text


def test_seconds_are_counted_in_buckets_that_include_the_smaller_ones(server: MetricsServer) -> None:
    for seconds in (0.1, 4.0, 99_999.0):
        log.info("round", extra=about((SETTLING, seconds)))
    found = values(scraped(server))
    buckets = {
        re.findall('le="(.*)"', name)[0]: value
        for name, value in found.items()
        if "settling" in name and "le=" in name
    }
    assert (buckets["0.05"], buckets["0.1"], buckets["2.5"], buckets["5.0"]) == (0, 1, 1, 2)
    assert (buckets["3600.0"], buckets["+Inf"]) == (2, 3)
    assert list(buckets.values()) == sorted(buckets.values())
    assert found["thermostat_settling_seconds_count"] == 3
    assert found["thermostat_settling_seconds_sum"] == pytest.approx(100_003.1)


def test_every_metric_is_described_and_what_has_not_happened_is_zero(server: MetricsServer) -> None:
    text = scraped(server)
    for metric in METRICS:
        kind = "counter" if metric.unit is Unit.COUNT else "histogram"
        assert f"# TYPE {metric.prometheus_name} {kind}\n" in text
        assert f"# HELP {metric.prometheus_name} {metric.says}\n" in text
    assert values(text)[SAMPLES_ACCEPTED.prometheus_name] == 0


def test_there_is_nothing_else_and_only_on_loopback(server: MetricsServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        scraped(server, "/")
