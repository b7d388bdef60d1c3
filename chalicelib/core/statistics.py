"""What a statistic makes of folds: one number for each period, or for each member.

Periods are aligned to the epoch. A period of 60 s is answered by folds of 10 s, too, for they merge; the
reverse cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.core.aggregate import Aggregate, merged
from chalicelib.core.datapoint import Datapoint
from chalicelib.core.fold import WHOLE_GROUP, Fold, MemberFold, members_of, period_of
from chalicelib.core.ids import MemberId
from chalicelib.core.series import Statistic


def datapoints(
    folds: Sequence[Fold], statistic: Statistic, period_seconds: int, count: int, until: datetime
) -> tuple[Datapoint | None, ...]:
    """Return the last ``count`` periods that are complete at ``until``, the oldest first.

    A period that nobody reported in is None. So is one without a rate: a member has one only in a period
    that follows another in which it reported, too. ``folds`` need to reach back to ``reaching_back``.
    """
    end = period_of(until, period_seconds)
    first = end - timedelta(seconds=period_seconds * count)
    parts = _by_period(folds, period_seconds)
    step = timedelta(seconds=period_seconds)
    starts = [first + number * step for number in range(count)]
    return tuple(_datapoint(parts.get(s, ()), parts.get(s - step, ()), statistic) for s in starts)


def reaching_back(statistic: Statistic, period_seconds: int, count: int, until: datetime) -> datetime:
    """Return since when folds are needed for ``count`` datapoints: a rate needs a period more."""
    periods = count + (statistic.name == "rate")
    return period_of(until, period_seconds) - timedelta(seconds=period_seconds * periods)


def by_member(
    folds: Sequence[Fold], statistic: Statistic, period_seconds: int, until: datetime
) -> Mapping[MemberId, float]:
    """Return the value of each member that reported in the latest complete period.

    Of single members no sketch is kept: for a percentile, a member's average stands for it.
    """
    step = timedelta(seconds=period_seconds)
    start = period_of(until, period_seconds) - step
    parts = _by_period(folds, period_seconds)
    now, before = members_of(parts.get(start, ())), members_of(parts.get(start - step, ()))
    if statistic.name == "rate":
        values = _rates(now, before)
    else:
        values = {member: _value(part, statistic) for member, part in now.items()}
    return {member: value for member, value in values.items() if member != WHOLE_GROUP}


def _by_period(folds: Iterable[Fold], period_seconds: int) -> Mapping[datetime, Sequence[Fold]]:
    """Return the folds of each period; those of longer or odd periods do not divide into it."""
    parts: dict[datetime, list[Fold]] = {}
    for fold in folds:
        if fold.seconds == period_seconds:
            parts.setdefault(fold.start, []).append(fold)
        elif period_seconds % fold.seconds == 0:
            parts.setdefault(period_of(fold.start, period_seconds), []).append(fold)
    return parts


def _datapoint(parts: Sequence[Fold], before: Sequence[Fold], statistic: Statistic) -> Datapoint | None:
    if not parts:
        return None
    samples = sum(part.total.count for part in parts)
    if statistic.name == "rate":
        rates = _rates(members_of(parts), members_of(before))
        return Datapoint(math.fsum(rates.values()) / len(rates), samples) if rates else None
    return Datapoint(_of_totals([part.total for part in parts], samples, statistic), samples)


def _of_totals(totals: Sequence[Aggregate], samples: int, statistic: Statistic) -> float:
    """Return the statistic of all ``totals`` together; only a percentile needs their sketches merged."""
    match statistic.name:
        case "average":
            return math.fsum(total.sum for total in totals) / samples
        case "sum":
            return math.fsum(total.sum for total in totals)
        case "minimum":
            return min(total.minimum for total in totals)
        case "maximum":
            return max(total.maximum for total in totals)
        case "sample_count":
            return float(samples)
        case _:
            assert statistic.quantile is not None
            return merged(totals).quantile(statistic.quantile)


def _value(part: MemberFold, statistic: Statistic) -> float:
    match statistic.name:
        case "sample_count":
            return float(part.count)
        case "sum":
            return part.sum
        case "minimum":
            return part.minimum
        case "maximum":
            return part.maximum
        case _:
            return part.sum / part.count


def _rates(
    now: Mapping[MemberId, MemberFold], before: Mapping[MemberId, MemberFold]
) -> Mapping[MemberId, float]:
    """Return the growth per second of each counter; one that fell began again at zero."""
    rates = {}
    for member in now.keys() & before.keys():
        old, new = before[member], now[member]
        growth = new.last - old.last if new.last >= old.last else new.last
        rates[member] = growth / (new.last_at - old.last_at).total_seconds()
    return rates
