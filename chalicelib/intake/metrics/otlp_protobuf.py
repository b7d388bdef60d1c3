"""OTLP in protobuf, read by OpenTelemetry's own messages.

They take a tenth of a second to import, so that happens when the first such request comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.core.errors import Invalid, TooLarge

CONTENT_TYPE = "application/x-protobuf"

_BYTES_MAX = 4 * 1024 * 1024
"""An empty message takes two bytes of the body, and sixty of memory. A point takes some 100 to 400."""
_VARINT_BITS = 7


def decoded(body: bytes) -> Sequence[Any]:
    """Return the request's resource_metrics.

    Raises:
        Invalid: it is not OTLP in protobuf.
        TooLarge: it is longer than ``_BYTES_MAX``, inflated.
    """
    if len(body) > _BYTES_MAX:
        raise TooLarge("intake.too_large", f"A request in protobuf has at most {_BYTES_MAX} bytes, inflated.")
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2  # noqa: PLC0415

    try:
        request = metrics_service_pb2.ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise Invalid("intake.otlp", "The body is not OTLP in protobuf.") from error
    found: Sequence[Any] = request.resource_metrics
    return found


def kind_of(metric: Any) -> str | None:
    """Return the name of the field that holds the metric's points, None if there is none."""
    kind: str | None = metric.WhichOneof("data")
    return kind


def number_of(point: Any) -> float | None:
    """Return the value of a number's point, None if it has none."""
    field = point.WhichOneof("value")
    return None if field is None else getattr(point, field)


def given(point: Any, field: str) -> float | None:
    """Return the value of an optional field, None if it is not there."""
    return getattr(point, field) if point.HasField(field) else None


def text_of(value: Any) -> str | None:
    """Return an attribute's value as text, None if it is none of text, boolean or number."""
    match value.WhichOneof("value"):
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "string_value" | "int_value" | "double_value" as field:
            return str(getattr(value, field))
        case _:
            return None


def answered(rejected: int, message: str) -> bytes:
    """Return an ExportMetricsServiceResponse; of a partial success if anything was rejected."""
    if not rejected:
        return b""
    return _bytes(1, _number(1, rejected) + _bytes(2, message.encode()))


def status(code: int, message: str) -> bytes:
    """Return a google.rpc.Status, which is in no library that we have."""
    return _number(1, code) + _bytes(2, message.encode())


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> _VARINT_BITS:
        groups.append(value & 0x7F)
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
