from __future__ import annotations

from chalicelib.core.fold import folded
from chalicelib.flows.hours import HOURS_MAX, compress, ended_hours
from tests.core.factories import NOW, seconds
from tests.core.test_fold import CPU, A, B, reading
from tests.simulation.crash import Died, Executioner, mortal
from tests.world import World

HOUR = 3600


def world_with(*hours: int) -> World:
    """Return a world where A and B reported their hour's number, twice in each hour."""
    world = World()
    for hour in hours:
        readings = [reading(hour, at=hour * HOUR + at, member=m) for m in (A, B) for at in (0, HOUR - 1)]
        world.services.folds.add(folded(readings, hour.to_bytes(8, "big"), frozenset()))
    return world


def compressed(world: World) -> list[tuple[int, float, float]]:
    """Return each hour that there is: its number, its average, its load."""
    found = world.services.folds.read_hours(CPU, NOW, NOW + seconds(1000 * HOUR))
    return [(int((h.start - NOW).total_seconds()) // HOUR, h.total.average, h.load) for h in found]


def test_hours_that_can_change_no_more_are_compressed() -> None:
    world = world_with(0, 1, 2, 3)
    assert compress(world.services, CPU, NOW + seconds(4 * HOUR - 1)) == 2
    assert compressed(world) == [(0, 0, 0), (1, 1, 2)]
    assert compress(world.services, CPU, NOW + seconds(4 * HOUR + 59)) == 0
    assert compress(world.services, CPU, NOW + seconds(4 * HOUR + 60)) == 1
    assert compressed(world) == [(0, 0, 0), (1, 1, 2), (2, 2, 4)]


def test_it_passes_over_hours_without_samples() -> None:
    world = world_with(0, 3, 400)
    assert compress(world.services, CPU, NOW + seconds(1000 * HOUR)) == 3
    assert [hour for hour, _, _ in compressed(world)] == [0, 3, 400]


def test_a_series_without_samples_has_no_hours() -> None:
    assert compress(World().services, CPU, NOW) == 0


def test_hours_that_ended_are_there_before_they_are_compressed() -> None:
    world = world_with(0, 2, 3, 4)
    for late in (0, 59, 60, HOUR - 1):
        now = NOW + seconds(4 * HOUR + late)
        compress(world.services, CPU, now)
        found = ended_hours(world.services, CPU, NOW, now)
        assert [(hour.start, hour.load) for hour in found] == [
            (NOW + seconds(hour * HOUR), 2 * hour) for hour in (0, 2, 3)
        ]
    assert [hour for hour, _, _ in compressed(world)] == [0, 2], "nothing is written that may change"


def test_a_call_compresses_a_day_and_the_next_goes_on() -> None:
    world = world_with(*range(30))
    until = NOW + seconds(1000 * HOUR)
    assert [compress(world.services, CPU, until) for _ in range(3)] == [HOURS_MAX, 30 - HOURS_MAX, 0]
    assert [hour for hour, _, _ in compressed(world)] == list(range(30))


def test_it_may_die_anywhere() -> None:
    until = NOW + seconds(1000 * HOUR)
    whole = world_with(0, 1, 5)
    compress(whole.services, CPU, until)
    for calls in range(12):
        for late in (False, True):
            world = world_with(0, 1, 5)
            doomed = mortal(world.services, Executioner(calls_left=calls, after_effect=late))
            try:
                compress(doomed, CPU, until)
            except Died:
                compress(world.services, CPU, until)
            assert compressed(world) == compressed(whole)
