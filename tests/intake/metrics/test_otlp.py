from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, TooOften, Unavailable
from chalicelib.core.sample import Batch, Rejection, Sample
from chalicelib.intake.metrics import otlp
from chalicelib.intake.metrics.reading import VALUES_MAX
from tests.intake.metrics.expected import AT, AT_UNIX_NANOSECONDS, NOW, SERVER, reasons, sample, samples

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json; charset=utf-8"}
TIME = {"timeUnixNano": str(AT_UNIX_NANOSECONDS)}
DELTA, CUMULATIVE = 1, 2


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [{"key": name.replace("__", "."), "value": value} for name, value in values.items()]


def text(value: str) -> dict[str, str]:
    return {"stringValue": value}


def request(*metrics: dict[str, Any], **resource: Any) -> dict[str, Any]:
    return {
        "resourceMetrics": [
            {"resource": {"attributes": attributes(**resource)}, "scopeMetrics": [{"metrics": list(metrics)}]}
        ]
    }


def gauge(*points: dict[str, Any], name: str = "cpu") -> dict[str, Any]:
    return {"name": name, "gauge": {"dataPoints": list(points)}}


def of_kind(kind: str, temporality: int, *points: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "m", kind: {"dataPoints": list(points), "aggregationTemporality": temporality, **more}}


def as_protobuf(document: dict[str, Any]) -> bytes:
    body: bytes = json_format.ParseDict(document, ExportMetricsServiceRequest()).SerializeToString()
    return body


def parsed(document: dict[str, Any]) -> Batch:
    """Return what both encodings say, which is the same."""
    in_json = otlp.parse(json.dumps(document).encode(), JSON, {}, NOW)
    assert otlp.parse(as_protobuf(document), PROTOBUF, {}, NOW) == in_json
    return in_json


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (gauge({**TIME, "asDouble": 71.5}), sample("cpu", 71.5)),
        (gauge({**TIME, "asInt": "-3"}), sample("cpu", -3)),
        (gauge({**TIME, "asInt": "0"}), sample("cpu", 0)),
        (gauge({"asDouble": 1}), sample("cpu", 1, at=NOW)),
        (
            gauge({**TIME, "asDouble": 1, "attributes": attributes(z=text("2"), a=text("é"))}),
            sample("cpu", 1, z="2", a="é"),
        ),
        (
            gauge(
                {
                    **TIME,
                    "asDouble": 1,
                    "attributes": attributes(
                        i={"intValue": "7"},
                        d={"doubleValue": 0.5},
                        t={"boolValue": True},
                        f={"boolValue": False},
                    ),
                }
            ),
            sample("cpu", 1, i="7", d="0.5", t="true", f="false"),
        ),
        (of_kind("sum", DELTA, {**TIME, "asInt": "5"}, isMonotonic=True), sample("m", 5)),
        (of_kind("sum", DELTA, {**TIME, "asInt": "-5"}), sample("m", -5)),
        (of_kind("sum", CUMULATIVE, {**TIME, "asDouble": 5}), sample("m", 5)),
    ],
)
def test_what_a_point_says(metric: dict[str, Any], expected: Sample) -> None:
    batch = parsed(request(metric))
    assert batch == Batch(samples=((0, expected),))


def test_only_what_is_cumulative_and_monotonic_is_a_counter() -> None:
    for temporality, monotonic in ((DELTA, True), (DELTA, False), (CUMULATIVE, True), (CUMULATIVE, False)):
        metric = of_kind("sum", temporality, {**TIME, "asInt": "5"}, isMonotonic=monotonic)
        (found,) = samples(parsed(request(metric)))
        assert found.counter == (temporality == CUMULATIVE and monotonic)


@pytest.mark.parametrize(
    ("resource", "source"),
    [
        ({}, None),
        ({"service__name": text("web")}, None),
        ({"host__name": text("web-1")}, "web-1"),
        ({"host__name": text("web-1"), "service__instance__id": text("i-1")}, "i-1"),
        (
            {"host__name": text("web-1"), "service__instance__id": text("i-1"), "host__id": text(SERVER)},
            SERVER,
        ),
        ({"host__id": text(""), "host__name": text("web-1")}, "web-1"),
        ({"host__id": {"intValue": "12"}}, "12"),
        ({"host__id": {"arrayValue": {"values": [text("a")]}}, "host__name": text("web-1")}, "web-1"),
    ],
)
def test_the_source_is_of_the_resource(resource: dict[str, Any], source: str | None) -> None:
    (found,) = samples(parsed(request(gauge({**TIME, "asDouble": 1}), **resource)))
    assert (found.source, found.dimensions) == (source, ())


