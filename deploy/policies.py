"""What each function may do in AWS: exactly what its flows use, and nothing else.

A transaction needs the actions of its items (``PutItem``, ``UpdateItem``, ``DeleteItem``, and
``ConditionCheckItem`` for a row that is only looked at); ``BatchWriteItem`` is an action of its own. What
stands here is held against what the bundle was seen to do (``tests/deploy/test_lambda.py``), both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.resources import Names

Actions = Mapping[str, tuple[str, ...]]

READ = ("GetItem", "Query")

TABLES: Mapping[str, Actions] = {
    # What owners ask for. Members come and go in rounds only, and so does a group's own row: here both are
    # merely read and marked. What is due and what is watched is none of its business.
    "api_handler": {
        "groups": (*READ, "PutItem", "UpdateItem", "ConditionCheckItem"),
        "members": (*READ, "UpdateItem"),
        "launch-configurations": (*READ, "PutItem", "UpdateItem", "DeleteItem"),
        "credentials": (*READ, "PutItem", "UpdateItem", "DeleteItem"),
        "policies": (*READ, "PutItem", "DeleteItem", "ConditionCheckItem"),
        "policies/index/by_group": ("Query",),
        "policy-states": ("GetItem", "DeleteItem"),
        "webhooks": ("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
        "webhooks/index/by_policy": ("Query",),
        "tokens": ("GetItem", "PutItem", "DeleteItem"),
        "alarms": (*READ, "PutItem", "UpdateItem", "DeleteItem"),
        "alarms/index/by_group": ("Query",),
        "alarm-history": ("Query", "PutItem"),
        "schedules": (*READ, "PutItem", "UpdateItem", "DeleteItem"),
        "schedules/index/by_group": ("Query",),
        "refreshes": ("GetItem", "PutItem", "UpdateItem"),
        "refreshes/index/by_age": ("Query",),
        "executions": ("GetItem", "PutItem"),
        "executions/index/by_group": ("Query",),
        "executions/index/by_policy": ("Query",),
        "activities": ("Query", "PutItem"),
        "usage": ("GetItem", "UpdateItem"),
        "folds": ("BatchGetItem", "Query", "PutItem"),
        "intakes": ("GetItem", "PutItem", "DeleteItem"),
        "intake-tokens": ("GetItem", "PutItem", "DeleteItem"),
        "meters": ("GetItem", "PutItem"),
        "rates": ("UpdateItem",),
    },
    "tick": {},
    # Rounds, sweeps and judging. They make nothing that owners ask for; what they decide, they write as
    # executions and never read. Of samples they write whole hours. When a group ends they delete all that
    # belongs to it.
    "work": {
        "groups": (*READ, "UpdateItem", "DeleteItem", "ConditionCheckItem"),
        "groups/index/due": ("Query",),
        "members": ("Query", "PutItem", "UpdateItem", "DeleteItem"),
        "launch-configurations": ("GetItem", "UpdateItem"),
        "credentials": ("GetItem", "UpdateItem"),
        "policies": ("GetItem", "DeleteItem"),
        "policies/index/by_group": ("Query",),
        "policies/index/watched": ("Query",),
        "policy-states": ("GetItem", "PutItem", "DeleteItem"),
        "webhooks": ("GetItem", "UpdateItem", "DeleteItem"),
        "webhooks/index/by_policy": ("Query",),
        "webhooks/index/overdue": ("Query",),
        "tokens": ("DeleteItem",),
        "alarms": ("GetItem", "UpdateItem", "DeleteItem"),
        "alarms/index/by_group": ("Query",),
        "alarms/index/watched": ("Query",),
        "alarm-history": ("PutItem",),
        "schedules": ("GetItem", "UpdateItem", "DeleteItem"),
        "schedules/index/by_group": ("Query",),
        "schedules/index/due": ("Query",),
        "refreshes": ("GetItem", "UpdateItem"),
        "executions": ("PutItem",),
        "activities": ("PutItem", "BatchWriteItem"),
        "usage": ("UpdateItem",),
        "folds": ("Query", "PutItem"),  # reads samples, and writes whole hours
        "intakes": ("GetItem", "DeleteItem"),
        "intake-tokens": ("DeleteItem",),
        "meters": ("GetItem", "PutItem", "DeleteItem"),
    },
}
"""For each function: the actions on each table and index that it uses."""

QUEUE: Actions = {
    "api_handler": ("SendMessage",),
    "tick": ("SendMessage",),
    # Lambda takes messages in the function's name: the first three are for that.
    "work": ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "SendMessage"),
}

KEY: Actions = {
    "api_handler": ("Encrypt", "Decrypt"),  # seals a secret, and opens it to try it before it is kept
    "tick": (),
    "work": ("Decrypt",),
}

SECRET: Actions = {
    "api_handler": ("GetSecretValue",),
    "tick": (),
    "work": ("GetSecretValue",),
}
"""On the one secret that holds the service user's password."""

FUNCTIONS = tuple(TABLES)


def function_name(stage: str, function: str) -> str:
    """Return what the function is called in Lambda, and its log group after it."""
    return f"thermostat-{stage}-{function}"


def policy(stage: str, function: str) -> dict[str, Any]:
    """Return the IAM policy document of a function, as it stands in the template."""
    names = Names(stage)
    logs = f"logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:/aws/lambda/{function_name(stage, function)}"
    statements = [
        *(
            _allow("dynamodb", actions, _arn(f"dynamodb:{_HERE}:table/thermostat-{stage}-{place}"))
            for place, actions in TABLES[function].items()
        ),
        _allow("sqs", QUEUE[function], _arn(f"sqs:{_HERE}:{names.queue}")),
        _allow("kms", KEY[function], {"Fn::GetAtt": ["SecretsKey", "Arn"]}),
        _allow("secretsmanager", SECRET[function], {"Ref": "OsPasswordSecret"}),
        # The names of log streams are Lambda's to choose.
        _allow("logs", ("CreateLogStream", "PutLogEvents"), _arn(f"{logs}:log-stream:*")),
    ]
    return {"Version": "2012-10-17", "Statement": [each for each in statements if each["Action"]]}


_HERE = "${AWS::Region}:${AWS::AccountId}"


def _arn(rest: str) -> dict[str, str]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{rest}"}


def _allow(service: str, actions: tuple[str, ...], resource: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": resource,
    }
