"""Which scaling policy of a stack to signal next: whole steps, the fewest that lead to a size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chalicelib.core.capacity import Bounds
from chalicelib.core.heat import SignalPolicy

_TOLD_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The way from a size to another.

    Attributes:
        first: the policy to signal next; None when this is as near as the steps come.
        size: the size that the next signal leads to.
        end: the size that is reached in the end.
    """

    first: SignalPolicy | None
    size: int
    end: int


Allowed = Callable[[int, int], bool]
"""Says whether a signal may lead from one size to another."""


def walk(policies: Sequence[SignalPolicy], size: int, wanted: int, bounds: Bounds) -> Walk:
    """Return the way from ``size`` to ``wanted`` that takes the fewest signals.

    One that never turns round is preferred. Else the group may for a while be larger than wanted, within its
    bounds; it never gets smaller than it is and is wanted. Where no steps lead there, it goes as near as it
    can without passing it. What is allowed depends on no more than a signal's two sizes, so that the way
    planned from the next size is the rest of this one.
    """

    def straight(here: int, there: int) -> bool:
        return min(here, wanted) <= there <= max(here, wanted)

    def round_about(here: int, there: int) -> bool:
        return there >= min(here, wanted) and (there < here or there <= bounds.max_size)

    by_turning_round: dict[int, Walk] = {}
    directly = _reached(policies, size, straight)
    if wanted not in directly:
        by_turning_round = _reached(policies, size, round_about)
    nearest = min(directly, key=lambda end: abs(end - wanted))
    return by_turning_round.get(wanted) or directly[nearest]


def impossible(policies: Sequence[SignalPolicy], size: int, wanted: int, bounds: Bounds) -> str:
    """Return which sizes within the bounds no steps from ``size`` make, as a phrase; ``wanted`` is one."""
    low, high = min(size, bounds.min_size), max(size, bounds.max_size)
    reached = _reached(policies, size, lambda _, there: low <= there <= high)
    within = range(bounds.min_size, bounds.max_size + 1)
    return _ranges(n for n in within if n not in reached or n == wanted)


def _reached(policies: Sequence[SignalPolicy], start: int, allowed: Allowed) -> dict[int, Walk]:
    """Return for each size that allowed steps lead to the shortest way there."""
    found = {start: Walk(first=None, size=start, end=start)}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        so_far = found[here]
        for policy in policies:
            there = here + policy.adjustment
            if there not in found and allowed(here, there):
                begun = so_far.first is not None
                found[there] = Walk(
                    first=so_far.first if begun else policy, size=so_far.size if begun else there, end=there
                )
                waiting.append(there)
    return found


def _ranges(sizes: Iterable[int]) -> str:
    """Return numbers in order as a phrase: "3, 5 to 7"; the first ones, where they are many."""
    runs: list[list[int]] = []
    for size in sizes:
        if runs and size == runs[-1][-1] + 1:
            runs[-1].append(size)
        else:
            runs.append([size])
    told = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:_TOLD_MAX]]
    return ", ".join([*told, "..."] if len(runs) > _TOLD_MAX else told)
