"""The dashboards: all metrics, and none that there is not."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from chalicelib.telemetry import METRICS, Unit, about
from deploy.dashboard import cloudwatch, files, prometheus
from dev.metrics import Counters
from tests.logged import logged, metrics_of

log = logging.getLogger("chalicelib.of_the_test")


@pytest.fixture(scope="module")
def everything() -> Counters:
    """The counts of a process that has measured everything once."""
    counters = Counters()
    logger = logging.getLogger("chalicelib")
    logger.addHandler(counters)
    with logged():
        for metric in METRICS:
            log.info("x", extra=about((metric, 1), **dict.fromkeys(metric.dimensions, "x")))
    logger.removeHandler(counters)
    return counters


def targets(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [target for panel in dashboard["panels"] for target in panel["targets"]]


def test_the_files_are_what_the_declaration_makes() -> None:
    """``python -m deploy.dashboard`` writes them."""
    for path, text in files():
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date"


def test_prometheus_is_asked_for_series_that_a_scrape_shows(everything: Counters) -> None:
    shown = {
        (name, frozenset(re.findall(r'(\w+)="', labels)))
        for name, labels in re.findall(r"^(\w+)(\{.*\})? ", everything.text(), re.MULTILINE)
    }
    for target in targets(prometheus()):
        (name,) = re.findall(r"(thermostat_\w+)\[", target["expr"])
        (by,) = re.findall(r"sum by \(([^)]*)\)", target["expr"]) or [""]
        labels = frozenset(filter(None, by.split(", ")))
        assert (name, labels) in shown, target["expr"]
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels


def test_cloudwatch_is_asked_for_metrics_that_lines_carry() -> None:
    with logged() as lines:
        for metric in METRICS:
            log.info("x", extra=about((metric, 1), **dict.fromkeys(metric.dimensions, "x")))
    carried = {
        (name, frozenset(dimensions)) for line in lines for name, (dimensions, _) in metrics_of(line).items()
    }
    asked = {(target["metricName"], frozenset(target["dimensions"])) for target in targets(cloudwatch())}
    assert asked == carried
    assert {target["namespace"] for target in targets(cloudwatch())} == {"Thermostat"}


@pytest.mark.parametrize("dashboard", [prometheus(), cloudwatch()], ids=["prometheus", "cloudwatch"])
def test_every_metric_is_shown_and_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    asked = " ".join(str(target) for target in targets(dashboard))
    for metric in METRICS:
        assert metric.prometheus_name in asked or f"'{metric.name}'" in asked
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    assert len(places) == len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\b", str(dashboard)))
    assert used - {"__rate_interval"} <= variables
    units = {panel["title"]: panel["fieldConfig"]["defaults"]["unit"] for panel in dashboard["panels"]}
    assert units["Convergence lag"] == "s"
    assert {metric.unit for metric in METRICS} == {Unit.COUNT, Unit.SECONDS}
