"""Time constraints: the windows outside of which an alarm is not evaluated and its state stays, as Aodh's.

A window begins when its cron expression is due on the clock of its zone, and lasts so many seconds of real
time, so an hour that the clock skips or repeats makes no window shorter or longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.core.alarm import TimeConstraint
from chalicelib.core.cron import Cron, occurrences, parsed_cron
from chalicelib.core.errors import Invalid

CONSTRAINTS_MAX = 10
DURATION_MAX_SECONDS = 7 * 86_400

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
        _require_due(each)


def _is_open(constraint: TimeConstraint, now: datetime) -> bool:
    earliest = now - timedelta(seconds=constraint.duration_seconds)
    start = next(occurrences(Cron(expression=constraint.start, timezone=constraint.timezone), earliest), None)
    return start is not None and start <= now


def _require_due(constraint: TimeConstraint) -> None:
    try:
        cron = parsed_cron(constraint.start, constraint.timezone)
    except Invalid as error:
        raise _refused(f"{constraint.name!r}: {error.detail}") from error
    if next(occurrences(cron, _ANY_TIME), None) is None:
        raise _refused(f"{constraint.name!r}: start is never due.")


def _refused(detail: str) -> Invalid:
    return Invalid("alarm.time_constraints", detail)
