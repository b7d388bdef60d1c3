"""What one process measures, for Prometheus: its log lines counted, and served as text on loopback.

Only for processes that stay, as on one machine. In Lambda processes come and go unseen and share nothing, so
there CloudWatch makes the metrics of the same lines. What is counted here is this process's own, from its
start: Prometheus scrapes each process and adds them up. Nobody else is asked for anything, and nothing in it
names a project or a group. Format:
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections import defaultdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate

from chalicelib.logs import measures_of
from chalicelib.telemetry import METRICS, Metric, Unit

HOST = "127.0.0.1"
PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0)
"""Upper bounds of the histograms' buckets: from an empty shard's sweep to a group that does not settle."""

Labels = tuple[str, ...]
"""The values of a metric's dimensions, in their order."""


class Counters(logging.Handler):
    """Counts what log lines measure, since this process began."""

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[Metric, dict[Labels, float]] = {metric: defaultdict(float) for metric in METRICS}
        self._buckets: dict[Metric, dict[Labels, list[int]]] = {metric: {} for metric in METRICS}
        for metric in METRICS:
            if not metric.dimensions:  # what has not happened yet is zero, and no gap
                self._add(metric, (), None)

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line; the handler's lock is held."""
        for metric, value in measures_of(record):
            fields = record.__dict__["fields"]
            self._add(metric, tuple(str(fields[name]) for name in metric.dimensions), value)

    def text(self) -> str:
        """Return all that was counted, in Prometheus's text format."""
        self.acquire()
        try:
            return "".join(f"{line}\n" for metric in METRICS for line in self._lines(metric))
        finally:
            self.release()

    def _add(self, metric: Metric, labels: Labels, value: float | None) -> None:
        """Add a value; None only begins the series."""
        self._sums[metric][labels] += value or 0
        if metric.unit is Unit.SECONDS:
            counts = self._buckets[metric].setdefault(labels, [0] * (len(BOUNDS_SECONDS) + 1))
            if value is not None:
                counts[bisect_left(BOUNDS_SECONDS, value)] += 1

    def _lines(self, metric: Metric) -> list[str]:
        name = metric.prometheus_name
        kind = "counter" if metric.unit is Unit.COUNT else "histogram"
        lines = [f"# HELP {name} {metric.says}", f"# TYPE {name} {kind}"]
        for labels, total in sorted(self._sums[metric].items()):
            named = [f'{each}="{value}"' for each, value in zip(metric.dimensions, labels, strict=True)]
            if metric.unit is Unit.COUNT:
                lines.append(f"{name}{_braces(named)} {total!r}")
                continue
            up_to = list(accumulate(self._buckets[metric][labels]))
            for bound, count in zip((*map(str, BOUNDS_SECONDS), "+Inf"), up_to, strict=True):
                bounded = _braces([*named, f'le="{bound}"'])
                lines.append(f"{name}_bucket{bounded} {count}")
            lines += [f"{name}_sum{_braces(named)} {total!r}", f"{name}_count{_braces(named)} {up_to[-1]}"]
        return lines


def _braces(labels: list[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer

    def do_GET(self) -> None:
        """Answer a scrape."""
        if self.path != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = self.server.counters.text().encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Log no scrape."""


class MetricsServer(ThreadingHTTPServer):
    """Serves a process's counters to whoever is on this machine; port 0 takes any that is free."""

    daemon_threads = True

    def __init__(self, counters: Counters, port: int) -> None:
        self.counters = counters
        super().__init__((HOST, port), _Handler)


def serve_metrics(port: int) -> MetricsServer:
    """Count this process's lines from now on, and serve the counts; the logs must be configured."""
    counters = Counters()
    logging.getLogger("chalicelib").addHandler(counters)
    server = MetricsServer(counters, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
