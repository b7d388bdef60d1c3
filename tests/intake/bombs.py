"""Requests with samples that are small to send and dear to read, and what reads them with little memory.

python -m tests.intake.bombs        prints what came of each, as JSON
"""

from __future__ import annotations

import gzip
import json
import resource
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.api.samples import _INFLATED_MAX_BYTES as INFLATED_MAX_BYTES
from chalicelib.core.errors import ThermostatError
from chalicelib.intake.compression import inflated
from chalicelib.intake.metrics import gnocchi, influx, otlp, otlp_protobuf, plain

MEMORY_BYTES = 256 * 1024 * 1024
"""Half of what the function has that reads them."""

NOW = datetime(2026, 3, 1, tzinfo=UTC)
IN_JSON = {"content-type": "application/json"}
IN_PROTOBUF = {"content-type": "application/x-protobuf"}

_METRIC = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a",'
_END = b"}]}]}]}"


def filled(unit: bytes, head: bytes = b"", tail: bytes = b"", size: int = INFLATED_MAX_BYTES) -> bytes:
    """Return a body of nearly ``size`` bytes that repeats ``unit``."""
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def bombs() -> Iterator[tuple[str, Any, bytes, Mapping[str, str]]]:
    """Yield each: its name, the format's module, the body inflated, the headers."""
    histogram = b'"histogram":{"aggregationTemporality":1,"dataPoints":[{"count":1,"bucketCounts":['
    yield "protobuf: empty resources", otlp, filled(b"\x0a\x00"), IN_PROTOBUF
    few = filled(b"\x0a\x00", size=otlp_protobuf._BYTES_MAX)
    yield "protobuf: empty resources, as many as fit", otlp, few, IN_PROTOBUF
    yield "otlp: empty resources", otlp, filled(b"{},", b'{"resourceMetrics":[', b"{}]}"), IN_JSON
    attributes = b'{"resourceMetrics":[{"resource":{"attributes":['
    yield "otlp: empty attributes", otlp, filled(b"{},", attributes, b"{}]}}]}"), IN_JSON
    yield "otlp: empty metrics", otlp, filled(b"{},", _METRIC[:-12], b"{}]}]}]}"), IN_JSON
    yield "otlp: lists in lists", otlp, filled(b"[", b'{"resourceMetrics":['), IN_JSON
    yield "otlp: objects in objects", otlp, filled(b'{"a":', b'{"x":'), IN_JSON
    yield "otlp: buckets", otlp, filled(b"1,", _METRIC + histogram, b"1]}]}" + _END), IN_JSON
    digits = filled(b"9", _METRIC + b'"gauge":{"dataPoints":[{"asInt":', b"}]}" + _END)
    yield "otlp: a number of sixteen million digits", otlp, digits, IN_JSON
    yield "influx: comments", influx, filled(b"#\n"), {}
    yield "influx: empty lines", influx, filled(b"\n"), {}
    yield "influx: booleans", influx, filled(b"m f=t\n"), {}
    yield "influx: fields of one line", influx, filled(b"f=t,", b"m ", b"f=t"), {}
    yield "influx: tags of one line", influx, filled(b",a=b", b"m", b" f=1"), {}
    yield "influx: commas", influx, filled(b",", b"m "), {}
    yield "influx: a text that never ends", influx, filled(b'\\"', b'm f="'), {}
    yield "influx: texts that begin in each line", influx, filled(b'm f="\n'), {}
    yield "gnocchi: empty lists", gnocchi, filled(b'"a":[],', b"{", b'"a":[]}'), {}
    yield "gnocchi: lists in lists", gnocchi, filled(b"[", b'{"a":'), {}
    yield "gnocchi: measures", gnocchi, filled(b'{"timestamp":1,"value":1},', b'{"a":['), {}
    yield "plain: samples", plain, filled(b'{"metric":"a","value":1},', b'{"samples":['), {}
    dimensions = b'{"samples":[{"metric":"a","value":1,"dimensions":{'
    yield "plain: dimensions", plain, filled(b'"a":"b",', dimensions, b'"a":"b"}}]}'), {}
    yield "plain: lists in lists", plain, filled(b"["), {}


def outcomes() -> dict[str, tuple[str, float]]:
    """Return what came of each bomb, gzip's among them, and the seconds of CPU that it took."""
    found: dict[str, tuple[str, float]] = {}
    for name, module, body, headers in bombs():
        sent = gzip.compress(body, 1)
        began = time.process_time()
        try:
            batch = module.parse(inflated(sent, INFLATED_MAX_BYTES), headers, {}, NOW)
            said = f"{len(batch.samples)} samples, {len(batch.rejected)} rejected"
        except ThermostatError as error:
            said = type(error).__name__
        except MemoryError:
            said = "out of memory"
        found[name] = (said, time.process_time() - began)
    return found


def main() -> None:
    """Read them all, in no more memory than a few times their length."""
    inflated(gzip.compress(b"-"), 1)
    for module, headers in ((otlp, IN_PROTOBUF), (otlp, IN_JSON)):  # what is imported when first needed
        module.parse(b"" if headers is IN_PROTOBUF else b"{}", headers, {}, NOW)
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    used = int(pages) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))
    print(json.dumps(outcomes()))


if __name__ == "__main__":
    main()
