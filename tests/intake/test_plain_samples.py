from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.core.errors import Invalid, TooLarge
from chalicelib.core.sample import Batch, Rejection, Sample, one
from chalicelib.intake.metrics import plain
from chalicelib.intake.metrics.inflate import INFLATED_MAX_BYTES, inflated
from tests.core.factories import NOW


def parsed(*samples: dict[str, Any]) -> Batch:
    return plain.parse(json.dumps({"samples": samples}).encode(), {}, {}, NOW)


def test_a_sample_says_what_of_whom_and_when() -> None:
    batch = parsed(
        {
            "metric": "cpu",
            "value": 71.5,
            "timestamp": "2026-03-01T13:00:00.5+02:00",
            "server_id": "server-1",
            "dimensions": {"b": "2", "a": "1"},
        }
    )
    sample = Sample(
        metric="cpu",
        at=datetime(2026, 3, 1, 11, 0, 0, 500_000, tzinfo=UTC),
        measure=one(71.5),
        source="server-1",
        dimensions=(("a", "1"), ("b", "2")),
    )
    assert batch == Batch(samples=((0, sample),))


def test_a_sample_without_a_time_is_of_now_and_without_a_server_of_the_group() -> None:
    [(_, sample)] = parsed({"metric": "cpu", "value": 1}).samples
    assert (sample.at, sample.source, sample.dimensions) == (NOW, None, ())


def test_a_time_beyond_the_calendar_is_rejected_alone() -> None:
    odd = {"metric": "cpu", "value": 1, "timestamp": "0001-01-01T00:00:00+10:00"}
    batch = parsed(odd, {"metric": "cpu", "value": 1})
    assert batch.rejected == (Rejection(index=0, reason="not a time in UTC"),)
    assert [place for place, _ in batch.samples] == [1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"{}",
        b'{"samples": [], "more": 1}',
        b'{"samples": [{"metric": "cpu"}]}',
        b'{"samples": [{"metric": "cpu", "value": "1"}]}',
        b'{"samples": [{"metric": "cpu", "value": NaN}]}',
        b'{"samples": [{"metric": "cpu", "value": 1e999}]}',
        b'{"samples": [{"metric": "cpu", "value": 1, "timestamp": "2026-03-01T13:00:00"}]}',
        b'{"samples": [{"metric": "cpu", "value": 1, "dimensions": {"a": 1}}]}',
        b'{"samples": [{"metric": "cpu", "value": 1, "servr_id": "a"}]}',
        b"[" * 100_000,
    ],
)
def test_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        plain.parse(body, {}, {}, NOW)


def test_too_many_samples_are_refused() -> None:
    with pytest.raises(Invalid):
        parsed(*[{"metric": "cpu", "value": 1}] * 10_001)


def test_the_answer_tells_what_was_rejected() -> None:
    answer = plain.answer(3, [Rejection(index=1, reason="too old")], {})
    assert (answer.status, answer.content_type) == (202, "application/json")
    assert json.loads(answer.body) == {"accepted": 3, "rejected": [{"index": 1, "reason": "too old"}]}


@pytest.mark.parametrize("body", [b"", b"{}", b"\x1f", b"text \x1f\x8b"])
def test_what_is_not_compressed_stays_as_it_is(body: bytes) -> None:
    assert inflated(body) == body


def test_gzip_is_known_by_its_bytes() -> None:
    body = b"x" * 100_000
    assert inflated(gzip.compress(body)) == body
    assert inflated(gzip.compress(b"one ") + gzip.compress(b"two")) == b"one two"


@pytest.mark.parametrize(
    "body",
    [
        b"\x1f\x8b",
        b"\x1f\x8b" + b"\0" * 20,
        gzip.compress(b"whole")[:-4],
        gzip.compress(b"whole") + b"more",
    ],
    ids=["two-bytes", "zeros", "cut-off", "with-a-tail"],
)
def test_broken_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        inflated(body)


def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(bytes(INFLATED_MAX_BYTES + 1))
    assert len(bomb) < 20_000
    with pytest.raises(TooLarge):
        inflated(bomb)
    halves = gzip.compress(bytes(INFLATED_MAX_BYTES)) + gzip.compress(b"x")
    with pytest.raises(TooLarge):
        inflated(halves)


def test_the_most_that_is_inflated_is_inflated() -> None:
    body = bytes(INFLATED_MAX_BYTES)
    assert zlib.crc32(inflated(gzip.compress(body))) == zlib.crc32(body)
