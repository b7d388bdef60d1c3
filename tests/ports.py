"""Ports for servers that tests start, and those of services that they need."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit


def free_ports(count: int) -> int:
    """Return the first of ``count`` ports in a row that are free on loopback at this moment.

    Each process looks elsewhere first, so that two that look at once do not find the same.
    """
    begin = 20000 + os.getpid() % 400 * 20
    for first in range(begin, 32000, 20):
        if all(_free(first + offset) for offset in range(count)):
            return first
    raise RuntimeError("no free ports")


def listens(url: str | None) -> bool:
    """Return whether something takes connections where ``url`` leads; a catalog names what is down, too."""
    if url is None:
        return False
    parts = urlsplit(url)
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=5).close()
    except OSError:
        return False
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
