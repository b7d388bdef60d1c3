"""What each sender's notification comes to, and what names it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.decision import Event
from chalicelib.core.errors import Invalid
from chalicelib.core.notification import Notification
from chalicelib.core.sns import SnsMessage
from chalicelib.intake.notification import parse, read
from tests.intake import bodies
from tests.intake.bodies import alert, alertmanager, cloudevent, cloudwatch, grafana
from tests.sns_messages import TOPIC, envelope

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def said(document: Any, **headers: str) -> Notification:
    """Return what a document says; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return parse(json.dumps(document).encode(), named)


@pytest.mark.parametrize(
    ("document", "firing", "words"),
    [
        (alertmanager(), True, "firing"),
        (alertmanager(alert("resolved")), False, "resolved"),
        (alertmanager(alert("resolved"), alert(fingerprint="b")), True, "firing"),
        (alertmanager(alert(severity="none")), False, "firing with severity none"),
        (alertmanager(alert(severity="none"), alert(severity="critical")), True, "firing"),
        (alertmanager(truncatedAlerts=3, notification_reason="a later release's"), True, "firing"),
        (grafana(), True, "alerting"),
        (grafana(alert("resolved")), False, "ok"),
        (grafana(alert(alertname="DatasourceNoData")), False, "no data"),
        (grafana(alert(alertname="DatasourceError")), False, "error"),
        (grafana(alert(alertname="DatasourceNoData"), alert()), True, "alerting"),
        (bodies.GRAFANA_LEGACY, True, "alerting"),
        *(
            ({**bodies.GRAFANA_LEGACY, "state": state}, False, state)
            for state in ("ok", "no_data", "paused", "pending")
        ),
        (cloudwatch(), True, "ALARM"),
        (cloudwatch("OK"), False, "OK"),
        (cloudwatch("INSUFFICIENT_DATA"), False, "INSUFFICIENT_DATA"),
        (bodies.CLOUDWATCH_COMPOSITE, True, "ALARM"),
        (cloudevent(alertmanager()), True, "firing"),
        (cloudevent(alertmanager(alert("resolved"))), False, "resolved"),
        (cloudevent(bodies.ALARM), True, "alarm"),
        (cloudevent({}), True, None),
        (cloudevent(None), True, None),
        (
            cloudevent(None, data_base64=base64.b64encode(json.dumps(bodies.OK).encode()).decode()),
            False,
            "ok",
        ),
        ({"type": "alarm", "timestamp": "2026-11-22T10:00:00Z", "data": bodies.OK}, False, "ok"),
        ({"type": "alarm", "timestamp": "2026-11-22T10:00:00Z", "data": {}}, True, None),
    ],
)
def test_whether_a_sender_says_alarm(document: Any, firing: bool, words: str | None) -> None:
    event = said(document).event
    assert (event.firing, event.said) == (firing, words)


@pytest.mark.parametrize(
    "document",
    [
        alertmanager(version="5"),
        alertmanager(status="alarming"),
        alertmanager(alerts={}),
        alertmanager(alerts=["firing"]),
        alertmanager({**alert(), "status": "silenced"}),
        alertmanager({**alert(), "labels": {"alertname": {"nested": []}}}),
        alertmanager({**alert(), "startsAt": 1}),
        alertmanager({**alert(), "fingerprint": 1}),
        {**grafana(), "version": "2"},
        {**bodies.GRAFANA_LEGACY, "state": "unknown"},
        {**bodies.GRAFANA_LEGACY, "ruleName": None},
        cloudwatch("ALARMING"),
        {**cloudwatch(), "StateChangeTime": None},
        cloudevent({"event": "made up"}),
        cloudevent("alarm"),
        cloudevent([]),
        cloudevent(None, data_base64="?"),
        cloudevent({}, specversion="0.3"),
        cloudevent({}, id=""),
        {"type": "alarm", "timestamp": "2026-11-22T10:00:00Z", "data": {"event": "made up"}},
        {"type": "alarm", "timestamp": 1, "data": {}},
    ],
)
def test_what_is_nearly_a_notification_is_refused(document: Any) -> None:
    with pytest.raises(Invalid) as refused:
        said(document)
    assert refused.value.code == "autoscaling.hook.body"


@pytest.mark.parametrize(
    ("document", "breach"),
    [
        (cloudwatch(), 15.5),  # of the newest datapoint
        (cloudwatch(Threshold=80), 15.5),
        (cloudwatch("OK"), None),
        (cloudwatch(Threshold=70.0), None),
        (cloudwatch(Threshold=None), None),
        (bodies.CLOUDWATCH_COMPOSITE, None),
        (
            cloudwatch(
                reason="Threshold Crossed: 1 out of the last 1 datapoints [0.5 (01/10/19 13:46:00)] was less "
                "than the threshold (80.0) (minimum 1 datapoint for OK -> ALARM transition)."
            ),
            -79.5,
        ),
        (cloudwatch(reason="Threshold Crossed: no datapoints were received for 3 periods."), None),
        (cloudwatch(reason="1 out of the last 1 datapoints [95.0 (99/99/99 10:00:00)] was greater"), None),
        (
            cloudwatch(
                reason="datapoints [95.0 (22/11/26 10:00:00), ?] were greater than the threshold (80.0)"
            ),
            None,
        ),
    ],
)
def test_the_breach_is_told_only_where_it_is_certain(document: Any, breach: float | None) -> None:
    assert said(document).event.breach == breach


