from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.source import Refusal, Source, SourceState
from tests.core.factories import NOW, seconds

A_SOURCE = Source(expected_every_seconds=300, watched_since=NOW)


def at(second: float) -> Source:
    return A_SOURCE.heard(NOW + seconds(second))


def test_silence_is_certain_once_a_call_could_not_have_come_unnoted() -> None:
    assert A_SOURCE.due_at == NOW + seconds(300)
    assert A_SOURCE.overdue_at == NOW + seconds(375)
    assert at(100).overdue_at == NOW + seconds(475)
    assert Source(expected_every_seconds=60, watched_since=NOW).overdue_at == NOW + seconds(90)


def test_a_delivery_is_noted_only_every_quarter_of_what_is_expected() -> None:
    first = at(10)
    assert first.last_received_at == NOW + seconds(10)
    assert first.heard(NOW + seconds(84)) is first
    assert first.heard(NOW + seconds(85)).last_received_at == NOW + seconds(85)


def test_the_first_delivery_after_a_silence_is_noted_at_once() -> None:
    silent = at(10).silenced()
    assert (silent.state, silent.silent_since) == (SourceState.SILENT, NOW + seconds(310))
    assert silent.overdue_at is None
    back = silent.heard(NOW + seconds(11))
    assert (back.state, back.silent_since) == (SourceState.OK, None)


def test_another_pace_counts_from_now_on() -> None:
    later = NOW + seconds(1000)
    changed = at(10).silenced().expected(60, later)
    assert (changed.state, changed.due_at) == (SourceState.OK, later + seconds(60))
    assert changed.last_received_at == NOW + seconds(10)


def test_refusals_are_noted_as_seldom() -> None:
    refusal = Refusal(code="autoscaling.hook.signature_wrong", at=NOW)
    refused = A_SOURCE.refused(refusal)
    assert refused.refused(Refusal(code="autoscaling.hook.body", at=NOW + seconds(74))) is refused
    assert refused.refused(Refusal(code="autoscaling.hook.body", at=NOW + seconds(75))) is not refused


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        (A_SOURCE, "never heard"),
        (at(10), "last heard 2026-03-01T12:00:10Z"),
        (
            at(10).refused(Refusal(code="autoscaling.hook.body", at=NOW + seconds(20))),
            "last heard 2026-03-01T12:00:10Z; last refused 2026-03-01T12:00:20Z as autoscaling.hook.body",
        ),
        (at(10).refused(Refusal(code="autoscaling.hook.body", at=NOW)), "last heard 2026-03-01T12:00:10Z"),
    ],
)
def test_the_cause_is_said(source: Source, cause: str) -> None:
    assert source.cause == cause


@given(every=st.integers(60, 86_400), gaps=st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_who_keeps_the_pace_is_never_overdue(every: int, gaps: list[float]) -> None:
    """However many of its calls are not noted."""
    source = Source(expected_every_seconds=every, watched_since=NOW)
    for second in itertools.accumulate(gap * every for gap in gaps):
        now = NOW + seconds(second)
        assert source.overdue_at is not None
        assert now < source.overdue_at
        source = source.heard(now)
