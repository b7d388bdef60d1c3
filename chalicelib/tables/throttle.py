"""How often somebody has called, kept in the container and added up with the others' from time to time.

Counting each call where all see it would be a write more for each. So a process counts by itself and adds
what it counted every few calls; who calls seldom is never written down at all.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.errors import Unavailable
from chalicelib.core.rates import minute_of, reported_at_once, seconds_left
from chalicelib.ports.rates import Tallies

_log = logging.getLogger(__name__)

_SCOPES_MAX = 10_000
"""How many scopes a process knows; of more, it forgets those that called longest ago."""


@dataclass(slots=True)
class _Tally:
    """One scope in one minute.

    Attributes:
        known: what all processes had added when this one last did.
        mine: what this one has not added yet.
    """

    minute: int
    known: int = 0
    mine: int = 0


class SharedThrottle:
    """``ports.rates.Throttle``."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies
        self._known: OrderedDict[str, _Tally] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, scope: str, per_minute: int, now: datetime) -> int | None:
        """Count a call; return None, or the seconds after which the next may come."""
        minute = minute_of(now)
        with self._lock:
            tally = self._tally(scope, minute)
            if tally.known >= per_minute:
                return seconds_left(now)
            tally.mine += 1
            if tally.mine < reported_at_once(per_minute):
                return None
            calls, tally.mine = tally.mine, 0
        try:
            total = self._tallies.add(scope, minute, calls)
        except Unavailable:
            _log.warning("calls of %s were not counted", scope.partition("#")[0])
            return None
        with self._lock:
            tally.known = max(tally.known, total)
        return None if total <= per_minute else seconds_left(now)

    def _tally(self, scope: str, minute: int) -> _Tally:
        tally = self._known.get(scope)
        if tally is None or tally.minute != minute:
            tally = self._known[scope] = _Tally(minute)
        self._known.move_to_end(scope)
        while len(self._known) > _SCOPES_MAX:
            self._known.popitem(last=False)
        return tally
