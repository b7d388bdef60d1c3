"""Tallies on the fake and on the engine; and what processes that share them take together."""

from __future__ import annotations

import logging
import uuid

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Unavailable
from chalicelib.core.rates import minute_of, reported_at_once
from chalicelib.tables import throttle
from chalicelib.tables.database import Database
from chalicelib.tables.rates import TallyTable
from chalicelib.tables.throttle import SharedThrottle
from tests.at_once import at_once
from tests.core.factories import NOW, seconds
from tests.fakes import FakeTallies
from tests.tables.storage import Storage

MINUTE = minute_of(NOW)


def test_a_tally_adds_up_and_tells_its_sum(storage: Storage) -> None:
    scope = f"webhook#{uuid.uuid4()}"
    assert [storage.tallies.add(scope, MINUTE, calls) for calls in (6, 6, 1)] == [6, 12, 13]


def test_a_tally_is_of_one_scope_and_one_minute(storage: Storage) -> None:
    scope, other = f"webhook#{uuid.uuid4()}", f"webhook#{uuid.uuid4()}"
    storage.tallies.add(scope, MINUTE, 5)
    assert storage.tallies.add(scope, MINUTE + 1, 1) == 1
    assert storage.tallies.add(other, MINUTE, 2) == 2


def test_nothing_is_lost_where_many_add_at_once(storage: Storage) -> None:
    scope = f"webhook#{uuid.uuid4()}"
    told = at_once(8, lambda _: storage.tallies.add(scope, MINUTE, 3))
    assert set(told) == {3 * n for n in range(1, 9)}


def test_a_tally_goes_an_hour_after_its_minute(database: Database) -> None:
    scope = f"webhook#{uuid.uuid4()}"
    TallyTable(database).add(scope, MINUTE, 1)
    (row,) = boto3.client("dynamodb").query(
        TableName="thermostat-shared-rates",
        KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "scope"},
        ExpressionAttributeValues={":s": {"S": scope}},
    )["Items"]
    assert row["expires_at"] == {"N": str(MINUTE * 60 + 3600)}


@pytest.mark.parametrize("per_minute", [1, 3, 20, 120, 1000])
def test_one_process_takes_exactly_the_limit_in_each_minute(per_minute: int) -> None:
    alone = SharedThrottle(FakeTallies())
    for minute in range(2):
        now = NOW + seconds(60 * minute)
        answers = [alone.take("a", per_minute, now) for _ in range(per_minute + 30)]
        assert answers[:per_minute] == [None] * per_minute
        assert all(answer is not None and 1 <= answer <= 60 for answer in answers[per_minute:])


@given(
    per_minute=st.integers(1, 300),
    callers=st.lists(st.integers(0, 4), max_size=600),
)
def test_several_take_all_that_is_allowed_and_each_at_most_a_few_more(
    per_minute: int, callers: list[int]
) -> None:
    tallies = FakeTallies()
    processes = [SharedThrottle(tallies) for _ in range(5)]
    taken = 0
    for place, caller in enumerate(callers):
        if processes[caller].take("a", per_minute, NOW) is None:
            taken += 1
        else:
            assert place >= per_minute, "refused within the limit"
    assert taken <= per_minute + len(processes) * (reported_at_once(per_minute) - 1)
    assert tallies.writes <= len(callers) // reported_at_once(per_minute)


def test_who_calls_once_a_minute_is_never_written_down() -> None:
    tallies = FakeTallies()
    alone = SharedThrottle(tallies)
    assert {alone.take("a", 120, NOW + seconds(60 * minute)) for minute in range(100)} == {None}
    assert tallies.writes == 0


def test_who_is_refused_is_not_written_down() -> None:
    tallies = FakeTallies()
    alone = SharedThrottle(tallies)
    for _ in range(120):
        alone.take("a", 120, NOW)
    writes = tallies.writes
    assert all(alone.take("a", 120, NOW) for _ in range(1000))
    assert tallies.writes == writes == 20


def test_what_cannot_be_counted_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    tallies = FakeTallies()
    tallies.outage = Unavailable("storage.unavailable", "The database is busy; try again.")
    alone = SharedThrottle(tallies)
    with caplog.at_level(logging.WARNING):
        assert {alone.take("webhook#its-hash", 1, NOW) for _ in range(5)} == {None}
    assert "its-hash" not in caplog.text


def test_of_too_many_scopes_those_that_called_longest_ago_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throttle, "_SCOPES_MAX", 3)
    alone = SharedThrottle(FakeTallies())
    for scope in "abcd":
        alone.take(scope, 120, NOW)
    assert list(alone._known) == ["b", "c", "d"]
