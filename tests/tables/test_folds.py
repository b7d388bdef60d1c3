from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace

import boto3
import pytest

from chalicelib.core.aggregate import BINS_MAX, aggregate
from chalicelib.core.fold import (
    BATCHES_MAX,
    MEMBERS_MAX,
    WHOLE_GROUP,
    Fold,
    Hour,
    Reading,
    folded,
    whole_hour,
)
from chalicelib.core.ids import GroupId, MemberId
from chalicelib.core.sample import Measure, one
from chalicelib.core.series import Series, Statistic
from chalicelib.core.statistics import datapoints
from chalicelib.tables.fold_rows import decode_fold, encode_fold
from chalicelib.tables.folds import series_key
from tests.at_once import at_once
from tests.core.factories import NOW, PROJECT, seconds
from tests.tables.storage import KEEP_DAYS, Storage

A = MemberId("a")
_ANY = Series(project_id=PROJECT, group_id=GroupId("group-1"), metric="cpu")


def series_of(storage: Storage, metric: str = "cpu", **dimensions: str) -> Series:
    pairs = tuple(sorted(dimensions.items()))
    return Series(project_id=storage.project, group_id=GroupId("group-1"), metric=metric, dimensions=pairs)


def fold_of(series: Series, batch: int, *values: float, at: float = 0, member: MemberId = A) -> Fold:
    """Return the fold of one batch; its name's first byte, and so its shard, is the batch's number."""
    readings = [Reading(series=series, member=member, at=NOW + seconds(at), measure=one(v)) for v in values]
    [(_, fold)] = folded(readings, bytes([batch]) * 8, frozenset())
    return fold


def average(folds: Iterable[Fold]) -> float | None:
    [point] = datapoints(list(folds), Statistic("average"), 60, 1, NOW + seconds(60))
    return point.value if point else None


def total(storage: Storage, series: Series) -> tuple[int, float]:
    folds = storage.folds.read(series, NOW, NOW + seconds(60))
    return sum(fold.total.count for fold in folds), sum(fold.total.sum for fold in folds)


def test_a_fold_comes_back_as_it_was(storage: Storage) -> None:
    series = series_of(storage, disk="/dev/vda")
    fold = fold_of(series, 1, 1.5, -2, 0, 3e300)
    assert storage.folds.add([(series, fold)]) == {}
    assert storage.folds.read(series, NOW, NOW + seconds(60)) == [fold]


def test_batches_add_up_whatever_shard_they_are_in(storage: Storage) -> None:
    series = series_of(storage)
    for batch in range(9):
        storage.folds.add([(series, fold_of(series, batch, batch, member=MemberId(f"m{batch}")))])
    assert total(storage, series) == (9, 36)
    assert average(storage.folds.read(series, NOW, NOW + seconds(60))) == 4
    members = {id_ for fold in storage.folds.read(series, NOW, NOW + seconds(60)) for id_ in fold.members}
    assert len(members) == 9


def test_a_batch_that_comes_twice_counts_once(storage: Storage) -> None:
    series = series_of(storage)
    first, second = fold_of(series, 1, 5), fold_of(series, 5, 7)
    for fold in (first, first, second, first, second):
        assert storage.folds.add([(series, fold)]) == {}
    assert total(storage, series) == (2, 12)


def test_a_batch_that_was_half_written_is_made_whole(storage: Storage) -> None:
    """The function died between two rows; the sender, who got no answer, sends everything again."""
    cpu, memory = series_of(storage), series_of(storage, "memory")
    whole = [(cpu, fold_of(cpu, 1, 5)), (memory, fold_of(memory, 1, 7))]
    storage.folds.add(whole[:1])
    storage.folds.add(whole)
    assert total(storage, cpu) == (1, 5)
    assert total(storage, memory) == (1, 7)


def test_series_do_not_mix(storage: Storage) -> None:
    all_series = [
        series_of(storage),
        series_of(storage, "memory"),
        series_of(storage, core="0"),
        replace(series_of(storage), group_id=GroupId("group-2")),
    ]
    storage.folds.add([(s, fold_of(s, 1, value)) for value, s in enumerate(all_series)])
    assert [total(storage, s) for s in all_series] == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_what_is_read_begins_at_since_and_ends_before_until(storage: Storage) -> None:
    series = series_of(storage)
    for minute in range(4):
        storage.folds.add([(series, fold_of(series, 1, minute, at=60 * minute))])
    found = storage.folds.read(series, NOW + seconds(60), NOW + seconds(180))
    assert [fold.total.sum for fold in found] == [1, 2]
    assert storage.folds.read(series, NOW, NOW) == []


