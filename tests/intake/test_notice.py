from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from chalicelib.core.alarm import AlarmState
from chalicelib.core.errors import Invalid
from chalicelib.intake.notice import parse
from tests.intake.bodies import ALARM, INSUFFICIENT_DATA, NO_DATA_AT_ALL, OK, REMAINING

HEADERS = {"x-openstack-request-id": "req-1"}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "state", "value"),
    [
        (ALARM, AlarmState.ALARM, 95.0),
        (REMAINING, AlarmState.ALARM, 95.0),
        (OK, AlarmState.OK, 10.0),
        (INSUFFICIENT_DATA, AlarmState.INSUFFICIENT_DATA, 10.0),
        (NO_DATA_AT_ALL, AlarmState.INSUFFICIENT_DATA, None),
    ],
)
def test_every_state_is_understood_with_its_value(
    body: dict[str, Any], state: AlarmState, value: float | None
) -> None:
    notice, event_id = parse(encoded(body), HEADERS)
    assert (notice.state, notice.value) == (state, value)
    assert notice.external_id == body["alarm_id"]
    assert notice.reason == body["reason"]
    assert event_id == "req-1"


@pytest.mark.parametrize("value", [True, "95", [], {}, float("nan"), float("inf"), 10**400])
def test_a_value_that_is_no_number_is_none(value: Any) -> None:
    body = {**ALARM, "reason_data": {"most_recent": value}}
    assert parse(encoded(body), {})[0].value is None


@pytest.mark.parametrize("data", [None, [], "x", {}])
def test_without_reason_data_there_is_no_value(data: Any) -> None:
    assert parse(encoded({**ALARM, "reason_data": data}), {})[0].value is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"nonsense",
        b"\xff",
        b"[" * 100_000,
        encoded({**ALARM, "current": "fine"}),
        encoded({**ALARM, "current": ["alarm"]}),
        encoded({**ALARM, "alarm_id": None}),
        encoded({**ALARM, "reason": 7}),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        parse(body, HEADERS)
    assert refused.value.code == "autoscaling.hook.body"


def test_a_long_reason_is_cut_and_half_a_surrogate_pair_replaced() -> None:
    notice, _ = parse(encoded({**ALARM, "reason": "\ud800" + "x" * 1000}), {})
    assert notice.reason == "?" + "x" * 499


def test_a_delivery_without_an_id_has_none_and_one_too_long_is_refused() -> None:
    assert parse(encoded(ALARM), {})[1] is None
    with pytest.raises(Invalid):
        parse(encoded(ALARM), {"x-openstack-request-id": "x" * 256})


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(encoded))
def test_no_body_breaks_it(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse(body, {})
