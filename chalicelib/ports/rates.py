"""What flows need to bound how often somebody calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Tallies(Protocol):
    """Counts of calls, each of one scope in one minute; they vanish some time after it."""

    def add(self, scope: str, minute: int, calls: int) -> int:
        """Add calls to a count; return what it has come to."""


class Throttle(Protocol):
    """Who has called how often in the minute that lasts."""

    def take(self, scope: str, per_minute: int, now: datetime) -> int | None:
        """Count a call; return None, or where it is one too many, after how many seconds the next may come.

        Never refuses a call that is within the limit. Beyond it each process may take a few
        (``core.rates.reported_at_once``) before it learns of the others'. Where calls cannot be counted,
        they are taken: this protects others, and stops nobody whom they do not suffer from.
        """
