"""Folds: the samples of one series in one period, of which only this is kept.

A fold knows the batches that are in it, so a batch that comes twice is counted once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.core.aggregate import Aggregate, aggregate, merged
from chalicelib.core.ids import MemberId
from chalicelib.core.sample import Measure
from chalicelib.core.series import Series

FINE_SECONDS = 10
COARSE_SECONDS = 60
HOUR_SECONDS = 3600

LATE_SECONDS = 3600
"""An older sample is refused; an hour that ended longer ago does not change any more."""
EARLY_SECONDS = 60
"""How far ahead of ours a sender's clock may be."""

WHOLE_GROUP = MemberId("")
"""Stands for the group itself, where a sample is about no single member."""

MEMBERS_MAX = 2000
BATCHES_MAX = 4096
"""How many members, and how many batches, one fold takes: it must fit one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFold:
    """What one member reported in the period.

    Attributes:
        last: its latest value; of a summary, the mean.
        last_at: when that was, to the millisecond.
    """

    count: int
    sum: float
    minimum: float
    maximum: float
    last: float
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """All samples of one series in one period, or a shard of them.

    Attributes:
        start: a multiple of ``seconds`` since the epoch.
        total: of all members together.
        batches: the names of the batches that are in it.
    """

    start: datetime
    seconds: int
    total: Aggregate
    members: Mapping[MemberId, MemberFold]
    batches: frozenset[bytes] = frozenset()

    def plus(self, other: Fold) -> Fold:
        """Return both as one; they are of one series and one period."""
        return Fold(
            start=self.start,
            seconds=self.seconds,
            total=merged((self.total, other.total)),
            members=members_of((self, other)),
            batches=self.batches | other.batches,
        )

    def too_large(self) -> str | None:
        """Return why it cannot be kept, or None."""
        if len(self.members) > MEMBERS_MAX:
            return f"too many members for one period (a shard takes {MEMBERS_MAX})"
        if len(self.batches) > BATCHES_MAX:
            return (
                f"too many requests for one period (a shard takes {BATCHES_MAX}): send more samples in each"
            )
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measure of one member, or of ``WHOLE_GROUP``."""

    series: Series
    member: MemberId
    at: datetime
    measure: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One whole hour of a series, without its members.

    Attributes:
        start: in UTC.
        load: the mean over its minutes of what the members' averages add up to: what the group as a whole
            had to bear, however many shared it. Minutes that nobody reported are left out.
        load_maximum: the largest of these sums.
    """

    start: datetime
    total: Aggregate
    load: float
    load_maximum: float


def folded(
    readings: Iterable[Reading], batch: bytes, fine: AbstractSet[str]
) -> Sequence[tuple[Series, Fold]]:
    """Return what one batch comes to: a fold for each series and period.

    Args:
        batch: the name of the batch.
        fine: the metrics that are kept in periods of 10 s; the others are in periods of 60 s.
    """
    groups: dict[tuple[Series, datetime], list[Reading]] = {}
    for reading in readings:
        start = period_of(reading.at, resolution_of(reading.series.metric, fine))
        groups.setdefault((reading.series, start), []).append(reading)
    return [
        (series, _fold(start, resolution_of(series.metric, fine), group, batch))
        for (series, start), group in groups.items()
    ]


def resolution_of(metric: str, fine: AbstractSet[str]) -> int:
    """Return how many seconds the periods of a metric have."""
    return FINE_SECONDS if metric in fine else COARSE_SECONDS


def members_of(folds: Iterable[Fold]) -> Mapping[MemberId, MemberFold]:
    """Return what each member reported in all of the folds together."""
    found: dict[MemberId, MemberFold] = {}
    for fold in folds:
        for member, part in fold.members.items():
            found[member] = _together(found[member], part) if member in found else part
    return found


def whole_hour(start: datetime, folds: Sequence[Fold]) -> Hour:
    """Return the hour that begins at ``start``, from all its folds, of which there is at least one."""
    minutes: dict[datetime, list[Fold]] = {}
    for fold in folds:
        minutes.setdefault(period_of(fold.start, COARSE_SECONDS), []).append(fold)
    loads = [
        math.fsum(part.sum / part.count for part in members_of(parts).values()) for parts in minutes.values()
    ]
    return Hour(
        start=start,
        total=merged(fold.total for fold in folds),
        load=math.fsum(loads) / len(loads),
        load_maximum=max(loads),
    )


def period_of(moment: datetime, seconds: int) -> datetime:
    """Return the start of the period that ``moment`` lies in; periods are counted from the epoch."""
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def _fold(start: datetime, seconds: int, readings: Sequence[Reading], batch: bytes) -> Fold:
    members: dict[MemberId, MemberFold] = {}
    for reading in readings:
        part = _part(reading)
        known = members.get(reading.member)
        members[reading.member] = part if known is None else _together(known, part)
    total = aggregate(reading.measure for reading in readings)
    return Fold(start=start, seconds=seconds, total=total, members=members, batches=frozenset({batch}))


def _part(reading: Reading) -> MemberFold:
    measure = reading.measure
    return MemberFold(
        count=measure.count,
        sum=measure.sum,
        minimum=measure.minimum,
        maximum=measure.maximum,
        last=measure.sum / measure.count,
        last_at=reading.at - timedelta(microseconds=reading.at.microsecond % 1000),
    )


def _together(one: MemberFold, other: MemberFold) -> MemberFold:
    """Return both parts of a member as one; of two latest values at one time the larger one stays."""
    latest = max(one, other, key=lambda part: (part.last_at, part.last))
    return MemberFold(
        count=one.count + other.count,
        sum=one.sum + other.sum,
        minimum=min(one.minimum, other.minimum),
        maximum=max(one.maximum, other.maximum),
        last=latest.last,
        last_at=latest.last_at,
    )
