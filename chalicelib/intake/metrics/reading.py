"""What all formats of metrics have in common: times, limits, and how a refusal is summed up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from chalicelib.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ThermostatError,
    TooLarge,
    TooOften,
    Unauthenticated,
    Unavailable,
)
from chalicelib.core.sample import Rejection

VALUES_MAX = 50_000
"""How many values one request may hold; a histogram has one for each bucket that is not empty."""

PARTS_MAX = 100_000
"""How many lines, metrics and the like are looked at in one request, whether or not they hold values."""

REASONS_MAX = 5
"""How many reasons a refusal tells; senders log them, and the rest are most often the same."""

NOT_FINITE = "a value is a finite number"
NO_SUCH_TIME = "the time is outside of the calendar"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STATUSES: tuple[tuple[type[ThermostatError], HTTPStatus], ...] = (
    (Invalid, HTTPStatus.BAD_REQUEST),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TooOften, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Rejected(Exception):
    """Why one sample is not counted, though the rest of the request is; parsers make it a Rejection."""


def time_of(unix_nanoseconds: int) -> datetime | None:
    """Return the time, whole microseconds, in UTC; None outside of the calendar."""
    try:
        return _EPOCH + timedelta(microseconds=unix_nanoseconds // 1000)
    except OverflowError:
        return None


def check_count(values: int) -> None:
    """Raise TooLarge when a request holds more values than are read."""
    if values > VALUES_MAX:
        raise TooLarge("intake.too_many_values", f"A request has at most {VALUES_MAX} values; send several.")


def check_parts(parts: int) -> None:
    """Raise TooLarge when a request consists of more parts than are looked at."""
    if parts > PARTS_MAX:
        raise TooLarge("intake.too_many_parts", f"A request has at most {PARTS_MAX} lines or metrics.")


def status_of(error: ThermostatError) -> HTTPStatus:
    """Return the status of a refused request."""
    found = (status for kind, status in _STATUSES if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def retry_after(error: ThermostatError) -> dict[str, str]:
    """Return the header that says when to try again, if ever."""
    seconds = error.retry_after_seconds
    return {} if seconds is None else {"Retry-After": str(seconds)}


def summed_up(rejected: Sequence[Rejection], noun: str) -> str:
    """Return why they were rejected: each reason once, with the first that it befell, counted from 1."""
    by_reason: dict[str, list[int]] = {}
    for each in rejected:
        by_reason.setdefault(each.reason, []).append(each.index + 1)
    told = [
        f"{noun} {indices[0]}{f' and {len(indices) - 1} more' if len(indices) > 1 else ''}: {reason}"
        for reason, indices in list(by_reason.items())[:REASONS_MAX]
    ]
    untold = len(by_reason) - len(told)
    return "; ".join([*told, f"and {untold} other reasons"] if untold else told)
