"""Tallies in memory."""

from __future__ import annotations

from collections import Counter
from threading import Lock


class FakeTallies:
    """Counts, beside the memory that holds what projects own.

    Attributes:
        writes: how often something was added.
        outage: raised by every call, as if DynamoDB did not answer.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self.writes = 0
        self.outage: Exception | None = None
        self._lock = Lock()

    def add(self, scope: str, minute: int, calls: int) -> int:
        if self.outage is not None:
            raise self.outage
        with self._lock:
            self.writes += 1
            self.counts[scope, minute] += calls
            return self.counts[scope, minute]
