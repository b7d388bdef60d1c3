"""OTLP in JSON: protobuf's JSON mapping, with names in camel case and enums as numbers.

64-bit integers come as text or as numbers, and keys that are not known are passed over, as the protocol
demands. The structs have the names of the protobuf messages' fields, so that ``otlp`` reads both alike.

Source:
    OpenTelemetry documentation, "OTLP Specification": JSON Protobuf Encoding.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from chalicelib.core.errors import Invalid, TooLarge

CONTENT_TYPE = "application/json"

_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Struct(msgspec.Struct, rename="camel", gc=False):
    """What is not there has protobuf's default."""


class _AnyValue(_Struct):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Integer | None = None
    double_value: float | None = None


class _KeyValue(_Struct):
    key: str = ""
    value: _AnyValue = msgspec.field(default_factory=_AnyValue)


class _NumberDataPoint(_Struct):
    attributes: list[_KeyValue] = []
    time_unix_nano: _Count = 0
    flags: _Count = 0
    as_double: float | None = None
    as_int: _Integer | None = None


class _HistogramDataPoint(_Struct):
    attributes: list[_KeyValue] = []
    time_unix_nano: _Count = 0
    flags: _Count = 0
    count: _Count = 0
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    bucket_counts: list[_Count] = []
    explicit_bounds: list[float] = []


class _Buckets(_Struct):
    offset: _Integer = 0
    bucket_counts: list[_Count] = []


class _ExponentialHistogramDataPoint(_Struct):
    attributes: list[_KeyValue] = []
    time_unix_nano: _Count = 0
    flags: _Count = 0
    count: _Count = 0
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    scale: _Integer = 0
    zero_count: _Count = 0
    zero_threshold: float = 0.0
    positive: _Buckets = msgspec.field(default_factory=_Buckets)
    negative: _Buckets = msgspec.field(default_factory=_Buckets)


class _Gauge(_Struct):
    data_points: list[_NumberDataPoint] = []


class _Sum(_Struct):
    data_points: list[_NumberDataPoint] = []
    aggregation_temporality: _Integer = 0
    is_monotonic: bool = False


class _Histogram(_Struct):
    data_points: list[_HistogramDataPoint] = []
    aggregation_temporality: _Integer = 0


class _ExponentialHistogram(_Struct):
    data_points: list[_ExponentialHistogramDataPoint] = []
    aggregation_temporality: _Integer = 0


class _SummaryDataPoint(_Struct):
    flags: _Count = 0


class _Summary(_Struct):
    data_points: list[_SummaryDataPoint] = []


class _Metric(_Struct):
    name: str = ""
    gauge: _Gauge | None = None
    sum: _Sum | None = None
    histogram: _Histogram | None = None
    exponential_histogram: _ExponentialHistogram | None = None
    summary: _Summary | None = None


class _ScopeMetrics(_Struct):
    metrics: list[_Metric] = []


class _Resource(_Struct):
    attributes: list[_KeyValue] = []


class _ResourceMetrics(_Struct):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_metrics: list[_ScopeMetrics] = []


class _Request(_Struct):
    resource_metrics: list[_ResourceMetrics] = []


_DECODER = msgspec.json.Decoder(_Request, strict=False)
_OBJECTS_MAX = 500_000
"""An empty object takes three bytes of the body, and two hundred of memory."""
_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def decoded(body: bytes) -> Sequence[Any]:
    """Return the request's resource_metrics.

    Raises:
        Invalid: it is not OTLP in JSON.
        TooLarge: it has more objects than there is memory for.
    """
    if body.count(b"{") > _OBJECTS_MAX:
        raise TooLarge("intake.too_many_parts", f"A request has at most {_OBJECTS_MAX} objects.")
    try:
        return _DECODER.decode(body).resource_metrics
    except msgspec.ValidationError as error:
        raise Invalid("intake.otlp", f"The body is not OTLP in JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Invalid("intake.otlp", "The body is not JSON.") from error


def kind_of(metric: Any) -> str | None:
    """Return the name of the field that holds the metric's points, None if there is none."""
    return next((kind for kind in _KINDS if getattr(metric, kind) is not None), None)


def number_of(point: Any) -> float | None:
    """Return the value of a number's point, None if it has none."""
    value: float | None = point.as_int if point.as_double is None else point.as_double
    return value


def given(point: Any, field: str) -> float | None:
    """Return the value of an optional field, None if it is not there."""
    value: float | None = getattr(point, field)
    return value


def text_of(value: Any) -> str | None:
    """Return an attribute's value as text, None if it is none of text, boolean or number."""
    if value.bool_value is not None:
        return "true" if value.bool_value else "false"
    scalars = (value.string_value, value.int_value, value.double_value)
    return next((str(scalar) for scalar in scalars if scalar is not None), None)


def answered(rejected: int, message: str) -> bytes:
    """Return an ExportMetricsServiceResponse; of a partial success if anything was rejected."""
    partial = {"rejectedDataPoints": str(rejected), "errorMessage": message}
    return json.dumps({"partialSuccess": partial} if rejected else {}).encode()


def status(code: int, message: str) -> bytes:
    """Return a google.rpc.Status."""
    return json.dumps({"code": code, "message": message}).encode()
