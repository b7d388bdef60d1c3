"""``make bench-heat``: seconds from a signal until all servers are ACTIVE: Nova alone, our group, Heat's own.

All three grow by 1, 10 and 50 in turn on the same real Nova, each as often, and shrink again untimed. The
end is what Nova says, asked in the same way for all three. OS_CLOUD names the service user's entry in
clouds.yaml, OWNER_CLOUD the owner's.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Protocol

from dev.beside_heat.groups import BENCH, HeatGroup, OurGroup, Policy
from dev.beside_heat.place import Place, place, until
from dev.client import Document

_COUNTS = (1, 10, 50)
_POLICIES = {
    "none": Policy("exact_capacity", 0),
    **{f"out{count}": Policy("change_in_capacity", count) for count in _COUNTS},
}


class Contestant(Protocol):
    """Something that grows and shrinks servers."""

    name: str

    def grow(self, count: int) -> None:
        """Ask for ``count`` more servers."""

    def servers(self) -> Sequence[Document]:
        """Return its servers, as Nova shows them."""

    def shrink(self) -> None:
        """Have no server, and be ready to grow again."""


class Nova:
    """One request for all servers, and nothing around it: the floor."""

    name = "Nova alone"

    def __init__(self, place: Place) -> None:
        self._place = place
        self._nova = place.owner.compute
        self._id = str(uuid.uuid4())

    def grow(self, count: int) -> None:
        """Ask Nova."""
        wanted = {
            **self._place.server,
            "name": "bench",
            "metadata": {BENCH: self._id},
            "min_count": count,
            "max_count": count,
        }
        answer = self._nova.post("/servers", json={"server": wanted}, microversion="2.79")
        answer.raise_for_status()

    def servers(self) -> Sequence[Document]:
        """List them."""
        return self._place.servers(BENCH, self._id)

    def shrink(self) -> None:
        """Delete them all."""
        for server in self.servers():
            self._nova.delete_server(server["id"])
        until(lambda: not self.servers())


class Heat(HeatGroup):
    """A group of Heat's, with a policy for each change, signalled by its owner."""

    name = "Heat"

    def grow(self, count: int) -> None:
        """Signal the policy."""
        self.signal(f"out{count}").raise_for_status()

    def shrink(self) -> None:
        """Signal the policy that leaves none, once the group takes signals again."""
        until(lambda: not self.is_scaling())
        self.signal("none").raise_for_status()
        until(lambda: not self.servers())
        until(lambda: not self.is_scaling())


class Ours(OurGroup):
    """A group of ours, whose policies' webhooks are called."""

    name = "Thermostat"

    def grow(self, count: int) -> None:
        """Call the webhook."""
        self.call(f"out{count}").raise_for_status()

    def shrink(self) -> None:
        """Want none."""
        self.want(0)


def _timed(contestant: Contestant, count: int) -> float:
    """Return the seconds from the request until ``count`` servers are ACTIVE, all there are."""
    began = time.monotonic()
    contestant.grow(count)
    until(lambda: [server["status"] for server in contestant.servers()] == ["ACTIVE"] * count)
    took = time.monotonic() - began
    contestant.shrink()
    return took


@contextmanager
def _contestants() -> Iterator[Sequence[Contestant]]:
    with ExitStack() as exits:
        here = exits.enter_context(place())
        ours = Ours(here, _POLICIES)
        exits.callback(ours.close)
        heat = Heat(here, _POLICIES)
        exits.callback(heat.close)
        yield [Nova(here), ours, heat]


def main() -> int:
    """Print a line for each change, and the median of all turns; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench_heat")
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with _contestants() as contestants:
        for each in contestants:  # a first time, untimed: connections are opened, tokens fetched
            _timed(each, 1)
        for count in _COUNTS:
            took: dict[str, list[float]] = {each.name: [] for each in contestants}
            for _ in range(times):
                for each in contestants:
                    took[each.name].append(_timed(each, count))
            _print(count, took)
    return 0


def _print(count: int, took: dict[str, list[float]]) -> None:
    floor = median(took[Nova.name])
    for name, seconds in took.items():
        middle = median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        ratio = f"{middle / floor:.2f} x, {middle - floor:+.2f} s" if name != Nova.name else ""
        print(f"+{count:<3} {name:12} {middle:7.2f} s  ({spread}; {len(seconds)} times)  {ratio}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
