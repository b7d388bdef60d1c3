"""Predictive scaling: what a group will need, from what it needed at the same hours before. Out only.

A forecast is made of hours, looks two days ahead, and is made anew each hour. How it is made is in
``guesses``; what it is worth, and where it is worth nothing, in docs/forecast.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.core.guesses import DAY, GUESSES, blended, distance_of, weighed
from chalicelib.core.tracking import CAPACITY_MOST, exact, require_target

HOURS_AHEAD = 48
HISTORY_HOURS = 28 * DAY
"""How much of the past is looked at; more is left aside."""

HISTORY_HOURS_LEAST = DAY
VERIFIED_MAX = 7 * DAY
"""How many hours of past forecasts are kept, to say how good they were."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictive:
    """What is foreseen, and whether it is acted upon.

    Attributes:
        metric, dimensions: each member reports its own value; their sum is the load that is foreseen.
        target: the value per member that the group is sized for, greater than zero.
        lead_seconds: how long before the need the members are asked for.
        act: False only shows the forecast.
    """

    metric: str
    target: float
    dimensions: tuple[tuple[str, str], ...] = ()
    lead_seconds: int = 300
    act: bool = False

    def __post_init__(self) -> None:
        require_target(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The load that is foreseen for one hour.

    Attributes:
        low, high: four of five hours lay between them, at this distance, in the past fortnight.
    """

    hour: datetime
    load: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is foreseen, hour by hour from the one that ``made_at`` lies in.

    Attributes:
        reason: why there are no hours; None when there are.
    """

    made_at: datetime
    hours: tuple[Expected, ...]
    reason: str | None = None

    def is_due(self, now: datetime) -> bool:
        """Return whether an hour has ended since, so that more is known."""
        return hour_of(now) > hour_of(self.made_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An hour that was foreseen and has passed.

    Attributes:
        day_before: the load of the same hour of the day before, the plainest forecast of all.
    """

    hour: datetime
    foreseen: float
    actual: float
    day_before: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How far forecasts were off; fractions of the load, None where there was none.

    Attributes:
        hours: how many hours were compared.
        mape: the mean of each hour's error in proportion to its load; hours without load are left out.
        wape: all errors together in proportion to all load, which small hours do not spoil.
        bias: positive when too much was foreseen.
        day_before_wape: what the same hour of the day before would have been off.
    """

    hours: int
    mape: float | None
    wape: float | None
    bias: float | None
    day_before_wape: float | None


def hour_of(moment: datetime) -> datetime:
    """Return the start of the hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def forecast(history: Sequence[tuple[datetime, float]], now: datetime, hours: int = HOURS_AHEAD) -> Forecast:
    """Return what is foreseen for the hour of ``now`` and those after it.

    Args:
        history: the start of each hour and the load in it, in any order; hours without samples are absent,
            never zero. The hour of ``now`` and later ones are not looked at.
        hours: how many to foresee.
    """
    start = _number(hour_of(now))
    load = {_number(hour_of(at)): value for at, value in history if math.isfinite(value)}
    load = {hour: value for hour, value in load.items() if start - HISTORY_HOURS <= hour < start}
    reason = _too_little(load, start)
    if reason is not None:
        return Forecast(made_at=now, hours=(), reason=reason)
    worth = weighed(load, start)
    spread = max((w.error for w in worth.values() if w.error is not None), default=0.0)
    expected = []
    for ahead in range(1, hours + 1):
        hour = start + ahead - 1
        at_distance = worth[distance_of(ahead)]
        guess = blended([guess(load, hour, start) for guess in GUESSES], at_distance.weights)
        assert guess is not None, "a day of history is enough for the flat guess"
        error = spread if at_distance.error is None else at_distance.error
        foreseen = max(0.0, guess)
        expected.append(
            Expected(hour=_time(hour), load=foreseen, low=max(0.0, foreseen - error), high=foreseen + error)
        )
    return Forecast(made_at=now, hours=tuple(expected))


def needed(rule: Predictive, made: Forecast, now: datetime) -> int | None:
    """Return the most members that are foreseen to be needed from ``now`` until the lead is over.

    None is no opinion: nothing is foreseen for that time. It is a size to be at least at, never one to
    shrink to.
    """
    until = now + timedelta(seconds=rule.lead_seconds)
    loads = [each.load for each in made.hours if each.hour <= until and each.hour + _HOUR > now]
    if not loads:
        return None
    return min(math.ceil(exact(max(loads)) / exact(rule.target)), CAPACITY_MOST)


def verified(
    past: Sequence[Verified], made: Forecast, history: Sequence[tuple[datetime, float]], now: datetime
) -> tuple[Verified, ...]:
    """Return the hours that can be compared, those that ended since ``made`` added; the latest week's.

    As a forecast is made each hour, what is compared is what was foreseen at the beginning of the hour.
    """
    actual: Mapping[datetime, float] = {hour_of(at): load for at, load in history}
    compared = {each.hour for each in past}
    new = [
        Verified(
            hour=each.hour,
            foreseen=each.load,
            actual=actual[each.hour],
            day_before=actual.get(each.hour - DAY * _HOUR),
        )
        for each in made.hours
        if each.hour + _HOUR <= now and each.hour in actual and each.hour not in compared
    ]
    return tuple(sorted([*past, *new], key=lambda each: each.hour)[-VERIFIED_MAX:])


def accuracy(past: Sequence[Verified]) -> Accuracy:
    """Return how far forecasts were off in the hours that can be compared."""
    off = [each.foreseen - each.actual for each in past]
    total = sum(abs(each.actual) for each in past)
    parts = [abs(o / each.actual) for o, each in zip(off, past, strict=True) if each.actual]
    plain = [(each.day_before - each.actual, each.actual) for each in past if each.day_before is not None]
    plain_total = sum(abs(actual) for _, actual in plain)
    return Accuracy(
        hours=len(past),
        mape=sum(parts) / len(parts) if parts else None,
        wape=sum(map(abs, off)) / total if total else None,
        bias=sum(off) / total if total else None,
        day_before_wape=sum(abs(o) for o, _ in plain) / plain_total if plain_total else None,
    )


def _too_little(load: Mapping[int, float], start: int) -> str | None:
    if len(load) < HISTORY_HOURS_LEAST:
        return f"A forecast needs {HISTORY_HOURS_LEAST} hours of samples; there are {len(load)}."
    if max(load) < start - DAY:
        return "There were no samples for a day: nothing is foreseen."
    return None


def _number(hour: datetime) -> int:
    return int(hour.timestamp()) // 3600


def _time(number: int) -> datetime:
    return datetime.fromtimestamp(number * 3600, UTC)
