"""As much HTTP/1.1 as DynamoDB speaks: a POST with its length, its answer with its length, and the next one.

http.client takes the head of an answer apart as if it were an e-mail's, which takes as long as all else
that an alarm needs. Whatever is not understood here is Unexpected, and the connection is of no use any more.
"""

from __future__ import annotations

import select
import socket
import ssl
import zlib
from collections.abc import Mapping
from urllib.parse import SplitResult

_TIMEOUT_SECONDS = 2
"""To connect, and for each part of an answer; DynamoDB takes milliseconds."""
_LINE_MAX = 8192
_HEADERS_MAX = 64


class Unexpected(Exception):
    """The answer is another one than 200, or not whole, or not understood."""


class Wire:
    """A connection, open from the beginning.

    Args:
        url: of https or http; the host and port count.
        tls: for https, who is trusted.

    Raises:
        OSError: nobody answers there, or nobody who is trusted; so may every method.
    """

    def __init__(self, url: SplitResult, tls: ssl.SSLContext | None) -> None:
        assert url.hostname is not None
        port = url.port or (80 if tls is None else 443)
        sock = socket.create_connection((url.hostname, port), _TIMEOUT_SECONDS)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock = sock if tls is None else tls.wrap_socket(sock, server_hostname=url.hostname)
        except OSError:
            sock.close()
            raise
        self._answers = self._sock.makefile("rb")
        self._ends = False

    def post(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the content of the answer to a POST to "/".

        Raises:
            Unexpected: see there.
        """
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._sock.sendall(f"POST / HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        status = self._answers.readline(_LINE_MAX)
        if not status.startswith(b"HTTP/1.1 200 "):
            raise Unexpected(f"the answer begins with {status[:12]!r}")
        told = self._headers()
        self._ends = told.get(b"connection", b"").lower() == b"close"
        length, checksum = told.get(b"content-length", b""), told.get(b"x-amz-crc32")
        if not length.isdigit():
            raise Unexpected("the answer does not say how long it is")
        content = self._answers.read(int(length))
        if len(content) < int(length):
            raise Unexpected("the answer ends too early")
        if checksum is not None and checksum != b"%d" % zlib.crc32(content):
            raise Unexpected("the answer's checksum is wrong")
        return content

    def is_reusable(self) -> bool:
        """Return whether one more request may be sent: the other side has not ended the connection.

        What comes unasked is its end.
        """
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not self._ends and not poll.poll(0)

    def close(self) -> None:
        """Close it; twice is fine."""
        self._answers.close()
        self._sock.close()

    def _headers(self) -> Mapping[bytes, bytes]:
        """Return the answer's headers, up to the empty line behind them."""
        told: dict[bytes, bytes] = {}
        for _ in range(_HEADERS_MAX):
            line = self._answers.readline(_LINE_MAX)
            if line == b"\r\n":
                return told
            name, colon, value = line.partition(b":")
            if not colon:
                break
            told[name.lower()] = value.strip()
        raise Unexpected("the answer's headers are not understood")
