"""Who comes to a group in a round, and who is told which member it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from chalicelib.core.member import Fate, Sight
from chalicelib.core.plan_steps import Create, Label
from chalicelib.core.target import Target


def creations(target: Target, counted: Sequence[Sight], wanted: int) -> list[Create]:
    """Return the requests for new members, spread so that the emptiest zones fill first."""
    count = min(wanted, target.steps_max)
    zones = target.availability_zones
    if not zones:
        return [Create(count=count, availability_zone=None)] if count else []
    sizes = Counter(sight.member.availability_zone for sight in counted)
    new: Counter[str] = Counter()
    for _ in range(count):
        new[min(zones, key=lambda zone: sizes[zone] + new[zone])] += 1
    return [Create(count=new[zone], availability_zone=zone) for zone in zones if new[zone]]


def labels(by_fate: Mapping[Fate, Sequence[Sight]], steps_max: int) -> list[Label]:
    """Return the servers that do not carry their member's id yet.

    That can wait: each takes a request, and while others build the cloud has better to do.
    """
    if by_fate[Fate.BUILDS]:
        return []
    unlabelled = [s for s in by_fate[Fate.SERVES] if not s.member.labelled]
    return [Label(member=s.member, resource=s.resource) for s in unlabelled if s.resource][:steps_max]
