"""What a judging reads of the metrics: each series once, as far back as anybody needs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.core.datapoint import Datapoint
from chalicelib.core.fold import HOUR_SECONDS, Fold, Hour, period_of
from chalicelib.core.ids import MemberId
from chalicelib.core.series import Series, Statistic
from chalicelib.core.statistics import by_member, datapoints, reaching_back
from chalicelib.flows.hours import HOURS_MAX, compress
from chalicelib.ports import Services

_HOUR = timedelta(seconds=HOUR_SECONDS)
_MINUTES_READ = 3 * _HOUR
"""Where whole hours are read, single minutes are read for the time behind them, but no longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is to be known of a series: so many of its latest periods."""

    series: Series
    statistic: Statistic
    period_seconds: int
    count: int

    @property
    def of_hours(self) -> bool:
        """Whether whole hours answer it; they have no members, whose rates would be needed."""
        return self.period_seconds % HOUR_SECONDS == 0 and self.statistic.name != "rate"

    def since(self, now: datetime) -> datetime:
        """Return since when samples are needed."""
        return reaching_back(self.statistic, self.period_seconds, self.count, now)


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read, as of ``now``."""

    now: datetime
    _folds: Mapping[tuple[Series, bool], Sequence[Fold]]
    _behind: frozenset[Series] = frozenset()

    def lacks_hours(self, need: Need) -> bool:
        """Return whether hours that ``need`` reads are not made yet: parts would look whole."""
        return need.of_hours and need.series in self._behind

    def points(self, need: Need) -> tuple[Datapoint | None, ...]:
        """Return the latest periods that are complete, the oldest first."""
        folds = self._folds[need.series, need.of_hours]
        return datapoints(folds, need.statistic, need.period_seconds, need.count, self.now)

    def by_member(self, need: Need) -> Mapping[MemberId, float]:
        """Return what each member reported in the latest complete period that anybody reported in.

        At the very beginning of a period the samples of the one before may still be on their way, so of
        two periods the newer one with samples counts.
        """
        folds = self._folds[need.series, need.of_hours]
        earlier = self.now - timedelta(seconds=need.period_seconds)
        statistic, seconds = need.statistic, need.period_seconds
        return by_member(folds, statistic, seconds, self.now) or by_member(folds, statistic, seconds, earlier)


def read(s: Services, needs: Iterable[Need], now: datetime) -> Readings:
    """Read what ``needs`` need: one query for each series, and two more where whole hours do.

    A week of hours is read as hours, though somebody else looks at the last minutes of the same series.
    """
    alike: defaultdict[tuple[Series, bool], list[Need]] = defaultdict(list)
    for need in needs:
        alike[need.series, need.of_hours].append(need)
    behind = {series for series, of_hours in alike if of_hours and compress(s, series, now) == HOURS_MAX}
    folds = {place: _folds(s, *place, of, now) for place, of in alike.items()}
    return Readings(now, folds, frozenset(behind))


def _folds(
    s: Services, series: Series, of_hours: bool, needs: Sequence[Need], now: datetime
) -> Sequence[Fold]:
    since = min(need.since(now) for need in needs)
    if not of_hours:
        return s.folds.read(series, since, now)
    hours = s.folds.read_hours(series, period_of(since, HOUR_SECONDS), now)
    behind = hours[-1].start + _HOUR if hours else since
    minutes = s.folds.read(series, max(behind, since, period_of(now, HOUR_SECONDS) - _MINUTES_READ), now)
    return [*(_as_fold(hour) for hour in hours), *minutes]


def _as_fold(hour: Hour) -> Fold:
    return Fold(start=hour.start, seconds=HOUR_SECONDS, total=hour.total, members={})
