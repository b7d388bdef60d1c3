"""What is added to the template that Chalice makes of the functions and routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from chalicelib.api.errors import OF_EVERY_ANSWER, OVER_TLS
from deploy.alarms import alarms
from deploy.parameters import declarations, variables
from deploy.policies import function_name
from deploy.resources import cloudformation

LOGICAL = {"api_handler": "APIHandler", "tick": "Tick", "work": "Work"}
"""What Chalice calls each function in its template."""

_ROLES = ("ApiHandlerRole", "TickRole", "WorkRole")
_FUNCTIONS_OF_STAGE = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:thermostat-*"


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


WORK_AT_ONCE = 50
"""Rounds, sweeps and judgings: as many calls of Nova at once at most, which a small cloud takes. A round of a
settled group takes a second or two, so that is some thousand groups a minute."""

CACERT = "openstack-ca.pem"
"""The certificates of an owner's cloud in the bundle, if it is packaged with some."""


def additions(stage: str, *, has_cacert: bool = False) -> dict[str, Any]:
    """Return the template that is merged into Chalice's: all of a stage but its functions and routes."""
    added = cloudformation(stage)
    added["Parameters"] = declarations()
    added["Conditions"] = {
        "OperatorIsTold": _is_given("OperatorTopic"),
        "InNetwork": {"Fn::And": [_is_given("SubnetIds"), _is_given("SecurityGroupIds")]},
    }
    added["Resources"] |= alarms(stage) | {"NetworkPolicy": _network_policy()}
    cacert = {"OS_CACERT": f"/var/task/{CACERT}"} if has_cacert else {}
    network = {"Fn::If": ["InNetwork", _network(), {"Ref": "AWS::NoValue"}]}
    added["Globals"] = {
        "Function": {"Environment": {"Variables": variables() | cacert}, "VpcConfig": network}
    }
    for function, logical in LOGICAL.items():
        added["Resources"][logical] = {"Properties": {"FunctionName": function_name(stage, function)}}
    added["Resources"]["Work"]["Properties"]["Events"] = {"WorkSqsEventSource": {"Properties": _taking()}}
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


def _is_given(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def _taking() -> dict[str, Any]:
    """Return how Lambda takes messages for the function that works.

    The limit of its concurrency is one of taking messages, not of the function: a reserved concurrency would
    let the queue's poller run into it, and each refusal counts as a delivery that failed.
    """
    return {
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": WORK_AT_ONCE},
    }


def _network() -> dict[str, Any]:
    return {
        "SubnetIds": {"Fn::Split": [",", {"Ref": "SubnetIds"}]},
        "SecurityGroupIds": {"Fn::Split": [",", {"Ref": "SecurityGroupIds"}]},
    }


def _network_policy() -> dict[str, Any]:
    """Return what lets Lambda place the functions in a network of one's own, and their code nothing of it.

    Lambda asks with the function's role, before any resource has a name, so these are for all (*); a call
    from within the function says which it is, and is denied. Source:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ]
    itself = {"ArnLike": {"lambda:SourceFunctionArn": {"Fn::Sub": _FUNCTIONS_OF_STAGE}}}
    return {
        "Type": "AWS::IAM::Policy",
        "Condition": "InNetwork",
        "Properties": {
            "PolicyName": "network",
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": actions, "Resource": "*"},
                    {"Effect": "Deny", "Action": actions, "Resource": "*", "Condition": itself},
                ],
            },
            "Roles": [{"Ref": role} for role in _ROLES],
        },
    }


def _gateway_response(refusal: _Refusal) -> dict[str, Any]:
    """Return the answer in the shape of our own error document."""
    body = (
        '{"errors":[{"request_id":"$context.requestId",'
        f'"code":"autoscaling.{refusal.code}","status":{refusal.status.value},'
        f'"title":"{refusal.status.phrase}","detail":"{refusal.detail}"}}]}}'
    )
    response: dict[str, Any] = {
        "statusCode": refusal.status.value,
        "responseTemplates": {"application/json": body},
    }
    headers = {name: f"'{value}'" for name, value in {**OF_EVERY_ANSWER, **OVER_TLS}.items()}
    headers["X-Openstack-Request-Id"] = "context.requestId"
    if refusal.retry_after_seconds is not None:
        headers["Retry-After"] = f"'{refusal.retry_after_seconds}'"
    response["responseParameters"] = {
        f"gatewayresponse.header.{name}": said for name, said in headers.items()
    }
    return response
