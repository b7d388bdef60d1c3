"""Whatever bytes strangers send: a value, or a clear refusal, in little time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.api.samples import FORMATS
from chalicelib.core.errors import Invalid, TooLarge
from chalicelib.core.notice import Notice
from chalicelib.core.notification import Notification
from chalicelib.core.sample import Batch
from chalicelib.core.sns import SnsMessage
from chalicelib.intake import notice, notification
from chalicelib.intake.metrics import otlp
from tests.core.factories import NOW
from tests.intake.bombs import bombs

ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS = 5.0
"""Of a sixth of what the function has time for, and so of a machine that is busy."""

Parser = Callable[[bytes, dict[str, str]], object]

PARSERS: dict[str, Parser] = {
    **{
        each.name: lambda body, headers, parse=each.parse: parse(body, headers, {}, NOW)  # type: ignore[misc]
        for each in FORMATS
    },
    "otlp_in_protobuf": lambda body, headers: otlp.parse(
        body, {**headers, "content-type": "application/x-protobuf"}, {}, NOW
    ),
    "call_hook": notification.read,
    "call_alarm_hook": notice.parse,
}
"""Each that reads a body of the open routes; a format that is added to the API is among them."""

HEADERS = (
    "content-type",
    "idempotency-key",
    "x-openstack-request-id",
    "x-amz-sns-message-type",
    "ce-specversion",
    "ce-id",
    "ce-source",
    "ce-type",
    "webhook-id",
)
WORDS = (
    *("samples", "metric", "value", "timestamp", "dimensions", "resourceMetrics", "scopeMetrics", "metrics"),
    *(
        "gauge",
        "sum",
        "histogram",
        "dataPoints",
        "asInt",
        "asDouble",
        "attributes",
        "key",
        "name",
        "measures",
    ),
    *("alarm_id", "current", "reason", "reason_data", "most_recent", "status", "alerts", "version", "labels"),
    *(
        "specversion",
        "id",
        "source",
        "type",
        "data",
        "data_base64",
        "Type",
        "TopicArn",
        "Signature",
        "Message",
    ),
    *("NewStateValue", "NewStateReason", "StateChangeTime", "AlarmName", "Trigger", "Threshold", "event_id"),
)
odd = st.sampled_from(
    [
        *(float("nan"), float("inf"), -float("inf"), 1e308, -0.0, 2**63, -(2**63) - 1, 2**64, 10**400),
        *(
            "",
            "\x00",
            "\ud800",
            "NaN",
            "1e999",
            "9" * 400,
            "2026-13-01T00:00:00Z",
            "0001-01-01T00:00:00+10:00",
        ),
        *("alarm", "firing", "ALARM", "1.0", "4", "e30=", "PT1S", "-1 seconds", "Notification"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=200)
    | values.map(lambda value: json.dumps(value).encode())
    | st.text().map(lambda text: text.encode("utf-16"))
    | values.map(lambda value: b"\xef\xbb\xbf" + json.dumps(value).encode())
)


@pytest.mark.parametrize("name", PARSERS)
@given(
    body=bodies,
    headers=st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=8) | st.just("application/json")),
)
@example(body=b"[" * 200_000, headers={"content-type": "application/json"})
@example(body=b'{"a":' * 200_000, headers={"content-type": "application/json"})
@example(body=b'{"value": ' + b"9" * 100_000 + b"}", headers={"content-type": "application/json"})
@example(body=b"\x1f\x8b\x08", headers={})
def test_whatever_comes_it_is_a_value_or_a_clear_refusal(
    name: str, body: bytes, headers: dict[str, str]
) -> None:
    try:
        read: Any = PARSERS[name](body, headers)
    except (Invalid, TooLarge) as refused:
        assert refused.code.startswith("autoscaling.") and refused.detail  # noqa: PT017, PT018
        return
    value = read[0] if isinstance(read, tuple) else read
    assert isinstance(value, Batch | Notification | Notice | SnsMessage)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[str, float]]:
    """What came of each bomb, in a process that has little memory."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.intake.bombs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[str, float]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", [name for name, *_ in bombs()])
def test_what_is_dear_to_read_is_refused_before_it_costs_much(
    outcomes: dict[str, tuple[str, float]], name: str
) -> None:
    said, cpu_seconds = outcomes[name]
    assert said in ("Invalid", "TooLarge") or said.endswith("rejected"), said
    assert cpu_seconds < CPU_SECONDS