HISTOGRAM = {
    **TIME,
    "count": "4",
    "sum": 60,
    "min": 5,
    "max": 40,
    "bucketCounts": ["1", "3"],
    "explicitBounds": [10],
}
EXPONENTIAL = {
    **TIME,
    "count": "6",
    "sum": 9,
    "scale": 0,
    "zeroCount": "1",
    "positive": {"offset": 1, "bucketCounts": ["3", "0", "1"]},
    "negative": {"offset": 0, "bucketCounts": ["1"]},
}


def test_histograms() -> None:
    batch = parsed(
        request(of_kind("histogram", DELTA, HISTOGRAM), of_kind("exponentialHistogram", DELTA, EXPONENTIAL))
    )
    explicit, exponential = (each.measure for each in samples(batch))
    assert (explicit.count, explicit.sum, explicit.minimum, explicit.maximum) == (4, 60, 5, 40)
    assert [count for _, count in explicit.spread] == [1, 3]
    assert [value for value, _ in explicit.spread] == pytest.approx([math.sqrt(50), 20])
    assert (exponential.count, exponential.sum, exponential.minimum, exponential.maximum) == (6, 9, -2, 16)
    assert [count for _, count in exponential.spread] == [1, 1, 3, 1]
    assert [value for value, _ in exponential.spread] == pytest.approx(
        [-math.sqrt(2), 0, math.sqrt(8), math.sqrt(128)]
    )


NOTHING = [
    gauge({**TIME, "flags": 1}),
    gauge({**TIME, "flags": 1, "asDouble": 1}),
    of_kind("histogram", DELTA, {**TIME, "count": "0"}),
    of_kind("histogram", DELTA, {**TIME, "count": "0", "bucketCounts": ["0", "0"], "explicitBounds": [1]}),
    of_kind("exponentialHistogram", DELTA, {**TIME, "count": "0"}),
    {"name": "m", "summary": {"dataPoints": [{**TIME, "flags": 1}]}},
]


@pytest.mark.parametrize("metric", NOTHING)
def test_where_nothing_was_recorded_there_is_nothing_to_say(metric: dict[str, Any]) -> None:
    assert parsed(request(metric)) == Batch(samples=())


@pytest.mark.parametrize("document", [{}, request(), request({"name": "of no kind"}), request(gauge())])
def test_a_request_may_be_empty(document: dict[str, Any]) -> None:
    assert parsed(document) == Batch(samples=())


LIST = {"arrayValue": {"values": [text("a")]}}


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (gauge(TIME), "no value"),
        (gauge({**TIME, "asDouble": "NaN"}), "finite"),
        (gauge({**TIME, "asDouble": "-Infinity"}), "finite"),
        (gauge({**TIME, "asDouble": 1, "attributes": attributes(a=LIST)}), "no dimension"),
        (gauge({**TIME, "asDouble": 1, "attributes": attributes(a={})}), "no dimension"),
        (of_kind("sum", 0, {**TIME, "asInt": "1"}), "delta or cumulative"),
        (of_kind("histogram", CUMULATIVE, HISTOGRAM), "TEMPORALITY_PREFERENCE=delta"),
        (of_kind("histogram", 0, HISTOGRAM), "TEMPORALITY_PREFERENCE=delta"),
        (of_kind("exponentialHistogram", CUMULATIVE, EXPONENTIAL), "cumulativetodelta"),
        (of_kind("histogram", DELTA, {**HISTOGRAM, "count": "5"}), "add up"),
        (of_kind("histogram", DELTA, {**HISTOGRAM, "explicitBounds": []}), "bucket more"),
        (of_kind("exponentialHistogram", DELTA, {**EXPONENTIAL, "scale": 99}), "scale"),
        ({"name": "m", "summary": {"dataPoints": [TIME]}}, "summary"),
    ],
)
def test_a_point_that_cannot_be_counted_is_rejected_alone(metric: dict[str, Any], reason: str) -> None:
    """And its place is counted over all metrics, with what was passed over."""
    good = gauge({**TIME, "asDouble": 1}, {**TIME, "flags": 1})
    batch = parsed(request(good, metric, good))
    assert [index for index, _ in batch.samples] == [0, 3]
    (rejection,) = batch.rejected
    assert rejection.index == 2
    assert reason in rejection.reason


