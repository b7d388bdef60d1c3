"""Looks at a group again and again, and notes what it says and when its servers are as they are wanted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from dev.client import Document
from dev.faults_beside_heat.contestants import UNANSWERED, Contestant, Seen, why

_LOOK_EACH_SECONDS = 0.5


def in_nova(statuses: Sequence[str]) -> str:
    """Return how many servers there are of each status."""
    return ", ".join(f"{number} {status}" for status, number in Counter(statuses).items()) or "none"


def _is_going(server: Document) -> bool:
    return bool(server["status"] == "DELETED" or server["OS-EXT-STS:task_state"] == "deleting")


class Watch:
    """What was seen of a group since the watch began.

    Attributes:
        wanted: how many servers there should be in the end.
        seen: what the group said last; None if it never answered.
        statuses: of the servers that Nova showed last, without those that are going.
        strays: how many of those the group did not know.
        most: how many servers there were at most.
        right_since: since when there are ``wanted`` servers, all ACTIVE, or besides only such as the group
            does not know; None when it is not so.
        said: what the group came to say, each with the seconds since the watch began.
    """

    def __init__(self, contestant: Contestant, wanted: int) -> None:
        self._contestant = contestant
        self.wanted = wanted
        self._began = time.monotonic()
        self.seen: Seen | None = None
        self.statuses: list[str] = []
        self.strays = 0
        self.most = 0
        self.right_since: float | None = None
        self.said: list[tuple[float, str]] = []

    def until_as_wanted(self, within_seconds: float) -> bool:
        """Return whether it came to be as wanted, and to rest, in time."""
        return self.until(self._look, within_seconds)

    def until(self, holds: Callable[[], bool], within_seconds: float) -> bool:
        """Look on until it holds; return whether it did in time."""
        end = time.monotonic() + within_seconds
        while not holds():
            if time.monotonic() > end:
                return False
            time.sleep(_LOOK_EACH_SECONDS)
            self._look()
        return True

    def wait(self, seconds: float) -> None:
        """Look on for some time."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() + _LOOK_EACH_SECONDS > end, seconds)
        time.sleep(max(0.0, end - time.monotonic()))

    def note(self, what: str) -> None:
        """Note what is news."""
        if not self.said or self.said[-1][1] != what:
            self.said.append((time.monotonic() - self._began, what))

    def _look(self) -> bool:
        """Look once; return whether servers and group are as wanted."""
        try:
            seen = self._contestant.seen()
            servers = [server for server in self._contestant.servers() if not _is_going(server)]
        except UNANSWERED as error:
            self.note(f"no answer: {why(error)}")
            return False
        self.seen = seen
        self.statuses = [server["status"] for server in servers]
        self.strays = sum(server["id"] not in seen.servers for server in servers)
        self.most = max(self.most, len(servers))
        self.note(f"{seen.state} ({seen.believes} of {seen.wants}; Nova: {in_nova(self.statuses)})")
        known = [server["status"] for server in servers if server["id"] in seen.servers]
        if ["ACTIVE"] * self.wanted not in (self.statuses, known):
            self.right_since = None
        elif self.right_since is None:
            self.right_since = time.monotonic()
        return self.right_since is not None and seen.at_rest