def test_periods_of_ten_seconds_lie_beside_longer_ones(storage: Storage) -> None:
    series = series_of(storage)
    readings = [Reading(series=series, member=A, at=NOW + seconds(10), measure=one(9))]
    storage.folds.add(folded(readings, b"12345678", frozenset({"cpu"})))
    storage.folds.add([(series, fold_of(series, 1, 5))])
    found = storage.folds.read(series, NOW, NOW + seconds(60))
    assert [(fold.start, fold.seconds) for fold in found] == [(NOW, 60), (NOW + seconds(10), 10)]


def test_the_first_fold_is_found_across_a_gap(storage: Storage) -> None:
    series = series_of(storage)
    assert storage.folds.first_since(series, NOW) is None
    storage.folds.add([(series, fold_of(series, batch, 1, at=7200)) for batch in (1, 2)])
    assert storage.folds.first_since(series, NOW) == NOW + seconds(7200)
    assert storage.folds.first_since(series, NOW + seconds(7200)) == NOW + seconds(7200)
    assert storage.folds.first_since(series, NOW + seconds(7260)) is None


def an_hour(storage: Storage, number: int) -> Hour:
    return whole_hour(NOW + seconds(3600 * number), [fold_of(series_of(storage), 1, number)])


def test_hours_come_back_as_they_were_and_writing_one_twice_is_one(storage: Storage) -> None:
    series = series_of(storage)
    assert storage.folds.newest_hour(series) is None
    hours = [an_hour(storage, number) for number in range(3)]
    for hour in [*hours, hours[1]]:
        storage.folds.write_hour(series, hour)
    assert storage.folds.read_hours(series, NOW, NOW + seconds(7200)) == hours[:2]
    assert storage.folds.newest_hour(series) == hours[2].start
    assert storage.folds.read(series, NOW, NOW + seconds(7200)) == []
    assert storage.folds.first_since(series, NOW) is None


def test_a_full_period_says_so_and_takes_the_rest(storage: Storage) -> None:
    series, other = series_of(storage), series_of(storage, "memory")
    crowd = [
        Reading(series=series, member=MemberId(f"m{number}"), at=NOW, measure=one(1))
        for number in range(MEMBERS_MAX)
    ]
    storage.folds.add(folded(crowd, b"\1" * 8, frozenset()))
    more = [(series, fold_of(series, 5, 1)), (other, fold_of(other, 5, 1))]
    refused = storage.folds.add(more)
    assert list(refused) == [0]
    assert "too many members" in refused[0]
    assert total(storage, series) == (MEMBERS_MAX, MEMBERS_MAX)
    assert total(storage, other) == (1, 1)


def many(storage: Storage, batch: int, series: int) -> list[tuple[Series, Fold]]:
    """Return the folds of a batch with one sample of many series."""
    all_series = [series_of(storage, f"m{number}") for number in range(series)]
    return [(each, fold_of(each, batch, number)) for number, each in enumerate(all_series)]


def test_a_batch_of_many_series_counts_once_also_after_half_of_it_was_written(storage: Storage) -> None:
    folds = many(storage, 1, 150)
    storage.folds.add(folds[70:130])
    for _ in range(2):
        assert storage.folds.add(folds) == {}
    storage.folds.add(many(storage, 5, 150))
    assert [total(storage, series) for series, _ in folds] == [(2, 2 * number) for number in range(150)]


def test_of_many_series_only_the_full_one_is_refused(storage: Storage) -> None:
    folds = many(storage, 5, 10)
    series = folds[3][0]
    crowd = [
        Reading(series=series, member=MemberId(f"m{number}"), at=NOW, measure=one(1))
        for number in range(MEMBERS_MAX)
    ]
    storage.folds.add(folded(crowd, b"\1" * 8, frozenset()))
    assert list(storage.folds.add(folds)) == [3]
    assert total(storage, series) == (MEMBERS_MAX, MEMBERS_MAX)
    assert total(storage, folds[9][0]) == (1, 9)


