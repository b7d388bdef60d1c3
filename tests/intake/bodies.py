"""Notifications as alarm sources really send them."""

from __future__ import annotations

from typing import Any


def aodh(
    previous: str, current: str, reason: str, disposition: str, count: int, most_recent: float | None
) -> dict[str, Any]:
    """Return Aodh's seven keys, as Aodh 23 was seen to send them."""
    return {
        "alarm_name": "t1",
        "alarm_id": "00067b9e-b4ae-4018-a4fb-1dfe0c78af83",
        "severity": "low",
        "previous": previous,
        "current": current,
        "reason": reason,
        "reason_data": {
            "type": "threshold",
            "disposition": disposition,
            "count": count,
            "most_recent": most_recent,
        },
    }


FIRST_OK = aodh(
    "insufficient data",
    "ok",
    "Transition to ok due to 3 samples inside threshold, most recent: 10.0",
    "inside",
    3,
    10.0,
)
ALARM = aodh(
    "ok",
    "alarm",
    "Transition to alarm due to 3 samples outside threshold, most recent: 95.0",
    "outside",
    3,
    95.0,
)
OK = aodh(
    "alarm", "ok", "Transition to ok due to 3 samples inside threshold, most recent: 10.0", "inside", 3, 10.0
)
INSUFFICIENT_DATA = aodh("ok", "insufficient data", "3 datapoints are unknown", "unknown", 3, 10.0)
NO_DATA_AT_ALL = aodh("ok", "insufficient data", "No datapoint for granularity 1", "unknown", 3, None)
REMAINING = aodh(
    "alarm",
    "alarm",
    "Remaining as alarm due to 1 samples outside threshold, most recent: 95.0",
    "outside",
    1,
    95.0,
)
REMAINING_OK = aodh(
    "ok", "ok", "Remaining as ok due to 2 samples inside threshold, most recent: 10.0", "inside", 2, 10.0
)
REMAINING_INSUFFICIENT = aodh(
    "insufficient data",
    "insufficient data",
    "Remaining as insufficient data due to 0 samples outside threshold, most recent: None",
    "outside",
    0,
    None,
)
COMPOSITE: dict[str, Any] = {
    **ALARM,
    "reason": "Composite rule alarm with composition form: (rule1 and (rule2 or rule3)) transition to alarm, "
    "due to rules: rule1, rule3 outside their threshold.",
    "reason_data": {
        "type": "composite",
        "composition_form": "(rule1 and (rule2 or rule3))",
        "causative_rules": {"rule1": {"type": "gnocchi_resources_threshold", "metric": "cpu_util"}},
    },
}
CEILOMETER: dict[str, Any] = {key: ALARM[key] for key in ("alarm_id", "previous", "current", "reason")}
EVENT: dict[str, Any] = {
    **ALARM,
    "reason": "Event <id=e-1,event_type=compute.instance.update> hits the query <query=[]>.",
    "reason_data": {
        "type": "event",
        "event": {
            "message_id": "e-1",
            "event_type": "compute.instance.update",
            "generated": "2026-11-22T10:00:00",
            "traits": [["state", 1, "error"]],
            "raw": {},
            "message_signature": "0a",
        },
    },
}


def alert(status: str = "firing", fingerprint: str = "37b7c3d0e5a1f2c4", **labels: str) -> dict[str, Any]:
    """Return one alert as Alertmanager 0.25 was seen to send it."""
    return {
        "status": status,
        "labels": {"alertname": "HighCPU", "group": "web", **labels},
        "annotations": {"summary": "CPU is high"},
        "startsAt": "2026-11-22T10:00:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-22T10:05:00.000Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=cpu",
        "fingerprint": fingerprint,
    }


def alertmanager(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a delivery of Alertmanager, version 4."""
    found = list(alerts or [alert()])
    return {
        "receiver": "thermostat",
        "status": "firing" if any(each["status"] == "firing" for each in found) else "resolved",
        "alerts": found,
        "groupLabels": {"alertname": "HighCPU"},
        "commonLabels": {"alertname": "HighCPU", "group": "web"},
        "commonAnnotations": {"summary": "CPU is high"},
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": '{}:{alertname="HighCPU"}',
        "truncatedAlerts": 0,
        **changes,
    }


def grafana(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a delivery of Grafana's unified alerting, by its documentation."""
    found = [
        {**each, "values": {"B": 95.0, "C": 1}, "valueString": "[ var='B' value=95 ]", "orgId": 1}
        for each in alerts or [alert()]
    ]
    beside = {"version": "1", "orgId": 1, "title": "[FIRING:1] HighCPU", "message": "**Firing**"}
    state = "alerting" if any(each["status"] == "firing" for each in found) else "ok"
    return {**alertmanager(*found), **beside, "state": state, **changes}


GRAFANA_LEGACY: dict[str, Any] = {
    "dashboardId": 1,
    "evalMatches": [{"value": 95, "metric": "cpu", "tags": {}}],
    "message": "CPU is high",
    "orgId": 1,
    "panelId": 2,
    "ruleId": 3,
    "ruleName": "HighCPU",
    "ruleUrl": "http://grafana.example/d/1",
    "state": "alerting",
    "tags": {},
    "title": "[Alerting] HighCPU",
}


def cloudwatch(state: str = "ALARM", reason: str | None = None, **trigger: Any) -> dict[str, Any]:
    """Return CloudWatch's notification of a metric alarm, by its documentation."""
    said = "95.5 (22/11/26 10:02:00), 82.0 (22/11/26 10:01:00)"
    return {
        "AlarmName": "cpu-high",
        "AlarmDescription": None,
        "AWSAccountId": "123456789012",
        "AlarmConfigurationUpdatedTimestamp": "2026-11-20T10:00:00.000+0000",
        "NewStateValue": state,
        "NewStateReason": reason
        or f"Threshold Crossed: 2 out of the last 2 datapoints [{said}] were greater than the threshold "
        "(80.0) (minimum 2 datapoints for OK -> ALARM transition).",
        "StateChangeTime": "2026-11-22T10:03:10.123+0000",
        "Region": "EU (Frankfurt)",
        "AlarmArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:cpu-high",
        "OldStateValue": "OK",
        "Trigger": {
            "MetricName": "CPUUtilization",
            "Namespace": "AWS/EC2",
            "StatisticType": "Statistic",
            "Statistic": "AVERAGE",
            "Dimensions": [{"name": "AutoScalingGroupName", "value": "web"}],
            "Period": 60,
            "EvaluationPeriods": 2,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 80.0,
            "TreatMissingData": "missing",
            **trigger,
        },
    }


CLOUDWATCH_COMPOSITE: dict[str, Any] = {
    "AlarmName": "both",
    "AlarmRule": "ALARM(a) AND ALARM(b)",
    "NewStateValue": "ALARM",
    "NewStateReason": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a transitioned to ALARM at Sunday "
    "22 November, 2026 10:03:10 UTC",
    "StateChangeTime": "2026-11-22T10:03:10.123+0000",
    "AlarmArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:both",
    "OldStateValue": "OK",
    "TriggeringChildren": [],
}


def cloudevent(data: Any, **changes: Any) -> dict[str, Any]:
    """Return a structured CloudEvent."""
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/monitoring",
        "type": "com.example.alarm",
        "time": "2026-11-22T10:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
        **changes,
    }
