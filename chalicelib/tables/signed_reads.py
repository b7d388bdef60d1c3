"""Reads of DynamoDB that we sign and send ourselves: a quarter of the CPU time that botocore takes.

It knows two requests (a query, a get), one way (a kept connection to the client's endpoint), one answer (200,
whole) and no trouble at all. Whatever is otherwise, it says so, and the caller has botocore read the same
once more, which does no harm: repeating, waiting, proxies and errors stay botocore's
(docs/decisions/0016-signed-reads.md).
"""

from __future__ import annotations

import logging
import ssl
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypedDict
from urllib.parse import urlsplit

import msgspec
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.session import Session
from botocore.utils import get_environ_proxies

from chalicelib.tables.sigv4 import Keys, signed
from chalicelib.tables.wire import Unexpected, Wire

_log = logging.getLogger(__name__)

READS = frozenset({"Query", "GetItem"})

_REST_SECONDS = 10
"""For so long all reads are botocore's after one that failed here: an outage is not waited for twice each."""

_by_botocore: ContextVar[bool] = ContextVar("by_botocore", default=False)


class Value(TypedDict, total=False):
    """One attribute, as botocore gives it: bytes are bytes."""

    S: str
    N: str
    B: bytes
    BOOL: bool
    NULL: bool
    SS: list[str]
    NS: list[str]
    BS: list[bytes]
    L: list[Value]
    M: dict[str, Value]


class Answer(TypedDict, total=False):
    """What a read answers."""

    Item: dict[str, Value]
    Items: list[dict[str, Value]]
    Count: int
    ScannedCount: int
    LastEvaluatedKey: dict[str, Value]


_answers = msgspec.json.Decoder(Answer)
_requests = msgspec.json.Encoder()


@contextmanager
def all_by_botocore() -> Iterator[None]:
    """Have botocore make every read of this thread meanwhile, for who watches what it is asked."""
    before = _by_botocore.set(True)
    try:
        yield
    finally:
        _by_botocore.reset(before)


class SignedReads:
    """Reads of the tables of one client, with its session's credentials; any number of threads may read.

    Where a proxy is configured every read is botocore's.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, session: Session, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._credentials = session.get_credentials()
        self._region = client.meta.region_name
        self._url = urlsplit(client.meta.endpoint_url)
        proxies = client.meta.config.proxies or get_environ_proxies(client.meta.endpoint_url)
        self._possible = not proxies and self._url.path in ("", "/")
        self._clock = clock
        self._rests_until = clock()
        self._idle: list[Wire] = []
        weakref.finalize(self, _close_all, self._idle)

    def read(self, operation: str, request: Mapping[str, Any]) -> Answer | None:
        """Return what ``operation``, one of READS, answers; None if botocore has to find out."""
        if not self._possible or _by_botocore.get() or self._clock() < self._rests_until:
            return None
        try:
            return _answers.decode(self._post(operation, _requests.encode(request)))
        except (Unexpected, OSError, BotoCoreError, msgspec.MsgspecError) as error:
            self._rests_until = self._clock() + _REST_SECONDS
            why = error if isinstance(error, Unexpected) else type(error).__name__
            _log.warning("reads are botocore's for %s s: %s", _REST_SECONDS, why)
            return None

    def _post(self, operation: str, body: bytes) -> bytes:
        """Return the content of the answer; the connection is kept only after a whole one."""
        headers = {
            "host": self._url.netloc,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        headers = signed(headers, body, self._keys(), self._region, datetime.now(UTC))
        wire = self._wire()
        try:
            content = wire.post(headers, body)
        except BaseException:
            wire.close()
            raise
        self._idle.append(wire)
        return content

    def _keys(self) -> Keys:
        """Return the keys as they are now; botocore gets new ones before they end."""
        now = self._credentials.get_frozen_credentials() if self._credentials is not None else None
        if now is None or now.access_key is None or now.secret_key is None:
            raise Unexpected("there are no credentials")
        return Keys(access=now.access_key, secret=now.secret_key, token=now.token)

    def _wire(self) -> Wire:
        """Return a connection that was kept, or a new one."""
        while self._idle:
            try:
                wire = self._idle.pop()
            except IndexError:  # another thread took it
                break
            if wire.is_reusable():
                return wire
            wire.close()
        return Wire(self._url, self._tls)

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        """Who is trusted: the same as botocore trusts."""
        if self._url.scheme == "http":
            return None
        bundle = self._session.get_config_variable("ca_bundle") or get_cert_path(verify=True)
        return ssl.create_default_context(cafile=bundle)


def _close_all(wires: list[Wire]) -> None:
    while wires:
        wires.pop().close()
