"""``python -m dev.bench_forecast``: how good the forecasts are on made-up loads, beside three naive ones.

Eight weeks of each load, from a fixed seed; a forecast every 7 hours of the last four weeks, as it would have
been made then. What is compared is the next hour, which a lead of minutes is about, and the hour a day ahead.
The table is the one in docs/forecast.md.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.core.forecast import forecast

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
HOURS = 8 * 168
FIRST_ORIGIN = 4 * 168
EVERY_HOURS = 7  # no divisor of a day: every hour of the day has its turn
AHEADS = (1, 24)

Series = Sequence[float]
Guess = Callable[[Series, int, int], float]

NAIVE: Mapping[str, Guess] = {
    "last value": lambda load, origin, _hour: load[origin - 1],
    "same hour yesterday": lambda load, origin, hour: load[hour - 24 * math.ceil((hour - origin + 1) / 24)],
    "same hour last week": lambda load, origin, hour: load[hour - 168 * math.ceil((hour - origin + 1) / 168)],
}


def office(chance: random.Random) -> Series:
    """Return a load of working days and quiet weekends, with 5 % of noise and 3 % of growth a week."""

    def at(hour: int) -> float:
        day, time_of_day = divmod(hour, 24)
        busy = math.exp(-(((time_of_day - 14) / 4.5) ** 2))
        growth: float = 1.03 ** (hour / 168)
        return (100 + (900 if day % 7 < 5 else 150) * busy) * growth * chance.gauss(1, 0.05)

    return [at(hour) for hour in range(HOURS)]


def daily_only(chance: random.Random) -> Series:
    """Return a load that is the same each day, with 10 % of noise."""
    return [
        (500 + 300 * math.sin(2 * math.pi * (hour - 8) / 24)) * chance.gauss(1, 0.1) for hour in range(HOURS)
    ]


def moved_level(chance: random.Random) -> Series:
    """Return an office's load that doubles for good in the sixth week, as after a launch."""
    return [load * (2 if hour >= 5 * 168 + 50 else 1) for hour, load in enumerate(office(chance))]


def outages(chance: random.Random) -> Series:
    """Return an office's load where one day in ten is nearly empty, for no reason a calendar knows."""
    lost = {day for day in range(HOURS // 24) if chance.random() < 0.1}
    return [load * (0.1 if hour // 24 in lost else 1) for hour, load in enumerate(office(chance))]


def constant(chance: random.Random) -> Series:
    """Return a load without season: a constant with 10 % of noise."""
    return [500 * chance.gauss(1, 0.1) for _ in range(HOURS)]


def wandering(chance: random.Random) -> Series:
    """Return a load without season that goes a step up or down each hour."""
    load, walked = 1000.0, []
    for _ in range(HOURS):
        load = max(50.0, load + chance.gauss(0, 30))
        walked.append(load)
    return walked


def bursts(chance: random.Random) -> Series:
    """Return a quiet load with bursts at random hours."""
    return [100 * chance.gauss(1, 0.1) + (900 if chance.random() < 0.05 else 0) for _ in range(HOURS)]


LOADS = {
    "working days, 3 % growth a week": office,
    "every day alike, 10 % noise": daily_only,
    "doubles for good in week 6": moved_level,
    "a day in ten is lost": outages,
    "no season: constant and noise": constant,
    "no season: wandering": wandering,
    "no season: random bursts": bursts,
}


def wape(load: Series, guessed: Mapping[int, float]) -> float:
    """Return the errors of all guesses in proportion to the load, in percent."""
    off = sum(abs(guess - load[hour]) for hour, guess in guessed.items())
    return 100 * off / sum(load[hour] for hour in guessed)


def ours(load: Series, origin: int) -> Mapping[int, tuple[float, float, float]]:
    """Return what we foresee at ``origin``, with its low and high, for each of ``AHEADS``."""
    history = [(START + timedelta(hours=hour), value) for hour, value in enumerate(load[:origin])]
    made = forecast(history, START + timedelta(hours=origin))
    return {ahead: (e.load, e.low, e.high) for ahead in AHEADS for e in [made.hours[ahead - 1]]}


def main() -> None:
    """Print the table."""
    names = ["ours", *NAIVE]
    print("| load | ahead | " + " | ".join(names) + " | within low and high |")
    print("|---|---|" + "---|" * (len(names) + 1))
    spent, made = 0.0, 0
    for title, make in LOADS.items():
        load = make(random.Random(7))
        origins = range(FIRST_ORIGIN, HOURS - max(AHEADS), EVERY_HOURS)
        began = time.perf_counter()
        foreseen = {origin: ours(load, origin) for origin in origins}
        spent, made = spent + time.perf_counter() - began, made + len(foreseen)
        for ahead in AHEADS:
            hours = {origin: origin + ahead - 1 for origin in origins}
            figures = [wape(load, {hours[o]: foreseen[o][ahead][0] for o in origins})]
            figures += [
                wape(load, {hour: guess(load, o, hour) for o, hour in hours.items()})
                for guess in NAIVE.values()
            ]
            inside = sum(foreseen[o][ahead][1] <= load[hours[o]] <= foreseen[o][ahead][2] for o in origins)
            cells = [f"{figure:.1f} %" for figure in figures]
            print(f"| {title} | {ahead} h | {' | '.join(cells)} | {100 * inside / len(origins):.0f} % |")
    print(f"\n{1000 * spent / made:.0f} ms a forecast, of {FIRST_ORIGIN} to {HOURS} hours of history.")


if __name__ == "__main__":
    main()
