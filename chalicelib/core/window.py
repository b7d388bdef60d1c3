"""Time constraints: the windows outside of which an alarm is not evaluated and its state stays, as Aodh's.

A window begins when its cron expression is due on the clock of its zone, and lasts so many seconds of real
time, so an hour that the clock skips or repeats makes no window shorter or longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from chalicelib.core.alarm import TimeConstraint
from chalicelib.core.errors import Invalid

CONSTRAINTS_MAX = 10
DURATION_MAX_SECONDS = 7 * 86_400

_CRON_FIELDS = 5
_ANY_TIME = datetime(2024, 1, 1, tzinfo=UTC)


def within(constraints: Sequence[TimeConstraint], now: datetime) -> bool:
    """Return whether ``now`` lies in one of the windows; without constraints, always."""
    return not constraints or any(_is_open(each, now) for each in constraints)


def require_valid(constraints: Sequence[TimeConstraint]) -> None:
    """Refuse windows that no clock can tell.

    Raises:
        Invalid: two have one name, a zone is unknown, an expression is no cron of five fields or never due,
            or there are too many.
    """
    if len(constraints) > CONSTRAINTS_MAX:
        raise _refused(f"An alarm has at most {CONSTRAINTS_MAX} time constraints.")
    names = [each.name for each in constraints]
    if len(set(names)) < len(names):
        raise _refused("Time constraints have different names.")
    for each in constraints:
        if not 1 <= each.duration_seconds <= DURATION_MAX_SECONDS:
            raise _refused(f"duration is 1 to {DURATION_MAX_SECONDS} seconds.")
        _require_zone(each.timezone)
        _require_cron(each.start)


def _is_open(constraint: TimeConstraint, now: datetime) -> bool:
    duration = timedelta(seconds=constraint.duration_seconds)
    zone = ZoneInfo(constraint.timezone)
    # Two times of one zone compare by the clock on the wall, which repeats hours: hence UTC.
    earliest = now.astimezone(UTC) - duration
    for start in CronSim(constraint.start, earliest.astimezone(zone)):
        began = start.astimezone(UTC)
        if began > now:
            return False
        if began > earliest:  # in a repeated hour cronsim gives the first of both, which may be over
            return True
    return False


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: a directory of zones, like Europe
        raise _refused("timezone is an IANA name, like Europe/Ljubljana.") from error


def _require_cron(expression: str) -> None:
    if len(expression.split()) != _CRON_FIELDS:
        raise _refused("start is a cron expression of five fields: minute, hour, day, month, weekday.")
    try:
        next(CronSim(expression, _ANY_TIME))
    except CronSimError as error:
        raise _refused(f"start is no cron expression: {error}.") from error
    except StopIteration as error:
        raise _refused("start is never due.") from error


def _refused(detail: str) -> Invalid:
    return Invalid("alarm.time_constraints", detail)
