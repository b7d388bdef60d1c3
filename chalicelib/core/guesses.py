"""Simple guesses of an hourly load, and what is made of them by how well each did before.

Six guesses, each of which can be said in a sentence: the same hour of the last days, or of the same weekday
of the last weeks (medians, so that one odd day does not count); both in proportion to what they were off in
the last hours; the last hours themselves; and the middle of the last week, for a load without any season. At
each of three distances they are tried on the past fortnight, and weighed by how little they were off there.
So a trend or a sudden level counts for the hours next to come and fades for those further away, as far as it
did before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Load = Mapping[int, float]
"""The load by the number of its hour; hours without samples are absent."""

Guess = Callable[[Load, int, int], float | None]
"""What the load of an hour is guessed to be, when all before another hour is known."""

DAY, WEEK = 24, 168
DISTANCES = (3, 12, 48)
"""Hours ahead are alike up to 3, up to 12, and beyond."""

_LEVEL_HOURS = 3
_MOVED_MOST = 10.0
_TRIED_HOURS = 2 * WEEK
_TRY_EVERY_HOURS = 7  # no divisor of a day: all hours of the day are tried
_TRIED_AHEAD = (1, 2, 3, 6, 9, 12, 18, 24, 36)
_SHARPNESS = 4
"""How much better guesses are preferred: one that is twice as far off weighs a sixteenth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What the guesses are worth at one distance.

    Attributes:
        weights: one for each of ``GUESSES``.
        error: four of five tries of the weighed guess were off by no more; None when nothing could be tried.
    """

    weights: tuple[float, ...]
    error: float | None


def daily(load: Load, hour: int, known_until: int) -> float | None:
    """Return the median of the same hour of the last seven days."""
    return _median(_earlier(load, hour, known_until, DAY, 7))


def weekly(load: Load, hour: int, known_until: int) -> float | None:
    """Return the median of the same hour of the same weekday of the last four weeks."""
    return _median(_earlier(load, hour, known_until, WEEK, 4))


def level(load: Load, _hour: int, known_until: int) -> float | None:
    """Return the mean of the last three hours."""
    return _mean([load[h] for h in range(known_until - _LEVEL_HOURS, known_until) if h in load])


def flat(load: Load, _hour: int, known_until: int) -> float | None:
    """Return the median of the last week."""
    return _median([load[h] for h in range(known_until - WEEK, known_until) if h in load])


def moved(guess: Guess) -> Guess:
    """Return the guess, in proportion to what it was off in the last three hours."""

    def guess_moved(load: Load, hour: int, known_until: int) -> float | None:
        at_hour = guess(load, hour, known_until)
        lately = [
            (load[h], before)
            for h in range(known_until - _LEVEL_HOURS, known_until)
            if h in load and (before := guess(load, h, h)) is not None
        ]
        guessed = sum(before for _, before in lately)
        if at_hour is None or guessed <= 0:
            return None
        return at_hour * max(0.0, min(sum(was for was, _ in lately) / guessed, _MOVED_MOST))

    return guess_moved


GUESSES: tuple[Guess, ...] = (daily, weekly, moved(daily), moved(weekly), level, flat)


def weighed(load: Load, known_until: int) -> Mapping[int, Weighed]:
    """Return what the guesses are worth, for each of ``DISTANCES``, by trying them on the past."""
    tries: dict[int, list[tuple[tuple[float | None, ...], float]]] = {each: [] for each in DISTANCES}
    first = max(min(load) + DAY, known_until - _TRIED_HOURS)
    for origin in range(known_until - 1, first, -_TRY_EVERY_HOURS):
        for ahead in _TRIED_AHEAD:
            hour = origin + ahead - 1
            if hour < known_until and hour in load:
                guessed = tuple(guess(load, hour, origin) for guess in GUESSES)
                tries[distance_of(ahead)].append((guessed, load[hour]))
    return {distance: _weighed(tried) for distance, tried in tries.items()}


def distance_of(ahead: int) -> int:
    """Return which of ``DISTANCES`` so many hours ahead are."""
    return next((distance for distance in DISTANCES if ahead <= distance), DISTANCES[-1])


def blended(guessed: Sequence[float | None], weights: Sequence[float]) -> float | None:
    """Return the weighted mean of the guesses that there are."""
    there = [(guess, weight) for guess, weight in zip(guessed, weights, strict=True) if guess is not None]
    total = sum(weight for _, weight in there)
    return sum(guess * weight for guess, weight in there) / total if total else None


def _weighed(tried: Sequence[tuple[tuple[float | None, ...], float]]) -> Weighed:
    """Return each guess's weight by its mean error; one that was never tried counts as the worst."""
    off = [
        _usual([abs(guess - actual) for guess, actual in each if guess is not None])
        for each in ([(guessed[n], actual) for guessed, actual in tried] for n in range(len(GUESSES)))
    ]
    worst = max((error for error in off if error is not None), default=1.0)
    least = max(worst * 1e-3, 1e-12)
    weights = tuple((max(worst if e is None else e, least) / least) ** -_SHARPNESS for e in off)
    errors = sorted(
        abs(guess - actual) for guessed, actual in tried if (guess := blended(guessed, weights)) is not None
    )
    return Weighed(weights=weights, error=errors[len(errors) * 4 // 5] if errors else None)


def _earlier(load: Load, hour: int, known_until: int, season: int, most: int) -> list[float]:
    """Return the load at the same place of up to ``most`` earlier seasons, as far as it is known."""
    skipped = max(1, -(-(hour - known_until + 1) // season))
    places = (hour - season * n for n in range(skipped, skipped + most))
    return [load[place] for place in places if place in load]


def _median(values: Iterable[float]) -> float | None:
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _usual(errors: Sequence[float]) -> float | None:
    """Return the mean of the errors without the worst tenth, which no guess could help."""
    return _mean(sorted(errors)[: -(-len(errors) * 9 // 10)])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
