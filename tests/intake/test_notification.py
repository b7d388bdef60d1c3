from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.core.decision import Event
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import derived_id
from chalicelib.core.notification import Notification
from chalicelib.intake.notification import EVENT_ID_MAX_CHARACTERS, parse
from tests.intake import bodies

SCALE = Event()
STATES_OF_NOBODY: tuple[Any, ...] = ("ALARM", "", None, 1, True, [], {}, ["alarm"])
ALARM = Event(firing=True, said="alarm")
DELIVERY = {"x-openstack-request-id": "req-1"}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b"", SCALE),
        (b" \r\n\t", SCALE),
        (b"{}", SCALE),
        (encoded({"event_id": None}), SCALE),
        (encoded({"event_id": ""}), SCALE),
        (encoded({"event_id": "e-1"}), SCALE),
        (encoded(bodies.ALARM), ALARM),
        (encoded(bodies.REMAINING), ALARM),
        (encoded(bodies.COMPOSITE), ALARM),
        (encoded(bodies.EVENT), ALARM),
        (encoded({**bodies.ALARM, "a key of a later release": 1}), ALARM),
        (encoded(bodies.CEILOMETER), ALARM),
        (encoded(bodies.OK), Event(firing=False, said="ok")),
        (encoded(bodies.FIRST_OK), Event(firing=False, said="ok")),
        (encoded(bodies.REMAINING_OK), Event(firing=False, said="ok")),
        (encoded(bodies.INSUFFICIENT_DATA), Event(firing=False, said="insufficient data")),
        (encoded(bodies.NO_DATA_AT_ALL), Event(firing=False, said="insufficient data")),
        (encoded(bodies.REMAINING_INSUFFICIENT), Event(firing=False, said="insufficient data")),
    ],
)
def test_what_is_understood(body: bytes, event: Event) -> None:
    assert parse(body, DELIVERY).event == event


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"alarm",
        b"null",
        b"[]",
        b"1",
        b"[" * 100_000,
        b"1" * 5000,
        b"\xff",
        b"\xff\xfe{",
        encoded({"event_id": 1}),
        encoded({"event_id": ["e-1"]}),
        encoded({"event_id": "e-1", "state": "resolved"}),
        encoded({"status": "resolved", "alerts": []}),  # Alertmanager's
        encoded({"Type": "Notification", "Message": "{}"}),  # SNS's, opened by nobody
        *(encoded({k: v for k, v in bodies.ALARM.items() if k != key}) for key in bodies.CEILOMETER),
        *(encoded({**bodies.ALARM, "current": state}) for state in STATES_OF_NOBODY),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_not_understood_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        parse(body, DELIVERY)
    assert refused.value.code == "autoscaling.hook.body"


@pytest.mark.parametrize(
    ("body", "headers", "event_id"),
    [
        (b"", {}, None),
        (b"", {"idempotency-key": "k"}, "k"),
        (b"", DELIVERY, None),  # any proxy may add one to a plain call; it does not name the event
        (encoded({"event_id": "e"}), {}, "e"),
        (encoded({"event_id": "e"}), {"idempotency-key": ""}, "e"),
        (encoded({"event_id": "e"}), {"idempotency-key": "k", **DELIVERY}, "k"),
        (encoded(bodies.ALARM), {}, None),
        (encoded(bodies.ALARM), {"x-openstack-request-id": ""}, None),
        (encoded(bodies.ALARM), DELIVERY, "req-1"),
        (encoded(bodies.ALARM), {"idempotency-key": "k", **DELIVERY}, "k"),
        (encoded(bodies.OK), DELIVERY, "req-1"),
    ],
)
def test_what_names_the_event(body: bytes, headers: dict[str, str], event_id: str | None) -> None:
    assert parse(body, headers).event_id == event_id


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (encoded({"event_id": "x" * 256}), {}),
        (b"", {"idempotency-key": "x" * 256}),
        (encoded(bodies.ALARM), {"x-openstack-request-id": "x" * 256}),
        (b'{"event_id": "half a pair \\ud83d"}', {}),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        parse(body, headers)
    assert refused.value.code == "autoscaling.hook.event_id"


def test_the_longest_name_is_taken() -> None:
    assert parse(encoded({"event_id": "x" * 255}), {}).event_id == "x" * 255


texts = st.text(st.characters())  # with lone surrogates
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=8,
)
keys = st.sampled_from(["event_id", *bodies.ALARM]) | texts
documents = st.dictionaries(keys, values) | st.fixed_dictionaries(
    {
        **{key: st.just(value) | values for key, value in bodies.ALARM.items()},
        "current": st.sampled_from(["alarm", "ok", "insufficient data"]) | values,
    },
    optional={"event_id": values},
)


@given(
    body=st.binary() | documents.map(encoded) | st.text().map(str.encode),
    headers=st.dictionaries(st.sampled_from(["idempotency-key", "x-openstack-request-id"]), st.text()),
)
@example(body=encoded({**bodies.ALARM, "current": []}), headers={})
@example(body=b'{"event_id": "\\ud800"}', headers={})
@example(body="{}".encode("utf-16"), headers={})
def test_whatever_comes_it_is_a_value_or_invalid(body: bytes, headers: dict[str, str]) -> None:
    """And a value is fit for what comes next: its name can be hashed, stored and shown."""
    try:
        said = parse(body, headers)
    except Invalid as refused:
        assert refused.code in ("autoscaling.hook.body", "autoscaling.hook.event_id")  # noqa: PT017
        return
    assert isinstance(said, Notification)
    if said.event_id is not None:
        assert 0 < len(said.event_id) <= EVENT_ID_MAX_CHARACTERS
        derived_id("policy", said.event_id)
