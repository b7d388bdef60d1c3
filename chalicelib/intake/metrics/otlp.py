"""OpenTelemetry's protocol, OTLP over HTTP, in protobuf or JSON.

| what is sent                             | what it becomes                                                |
|------------------------------------------|----------------------------------------------------------------|
| gauge; sum, cumulative and not monotonic | its value                                                      |
| sum, cumulative and monotonic            | a counter, whose growth is what means something                |
| sum, delta                               | its value: the growth since the last, to be added up           |
| histogram, exponential or not, delta     | a measure of all its values                                    |
| histogram, cumulative                    | rejected: it holds all values since the sender began, and what |
|                                          | is new in it is known only to who keeps the one before         |
| summary                                  | rejected: its quantiles cannot be put together with others'    |

The source is the resource's ``host.id``, which ought to be the server's id, or else
``service.instance.id`` or ``host.name``. A point's own attributes are dimensions. A point's place in the
request is counted over all of its metrics. Points that say "no value recorded", and histograms of no values,
are neither counted nor rejected.

Source:
    OpenTelemetry documentation, "OTLP Specification" 1.10: OTLP/HTTP; "Metrics Data Model".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

from chalicelib.core.errors import Invalid, ThermostatError
from chalicelib.core.sample import Batch, Measure, Rejection, Sample, one
from chalicelib.intake.metrics import histograms, otlp_json, otlp_protobuf
from chalicelib.intake.metrics.answer import Answer
from chalicelib.intake.metrics.reading import (
    NO_SUCH_TIME,
    NOT_FINITE,
    Rejected,
    check_count,
    check_parts,
    retry_after,
    status_of,
    summed_up,
    time_of,
)

_SOURCE_ATTRIBUTES = ("host.id", "service.instance.id", "host.name")
_ATTRIBUTES_MAX = 128
"""As OpenTelemetry's SDKs have it. More are no dimensions, and of a resource's only so many are looked at."""
_DELTA, _CUMULATIVE = 1, 2
_NO_RECORDED_VALUE = 1

_HISTOGRAM_NOT_DELTA = (
    "a histogram is counted only as delta; set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta "
    "for the SDK, or use the collector's processor cumulativetodelta"
)

_CODES: Mapping[HTTPStatus, int] = {
    HTTPStatus.BAD_REQUEST: 3,
    HTTPStatus.UNAUTHORIZED: 16,
    HTTPStatus.FORBIDDEN: 7,
    HTTPStatus.NOT_FOUND: 5,
    HTTPStatus.CONFLICT: 10,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: 3,
    HTTPStatus.TOO_MANY_REQUESTS: 8,
    HTTPStatus.SERVICE_UNAVAILABLE: 14,
}
"""google.rpc.Code of a status; what is not here is an internal error."""
_INTERNAL = 13


class _Encoding(Protocol):
    """One of the modules ``otlp_json`` and ``otlp_protobuf``."""

    CONTENT_TYPE: str

    def decoded(self, body: bytes) -> Sequence[Any]: ...
    def kind_of(self, metric: Any) -> str | None: ...
    def number_of(self, point: Any) -> float | None: ...
    def given(self, point: Any, field: str) -> float | None: ...
    def text_of(self, value: Any) -> str | None: ...
    def answered(self, rejected: int, message: str) -> bytes: ...
    def status(self, code: int, message: str) -> bytes: ...


def parse(body: bytes, headers: Mapping[str, str], query: Mapping[str, str], now: datetime) -> Batch:
    """Return the samples of the data points; a point without a time is of ``now``.

    Raises:
        Invalid: the body cannot be read, or the content type is of neither encoding.
        TooLarge: there are too many points, values in histograms, or parts around them.
    """
    del query
    encoding = _encoding(headers)
    if encoding is None:
        raise Invalid("intake.content_type", "OTLP is application/x-protobuf or application/json.")
    samples: list[tuple[int, Sample]] = []
    rejected: list[Rejection] = []
    values = 0
    for index, place in enumerate(_points(encoding, encoding.decoded(body))):
        try:
            sample = _sample(encoding, place, now)
        except Rejected as error:
            rejected.append(Rejection(index=index, reason=str(error)))
            sample = None
        if sample is not None:
            samples.append((index, sample))
            values += len(sample.measure.spread)
        check_count(max(index + 1, values))
    return Batch(samples=tuple(samples), rejected=tuple(rejected))


class _Place(NamedTuple):
    """A point, and what stands around it."""

    source: str | None
    metric: str
    kind: str
    stream: Any
    point: Any


def _points(encoding: _Encoding, resource_metrics: Sequence[Any]) -> Iterator[_Place]:
    parts = 0
    for of_resource in resource_metrics:
        check_parts(parts := parts + 1)
        source = _source(encoding, of_resource.resource.attributes)
        for of_scope in of_resource.scope_metrics:
            check_parts(parts := parts + 1)
            for metric in of_scope.metrics:
                check_parts(parts := parts + 1)
                kind = encoding.kind_of(metric)
                if kind is not None:
                    name, stream = metric.name, getattr(metric, kind)
                    for point in stream.data_points:
                        yield _Place(source, name, kind, stream, point)


def _source(encoding: _Encoding, attributes: Sequence[Any]) -> str | None:
    few = attributes[:_ATTRIBUTES_MAX]
    found = {each.key: encoding.text_of(each.value) for each in few if each.key in _SOURCE_ATTRIBUTES}
    return next((found[name] for name in _SOURCE_ATTRIBUTES if found.get(name)), None)


def _sample(encoding: _Encoding, place: _Place, now: datetime) -> Sample | None:
    """Return the sample of a point, None where nothing was recorded.

    Raises:
        Rejected: the point is not counted, and why.
    """
    point = place.point
    if point.flags & _NO_RECORDED_VALUE:
        return None
    measure = _measure(encoding, place)
    if measure is None:
        return None
    at = time_of(point.time_unix_nano) if point.time_unix_nano else now
    if at is None:
        raise Rejected(NO_SUCH_TIME)
    return Sample(
        metric=place.metric,
        at=at,
        measure=measure,
        source=place.source,
        dimensions=_dimensions(encoding, point.attributes),
        counter=place.kind == "sum"
        and place.stream.is_monotonic
        and place.stream.aggregation_temporality == _CUMULATIVE,
        timed=bool(point.time_unix_nano),
    )


def _measure(encoding: _Encoding, place: _Place) -> Measure | None:
    match place.kind:
        case "gauge":
            return one(_number(encoding, place.point))
        case "sum":
            if place.stream.aggregation_temporality not in (_DELTA, _CUMULATIVE):
                raise Rejected("a sum says whether it is delta or cumulative")
            return one(_number(encoding, place.point))
        case "histogram" | "exponential_histogram":
            if place.stream.aggregation_temporality != _DELTA:
                raise Rejected(_HISTOGRAM_NOT_DELTA)
            return _of_histogram(encoding, place.kind, place.point) if place.point.count else None
        case _:
            raise Rejected("a summary cannot be put together with others; send a histogram")


def _number(encoding: _Encoding, point: Any) -> float:
    value = encoding.number_of(point)
    if value is None:
        raise Rejected("the point has no value")
    if not math.isfinite(value):
        raise Rejected(NOT_FINITE)
    return float(value)


def _of_histogram(encoding: _Encoding, kind: str, point: Any) -> Measure:
    if kind == "histogram":
        buckets = histograms.explicit(point.explicit_bounds, point.bucket_counts)
    else:
        buckets = histograms.exponential(
            point.scale,
            (point.negative.offset, point.negative.bucket_counts),
            (point.zero_threshold, point.zero_count),
            (point.positive.offset, point.positive.bucket_counts),
        )
    total, minimum, maximum = (encoding.given(point, field) for field in ("sum", "min", "max"))
    return histograms.measure(buckets, point.count, total, minimum, maximum)


def _dimensions(encoding: _Encoding, attributes: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    if len(attributes) > _ATTRIBUTES_MAX:
        raise Rejected(f"a point has at most {_ATTRIBUTES_MAX} attributes")
    dimensions: dict[str, str] = {}
    for each in attributes:
        text = encoding.text_of(each.value)
        if text is None:
            raise Rejected("an attribute is text, a boolean or a number; a list or a map is no dimension")
        dimensions[each.key] = text
    return tuple(sorted(dimensions.items()))


def answer(accepted: int, rejected: Sequence[Rejection], headers: Mapping[str, str]) -> Answer:
    """Return 200, with how many points were rejected and why; senders tell it and do not try again."""
    encoding = _encoding(headers) or otlp_json
    told = f"{len(rejected)} of {accepted + len(rejected)} are not counted: {summed_up(rejected, 'point')}"
    return Answer(
        status=HTTPStatus.OK,
        body=encoding.answered(len(rejected), told),
        content_type=encoding.CONTENT_TYPE,
    )


def refusal(error: ThermostatError, headers: Mapping[str, str]) -> Answer:
    """Return a google.rpc.Status in the request's own encoding; senders try again after 429 and 503 alone."""
    encoding = _encoding(headers) or otlp_json
    status = status_of(error)
    return Answer(
        status=status,
        body=encoding.status(_CODES.get(status, _INTERNAL), error.detail),
        content_type=encoding.CONTENT_TYPE,
        headers=retry_after(error),
    )


def _encoding(headers: Mapping[str, str]) -> _Encoding | None:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    encodings: tuple[_Encoding, ...] = (otlp_protobuf, otlp_json)
    return next((each for each in encodings if content_type == each.CONTENT_TYPE), None)
