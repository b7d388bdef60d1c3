"""Samples as they leave a server: by each of the clients that people have, to the URL that Nova hands out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import requests
from gnocchiclient.v1 import client as gnocchi_client
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from dev.client import Document

Send = Callable[[str, str, str, float], None]
"""Takes the intake's URL, the server's id, the metric and its value."""


def batch(metric: str, values: Mapping[str, float]) -> Document:
    """Return a batch of our own format with each server's value at this moment."""
    at = datetime.now(UTC).isoformat()
    said = ({"server_id": server_id, "value": value} for server_id, value in values.items())
    return {"samples": [{"metric": metric, "timestamp": at, **each} for each in said]}


def post(intake: str, document: Document) -> Document:
    """Post a batch of our own format; return the answer."""
    answer = requests.post(f"{intake}/samples", json=document, timeout=40)
    assert answer.status_code == 202, answer.text
    said: Document = answer.json()
    return said


def by_plain_json(intake: str, server_id: str, metric: str, value: float) -> None:
    assert post(intake, batch(metric, {server_id: value})) == {"accepted": 1, "rejected": []}


def by_opentelemetry(intake: str, server_id: str, metric: str, value: float) -> None:
    exporter = OTLPMetricExporter(endpoint=f"{intake}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = MeterProvider([reader], Resource({"host.id": server_id}), shutdown_on_exit=False)
    provider.get_meter("tests").create_gauge(metric).set(value)
    provider.force_flush()
    provider.shutdown()


def by_influxdb(intake: str, server_id: str, metric: str, value: float) -> None:
    with InfluxDBClient(intake, token="", org="-") as client:
        point = Point(metric).tag("server_id", server_id).field("value", value)
        client.write_api(SYNCHRONOUS).write("-", record=point)


def by_gnocchi(intake: str, server_id: str, metric: str, value: float) -> None:
    measures = [{"timestamp": datetime.now(UTC).isoformat(), "value": value}]
    client = gnocchi_client.Client(Session(auth=Token(intake, "none")))
    client.metric.batch_resources_metrics_measures({server_id: {metric: measures}}, create_metrics=True)


SENDERS: dict[str, Send] = {
    "plain": by_plain_json,
    "otlp": by_opentelemetry,
    "influx": by_influxdb,
    "gnocchi": by_gnocchi,
}
"""By the format that each one speaks."""
