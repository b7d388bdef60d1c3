"""Cold starts in CPU time, each in a fresh process: bundles as shipped, beside a bare Chalice app's."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dev.bench import cold_bundles
from dev.bench.bench import Bench
from dev.bench.rows import Row, ratio

_PROCESS = Path(__file__).with_name("cold_process.py")
_TURNS = 9


@dataclass(frozen=True, slots=True)
class _Start:
    """A function's start with its first event."""

    bundle: Path
    handler: str
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Taken:
    """Milliseconds of CPU."""

    importing: float
    first: float

    @property
    def whole(self) -> float:
        """From the interpreter's start to the first answer."""
        return self.importing + self.first


def rows(bench: Bench) -> Iterator[Row]:
    """Say what cold starts take, over a bare app's."""
    with tempfile.TemporaryDirectory(prefix="thermostat-cold-") as directory:
        bundles = cold_bundles.make(Path(directory))
        check = _request("GET", "/healthcheck")
        floors = {
            "treated": _Start(bundles.treated, "app.app", check),
            "shipped": _Start(bundles.shipped, "app.app", check),
        }
        ours = {
            "cold start, a GET": _Start(bundles.ours, "app.app", check),
            "cold start, a GET with a token": _Start(bundles.ours, "app.app", _with_token(bench)),
            "cold start, a webhook": _Start(bundles.ours, "app.app", _hook(bench)),
            "cold start, a round": _Start(bundles.ours, "app.work", _round(bench)),
        }
        taken = _medians(floors | ours)
    shipped, treated = taken["shipped"].whole, taken["treated"].whole
    for name in ours:
        each = taken[name]
        how = (
            f"{each.importing:.0f} + {each.first:.0f} ms of CPU, imports and first event; a bare app that "
            f"reads DynamoDB once, treated alike: {treated:.0f} ms; as Chalice ships it: {shipped:.0f} ms "
            f"({ratio(each.whole, shipped)}); medians of {_TURNS}"
        )
        yield Row(name, ratio(each.whole, treated), how)


def _medians(starts: Mapping[str, _Start]) -> dict[str, _Taken]:
    """Return the medians of each; they take turns, after one that is not counted."""
    taken: dict[str, list[_Taken]] = {name: [] for name in starts}
    for _ in range(_TURNS + 1):
        for name, start in starts.items():
            taken[name].append(_fresh(start))
    return {
        name: _Taken(
            statistics.median(one.importing for one in each[1:]),
            statistics.median(one.first for one in each[1:]),
        )
        for name, each in taken.items()
    }


def _fresh(start: _Start) -> _Taken:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(_PROCESS), str(start.bundle), start.handler],
        cwd=start.bundle,
        env={
            **os.environ,
            "AWS_LAMBDA_FUNCTION_NAME": "cold",
            "_HANDLER": start.handler,
        },  # as Lambda sets them
        input=json.dumps(start.event),
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    importing, first = done.stdout.split()
    return _Taken(float(importing), float(first))


def _with_token(bench: Bench) -> Mapping[str, Any]:
    token = bench.site.cloud.token("demo", "demo")
    return _request("GET", "/v1/limits", headers={"x-auth-token": token})


def _hook(bench: Bench) -> Mapping[str, Any]:
    path = urlsplit(bench.group.hook).path
    return _request("POST", path, "/v1/hooks/{token}", {"token": path.rpartition("/")[2]})


def _round(bench: Bench) -> Mapping[str, Any]:
    """Return the event of a message that asks for a round for a group that is settled."""
    group = bench.site.group("rests", adjustment=1, max_size=1, desired=1)
    work = {
        "kind": "converge",
        "project_id": group.project_id,
        "group_id": group.id,
        "request_id": "req-cold",
    }
    message = {"messageId": "1", "receiptHandle": "-", "body": json.dumps(work), "eventSource": "aws:sqs"}
    return {"Records": [message]}


def _request(
    method: str,
    path: str,
    resource: str | None = None,
    arguments: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """Return the event of API Gateway for a request without a body."""
    sent = {"host": "localhost", **(headers or {})}
    return {
        "path": path,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "multiValueQueryStringParameters": None,
        "pathParameters": arguments,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "httpMethod": method,
            "resourcePath": resource or path,
            "path": path,
            "identity": {},
        },
    }
