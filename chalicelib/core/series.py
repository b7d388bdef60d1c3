"""A series: what samples are about, and what a statistic makes of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.core.errors import Invalid
from chalicelib.core.ids import GroupId, ProjectId

STATISTICS = ("average", "sum", "minimum", "maximum", "sample_count", "rate")
"""The statistics with names of their own; ``p50``, ``p99``, ``p99.9`` are percentiles.

``rate`` is for counters, which only grow: their growth per second, averaged over the members.
"""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,2})?|100)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one group, with exactly these dimensions.

    Attributes:
        dimensions: sorted by name; another set of dimensions is another series, as in CloudWatch.
    """

    project_id: ProjectId
    group_id: GroupId
    metric: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Statistic:
    """What is made of the samples of a period: one of ``STATISTICS``, or a percentile."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in STATISTICS and self.quantile is None:
            raise Invalid(
                "statistic", f"A statistic is one of {', '.join(STATISTICS)}, or a percentile like p99."
            )

    @property
    def quantile(self) -> float | None:
        """The part of the samples at or below the value, from 0 to 1; None unless it is a percentile."""
        match = _PERCENTILE.fullmatch(self.name)
        return float(match[1]) / 100 if match else None