def test_what_opentelemetrys_sdk_for_javascript_was_seen_to_send() -> None:
    """Delta was preferred; numbers are doubles, and 64-bit integers are now text, now numbers."""
    body = (Path(__file__).parent / "opentelemetry-js-2.12.json").read_bytes()
    batch = otlp.parse(body, JSON, {}, NOW)
    assert not batch.rejected
    requests, opened, queue, latency = samples(batch)
    assert {each.source for each in (requests, opened, queue, latency)} == {"s-1"}
    assert requests.dimensions == (("b", "true"), ("n", "5"), ("route", "/a"))
    assert [each.measure.sum for each in (requests, opened, queue)] == [3, -2, 7.25]
    assert (latency.measure.count, latency.measure.sum) == (4, 418)
    assert [count for _, count in latency.measure.spread] == [1, 2, 1]


def test_keys_that_are_not_known_are_passed_over() -> None:
    document: Any = request(
        {**gauge({**TIME, "asDouble": 1, "exemplars": [{"x": 1}], "later": {}}), "unit": "%"}
    )
    document["resourceMetrics"][0]["schemaUrl"] = "https://example.com"
    batch = otlp.parse(json.dumps({**document, "more": [1]}).encode(), JSON, {}, NOW)
    assert samples(batch) == [sample("cpu", 1)]


def test_64_bit_integers_may_be_numbers_too() -> None:
    point = {"timeUnixNano": AT_UNIX_NANOSECONDS, "asInt": 5}
    assert samples(otlp.parse(json.dumps(request(gauge(point))).encode(), JSON, {}, NOW)) == [
        sample("cpu", 5)
    ]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"content-type": "text/plain"}, b"{}"),
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b"\xff"),
        (JSON, b'{"resourceMetrics": {}}'),
        (JSON, b'{"a": ' + b"[" * 100_000),
        (JSON, json.dumps(request({"name": 5})).encode()),
        (JSON, json.dumps(request({"name": "\ud800"})).encode()),
        (JSON, json.dumps(request(gauge({"asInt": 10**400}))).encode()),
        (JSON, json.dumps(request(gauge({"asInt": 2**63}))).encode()),
        (JSON, json.dumps(request(gauge({"asDouble": math.nan}))).encode()),
        (JSON, json.dumps(request(gauge({"timeUnixNano": "-1"}))).encode()),
        (PROTOBUF, b"{}"),
        (PROTOBUF, b"\x0a\xff"),
        (PROTOBUF, as_protobuf(request(gauge(TIME)))[:-1]),
    ],
)
def test_what_is_refused_whole(headers: Mapping[str, str], body: bytes) -> None:
    with pytest.raises(Invalid):
        otlp.parse(body, headers, {}, NOW)


