"""Meters: which series a group has, and how closely they are watched. There is a limit to how many."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

SERIES_MAX = 200
SERIES_MAX_BYTES = 1024
"""How many series a group may have, and how long the names of one, with its dimensions, may be together."""

SEEN_AGAIN = timedelta(hours=1)
"""How often it is written down that a series is still there."""

Name = tuple[str, tuple[tuple[str, str], ...]]
"""A series within its group: the metric and the dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """The series of one group.

    Attributes:
        seen: when each last had a sample, give or take an hour.
        fine: the metrics that are kept in periods of 10 s.
    """

    seen: Mapping[Name, datetime] = field(default_factory=dict)
    fine: frozenset[str] = frozenset()

    def is_news(self, names: Collection[Name], now: datetime, keep: timedelta) -> bool:
        """Return whether samples of ``names`` at ``now`` are anything to write down.

        Args:
            keep: as of ``seeing``, which makes room where none seems to be.
        """
        room = len(self.seen) < SERIES_MAX or any(now - at >= keep for at in self.seen.values())
        return any(now - self.seen[name] >= SEEN_AGAIN if name in self.seen else room for name in names)

    def seeing(self, names: Iterable[Name], now: datetime, keep: timedelta) -> Meters:
        """Return the meters with those of ``names`` that there is room for.

        Series without a sample for ``keep`` are forgotten: of theirs nothing is stored any more.
        """
        seen = {name: at for name, at in self.seen.items() if now - at < keep}
        for name in names:
            if name in seen or len(seen) < SERIES_MAX:
                seen[name] = now
        return replace(self, seen=seen)

    def watching(self, metric: str, *, fine: bool) -> Meters:
        """Return the meters with ``metric`` kept in periods of 10 s, or no longer."""
        return replace(self, fine=self.fine | {metric} if fine else self.fine - {metric})
