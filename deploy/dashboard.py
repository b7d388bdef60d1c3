"""Grafana dashboards of the service's metrics: ``python -m deploy.dashboard`` writes them to docs/grafana.

Two files of one declaration, for what CloudWatch makes of the logs and for what Prometheus scrapes. Each has
the data source as a variable, so that it can be imported anywhere. Model:
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.logs import NAMESPACE
from chalicelib.telemetry import (
    CONVERGENCE_LAG,
    DECISIONS,
    DUE_GROUPS,
    ERRORS,
    JUDGED_GROUPS,
    ROUNDS,
    SAMPLES_ACCEPTED,
    SAMPLES_REJECTED,
    SETTLING,
    SOURCES_HEARD,
    SOURCES_SILENT,
    WORK_SECONDS,
    Metric,
    Unit,
)

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "grafana"

_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 24
_QUANTILE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart, of metrics of one unit."""

    title: str
    says: str
    metrics: tuple[Metric, ...]


PANELS = (
    Panel(
        title="Decisions by outcome",
        says="Requests to scale. Many in_cooldown are normal; credential_error and no_data are not.",
        metrics=(DECISIONS,),
    ),
    Panel(
        title="Errors by kind",
        says="credential, refused and build are their owners'; cloud, unavailable and internal are yours.",
        metrics=(ERRORS,),
    ),
    Panel(
        title="Convergence lag",
        says="For how long groups have not been as they are wanted, by what keeps them. Watch none.",
        metrics=(CONVERGENCE_LAG,),
    ),
    Panel(
        title="Time to settle",
        says="From a change until the group is as it is wanted: mostly how long servers build.",
        metrics=(SETTLING,),
    ),
    Panel(
        title="Groups found due",
        says="By the sweeps: what messages did not bring. More and more of them is a backlog.",
        metrics=(DUE_GROUPS, JUDGED_GROUPS),
    ),
    Panel(
        title="Duration of work",
        says="A tick, a sweep or a judging of one shard, a round. A round takes at most 25 s and one call.",
        metrics=(WORK_SECONDS,),
    ),
    Panel(title="Rounds", says="By how they left their group.", metrics=(ROUNDS,)),
    Panel(
        title="Silent sources",
        says="Alarm sources that fell silent, and that were heard again.",
        metrics=(SOURCES_SILENT, SOURCES_HEARD),
    ),
    Panel(
        title="Samples",
        says="Counted, and refused: late ones, strangers', too many series.",
        metrics=(SAMPLES_ACCEPTED, SAMPLES_REJECTED),
    ),
)

Target = dict[str, Any]


def prometheus() -> dict[str, Any]:
    """Return the dashboard over Prometheus; all processes that it scrapes are one service."""
    return _dashboard("prometheus", _of_prometheus, [])


def cloudwatch() -> dict[str, Any]:
    """Return the dashboard over CloudWatch, for the stage that is chosen."""
    stage = {"name": "stage", "label": "Stage", "type": "textbox", "query": "prod"}
    region = {"name": "region", "label": "Region", "type": "textbox", "query": "default"}
    return _dashboard("cloudwatch", _of_cloudwatch, [stage, region])


def _dashboard(
    kind: str, targets: Callable[[Metric], list[Target]], variables: list[dict[str, Any]]
) -> dict[str, Any]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": kind}
    return {
        "uid": f"thermostat-{kind}",
        "title": f"Thermostat ({kind})",
        "tags": ["thermostat"],
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [source, *variables]},
        "panels": [_panel(number, kind, panel, targets) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, kind: str, panel: Panel, targets: Callable[[Metric], list[Target]]) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS // _WIDTH)
    source = {"type": kind, "uid": "${datasource}"}
    found = [target for metric in panel.metrics for target in targets(metric)]
    seconds = panel.metrics[0].unit is Unit.SECONDS
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": source,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": "s" if seconds else "short", "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": source, **target}
            for place, target in enumerate(found)
        ],
    }


def _of_prometheus(metric: Metric) -> list[Target]:
    by = ", ".join(metric.dimensions)
    legend = " ".join([metric.name, *(f"{{{{{dimension}}}}}" for dimension in metric.dimensions)])
    if metric.unit is Unit.COUNT:
        grouped = f"sum by ({by})" if by else "sum"
        expression = f"{grouped} (increase({metric.prometheus_name}[$__rate_interval]))"
        return [{"expr": expression, "legendFormat": legend}]
    within = f"rate({metric.prometheus_name}_bucket[$__rate_interval])"
    grouped = ", ".join(["le", *metric.dimensions])
    expression = f"histogram_quantile({_QUANTILE}, sum by ({grouped}) ({within}))"
    return [{"expr": expression, "legendFormat": f"{legend} p{_QUANTILE * 100:.0f}"}]


def _of_cloudwatch(metric: Metric) -> list[Target]:
    counted = metric.unit is Unit.COUNT
    return [
        {
            "queryMode": "Metrics",
            "metricQueryType": 0,
            "metricEditorMode": 0,
            "region": "$region",
            "namespace": NAMESPACE,
            "metricName": metric.name,
            # A dimension that may have any value: a series for each that there is.
            "dimensions": {"stage": "$stage", **dict.fromkeys(metric.dimensions, "*")},
            "matchExact": True,
            "statistic": "Sum" if counted else f"p{_QUANTILE * 100:.0f}",
            "label": " ".join([metric.name, *(f"${{PROP('Dim.{d}')}}" for d in metric.dimensions)]),
            "period": "60",
        }
    ]


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file and what it is to hold."""
    for kind, dashboard in (("prometheus", prometheus()), ("cloudwatch", cloudwatch())):
        yield FOLDER / f"{kind}.json", json.dumps(dashboard, indent=2) + "\n"


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in files():
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
