"""Who looks on while others race: some laws must hold at every moment."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from tests.races.arena import LARGEST, Arena
from tests.races.laws import twice


class Watch:
    """Looks at the group and at its servers all the while, from ``with`` to its end.

    Attributes:
        looks: how often it looked.
        broken: the laws that did not hold at some moment.
    """

    def __init__(self, arena: Arena) -> None:
        self.looks = 0
        self.broken: set[str] = set()
        self._arena = arena
        self._generation = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._over.wait(0.1):
            self._look()
            self.looks += 1

    def _look(self) -> None:
        group = self._arena.stored()
        bounds, size = group.bounds, group.desired_capacity
        if not bounds.min_size <= size <= bounds.max_size <= LARGEST:
            self.broken.add(f"{size} is wanted of {bounds}")
        if group.generation < self._generation:
            self.broken.add(f"generation {group.generation} follows {self._generation}")
        self._generation = group.generation
        staying = [server for server in self._arena.servers() if server.gone_at is None]
        if len(staying) > LARGEST:
            self.broken.add(f"there are {len(staying)} servers")
        self.broken |= {f"two are called {name}" for name in twice(server.name for server in staying)}
