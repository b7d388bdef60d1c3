"""Who goes when there are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from chalicelib.core.group import RemovalOrder
from chalicelib.core.member import Fate, Sight
from chalicelib.core.target import Target


def surplus(
    target: Target,
    counted: Sequence[Sight],
    by_fate: Mapping[Fate, Sequence[Sight]],
    *,
    room: int,
    first: Sequence[Sight] = (),
) -> list[Sight]:
    """Return the members to remove because there are too many, the least useful first.

    Building and held ones go before those in service; among the latter the fullest zone gives first, then
    the group's removal order decides. A protected member stays, and the group stays larger.

    Args:
        room: how many there may be.
        first: those who go before all others, while a refresh is about to replace them anyhow.
    """
    excess = len(counted) - room
    if excess <= 0:
        return []
    idle = [*reversed(by_fate[Fate.BUILDS]), *by_fate[Fate.HELD]]
    early = {sight.member.id for sight in first}
    others = [s for s in (*idle, *in_order(target, by_fate)) if s.member.id not in early]
    candidates = [*first, *others]
    return [s for s in candidates if not (s.member.protected and target.spares_protected)][:excess]


def in_order(target: Target, by_fate: Mapping[Fate, Sequence[Sight]]) -> list[Sight]:
    """Return the members in service in the order in which they would go."""
    serving = by_fate[Fate.SERVES]
    match target.removal_order:
        case RemovalOrder.OLDEST:
            ordered = list(serving)
        case RemovalOrder.NEWEST:
            ordered = list(reversed(serving))
        case RemovalOrder.OLDEST_CONFIGURATION:
            current = target.launch_configuration_id
            ordered = sorted(serving, key=lambda s: s.member.launch_configuration_id == current)
    return _fullest_zone_first(ordered) if target.availability_zones else ordered


def _fullest_zone_first(ordered: Sequence[Sight]) -> list[Sight]:
    """Return the members so that taking them one by one keeps the zones even, else in the given order."""
    left = list(ordered)
    sizes = Counter(sight.member.availability_zone for sight in left)
    result: list[Sight] = []
    while left:
        fullest = max(sizes.values())
        chosen = next(s for s in left if sizes[s.member.availability_zone] == fullest)
        sizes[chosen.member.availability_zone] -= 1
        left.remove(chosen)
        result.append(chosen)
    return result
