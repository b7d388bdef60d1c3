"""Senders as they are installed on servers, sending to the parsers over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gnocchiclient import exceptions as gnocchi_exceptions
from gnocchiclient.v1 import client as gnocchi_client
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from keystoneauth1 import session
from keystoneauth1.token_endpoint import Token
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from chalicelib.core.errors import Invalid, Unavailable
from tests.intake.metrics.expected import AT, NOW, SERVER
from tests.intake.metrics.receiver import Receiver, receiving

DELTA: dict[type, AggregationTemporality] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Application:
    """An application with OpenTelemetry's SDK, which exports when it is told to."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        compression: Compression = Compression.NoCompression,
        temporality: dict[type, AggregationTemporality] | None = None,
        views: tuple[View, ...] = (),
    ) -> None:
        exporter = OTLPMetricExporter(
            endpoint=f"{receiver.url}/v1/metrics", compression=compression, preferred_temporality=temporality
        )
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
        resource = Resource({"host.id": SERVER, "service.name": "web"})
        self._provider = MeterProvider([reader], resource, views=views, shutdown_on_exit=False)
        self.meter = self._provider.get_meter("tests")

    def export(self) -> None:
        self._provider.force_flush()

    def stop(self) -> None:
        self._provider.shutdown()


@pytest.mark.parametrize(
    ("compression", "magic"), [(Compression.NoCompression, b"\x0a"), (Compression.Gzip, b"\x1f\x8b")]
)
def test_opentelemetrys_sdk(receiver: Receiver, compression: Compression, magic: bytes) -> None:
    application = Application(receiver, compression=compression, temporality=DELTA)
    application.meter.create_gauge("queue.length").set(17, {"queue": "mail", "urgent": True})
    application.meter.create_counter("requests").add(3)
    application.meter.create_up_down_counter("open").add(-2)
    latency = application.meter.create_histogram("latency")
    for milliseconds in (3, 7, 8, 400):
        latency.record(milliseconds)
    application.export()
    application.stop()

    assert receiver.bodies[0].startswith(magic)
    found = receiver.samples()
    assert {each.source for each in found.values()} == {SERVER}
    assert found["queue.length"].dimensions == (("queue", "mail"), ("urgent", "true"))
    assert found["queue.length"].measure.sum == 17
    assert (found["requests"].measure.sum, found["requests"].counter) == (3, False)
    assert (found["open"].measure.sum, found["open"].counter) == (-2, False)
    measure = found["latency"].measure
    assert (measure.count, measure.sum, measure.minimum, measure.maximum) == (4, 418, 3, 400)
    assert [count for _, count in measure.spread] == [1, 2, 1]
    assert [(answer.status, answer.body) for answer in receiver.answers[:1]] == [(200, b"")]


def test_opentelemetrys_sdk_left_at_its_defaults(receiver: Receiver) -> None:
    """Counters are cumulative, which is as good; histograms are not counted, and the answer says why."""
    application = Application(receiver)
    requests = application.meter.create_counter("requests")
    application.meter.create_histogram("latency").record(3)
    for total in (2, 4):
        requests.add(2)
        application.export()
        assert receiver.samples()["requests"].measure.sum == total
        assert receiver.samples()["requests"].counter
        assert b"TEMPORALITY_PREFERENCE=delta" in receiver.answers[-1].body
    assert set(receiver.samples()) == {"requests"}
    application.stop()


def test_opentelemetrys_exponential_histograms(receiver: Receiver) -> None:
    view = View(instrument_name="latency", aggregation=ExponentialBucketHistogramAggregation())
    application = Application(receiver, temporality=DELTA, views=(view,))
    latency = application.meter.create_histogram("latency")
    recorded = [0.0, 0.001, 3.0, 3.1, 250.0, 4e6]
    for milliseconds in recorded:
        latency.record(milliseconds)
    application.export()
    application.stop()

    measure = receiver.samples()["latency"].measure
    assert (measure.count, measure.minimum, measure.maximum) == (6, 0, 4e6)
    values = [value for value, count in measure.spread for _ in range(count)]
    assert values == pytest.approx(recorded, rel=0.13)  # 160 buckets for nine decades and a half


def test_opentelemetrys_sdk_tries_again_what_is_not_available(receiver: Receiver) -> None:
    receiver.refuse = [Unavailable("storage", "Try again.", retry_after_seconds=0)]
    application = Application(receiver)
    application.meter.create_gauge("queue").set(1)
    application.export()
    assert [answer.status for answer in receiver.answers] == [503, 200]
    assert receiver.bodies[0] == receiver.bodies[1]
    application.stop()


