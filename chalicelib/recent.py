"""What was learnt a moment ago, kept for a moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A bounded mapping that forgets: each value after ``seconds``, and the least lately used of too many.

    Args:
        clock: seconds that only grow; where they begin does not matter.
    """

    def __init__(self, *, seconds: float, at_most: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._at_most = at_most
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return what is kept under ``key``, or None."""
        with self._lock:
            if key not in self._kept:
                return None
            until, value = self._kept[key]
            if self._clock() >= until:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Keep ``value`` under ``key``, from now on."""
        with self._lock:
            self._kept[key] = (self._clock() + self._seconds, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._at_most:
                self._kept.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget ``key``."""
        with self._lock:
            self._kept.pop(key, None)
