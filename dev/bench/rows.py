"""What the benchmark prints: a line for each figure, and how it was measured."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    how: str

    def __str__(self) -> str:
        how = textwrap.wrap(self.how, 66)
        first = f"{self.what:36}{self.figure:>8}  {how[0]}"
        return "\n".join([first, *(" " * 46 + line for line in how[1:])])


def ratio(ours: float, floor: float) -> str:
    """Return how many times the floor ours is."""
    return f"{ours / floor:.2f} x"


def p95(values: Sequence[float]) -> float:
    """Return what 19 of 20 values do not exceed."""
    return quantiles(values, n=20)[-1]
