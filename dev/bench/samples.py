"""Samples through the intake of a group: how many are absorbed a second, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from dev.bench.bench import Bench
from dev.bench.meter import Meter, Seen
from dev.bench.rows import Row
from dev.bench.site import Here, Site

_TURNS = 5
_SHAPES = ((1, 1000), (100, 10), (200, 5), (200, 1), (1, 1))
"""How many series a request has, and how many samples of each; a group has at most 200 series."""


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What came of requests of one shape.

    Attributes:
        seconds, cpu_seconds: of one request, in this process; the stand-in of DynamoDB works in another.
        seen: the calls of one request.
    """

    series: int
    of_each: int
    seconds: float
    cpu_seconds: float
    seen: Seen

    @property
    def samples(self) -> int:
        """How many samples a request has."""
        return self.series * self.of_each

    @property
    def units_of_a_thousand(self) -> float:
        """What 1000 samples cost in units of DynamoDB."""
        return sum(call.units for call in self.seen.of("dynamodb")) * 1000 / self.samples


def rows(bench: Bench) -> Iterator[Row]:
    """Say how many samples one core absorbs, by the shape of requests, and what they cost."""
    for each in _absorbed(bench.site, bench.here, bench.meter):
        calls = len(each.seen.of("dynamodb"))
        how = (
            f"a second of our CPU, {each.samples / each.seconds:.0f} a second by the clock: stored and "
            f"aggregated; {calls} calls of DynamoDB a request, {each.units_of_a_thousand:.0f} units a "
            "thousand samples"
        )
        what = f"samples, {each.series} series x {each.of_each}"
        yield Row(what, f"{each.samples / each.cpu_seconds:.0f}", how)


def _absorbed(site: Site, here: Here, meter: Meter) -> Iterator[Absorbed]:
    """Measure requests of each shape, each turn of all shapes in a row; samples are of ten servers.

    Once more each is counted and not timed: the meter has botocore make all calls.
    """
    group = site.group("samples", adjustment=1, max_size=10, desired=10)
    path, servers = site.intake(group), site.server_ids(group)
    times: dict[tuple[int, int], list[tuple[float, float]]] = {shape: [] for shape in _SHAPES}
    seen: dict[tuple[int, int], Seen] = {}
    for turn in range(_TURNS + 1):
        for shape in _SHAPES:
            body = _body(*shape, servers)
            began, cpu = time.perf_counter(), time.process_time()
            here.post_samples(path, body, shape[0] * shape[1])
            took = time.perf_counter() - began, time.process_time() - cpu
            if turn:  # the first one opens connections, and makes the series known
                times[shape].append(took)
    for shape in _SHAPES:
        with meter.watching() as seen[shape]:
            here.post_samples(path, _body(*shape, servers), shape[0] * shape[1])
    for shape in _SHAPES:
        seconds, cpu_seconds = (median(column) for column in zip(*times[shape], strict=True))
        yield Absorbed(*shape, seconds, cpu_seconds, seen[shape])


def _body(series: int, of_each: int, servers: list[str]) -> dict[str, Any]:
    """Return a request with samples of now; of many, each server reports several times."""
    now = datetime.now(UTC).isoformat()
    return {
        "samples": [
            {
                "metric": f"metric-{metric}",
                "value": 20 + (37 * number + metric) % 60 + number / 7,
                "timestamp": now,
                "server_id": servers[number % len(servers)],
            }
            for metric in range(series)
            for number in range(of_each)
        ]
    }
