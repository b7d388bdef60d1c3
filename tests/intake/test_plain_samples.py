from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.core.errors import Invalid
from chalicelib.core.sample import Batch, Rejection, Sample, one
from chalicelib.intake.metrics import plain
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
    assert (sample.at, sample.timed, sample.source, sample.dimensions) == (NOW, False, None, ())


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
