"""Samples in every format, and what a stage makes of them: alarms, metric policies, a forecast."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from chalicelib.core.fold import HOUR_SECONDS, WHOLE_GROUP, Reading, folded, period_of
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.core.sample import one
from chalicelib.core.series import Series
from tests.deploy.events import Gateway
from tests.deploy.stage import Stage

_HOUR = timedelta(seconds=HOUR_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """The ids of what watches a group's metrics.

    Attributes:
        adding: adds one member when ``high`` fires.
        tracking: holds cpu at 45, which each member reports.
        foreseeing: acts on what it foresees of requests.
        high: queue is above 10 in a minute.
        quick: latency is above 1 in ten seconds.
        both: of the two alarms.
    """

    adding: str
    tracking: str
    foreseeing: str
    high: str
    quick: str
    both: str


def watch_group(api: Gateway, group_id: str) -> Watching:
    """Have a group's metrics watched in every way there is."""

    def policy(**wanted: Any) -> str:
        return str(api.post("/v1/policies", {"name": "p", "group_id": group_id, **wanted})["id"])

    def alarm(**wanted: Any) -> str:
        return str(api.post("/v1/alarms", {"name": "a", "group_id": group_id, **wanted})["id"])

    adding = policy(type="change_in_capacity", adjustment=1)
    above: dict[str, Any] = {"comparison_operator": "gt"}
    high = alarm(metric="queue", threshold=10, alarm_actions=[adding], **above)
    # Judged a little later than wanted, on a machine that is busy, it must still see its ten seconds.
    patient = {"period": 10, "evaluation_periods": 3, "datapoints_to_alarm": 1}
    quick = alarm(metric="latency", threshold=1, **patient, **above)
    return Watching(
        adding=adding,
        tracking=policy(type="target_tracking", metric="cpu", target=45, unready=0),
        foreseeing=policy(type="predictive", metric="requests", target=10, act=True),
        high=high,
        quick=quick,
        both=alarm(composite={"and": [{"alarm": high}, {"alarm": quick}]}),
    )


def post_samples(api: Gateway, group_id: str, intake: str, servers: Sequence[str]) -> None:
    """Post samples of the minute that is over, one request in each format.

    Two servers report their cpu, each with another protocol; the other metrics are about the group.
    """
    at = period_of(datetime.now(UTC), 60) - timedelta(seconds=30)
    one_server, other_server = servers
    plain = {"samples": [{"metric": "plain", "value": 1, "timestamp": at.isoformat()}]}
    assert api.post("/v1/samples", {**plain, "group_id": group_id})["accepted"] == 1
    assert api.post(f"{intake}/samples", plain)["accepted"] == 1

    _export(api, intake, _otlp("cpu", 90, at, host__id=one_server), protobuf=True)
    _export(api, intake, _otlp("cpu.idle", 10, at, host__id=one_server), protobuf=False)
    nanoseconds = int(at.timestamp()) * 10**9
    for path, line in (("write", f"cpu,server_id={other_server}"), ("api/v2/write", "disk")):
        body = f"{line} value=90 {nanoseconds}\n".encode()
        assert api.call("POST", f"{intake}/{path}", body, {"Content-Type": "text/plain"}).status == 204
    measures = [{"timestamp": at.isoformat(), "value": 50}]
    for path, batch in (
        ("metrics", {"queue": measures}),
        ("resources/metrics", {one_server: {"memory": measures}}),
    ):
        assert api.call("POST", f"{intake}/v1/batch/{path}/measures", batch).status == 202
    came = {each["name"] for each in api.get(f"/v1/groups/{group_id}/metrics")["metrics"]}
    assert came == {"plain", "cpu", "cpu.idle", "disk", "queue", "memory"}


def post_latency(api: Gateway, intake: str) -> None:
    """Post a sample of the ten seconds that are over, of a metric that is watched so closely."""
    at = period_of(datetime.now(UTC), 10) - timedelta(seconds=5)
    sample = {"metric": "latency", "value": 2, "timestamp": at.isoformat()}
    assert api.post(f"{intake}/samples", {"samples": [sample]})["accepted"] == 1


def let_hours_pass(stage: Stage, project_id: str, group_id: str, *, hours: int) -> None:
    """Leave requests in minutes of past hours as their samples would have, had they come in time."""
    series = Series(
        project_id=ProjectId(project_id), group_id=GroupId(group_id), metric="requests", dimensions=()
    )
    newest = period_of(datetime.now(UTC) - 2 * _HOUR, HOUR_SECONDS)
    readings = [
        Reading(series=series, member=WHOLE_GROUP, at=newest - number * _HOUR, measure=one(20))
        for number in range(hours)
    ]
    assert stage.fold_table().add(folded(readings, b"the past", frozenset())) == {}


def _otlp(metric: str, value: float, at: datetime, **resource: str) -> Mapping[str, Any]:
    point = {"timeUnixNano": str(int(at.timestamp()) * 10**9), "asDouble": value}
    attributes = [
        {"key": name.replace("__", "."), "value": {"stringValue": text}} for name, text in resource.items()
    ]
    metrics = [{"name": metric, "gauge": {"dataPoints": [point]}}]
    return {
        "resourceMetrics": [
            {"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": metrics}]},
        ]
    }


def _export(api: Gateway, intake: str, request: Mapping[str, Any], *, protobuf: bool) -> None:
    """Post metrics as OpenTelemetry does, compressed; nothing of them may be rejected."""
    body, kind = json.dumps(request).encode(), "application/json"
    if protobuf:
        message = json_format.ParseDict(request, ExportMetricsServiceRequest())
        body, kind = message.SerializeToString(), "application/x-protobuf"
    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
    answer = api.call("POST", f"{intake}/v1/metrics", gzip.compress(body), headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    if protobuf:
        assert ExportMetricsServiceResponse.FromString(answer.body) == ExportMetricsServiceResponse()
    else:
        assert answer.document == {}
