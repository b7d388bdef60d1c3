"""What a stage is made of beside its functions: tables, the work queue, the key that seals secrets.

One declaration for both ways to make them: ``cloudformation`` for AWS, ``deploy.provision`` for any engine
that speaks the same APIs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.tables.schema import TableSchema, tables

HISTORY = {"executions", "activities", "alarm-history", "folds", "policy-states", "rates"}
"""Tables without backups and protection: what they tell expires anyhow, nothing acts on it for long, and they
are the largest or the most written (recovery is paid by size). All others hold what nobody could make again:
what owners want, their delegations, the hooks that their alarm sources know, which servers are whose, and the
counts that go with them; and they are small."""

VISIBILITY_SECONDS = 90  # longer than a round's lease: a message comes again when its group is free again
DELIVERIES = 5
DEAD_LETTERS_KEPT_SECONDS = 14 * 24 * 3600
KEY_DESCRIPTION = "Seals the secrets of Thermostat's credentials"


@dataclass(frozen=True, slots=True)
class Names:
    """How a stage's resources are called."""

    stage: str

    def table(self, schema: TableSchema) -> str:
        """Return the name of a table."""
        return f"thermostat-{self.stage}-{schema.name}"

    @property
    def queue(self) -> str:
        """The work queue's."""
        return f"thermostat-{self.stage}-work"

    @property
    def dead_letters(self) -> str:
        """The queue's of what failed too often."""
        return f"thermostat-{self.stage}-work-failed"

    @property
    def key(self) -> str:
        """The alias of the key."""
        return f"alias/thermostat-{self.stage}"


def table_request(names: Names, schema: TableSchema) -> dict[str, Any]:
    """Return what CreateTable takes, which CloudFormation calls the same."""
    request: dict[str, Any] = {
        "TableName": names.table(schema),
        "KeySchema": schema.keys,
        "AttributeDefinitions": schema.attributes,
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": schema.name not in HISTORY,
    }
    if schema.indexes:
        request["GlobalSecondaryIndexes"] = schema.indexes
    return request


def cloudformation(stage: str) -> dict[str, Any]:
    """Return the template to merge into the one that Chalice packages."""
    template = data(stage)
    template["Resources"] |= _queues(Names(stage))
    return template


def data(stage: str) -> dict[str, Any]:
    """Return a template of what owners' data is in: what stays when all else is taken away."""
    names = Names(stage)
    held = {_logical(schema): _table(names, schema) for schema in tables()}
    return {"Resources": {**held, **_key(names)}}


def _logical(schema: TableSchema) -> str:
    return "".join(word.capitalize() for word in schema.name.split("-")) + "Table"


def _table(names: Names, schema: TableSchema) -> dict[str, Any]:
    properties = table_request(names, schema)
    if schema.expires_by:
        properties["TimeToLiveSpecification"] = {"AttributeName": schema.expires_by, "Enabled": True}
    kept = schema.name not in HISTORY
    if kept:
        properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
    return {"Type": "AWS::DynamoDB::Table", "Properties": properties} | (_retained() if kept else {})


def _queues(names: Names) -> dict[str, Any]:
    return {
        "WorkQueue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": names.queue,
                "VisibilityTimeout": VISIBILITY_SECONDS,
                "SqsManagedSseEnabled": True,
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["FailedWorkQueue", "Arn"]},
                    "maxReceiveCount": DELIVERIES,
                },
            },
        },
        "FailedWorkQueue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": names.dead_letters,
                "MessageRetentionPeriod": DEAD_LETTERS_KEPT_SECONDS,
                "SqsManagedSseEnabled": True,
            },
        },
    }


def _key(names: Names) -> dict[str, Any]:
    """Return the key, which outlives the stack: without it every sealed secret is lost."""
    account = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"}],
    }
    return {
        "SecretsKey": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "Description": KEY_DESCRIPTION,
                "EnableKeyRotation": True,
                "KeyPolicy": policy,
            },
        }
        | _retained(),
        "SecretsKeyAlias": {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": names.key, "TargetKeyId": {"Ref": "SecretsKey"}},
        }
        | _retained(),
    }


def _retained() -> dict[str, str]:
    return {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
