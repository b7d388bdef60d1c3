"""Samples on their way in: who they are of, which count, and that each counts once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from chalicelib.core.errors import TooLarge, Unavailable
from chalicelib.core.fold import Fold
from chalicelib.core.ids import MemberId, ResourceId
from chalicelib.core.member import Member, MemberState
from chalicelib.core.meters import SERIES_MAX
from chalicelib.core.sample import Batch, Measure, Rejection, Sample, one
from chalicelib.core.series import Series, Statistic
from chalicelib.core.statistics import by_member, datapoints
from chalicelib.flows.observe import SAMPLES_MAX, Observed, observe
from chalicelib.ports.samples import Folds
from chalicelib.ports.storage import GroupKey
from chalicelib.tables.roster import MemberRoster
from tests.core.factories import GROUP, NOW, PROJECT, seconds
from tests.fakes import FakeQueue
from tests.simulation.crash import Died, Executioner, mortal
from tests.world import World, key

CPU = Series(project_id=PROJECT, group_id=GROUP, metric="cpu")


def world_of(members: int = 2) -> tuple[World, Sequence[Member]]:
    """Return a world with a group that has settled, and its members."""
    world = World()
    world.with_group(desired_capacity=members, min_size=0, max_size=100)
    world.settle()
    world.clock.now = NOW + seconds(3600)
    return world, world.members()


class Silent(FakeQueue):
    """A queue that does not answer."""

    def judge_soon(self, key: GroupKey, slot: datetime) -> None:
        raise Unavailable("queue.unavailable", "The work queue does not answer.")


def sample(value: float = 1, *, ago: float = 0, **changes: Any) -> Sample:
    """Return a sample of the group as a whole, as of now."""
    at = NOW + seconds(3600 - ago)
    return replace(Sample(metric="cpu", at=at, measure=one(value)), **changes)


def batch(*samples: Sample, **changes: Any) -> Batch:
    return replace(Batch(samples=tuple(enumerate(samples))), **changes)


def post(world: World, *samples: Sample, id_: str = "batch-1") -> Observed:
    return observe(world.services, key(), batch(*samples), default_batch_id=id_)


def stored(world: World, series: Series = CPU) -> Sequence[Fold]:
    return world.services.folds.read(series, NOW, NOW + seconds(7200))


def values(world: World, series: Series = CPU) -> tuple[int, float]:
    """Return how many samples of the series are counted, and their sum."""
    return sum(f.total.count for f in stored(world, series)), sum(f.total.sum for f in stored(world, series))


def test_a_sample_is_bound_to_the_member_whose_server_it_is_about() -> None:
    world, (first, second) = world_of()
    assert first.resource_id is not None
    said = post(
        world,
        sample(10, source=first.resource_id),
        sample(20, source=first.name),
        sample(30, source=second.id),
        sample(40),
    )
    assert said == Observed(4, ())
    found = by_member(stored(world), Statistic("average"), 60, NOW + seconds(3660))
    assert found == {first.id: 15, second.id: 30}
    assert values(world) == (4, 100)


def test_a_strangers_sample_is_rejected_and_the_rest_counts() -> None:
    world, _ = world_of()
    said = post(world, sample(1), sample(2, source="somebody-else"), sample(3))
    assert said.accepted == 2
    [rejection] = said.rejected
    assert (rejection.index, "not a member" in rejection.reason) == (1, True)
    assert values(world) == (2, 4)


def test_a_member_of_another_group_is_a_stranger() -> None:
    world, (member, _) = world_of()
    other = key(replace(world.group(), id="group-2").id)  # type: ignore[arg-type]
    assert observe(world.services, other, batch(sample(source=member.name)), default_batch_id="1").rejected


def test_a_member_that_has_just_come_is_known_at_once() -> None:
    world, (member, _) = world_of()
    post(world, sample(source=member.name))
    new = replace(member, id=MemberId("new"), name="web-new", resource_id=ResourceId("server-new"))
    world.memory.members[PROJECT, GROUP, "new"] = replace(new, state=MemberState.BUILDING)
    world.clock.pass_(5)
    assert post(world, sample(source="server-new"), id_="batch-2").accepted == 1


def test_strangers_do_not_have_the_members_read_again_and_again() -> None:
    world, _ = world_of()
    reads = Counting(world.services.members)
    roster = MemberRoster(reads, world.seconds)
    services = replace(world.services, roster=roster)
    for seconds_passed in (0, 0, 0, 5, 0):
        world.clock.pass_(seconds_passed)
        observe(services, key(), batch(sample(source="stranger")), default_batch_id="1")
    assert reads.calls == {"of_group": 2}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ago": 3601}, "too old"),
        ({"ago": -61}, "in the future"),
        ({"metric": ""}, "metric's name"),
        ({"metric": "a b"}, "metric's name"),
        ({"metric": "x" * 256}, "metric's name"),
        ({"metric": "cpu\n"}, "metric's name"),
        ({"dimensions": tuple((f"d{n:02}", "v") for n in range(11))}, "10 dimensions"),
        ({"dimensions": (("a", "1"), ("a", "2"))}, "each once"),
        ({"dimensions": (("", "v"),)}, "printable"),
        ({"dimensions": (("d", "\0"),)}, "printable"),
        ({"dimensions": (("d", "\ud800"),)}, "printable"),
        ({"dimensions": tuple((f"d{n}", "v" * 200) for n in range(9))}, "bytes together"),
        ({"measure": one(math.nan)}, "finite"),
        ({"measure": one(math.inf)}, "finite"),
        ({"measure": one(-1e301)}, "finite"),
        ({"measure": replace(one(1), count=0)}, "at least one"),
        ({"measure": replace(one(1), count=2**33)}, "at least one"),
        ({"measure": Measure(count=2, sum=3, minimum=2, maximum=1, spread=())}, "minimum"),
    ],
)
def test_what_cannot_be_counted_is_rejected_with_the_reason(changes: Mapping[str, Any], reason: str) -> None:
    world, _ = world_of()
    said = post(world, sample(1), sample(2, **changes), sample(3))
    assert said.accepted == 2
    [rejection] = said.rejected
    assert rejection.index == 1
    assert reason in rejection.reason
    assert values(world) == (2, 4)


@pytest.mark.parametrize("ago", [3600, 0, -60])
def test_what_is_just_in_time_counts(ago: float) -> None:
    world, _ = world_of()
    assert post(world, sample(ago=ago)).accepted == 1


def test_what_the_format_rejected_is_told_in_its_place() -> None:
    world, _ = world_of()
    said = observe(
        world.services,
        key(),
        Batch(
            samples=((1, sample(5)), (2, sample(source="stranger"))),
            rejected=(Rejection(index=0, reason="unreadable"),),
        ),
        default_batch_id="1",
    )
    assert (said.accepted, [each.index for each in said.rejected]) == (1, [0, 2])


def test_too_many_samples_are_refused_whole() -> None:
    world, _ = world_of()
    with pytest.raises(TooLarge):
        post(world, *[sample()] * (SAMPLES_MAX + 1))
    assert stored(world) == []


def test_a_group_has_so_many_series_and_no_more() -> None:
    world, _ = world_of()
    for part in range(2):
        names = [f"m{part}-{number}" for number in range(SERIES_MAX // 2)]
        assert post(world, *(sample(metric=name) for name in names)).rejected == ()
    said = post(world, sample(metric="m0-1"), sample(metric="one-more"), id_="batch-2")
    assert (said.accepted, [each.index for each in said.rejected]) == (1, [1])
    assert "too many series" in said.rejected[0].reason


def test_a_batch_that_comes_twice_counts_once() -> None:
    world, (member, _) = world_of()
    for _ in range(3):
        assert post(world, sample(5, source=member.name), sample(7, ago=120)).accepted == 2
    assert values(world) == (2, 12)


def test_the_same_samples_under_another_name_count_again() -> None:
    world, _ = world_of()
    assert {post(world, sample(5), id_=name).accepted for name in ("one", "two")} == {1}
    assert values(world) == (2, 10)


def test_the_senders_own_name_of_a_batch_counts_more() -> None:
    world, _ = world_of()
    for default in ("one", "two"):
        named = batch(sample(5), batch_id="mine")
        observe(world.services, key(), named, default_batch_id=default)
    assert values(world) == (1, 5)


def test_two_servers_may_number_their_batches_alike() -> None:
    world, (first, second) = world_of()
    for member in (first, second):
        post(world, sample(5, source=member.name), id_="1")
    assert values(world) == (2, 10)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("calls", range(6))
def test_who_dies_anywhere_and_is_asked_again_counts_once(calls: int, *, late: bool) -> None:
    world, (member, _) = world_of()
    executioner = Executioner(calls_left=calls, after_effect=late)
    doomed = mortal(world.services, executioner)
    samples = batch(sample(5, source=member.name), sample(7, metric="memory"), sample(9, ago=120))
    with suppress(Died):
        observe(doomed, key(), samples, default_batch_id="1")
    assert observe(world.services, key(), samples, default_batch_id="1").accepted == 3
    assert values(world) == (2, 14)
    assert values(world, replace(CPU, metric="memory")) == (1, 7)


def test_a_metric_that_is_watched_closely_is_kept_in_short_periods() -> None:
    world, _ = world_of()
    world.services.meters.watch(key(), "cpu", fine=True)
    post(world, sample(5, ago=10), sample(7), sample(1, metric="memory"))
    points = datapoints(stored(world), Statistic("average"), 10, 2, NOW + seconds(3610))
    assert [point.value for point in points if point] == [5, 7]
    assert {fold.seconds for fold in stored(world, replace(CPU, metric="memory"))} == {60}


class Counting:
    """A port that counts the calls of each of its methods."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        self.calls[name] = self.calls.get(name, 0) + 1
        return getattr(self._port, name)


class Written(Counting):
    """Folds that count the rows that are written."""

    rows = 0

    def add(self, folds: Sequence[Any]) -> Mapping[int, str]:
        self.rows += len(folds)
        port: Folds = self._port
        return port.add(folds)


def test_a_thousand_samples_of_one_metric_are_a_handful_of_calls() -> None:
    world, members = world_of(20)
    s = world.services
    folds, meters = Written(s.folds), Counting(s.meters)
    services = replace(s, folds=folds, meters=meters)
    said = observe(
        services,
        key(),
        batch(*(sample(n, ago=n % 120, source=members[n % 20].name) for n in range(1000))),
        default_batch_id="1",
    )
    assert said.accepted == 1000
    assert folds.rows == 3, "a row for each minute that it touches"
    assert meters.calls == {"admit": 1}
    assert values(world) == (1000, sum(range(1000)))


def test_samples_are_kept_though_nobody_can_be_told_to_judge_them() -> None:
    world, (member, _) = world_of()
    world.services.meters.watch(key(), "cpu", fine=True)
    world.services = replace(world.services, queue=Silent())
    assert post(world, sample(5, source=member.name)).accepted == 1
    assert values(world) == (1, 5)
