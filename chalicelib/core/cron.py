"""Cron expressions in a time zone: when are they due?

cronsim reads an expression and walks the calendar of local times, as Debian's cron does. How local times lie
on UTC is decided here, by Debian's rule (man 8 cron), for cronsim's own steps miss times where a zone moves
by half an hour:

- A job at *fixed* times (neither minute nor hour begins with ``*``) runs once for each local time: one that
  is skipped at the first moment after the gap, together with others of the same gap; one that comes twice,
  the first time.
- A job with a *wildcard* runs whenever the clock shows its time: not in a gap, twice in a repeated hour.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from chalicelib.core.errors import Invalid

EXPRESSION_MAX_CHARACTERS = 255
_FIELDS = 5
_MINUTE, _HOUR = 1, 2  # where cronsim keeps these fields; before them it puts seconds
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,31}){0,2}")
_NOT_A_PLACE = {"localtime", "posixrules", "Factory"}
_REPEATED_AT_MOST = timedelta(hours=3)
"""How much of the clock is ever repeated at once; the most that is in force anywhere is two hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron expression in the local time of a zone.

    Attributes:
        expression: five fields, as crontab(5) has them.
        timezone: a name of IANA's database.
        start: the first moment at which it may be due; None is always.
        end: the first moment at which it no longer is; None is never.
    """

    expression: str
    timezone: str
    start: datetime | None = None
    end: datetime | None = None


def parsed_cron(
    expression: str, timezone: str, start: datetime | None = None, end: datetime | None = None
) -> Cron:
    """Return the cron expression, with single spaces between its fields.

    Raises:
        Invalid: it is no expression of five fields, there is no such time zone, or it ends before it starts.
    """
    fields = expression.split()
    if len(expression) > EXPRESSION_MAX_CHARACTERS or len(fields) != _FIELDS:
        raise Invalid(
            "schedule.cron",
            f"cron has five fields (minute, hour, day of month, month, day of week) "
            f"in at most {EXPRESSION_MAX_CHARACTERS} characters.",
        )
    zone_of(timezone)
    cron = Cron(expression=" ".join(fields), timezone=timezone, start=start, end=end)
    try:
        _calendar(cron, datetime(2000, 1, 1))  # noqa: DTZ001  (local time of no zone)
    except CronSimError as error:
        raise Invalid("schedule.cron", f"cron makes no sense: {error}.") from None
    if start is not None and end is not None and end <= start:
        raise Invalid("schedule.end", "end comes after start.")
    return cron


def zone_of(name: str) -> ZoneInfo:
    """Return the zone that IANA's database has under this name.

    Raises:
        Invalid: there is none.
    """
    if _ZONE_NAME.fullmatch(name) and name not in _NOT_A_PLACE:
        with suppress(KeyError, ValueError, OSError):  # unknown; malformed; a folder of zones
            return ZoneInfo(name)
    raise Invalid("schedule.timezone", "timezone is a name of IANA's database, like Europe/Ljubljana or UTC.")


def occurrences(cron: Cron, after: datetime) -> Iterator[datetime]:
    """Yield the moments later than ``after`` at which ``cron`` is due: in UTC, in order, none twice.

    It may end: at ``cron.end``, at the end of the calendar, or where nothing matches for fifty years.
    """
    if cron.start is not None and cron.start > after:
        after = cron.start - timedelta(microseconds=1)
    with suppress(OverflowError):
        begin = after.astimezone(zone_of(cron.timezone)).replace(tzinfo=None) - _REPEATED_AT_MOST
        for moment in _moments(cron, begin):
            if cron.end is not None and moment >= cron.end:
                return
            if moment > after:
                after = moment
                yield moment


def _moments(cron: Cron, begin: datetime) -> Iterator[datetime]:
    """Yield the moments of local times after ``begin``, none earlier than the one before."""
    calendar, zone = _calendar(cron, begin), zone_of(cron.timezone)
    fixed = not any(calendar.parts[place].startswith("*") for place in (_MINUTE, _HOUR))
    again: deque[datetime] = deque()  # the second time of local times that come twice
    for local in calendar:
        first, second = _offset(zone, local, 0), _offset(zone, local, 1)
        if first < second:  # PEP 495: skipped, and these are the offsets before and after the gap
            if fixed:
                yield _end_of_gap(zone, local)
            continue
        moment = (local - first).replace(tzinfo=UTC)
        while again and again[0] < moment:
            yield again.popleft()
        yield moment
        if first > second and not fixed:
            again.append((local - second).replace(tzinfo=UTC))
    yield from again


def _end_of_gap(zone: ZoneInfo, local: datetime) -> datetime:
    """Return the moment after the gap that ``local`` lies in."""
    while (offset := _offset(zone, local, 0)) < _offset(zone, local, 1):
        local += timedelta(minutes=1)
    return (local - offset).replace(tzinfo=UTC)


def _offset(zone: ZoneInfo, local: datetime, fold: int) -> timedelta:
    offset = zone.utcoffset(local.replace(fold=fold))
    assert offset is not None, "a zone of the database always knows"
    return offset


def _calendar(cron: Cron, begin: datetime) -> CronSim:
    """Return the local times after ``begin`` that match, of a clock that never moves."""
    return CronSim(cron.expression, begin)
