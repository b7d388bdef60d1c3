"""What every part of the benchmark measures on: the running service, its functions here, their calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dev.bench.floor import BareDecision
from dev.bench.meter import Meter, Seen
from dev.bench.site import Group, Here, Site

WORKERS = 2
_DELIVERIES = 12


@dataclass
class Bench:
    """A running stack, and what parts of the benchmark share, made by the first that needs it."""

    site: Site
    here: Here
    meter: Meter

    @cached_property
    def group(self) -> Group:
        """A group for decisions; nobody works on what is decided of it here."""
        group = self.site.group("decides", adjustment=1, max_size=200)
        self.here.decide(group)  # the first one opens connections
        return group

    @cached_property
    def decision(self) -> Seen:
        """The calls of one decision."""
        group = self.group  # made before anything is watched
        with self.meter.watching() as seen:
            self.here.decide(group)
        return seen

    @cached_property
    def floor(self) -> BareDecision:
        """The same calls made bare."""
        return BareDecision(self.decision)

    @cached_property
    def deliveries(self) -> Sequence[float]:
        """The seconds of some messages' ways through the queue, alone."""
        return self.here.deliveries(_DELIVERIES, workers=WORKERS)
