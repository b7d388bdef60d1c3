"""What is added to the template that Chalice makes of the functions and routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from deploy.parameters import declarations, variables
from deploy.policies import function_name
from deploy.resources import Names, cloudformation

LOGICAL = {"api_handler": "APIHandler", "tick": "Tick", "work": "Work"}
"""What Chalice calls each function in its template."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """How API Gateway answers what it refuses itself, before any function of ours runs."""

    status: HTTPStatus
    code: str
    detail: str
    retry_after_seconds: int | None = None


_REFUSALS: Mapping[str, _Refusal] = {
    # What API Gateway calls this is a path or a method that no route has.
    "MISSING_AUTHENTICATION_TOKEN": _Refusal(
        HTTPStatus.NOT_FOUND, "request.not_found", "There is nothing at this path, or not for this method."
    ),
    "REQUEST_TOO_LARGE": _Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request.too_large", "The request has too many bytes."
    ),
    "THROTTLED": _Refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "request.throttled", "Too many requests at once; try again.", 1
    ),
    "DEFAULT_4XX": _Refusal(
        HTTPStatus.BAD_REQUEST, "request.refused", "The request is not one that is served here."
    ),
    "DEFAULT_5XX": _Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE, "internal", "The service did not answer; try again.", 5
    ),
}


def additions(stage: str) -> dict[str, Any]:
    """Return the template that is merged into Chalice's: all of a stage but its functions and routes."""
    added = cloudformation(stage)
    added["Parameters"] = declarations()
    added["Conditions"] = {"OperatorIsTold": {"Fn::Not": [{"Fn::Equals": [{"Ref": "OperatorTopic"}, ""]}]}}
    added["Resources"]["FailedWorkAlarm"] = _failed_work_alarm(Names(stage))
    added["Globals"] = {"Function": {"Environment": {"Variables": variables()}}}
    for function, logical in LOGICAL.items():
        added["Resources"][logical] = {"Properties": {"FunctionName": function_name(stage, function)}}
    # Chalice 1.34 names this log group after a function that it has renamed meanwhile.
    api_logs = {"Properties": {"LogGroupName": {"Fn::Sub": "/aws/lambda/${APIHandler}"}}}
    added["Resources"]["ApiHandlerLogGroup"] = api_logs
    # With every type binary, bodies come as the bytes they are, and answers of bytes go out as such whatever
    # the sender accepts. Answers of text are not touched.
    binary = {"x-amazon-apigateway-binary-media-types": ["*/*"]}
    responses = {kind: _gateway_response(refusal) for kind, refusal in _REFUSALS.items()}
    added["Resources"]["RestAPI"] = {
        "Properties": {"DefinitionBody": {"x-amazon-apigateway-gateway-responses": responses, **binary}}
    }
    return added


def _failed_work_alarm(names: Names) -> dict[str, Any]:
    """Return the alarm that goes off while a message that failed too often lies in its queue.

    A queue that nobody has used for hours reports nothing: that is no alarm.
    """
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": names.dead_letters,
            "AlarmDescription": "Work failed for good: see the messages in the queue and the logs of work.",
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["FailedWorkQueue", "QueueName"]}}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "TreatMissingData": "notBreaching",
            "AlarmActions": {
                "Fn::If": ["OperatorIsTold", [{"Ref": "OperatorTopic"}], {"Ref": "AWS::NoValue"}]
            },
        },
    }


def _gateway_response(refusal: _Refusal) -> dict[str, Any]:
    """Return the answer in the shape of our own error document."""
    body = (
        '{"errors":[{"request_id":"req-$context.requestId",'
        f'"code":"autoscaling.{refusal.code}","status":{refusal.status.value},'
        f'"title":"{refusal.status.phrase}","detail":"{refusal.detail}"}}]}}'
    )
    response: dict[str, Any] = {
        "statusCode": refusal.status.value,
        "responseTemplates": {"application/json": body},
    }
    if refusal.retry_after_seconds is not None:
        wait = f"'{refusal.retry_after_seconds}'"
        response["responseParameters"] = {"gatewayresponse.header.Retry-After": wait}
    return response
