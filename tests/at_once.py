"""Many at once, from one starting gun."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def at_once(racers: int, run: Callable[[int], T]) -> list[T]:
    """Let all racers run at the same moment; return what each returned, by its number."""
    gun = threading.Barrier(racers)

    def start(number: int) -> T:
        gun.wait()
        return run(number)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(start, range(racers)))