def test_opentelemetrys_sdk_does_not_try_again_what_is_invalid(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.refuse = [Invalid("intake", "Not like this.")]
    application = Application(receiver)
    application.meter.create_gauge("queue").set(1)
    application.export()
    assert [answer.status for answer in receiver.answers] == [400]
    assert "400" in caplog.text
    application.stop()


@pytest.mark.parametrize("compressed", [False, True])
def test_influxdbs_client(receiver: Receiver, compressed: bool) -> None:
    point = Point("disk usage").tag("host", "web-1").tag("path", "/var/lib, too").time(AT, WritePrecision.S)
    point.field("used_percent", 71.5).field("inodes", 12).field("fstype", 'ext"4 ').field("ok", True)
    with InfluxDBClient(receiver.url, token="", org="-", enable_gzip=compressed) as client:
        writer = client.write_api(SYNCHRONOUS)
        writer.write("-", record=[point, "queue value=3i"], write_precision=WritePrecision.S)
    found = receiver.samples()
    assert set(found) == {"disk usage.used_percent", "disk usage.inodes", "queue"}
    used = found["disk usage.used_percent"]
    assert (used.source, used.dimensions, used.at) == ("web-1", (("path", "/var/lib, too"),), AT)
    assert (used.measure.sum, found["disk usage.inodes"].measure.sum, found["queue"].measure.sum) == (
        71.5,
        12,
        3,
    )
    assert [answer.status for answer in receiver.answers] == [204]
    assert receiver.bodies[0].startswith(b"\x1f\x8b") == compressed


def test_influxdbs_client_is_told_of_a_line_that_is_rejected(receiver: Receiver) -> None:
    with InfluxDBClient(receiver.url, token="", org="-") as client, pytest.raises(ApiException) as told:
        client.write_api(SYNCHRONOUS).write("-", record="queue value=3\nqueue value=many")
    assert told.value.status == 400
    assert told.value.message.startswith("partial write: sample 2: line 2: ")
    assert receiver.samples()["queue"].measure.sum == 3


def gnocchi(receiver: Receiver) -> gnocchi_client.Client:
    return gnocchi_client.Client(session.Session(auth=Token(receiver.url, "none")))


def test_gnocchis_client(receiver: Receiver) -> None:
    measures = [{"timestamp": AT.isoformat(), "value": 71.5}]
    client = gnocchi(receiver)
    client.metric.batch_resources_metrics_measures({SERVER: {"cpu": measures}}, create_metrics=True)
    client.metric.batch_resources_metrics_measures({SERVER: {"memory": {"measures": measures}}})
    client.metric.batch_metrics_measures({"queue": measures})
    found = receiver.samples()
    assert {name: each.source for name, each in found.items()} == {
        "cpu": SERVER,
        "memory": SERVER,
        "queue": None,
    }
    assert {(each.at, each.measure.sum) for each in found.values()} == {(AT, 71.5)}
    assert [answer.status for answer in receiver.answers] == [202, 202, 202]


def test_gnocchis_client_is_told_why_a_batch_is_refused(receiver: Receiver) -> None:
    with pytest.raises(gnocchi_exceptions.BadRequest) as told:
        gnocchi(receiver).metric.batch_metrics_measures({"queue": [{"timestamp": "soon", "value": 1}]})
    assert "A timestamp is" in str(told.value)
    receiver.refuse = [Unavailable("storage", "Try again.", retry_after_seconds=5)]
    with pytest.raises(gnocchi_exceptions.ClientException) as unavailable:
        gnocchi(receiver).metric.batch_metrics_measures({})
    assert "Try again. (HTTP 503)" in str(unavailable.value)


def test_gnocchis_command_line(receiver: Receiver, tmp_path: Path) -> None:
    batch = tmp_path / "measures.json"
    batch.write_text(json.dumps({SERVER: {"cpu": [{"timestamp": "-10 seconds", "value": 71.5}]}}))
    command = ["measures", "batch-resources-metrics", "--create-metrics", str(batch)]
    options = ["--user-id", "-", "--project-id", "-", "--endpoint", receiver.url]
    subprocess.run(
        [Path(sys.executable).with_name("gnocchi"), "--os-auth-type", "gnocchi-noauth", *options, *command],
        check=True,
    )
    assert receiver.samples()["cpu"].source == SERVER
    assert receiver.samples()["cpu"].at > NOW
