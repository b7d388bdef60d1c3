from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Forbidden, Invalid, NotFound, TooLarge, TooOften, Unavailable
from chalicelib.core.sample import Batch, Rejection, Sample
from chalicelib.intake.metrics import gnocchi
from chalicelib.intake.metrics.reading import VALUES_MAX
from tests.intake.metrics.expected import AT, AT_UNIX_SECONDS, NOW, SERVER, reasons, sample, samples

METRIC = "0b4f3a52-9a0a-4a39-a9d0-5d9a3b1f6a55"


AT_TEXT = AT.isoformat()


def measure(value: Any, timestamp: Any = AT_TEXT) -> dict[str, Any]:
    return {"timestamp": timestamp, "value": value}


def parsed(document: Any) -> Batch:
    return gnocchi.parse(json.dumps(document).encode(), {}, {"create_metrics": "True"}, NOW)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, []),
        ({SERVER: {}}, []),
        ({"queue": []}, []),
        ({SERVER: {"cpu": []}}, []),
        ({SERVER: {"cpu": [measure(71.5)]}}, [sample("cpu", 71.5, SERVER)]),
        ({SERVER: {"cpu": {"measures": [measure(1)]}}}, [sample("cpu", 1, SERVER)]),
        (
            {SERVER: {"cpu": {"measures": [measure(1)], "archive_policy_name": "low", "unit": "%"}}},
            [sample("cpu", 1, SERVER)],
        ),
        ({"web-1/vda": {"disk.read": [measure(2)]}}, [sample("disk.read", 2, "web-1/vda")]),
        ({METRIC: [measure(3)], "queue": [measure(4)]}, [sample(METRIC, 3), sample("queue", 4)]),
        ({"queue": [{**measure(1), "more": [1]}]}, [sample("queue", 1)]),
        (
            {"a": {"cpu": [measure(1), measure(2)], "mem": [measure(3)]}, "b": {"cpu": [measure(4)]}},
            [sample("cpu", 1, "a"), sample("cpu", 2, "a"), sample("mem", 3, "a"), sample("cpu", 4, "b")],
        ),
        ({"queue": [measure("1.5")]}, [sample("queue", 1.5)]),
    ],
)
def test_what_a_batch_says(document: Any, expected: list[Sample]) -> None:
    batch = parsed(document)
    assert batch.samples == tuple(enumerate(expected))
    assert not batch.rejected


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        ("2026-11-22T09:59:30", AT),
        ("2026-11-22 09:59:30", AT),
        ("2026-11-22T09:59:30Z", AT),
        ("2026-11-22T10:59:30+01:00", AT),
        ("2026-11-22T09:59:30.123456", AT + timedelta(microseconds=123456)),
        ("2026-11-22T09:59:30.123456789", AT + timedelta(microseconds=123456)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        (AT_UNIX_SECONDS, AT),
        (AT_UNIX_SECONDS + 0.25, AT + timedelta(seconds=0.25)),
        (str(AT_UNIX_SECONDS), AT),
        (f"{AT_UNIX_SECONDS}.25", AT + timedelta(seconds=0.25)),
        ("-10 seconds", NOW - timedelta(seconds=10)),
        ("-1.5 min", NOW - timedelta(seconds=90)),
        ("- 2 Days", NOW - timedelta(days=2)),
        ("+1h", NOW + timedelta(hours=1)),
        ("5 minutes", NOW + timedelta(minutes=5)),
        ("-1 week", NOW - timedelta(weeks=1)),
    ],
)
def test_timestamps(timestamp: Any, at: datetime) -> None:
    (found,) = samples(parsed({"queue": [measure(1, timestamp)]}))
    assert (found.at, found.at.utcoffset()) == (at, timedelta(0))
    assert found.timed == (at < NOW and not str(timestamp).startswith("-"))


