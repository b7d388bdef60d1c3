"""Who ends processes at random moments, as a power cut would."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.races.arena import Arena

Victims = Mapping[str, Callable[[], None]]
"""What ends each process, by its name; all of them come back."""


def processes(arena: Arena) -> Victims:
    """Return the service's own processes: what keeps them running starts them again."""
    return {name: function.kill for name, function in arena.functions.items()}


_KILLS_MAX = 3
"""At one time; beyond, nobody would be left to race."""


class Killing:
    """Kills some of the victims now and then.

    Attributes:
        kills: how often each was killed.
    """

    def __init__(self, victims: Victims, chance: random.Random) -> None:
        self.kills: Counter[str] = Counter()
        self._victims = victims
        self._chance = chance

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Kill a few at random moments of the next ``seconds``; leave when that is done."""
        names = self._chance.sample(sorted(self._victims), k=self._chance.randint(1, _KILLS_MAX))
        moments = sorted(self._chance.uniform(0, seconds) for _ in names)
        thread = threading.Thread(target=self._kill, args=(names, moments))
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _kill(self, names: Sequence[str], moments: Sequence[float]) -> None:
        began = time.monotonic()
        for name, moment in zip(names, moments, strict=True):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            self._victims[name]()
            self.kills[name] += 1