def test_an_alarm_of_aodh_has_no_threshold_and_so_no_breach() -> None:
    assert said(bodies.ALARM).event == Event(firing=True, said="alarm", breach=None)


def names(document: Any, at: datetime = AT) -> set[str]:
    return set(said(document).names(at))


def test_a_delivery_that_comes_again_soon_is_the_same_and_a_repetition_is_not() -> None:
    """Alertmanager tries again within seconds, and repeats after its repeat_interval, with the same bytes."""
    for document in (alertmanager(), grafana(), bodies.GRAFANA_LEGACY):
        for offset in range(0, 60, 7):
            first = said(document).names(AT + timedelta(seconds=offset))[0]
            for soon in (0, 1, 29):
                assert first in names(document, AT + timedelta(seconds=offset + soon))
            for late in (60, 300):
                assert first not in names(document, AT + timedelta(seconds=offset + late))


@pytest.mark.parametrize(
    "other",
    [
        alertmanager(alert("resolved")),
        alertmanager(alert(), alert(fingerprint="b")),
        alertmanager({**alert(), "startsAt": "2026-11-22T11:00:00.000Z"}),
        alertmanager(groupKey="another"),
        alertmanager(receiver="another"),
        grafana(),
    ],
)
def test_what_differs_in_substance_is_another_event(other: Any) -> None:
    assert not names(alertmanager()) & names(other)


@pytest.mark.parametrize(
    "same",
    [
        alertmanager(externalURL="http://the-other-of-the-pair.example"),
        alertmanager(commonAnnotations={}),
        alertmanager(alert(fingerprint="b"), alert()),
    ],
)
def test_two_of_a_pair_say_the_same(same: Any) -> None:
    both = alertmanager(alert(), alert(fingerprint="b"))
    assert names(same) & names(both if len(same["alerts"]) == 2 else alertmanager())


def test_alerts_without_a_fingerprint_are_told_apart_by_their_labels() -> None:
    def without(**labels: str) -> Any:
        return alertmanager({key: v for key, v in alert(**labels).items() if key != "fingerprint"})

    assert names(without()) == names(without())
    assert not names(without()) & names(without(pod="a"))


def test_a_change_of_a_cloudwatch_alarm_is_one_event_whenever_it_comes() -> None:
    later = {**cloudwatch(), "StateChangeTime": "2026-11-22T11:03:10.123+0000"}
    assert names(cloudwatch()) == names(cloudwatch(), AT + timedelta(days=1))
    assert not names(cloudwatch()) & names(later)


def test_a_cloudevent_is_named_by_its_source_and_id() -> None:
    assert names(cloudevent({})) == names(cloudevent({}), AT + timedelta(days=1))
    assert not names(cloudevent({})) & names(cloudevent({}, id="2"))
    assert not names(cloudevent({})) & names(cloudevent({}, source="/other"))


def test_a_binary_cloudevent_says_the_same_as_a_structured_one() -> None:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "1",
        "ce_source": "/monitoring",
        "ce_type": "com.example.alarm",
    }
    assert said(bodies.OK, **headers) == said(cloudevent(bodies.OK))
    with pytest.raises(Invalid):
        said(bodies.OK, **{**headers, "ce_id": ""})


def test_a_header_names_the_event_whatever_the_format() -> None:
    for document in ({}, alertmanager(), cloudevent({})):
        assert said(document, webhook_id="msg_1").event_id == "msg_1"
        assert said(document, webhook_id="msg_1", idempotency_key="k").event_id == "k"


def test_a_message_of_sns_is_read_and_not_taken_for_a_notification() -> None:
    message = read(json.dumps(envelope("{}")).encode(), {"x-amz-sns-message-type": "Notification"})
    assert isinstance(message, SnsMessage)
    assert (message.topic_arn, message.message) == (TOPIC, "{}")
    assert isinstance(read(b"{}", {}), Notification)


@pytest.mark.parametrize("field", ["Type", "MessageId", "TopicArn", "Message", "Timestamp", "Signature"])
def test_a_message_of_sns_that_lacks_something_is_refused(field: str) -> None:
    document = {key: value for key, value in envelope("{}").items() if key != field}
    for broken in (document, {**document, field: "\ud800"}, {**document, field: 1}):
        with pytest.raises(Invalid) as refused:
            read(json.dumps(broken).encode(), {"x-amz-sns-message-type": "Notification"})
        assert refused.value.code == "autoscaling.hook.sns"


def test_raw_delivery_is_refused_with_the_reason() -> None:
    with pytest.raises(Invalid) as refused:
        read(json.dumps(cloudwatch()).encode(), {"x-amz-sns-rawdelivery": "true"})
    assert refused.value.code == "autoscaling.hook.sns_raw"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
WHOLE: list[dict[str, Any]] = [
    alertmanager(),
    grafana(),
    bodies.GRAFANA_LEGACY,
    cloudwatch(),
    cloudevent({}),
    envelope("{}"),
    alert(),
]


@given(data=st.data(), whole=st.sampled_from(WHOLE))
def test_whatever_a_field_holds_it_is_understood_or_refused(
    data: st.DataObject, whole: dict[str, Any]
) -> None:
    broken = {**whole, data.draw(st.sampled_from(sorted(whole))): data.draw(values)}
    documents = [broken, alertmanager(alerts=[broken]), cloudevent(broken)]
    for document in documents:
        try:
            found = read(json.dumps(document).encode(), {})
        except Invalid:
            continue
        if isinstance(found, Notification):
            assert all(len(name) <= 300 and name.encode() for name in found.names(AT))
        else:
            assert found.signed_text()
