"""Whether services that tests need are there."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit


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