@pytest.mark.parametrize(
    "timestamp",
    ["", "soon", "now", "10 parsecs", "2026-13-01", "nan", "inf", 1e300, "1e300", "-999999999 weeks", 10**17],
)
def test_a_timestamp_that_is_none_refuses_the_batch(timestamp: Any) -> None:
    with pytest.raises(Invalid) as refused:
        parsed({"queue": [measure(1), measure(2, timestamp)]})
    assert refused.value.code == "autoscaling.intake.timestamp"


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        "queue",
        {"queue": 5},
        {"queue": None},
        {"queue": [5]},
        {"queue": [{"value": 5}]},
        {"queue": [{"timestamp": 5}]},
        {"queue": [measure(None)]},
        {"queue": [measure("much")]},
        {"queue": [measure([1])]},
        {"queue": [measure(1, None)]},
        {"queue": [measure(1, True)]},
        {SERVER: {"cpu": 5}},
        {SERVER: {"cpu": {}}},
        {SERVER: {"cpu": {"measures": {}}}},
        {SERVER: {"cpu": {"a": {"b": []}}}},
    ],
)
def test_what_is_no_batch_is_refused_whole(document: Any) -> None:
    with pytest.raises(Invalid) as refused:
        parsed(document)
    assert refused.value.code == "autoscaling.intake.gnocchi"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"\\ud800": []}', b'{"a": ' + b"[" * 10_000]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        gnocchi.parse(body, {}, {}, NOW)


def test_a_measure_that_is_not_finite_is_rejected_alone() -> None:
    batch = parsed({"queue": [measure(1), measure("nan"), measure("-inf"), measure(2)]})
    assert [index for index, _ in batch.samples] == [0, 3]
    assert list(reasons(batch)) == [1, 2]


def test_there_are_only_so_many_measures() -> None:
    with pytest.raises(TooLarge):
        parsed({"queue": [measure(1, 1)] * (VALUES_MAX + 1)})


finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)


@given(
    batch=st.dictionaries(st.text(), st.dictionaries(st.text(), st.lists(finite))),
    at=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_whatever_a_batch_says_is_read(batch: dict[str, dict[str, list[float]]], at: datetime) -> None:
    document = {
        resource: {
            name: [measure(value, at.isoformat()) for value in values] for name, values in metrics.items()
        }
        for resource, metrics in batch.items()
    }
    expected = [
        sample(name, float(value), resource, at=at)
        for resource, metrics in batch.items()
        for name, values in metrics.items()
        for value in values
    ]
    assert samples(parsed(document)) == expected


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["timestamp", "value", "measures"]) | st.text(), inner, max_size=3)
    ),
)
measures = st.lists(st.fixed_dictionaries({"timestamp": values, "value": values}), max_size=3)


@given(
    body=st.binary()
    | (values | st.dictionaries(st.text(), measures | values)).map(
        lambda document: json.dumps(document).encode()
    )
)
def test_whatever_comes_it_is_samples_or_refused(body: bytes) -> None:
    try:
        batch = gnocchi.parse(body, {}, {}, NOW)
    except Invalid:
        return
    for _, each in batch.samples:
        assert math.isfinite(each.measure.sum)
        assert each.at.tzinfo is UTC


def test_all_counted_is_202_without_a_body() -> None:
    answer = gnocchi.answer(3, [], {})
    assert (answer.status, answer.body) == (202, b"")


def test_where_something_was_counted_it_is_202_all_the_same() -> None:
    answer = gnocchi.answer(3, [Rejection(index=1, reason="Too old.")], {})
    assert answer.status == 202
    assert json.loads(answer.body) == {"accepted": 3, "rejected": 1, "reason": "measure 2: Too old."}


def test_where_nothing_was_counted_it_is_400() -> None:
    answer = gnocchi.answer(0, [Rejection(index=0, reason="Too old.")], {})
    assert answer.status == 400
    assert json.loads(answer.body)["description"]["reason"] == "measure 1: Too old."


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x", "No."), 404),
        (TooLarge("x", "No."), 413),
        (Forbidden("x", "No."), 403),
        (TooOften("x", "No.", retry_after_seconds=7), 429),
        (Unavailable("x", "No.", retry_after_seconds=7), 503),
    ],
)
def test_refusals(error: NotFound, status: int) -> None:
    refusal = gnocchi.refusal(error, {})
    document = json.loads(refusal.body)
    assert (refusal.status, document["code"], document["description"]) == (status, status, "No.")
    assert refusal.headers == ({"Retry-After": "7"} if status == 429 else {})


def test_a_refused_batch_is_told_as_gnocchi_does() -> None:
    refusal = gnocchi.refusal(Invalid("x", "No."), {})
    assert refusal.status == 400
    assert json.loads(refusal.body) == {
        "code": 400,
        "title": "Bad Request",
        "description": {"cause": "Invalid input", "reason": "No.", "detail": []},
    }
