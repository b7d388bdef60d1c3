"""Whole hours: what alarms of an hour and longer, and forecasts, read in place of sixty minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.core.fold import HOUR_SECONDS, LATE_SECONDS, period_of, whole_hour
from chalicelib.core.series import Series
from chalicelib.ports import Services

HOURS_MAX = 24
"""How many hours one call compresses."""

_SETTLED = timedelta(seconds=LATE_SECONDS + 60)
"""How long after its end an hour no longer changes: the latest sample may take a while to be stored."""

_HOUR = timedelta(seconds=HOUR_SECONDS)
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
