"""A kept connection to DynamoDB by the standard library's HTTP: one request after the other.

Whatever is out of the ordinary is Unexpected, and the connection is of no use any more.
"""

from __future__ import annotations

import select
import ssl
import zlib
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult

_TIMEOUT_SECONDS = 2
"""To connect, and for each part of an answer; DynamoDB takes milliseconds."""


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
        self._http = (
            HTTPConnection(url.hostname, url.port, timeout=_TIMEOUT_SECONDS)
            if tls is None
            else HTTPSConnection(url.hostname, url.port, timeout=_TIMEOUT_SECONDS, context=tls)
        )
        self._http.connect()

    def post(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the content of the answer to a POST to "/".

        Raises:
            Unexpected: see there.
        """
        try:
            self._http.request("POST", "/", body, headers={**headers, "accept-encoding": "identity"})
            answer = self._http.getresponse()
            content = answer.read()
        except HTTPException as error:
            raise Unexpected(f"the answer is not understood: {type(error).__name__}") from error
        if answer.status != HTTPStatus.OK:
            raise Unexpected(f"the answer is {answer.status}")
        checksum = answer.headers.get("x-amz-crc32")
        if checksum is not None and checksum != str(zlib.crc32(content)):
            raise Unexpected("the answer's checksum is wrong")
        return content

    def is_reusable(self) -> bool:
        """Return whether one more request may be sent: the other side has not ended the connection.

        What comes unasked is its end.
        """
        if self._http.sock is None:
            return False
        poll = select.poll()
        poll.register(self._http.sock, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close it; twice is fine."""
        self._http.close()
