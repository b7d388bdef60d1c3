from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import boto3

from chalicelib.core.ids import GroupId
from chalicelib.core.meters import SERIES_MAX, SERIES_MAX_BYTES, Meters
from chalicelib.ports.storage import GroupKey
from chalicelib.tables.database import Database
from chalicelib.tables.meters import MeterTable
from tests.at_once import at_once
from tests.core.factories import NOW, seconds
from tests.tables.storage import KEEP_DAYS, Storage

CPU, DISK = ("cpu", ()), ("disk", (("device", "/dev/vda"), ("host", "a")))


def key_of(storage: Storage, group: str = "group-1") -> GroupKey:
    return GroupKey(project_id=storage.project, group_id=GroupId(group))


def row_of(key: GroupKey) -> dict[str, object]:
    place: Any = {"project_id": {"S": key.project_id}, "group_id": {"S": key.group_id}}
    found = boto3.client("dynamodb").get_item(TableName="thermostat-shared-meters", Key=place)
    return dict(found.get("Item", {}))


def test_a_group_has_the_series_that_were_admitted(storage: Storage) -> None:
    key = key_of(storage)
    assert storage.meters.of_group(key) == Meters()
    storage.meters.admit(key, {CPU}, NOW)
    assert storage.meters.admit(key, {DISK}, NOW + seconds(60)).seen.keys() == {CPU, DISK}
    assert storage.meters.of_group(key).seen == {CPU: NOW, DISK: NOW + seconds(60)}
    assert storage.meters.of_group(key_of(storage, "other")) == Meters()


def test_series_beyond_the_limit_are_not_admitted(storage: Storage) -> None:
    key = key_of(storage)
    names = {(f"m{number}", ()) for number in range(SERIES_MAX + 5)}
    seen = storage.meters.admit(key, names, NOW).seen
    assert len(seen) == SERIES_MAX
    assert seen.keys() < names
    assert storage.meters.admit(key, {CPU}, NOW).seen == seen


def test_a_series_that_went_silent_makes_room(storage: Storage) -> None:
    key = key_of(storage)
    storage.meters.admit(key, {(f"m{number}", ()) for number in range(SERIES_MAX - 1)}, NOW)
    later = NOW + timedelta(days=KEEP_DAYS)
    assert storage.meters.admit(key, {CPU}, later).seen == {CPU: later}


def test_series_that_all_went_silent_make_room_for_others_that_alone_come(storage: Storage) -> None:
    key = key_of(storage)
    storage.meters.admit(key, {(f"m{number}", ()) for number in range(SERIES_MAX)}, NOW)
    assert CPU not in storage.meters.admit(key, {CPU}, _end(NOW) - seconds(1)).seen
    assert storage.meters.admit(key, {CPU}, _end(NOW)).seen.keys() == {CPU}


def test_that_a_series_is_still_there_is_noted_each_hour(storage: Storage) -> None:
    key = key_of(storage)
    for passed, noted in ((0, 0), (3599, 0), (3600, 3600), (3700, 3600)):
        storage.meters.admit(key, {CPU}, NOW + seconds(passed))
        assert storage.meters.of_group(key).seen == {CPU: NOW + seconds(noted)}


def test_a_metric_is_watched_closely_until_it_is_not(storage: Storage) -> None:
    key = key_of(storage)
    storage.meters.watch(key, "cpu", fine=True)
    storage.meters.watch(key, "cpu", fine=True)
    assert storage.meters.admit(key, {DISK}, NOW).fine == {"cpu"}
    storage.meters.watch(key, "cpu", fine=False)
    assert storage.meters.admit(key, {DISK}, NOW).fine == frozenset()
    assert storage.meters.of_group(key).seen == {DISK: NOW}


def test_meters_are_forgotten(storage: Storage) -> None:
    key = key_of(storage)
    storage.meters.admit(key, {CPU}, NOW)
    for _ in range(2):
        storage.meters.forget(key)
    assert storage.meters.of_group(key) == Meters()
    assert storage.meters.admit(key, {DISK}, NOW).seen == {DISK: NOW}


def test_what_is_known_is_not_read_again_for_half_a_minute(database: Database, dynamodb: Storage) -> None:
    seconds_now = 0.0
    table = MeterTable(database, KEEP_DAYS, lambda: seconds_now)
    key = key_of(dynamodb)
    table.admit(key, {CPU}, NOW)
    dynamodb.meters.watch(key, "cpu", fine=True)
    assert table.admit(key, {CPU}, NOW).fine == frozenset()
    seconds_now = 31
    assert table.admit(key, {CPU}, NOW).fine == {"cpu"}


def test_of_many_that_come_at_once_none_is_lost(database: Database, dynamodb: Storage) -> None:
    key = key_of(dynamodb)
    tables = [MeterTable(database, KEEP_DAYS, lambda: 0.0) for _ in range(6)]
    at_once(6, lambda number: tables[number].admit(key, {(f"m{number}", ())}, NOW))
    assert len(dynamodb.meters.of_group(key).seen) == 6


def test_a_row_goes_when_its_samples_have_gone_unless_something_is_watched(dynamodb: Storage) -> None:
    key = key_of(dynamodb)
    dynamodb.meters.admit(key, {CPU}, NOW)
    assert row_of(key)["expires_at"] == {"N": str(int(_end(NOW).timestamp()))}
    dynamodb.meters.watch(key, "cpu", fine=True)
    assert "expires_at" not in row_of(key)


def test_the_largest_meters_fit_a_row(dynamodb: Storage) -> None:
    key = key_of(dynamodb)
    value = "☃" * (SERIES_MAX_BYTES // 3 - 10)
    names = {(f"m{number:03}", (("dimension", value),)) for number in range(SERIES_MAX)}
    assert dynamodb.meters.admit(key, names, NOW).seen.keys() == names
    assert dynamodb.meters.of_group(key).seen.keys() == names


def _end(moment: datetime) -> datetime:
    return moment + timedelta(days=KEEP_DAYS)
