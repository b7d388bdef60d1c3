"""Watches every request that this process makes, of AWS and of OpenStack alike.

Both send through urllib3, but for single reads of DynamoDB, which go over a wire of our own.
"""

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

from chalicelib.tables.wire import Wire

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
    send, post = HTTPConnectionPool.urlopen, Wire.post

    @contextmanager
    def noted(what: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            with lock:
                requests.append(Request(what, began, time.perf_counter()))

    def traced(pool: HTTPConnectionPool, method: str, url: str, *args: Any, **named: Any) -> Any:
        with noted(_named(method, url, named.get("headers") or {}, named.get("body"))):
            return send(pool, method, url, *args, **named)

    def traced_read(wire: Wire, headers: Mapping[str, str], body: bytes) -> bytes:
        with noted(_named("POST", "/", headers, body)):
            return post(wire, headers, body)

    HTTPConnectionPool.urlopen = traced  # type: ignore[assignment,method-assign]
    Wire.post = traced_read  # type: ignore[assignment,method-assign]
    try:
        yield requests
    finally:
        HTTPConnectionPool.urlopen = send  # type: ignore[method-assign]
        Wire.post = post  # type: ignore[method-assign]


def _named(method: str, url: str, headers: Mapping[str, str | bytes], body: str | bytes | None) -> str:
    target = {name.lower(): value for name, value in headers.items()}.get("x-amz-target")
    if target is None:
        return f"{method} {_ID.sub('*', url.split('?', 1)[0].rpartition('/v')[2])}"
    operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
    table = json.loads(body or "{}").get("TableName", "")
    return f"{operation} {table.rpartition('-local-')[2]}".strip()
