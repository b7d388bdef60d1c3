"""Whole hours: what alarms of an hour and longer, and forecasts, read in place of sixty minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from chalicelib.core.fold import HOUR_SECONDS, LATE_SECONDS, Hour, period_of, whole_hour
from chalicelib.core.series import Series
from chalicelib.ports import Services

HOURS_MAX = 24
"""How many hours one call compresses."""

_SETTLED = timedelta(seconds=LATE_SECONDS + 60)
"""How long after its end an hour no longer changes: the latest sample may take a while to be stored."""

_HOUR = timedelta(seconds=HOUR_SECONDS)
_UNWRITTEN = 2 * _HOUR
"""How far back an hour that has ended may still wait for ``_SETTLED``, in whole hours."""

_BEGINNING = datetime.fromtimestamp(0, UTC)


def compress(s: Services, series: Series, until: datetime) -> int:
    """Write the whole hours of a series that ended so long before ``until`` that they will not change.

    It goes on after the newest hour that is there, passes over hours without samples, and may die anywhere:
    an hour that is written again comes out the same.

    Returns:
        How many hours were written; at ``HOURS_MAX`` there may be more, for the next call.
    """
    newest = s.folds.newest_hour(series)
    start: datetime | None = _BEGINNING if newest is None else newest + _HOUR
    written = 0
    while start is not None and start + _HOUR <= until - _SETTLED and written < HOURS_MAX:
        folds = s.folds.read(series, start, start + _HOUR)
        if folds:
            s.folds.write_hour(series, whole_hour(start, folds))
            written += 1
            start += _HOUR
        else:
            first = s.folds.first_since(series, start)
            start = None if first is None else period_of(first, HOUR_SECONDS)
    return written


def ended_hours(s: Services, series: Series, since: datetime, now: datetime) -> Sequence[Hour]:
    """Return the hours that began at ``since`` or later and have ended, in their order.

    Those that may change yet are made of their minutes here, and not written.
    """
    written = s.folds.read_hours(series, since, now)
    end = period_of(now, HOUR_SECONDS)
    begin = max(end - _UNWRITTEN, written[-1].start + _HOUR if written else since)
    hours = groupby(s.folds.read(series, begin, end), key=lambda fold: period_of(fold.start, HOUR_SECONDS))
    return [*written, *(whole_hour(start, list(folds)) for start, folds in hours)]