def test_of_batches_of_many_series_at_once_none_is_lost(dynamodb: Storage) -> None:
    results = at_once(8, lambda number: dynamodb.folds.add(many(dynamodb, number, 12)))
    assert results == [{}] * 8
    for number in range(12):
        assert total(dynamodb, series_of(dynamodb, f"m{number}")) == (8, 8 * number)


def test_many_large_rows_are_written_in_several_transactions(dynamodb: Storage) -> None:
    values = [1.03**exponent for exponent in range(3000)]
    spread = Measure(
        count=3000, sum=1.0, minimum=1.0, maximum=values[-1], spread=tuple((v, 2**31) for v in values)
    )
    members = {MemberId(str(uuid.uuid4())): fold_of(_ANY, 1, 0.1, 0.2).members[A] for _ in range(MEMBERS_MAX)}
    folds = [
        (series, replace(fold, total=aggregate([spread]), members=members))
        for series, fold in many(dynamodb, 1, 40)
    ]
    assert sum(len(encode_fold(fold)) for _, fold in folds) > 4_000_000
    assert dynamodb.folds.add(folds) == {}
    assert dynamodb.folds.read(folds[39][0], NOW, NOW + seconds(60)) == [folds[39][1]]


def test_of_32_batches_at_once_none_is_lost(dynamodb: Storage) -> None:
    series = series_of(dynamodb)

    def add(number: int) -> object:
        return dynamodb.folds.add([(series, fold_of(series, number, 1, member=MemberId(f"m{number}")))])

    assert at_once(32, add) == [{}] * 32
    assert total(dynamodb, series) == (32, 32)


def test_one_batch_sent_16_times_at_once_counts_once(dynamodb: Storage) -> None:
    series = series_of(dynamodb)
    fold = fold_of(series, 3, 7)
    at_once(16, lambda _: dynamodb.folds.add([(series, fold)]))
    assert total(dynamodb, series) == (1, 7)


def test_the_largest_fold_fits_a_row() -> None:
    values = [sign * 1.03**exponent * 1e-9 for sign in (1, -1) for exponent in range(2 * BINS_MAX)]
    worst = Measure(
        count=2**40, sum=-1.1e300, minimum=-1.1e300, maximum=1.1e300, spread=tuple((v, 2**20) for v in values)
    )
    members = {
        MemberId(str(uuid.uuid4())): fold_of(_ANY, 1, 0.1, 0.2, at=59.999).members[A]
        for _ in range(MEMBERS_MAX)
    }
    fold = Fold(
        start=NOW,
        seconds=60,
        total=aggregate([worst]),
        members=members,
        batches=frozenset(number.to_bytes(8, "big") for number in range(BATCHES_MAX)),
    )
    assert len(fold.total.positive) == len(fold.total.negative) == BINS_MAX
    data = encode_fold(fold)
    assert 100_000 < len(data) < 390_000
    assert decode_fold(data, NOW, 60) == fold


def test_a_member_that_reported_once_takes_some_thirty_bytes() -> None:
    one_member = fold_of(_ANY, 1, 71.53, at=30)
    crowd = {MemberId(str(uuid.uuid4())): one_member.members[A] for _ in range(1000)}
    assert len(encode_fold(replace(one_member, members=crowd))) < 34_000


@pytest.mark.parametrize(
    "id_", [WHOLE_GROUP, "m", "x" * 16, "x" * 17, str(uuid.UUID(int=7)), str(uuid.UUID(int=7)).upper() + "f"]
)
def test_any_member_id_comes_back(id_: str) -> None:
    fold = fold_of(_ANY, 1, 5, member=MemberId(id_))
    assert decode_fold(encode_fold(fold), NOW, 60) == fold


def test_rows_are_dropped_in_time(dynamodb: Storage) -> None:
    series = series_of(dynamodb)
    dynamodb.folds.add([(series, fold_of(series, 1, 1))])
    dynamodb.folds.write_hour(series, an_hour(dynamodb, 0))
    found = boto3.client("dynamodb").query(
        TableName="thermostat-shared-folds",
        KeyConditionExpression="series_key = :key",
        ExpressionAttributeValues={":key": {"S": series_key(series)}},
    )["Items"]
    hour, period = (float(item["expires_at"]["N"]) for item in found)
    assert hour == NOW.timestamp() + KEEP_DAYS * 86_400
    assert period == hour + 3600, "an hour must not lose its first minutes before it is compressed"