def test_there_are_only_so_many_values() -> None:
    points = as_protobuf(request(gauge({**TIME, "asInt": "1"}))) * (VALUES_MAX + 1)
    one = {**HISTOGRAM, "bucketCounts": ["1"] * 1000, "explicitBounds": list(range(999)), "count": "1000"}
    buckets = as_protobuf(request(of_kind("histogram", DELTA, one))) * (VALUES_MAX // 1000 + 1)
    for body in (points, buckets):
        with pytest.raises(TooLarge):
            otlp.parse(body, PROTOBUF, {}, NOW)


any_value = st.one_of(
    st.builds(text, st.text()),
    st.builds(lambda value: {"intValue": str(value)}, st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda value: {"boolValue": value}, st.booleans()),
)
numbers = st.one_of(
    st.builds(lambda value: {"asInt": str(value)}, st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda value: {"asDouble": value}, st.floats(allow_nan=False, allow_infinity=False)),
)


@given(
    name=st.text(min_size=1),
    value=numbers,
    dimensions=st.dictionaries(
        st.text(st.characters(exclude_characters="_", exclude_categories=["Cs"])), any_value
    ),
    microseconds=st.integers(-(10**12), 10**12),
)
def test_whatever_a_gauge_says_is_read(
    name: str, value: dict[str, Any], dimensions: dict[str, Any], microseconds: int
) -> None:
    at = AT + timedelta(microseconds=microseconds)
    nanoseconds = AT_UNIX_NANOSECONDS + microseconds * 1000
    point = {"timeUnixNano": str(nanoseconds), **value, "attributes": attributes(**dimensions)}
    (found,) = samples(parsed(request(gauge(point, name=name))))
    assert (found.metric, found.at, found.measure.sum) == (name, at, float(next(iter(value.values()))))
    assert [key for key, _ in found.dimensions] == sorted(dimensions)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def spoiled(document: Any, draw: Any) -> Any:
    """Return the document with a part of it replaced by junk."""
    if not isinstance(document, dict | list) or not document or draw(st.integers(0, 5)) == 0:
        return draw(junk)
    if isinstance(document, dict):
        key = draw(st.sampled_from(sorted(document)))
        return {**document, key: spoiled(document[key], draw)}
    index = draw(st.integers(0, len(document) - 1))
    return [*document[:index], spoiled(document[index], draw), *document[index + 1 :]]


WHOLE = request(
    gauge({**TIME, "asDouble": 1, "attributes": attributes(a=text("b"))}),
    of_kind("sum", CUMULATIVE, {**TIME, "asInt": "5"}),
    of_kind("histogram", DELTA, HISTOGRAM),
    of_kind("exponentialHistogram", DELTA, EXPONENTIAL),
    host__id=text(SERVER),
)


def is_fit(batch: Batch) -> None:
    for _, each in batch.samples:
        made = each.measure
        assert made.count >= 1
        assert all(map(math.isfinite, (made.sum, made.minimum, made.maximum)))
        each.metric.encode()
        assert all(isinstance(value, str) for value in dict(each.dimensions).values())
    assert all(reason for reason in reasons(batch).values())


@given(data=st.data())
def test_whatever_json_comes_it_is_samples_or_refused(data: st.DataObject) -> None:
    body = json.dumps(spoiled(WHOLE, data.draw)).encode()
    try:
        is_fit(otlp.parse(body, JSON, {}, NOW))
    except Invalid:
        return


@given(
    body=st.binary(),
    place=st.integers(0, len(as_protobuf(WHOLE)) - 1),
    cut=st.integers(0, 3),
)
@example(body=b"", place=0, cut=0)
def test_whatever_protobuf_comes_it_is_samples_or_refused(body: bytes, place: int, cut: int) -> None:
    whole = as_protobuf(WHOLE)
    for each in (body, whole[:place] + body + whole[place + cut :]):
        try:
            is_fit(otlp.parse(each, PROTOBUF, {}, NOW))
        except Invalid:
            continue


def test_all_counted_is_an_empty_response_in_the_requests_own_encoding() -> None:
    for headers, body in ((PROTOBUF, b""), (JSON, b"{}")):
        answer = otlp.answer(5, [], headers)
        assert (answer.status, answer.body) == (200, body)
        assert answer.content_type == headers["content-type"].partition(";")[0]


def test_partial_success() -> None:
    rejected = [Rejection(index=index, reason="Too old.") for index in (3, 4, 300)]
    message = "3 of 303 are not counted: point 4 and 2 more: Too old."
    in_protobuf, in_json = (otlp.answer(300, rejected, headers) for headers in (PROTOBUF, JSON))
    response = ExportMetricsServiceResponse.FromString(in_protobuf.body)
    assert response.partial_success.rejected_data_points == 3
    assert response.partial_success.error_message == message
    assert json_format.Parse(in_json.body, ExportMetricsServiceResponse()) == response
    assert in_protobuf.status == in_json.status == 200


def test_a_long_list_of_reasons_is_cut_off() -> None:
    rejected = [Rejection(index=index, reason=f"Reason {index}.") for index in range(1000)]
    response = ExportMetricsServiceResponse.FromString(otlp.answer(0, rejected, PROTOBUF).body)
    assert response.partial_success.rejected_data_points == 1000
    assert response.partial_success.error_message.endswith("point 5: Reason 4.; and 995 other reasons")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("x", "Né."), 400, 3),
        (NotFound("x", "Né."), 404, 5),
        (TooLarge("x", "Né."), 413, 3),
        (Conflict("x", "Né."), 409, 10),
        (Forbidden("x", "Né."), 403, 7),
        (TooOften("x", "Né.", retry_after_seconds=30), 429, 8),
        (Unavailable("x", "Né.", retry_after_seconds=30), 503, 14),
        (Unavailable("x", "Né." * 100), 503, 14),
    ],
)
def test_refusals(error: Invalid, status: int, code: int) -> None:
    in_protobuf, in_json, otherwise = (otlp.refusal(error, headers) for headers in (PROTOBUF, JSON, {}))
    assert Status.FromString(in_protobuf.body) == Status(code=code, message=error.detail)
    assert json.loads(in_json.body) == {"code": code, "message": error.detail}
    assert otherwise == in_json
    for each in (in_protobuf, in_json):
        assert each.status == status
        assert each.headers == ({"Retry-After": "30"} if error.retry_after_seconds else {})
