"""A cold start in CPU time: the service, beside a bare Chalice app, each in a process of its own."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from dev.bench.bench import Bench
from dev.bench.rows import Row, ratio

_ROOT = Path(__file__).resolve().parents[2]
_KINDS = ("service", "bare")


def rows(bench: Bench) -> Iterator[Row]:
    """Say what a cold start takes, over a bare app's."""
    cpu = _medians(bench.site.stack.environment)
    how = (
        f"{cpu['service']:.0f} ms over {cpu['bare']:.0f} ms of CPU: import, build, a GET that reads DynamoDB "
        "once, over a bare Chalice app with botocore; fresh processes, median of 5"
    )
    yield Row("cold start", ratio(cpu["service"], cpu["bare"]), how)


def _medians(environment: Mapping[str, str], times: int = 5) -> dict[str, float]:
    """Return the median CPU milliseconds of each kind; they take turns, after one that is not counted."""
    taken: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    for _ in range(times + 1):
        for kind in _KINDS:
            taken[kind].append(_fresh(kind, environment))
    return {kind: statistics.median(each[1:]) for kind, each in taken.items()}


def _fresh(kind: str, environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-m", "dev.bench.cold_process", kind]
    done = subprocess.run(
        command, cwd=_ROOT, env=dict(environment), stdout=subprocess.PIPE, check=True, timeout=30
    )
    return float(done.stdout)
