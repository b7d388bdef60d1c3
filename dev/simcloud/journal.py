"""What the services were asked, for tests that count calls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

# A long run keeps the latest.
_ENTRIES_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request to a service.

    Attributes:
        status: what was answered; null if the connection was dropped instead.
        request_id: what the client sent as X-Openstack-Request-Id.
    """

    service: str
    method: str
    path: str
    status: int | None
    request_id: str | None


class Journal:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_ENTRIES_MAX)

    def add(self, entry: Entry) -> None:
        """Remember a request."""
        self._entries.append(entry)

    def entries(self) -> tuple[Entry, ...]:
        """Return what is remembered."""
        return tuple(self._entries)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
