"""Judging is indifferent to what should not matter: order in a batch, the day, a tick that comes again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import given, settings

from chalicelib.flows import watch
from chalicelib.ports import Share
from tests.simulation.judged import (
    MAX_SIZE,
    MIN_SIZE,
    TRACKING,
    report,
    with_alarms,
    with_policies,
)
from tests.world import World

Minute = tuple[list[float], int]
minutes = st.lists(
    st.tuples(st.lists(st.integers(0, 200).map(float), max_size=6), st.integers(0, 3)), max_size=12
)


def _story(begin: timedelta, told: Sequence[Minute], order: Sequence[int] | None = None) -> list[object]:
    """Return what comes of some minutes, in each of which some members report and so many ticks come."""
    world = World()
    world.clock.pass_(begin.total_seconds())
    world.with_group(desired_capacity=3, min_size=MIN_SIZE, max_size=MAX_SIZE, cooldown_seconds=0)
    world.settle()
    with_policies(world, 0, TRACKING)
    with_alarms(world)
    sizes = []
    for values, ticks in told:
        report(world, values, order)
        world.clock.pass_(60)
        for shard in [*range(world.limits.shards)] * ticks:
            watch.watch(world.services, Share(shard=shard))
        world.tick()
        sizes.append(world.group().desired_capacity)
    decided = [
        (e.source, e.policy_id, e.outcome, e.capacity_before, e.capacity_after)
        for e in world.memory.executions.values()
    ]
    return [sizes, decided]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(told=minutes, order=st.permutations(range(6)))
def test_the_order_of_samples_within_a_batch_decides_nothing(told: list[Minute], order: list[int]) -> None:
    assert _story(timedelta(0), told) == _story(timedelta(0), told, order)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(told=minutes, days=st.integers(1, 800))
def test_the_day_decides_nothing_where_no_calendar_is_asked(told: list[Minute], days: int) -> None:
    assert _story(timedelta(0), told) == _story(timedelta(days=days), told)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(told=minutes)
def test_a_tick_that_comes_again_decides_nothing(told: list[Minute]) -> None:
    once = [(values, min(ticks, 1)) for values, ticks in told]
    assert _story(timedelta(0), once)[0] == _story(timedelta(0), told)[0]
