"""Follows URLs that others gave us, without being led into the networks that this service stands in.

The name is resolved once, every address it stands for is checked, and the connection goes to an address
that was checked: so a name that means something else a moment later changes nothing. The certificate must
still be the name's. No redirects, no proxies, no other port than 443.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from chalicelib.core.errors import Forbidden, Unavailable

Resolve = Callable[[str], Sequence[str]]
Connect = Callable[[str, str, float], http.client.HTTPConnection]

_PORT = 443
_TIMEOUT_SECONDS = 5.0
_BYTES_MAX = 64 * 1024
_CHUNK_BYTES = 8 * 1024


def is_public(text: str) -> bool:
    """Return whether an address is one of the public internet; one that wraps another is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    wraps = isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo
    )
    return address.is_global and not (address.is_multicast or address.is_reserved or wraps)


def resolve(host: str) -> Sequence[str]:
    """Return the addresses that a name stands for."""
    found = socket.getaddrinfo(host, _PORT, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class _Pinned(http.client.HTTPSConnection):
    """Connects to a given address, and holds it to the name's certificate."""

    def __init__(self, host: str, address: str, timeout: float) -> None:
        self._context_of_ours = ssl.create_default_context()
        super().__init__(host, _PORT, timeout=timeout, context=self._context_of_ours)
        self._address = address

    def connect(self) -> None:
        """Connect to the address, not to what the name means by now."""
        plain = socket.create_connection((self._address, _PORT), self.timeout)
        self.sock = self._context_of_ours.wrap_socket(plain, server_hostname=self.host)


class PublicWeb:
    """``ports.web.Web``.

    Args:
        resolve: a name to its addresses; OSError when it has none.
        connect: host, address and timeout in seconds to a connection that is not yet made.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        resolve: Resolve = resolve,
        connect: Connect = _Pinned,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._connect = connect
        self._clock = clock

    def get(self, url: str) -> bytes:
        """Return what is at an https URL.

        Raises:
            Forbidden: the URL leads elsewhere than to the public web.
            Unavailable: there is no answer in time, or none that is a plain 200 of at most 64 KiB.
        """
        host, target = _parts(url)
        try:
            address = self._checked_address(host)
            connection = self._connect(host, address, _TIMEOUT_SECONDS)
            try:
                return self._answer(connection, target)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise _no_answer(host, type(error).__name__) from error

    def _checked_address(self, host: str) -> str:
        """Return one address of the host; all of them must be public, for any might be taken."""
        addresses = self._resolve(host)
        if not addresses or not all(is_public(address) for address in addresses):
            raise Forbidden("web.address", f"{host} does not lead to the public internet only.")
        return addresses[0]

    def _answer(self, connection: http.client.HTTPConnection, target: str) -> bytes:
        until = self._clock() + _TIMEOUT_SECONDS
        connection.request("GET", target, headers={"User-Agent": "thermostat", "Accept": "*/*"})
        response = connection.getresponse()
        if response.status != HTTPStatus.OK:
            raise _no_answer(connection.host, f"it answers {response.status}")
        body = b""
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > _BYTES_MAX:
                raise _no_answer(connection.host, "it answers with too many bytes")
            if self._clock() > until:
                raise _no_answer(connection.host, "it answers too slowly")
        return body


def _parts(url: str) -> tuple[str, str]:
    """Return the host of a URL, and what is asked of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused() from error
    host = parts.hostname
    if parts.scheme != "https" or not host or port not in (None, _PORT) or "@" in parts.netloc:
        raise _refused()
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    if not (host + target).isascii() or not (host + target).isprintable() or " " in target:
        raise _refused()
    return host, target


def _refused() -> Forbidden:
    return Forbidden("web.url", "Only https URLs on the usual port, without a user in them, are followed.")


def _no_answer(host: str, why: str) -> Unavailable:
    return Unavailable("web.unavailable", f"{host} gives no usable answer: {why}.", retry_after_seconds=10)
