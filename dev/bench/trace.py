"""Watches every request that this process makes, of AWS and of OpenStack alike: both send through urllib3."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        what: AWS's operation and the table it is about, or the method and path.
        began, ended: in seconds of ``time.perf_counter``.
    """

    what: str
    began: float
    ended: float


@contextmanager
def tracing() -> Iterator[list[Request]]:
    """Yield the requests made until the end of the block, in the order in which they end."""
    requests: list[Request] = []
    lock = threading.Lock()
    send = HTTPConnectionPool.urlopen

    def traced(pool: HTTPConnectionPool, method: str, url: str, *args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return send(pool, method, url, *args, **named)
        finally:
            with lock:
                requests.append(Request(_named(method, url, named), began, time.perf_counter()))

    HTTPConnectionPool.urlopen = traced  # type: ignore[assignment,method-assign]
    try:
        yield requests
    finally:
        HTTPConnectionPool.urlopen = send  # type: ignore[method-assign]


def _named(method: str, url: str, request: Mapping[str, Any]) -> str:
    target = (request.get("headers") or {}).get("X-Amz-Target")
    if target is None:
        return f"{method} {_ID.sub('*', url.split('?', 1)[0].rpartition('/v')[2])}"
    operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
    table = json.loads(request.get("body") or "{}").get("TableName", "")
    return f"{operation} {table.rpartition('-local-')[2]}".strip()
