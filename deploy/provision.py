"""Make a stage's tables, queues and key, or check those that are there: ``python -m deploy.provision``.

May run again at any time. What can be set on a living resource is set; a table whose keys or indexes differ
from what the code declares is left alone and reported, and the exit status is 1. What a store that is not
AWS's lacks is reported, too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from chalicelib.tables.schema import TableSchema, tables
from deploy.resources import (
    DEAD_LETTERS_KEPT_SECONDS,
    DELIVERIES,
    HISTORY,
    KEY_DESCRIPTION,
    VISIBILITY_SECONDS,
    Names,
    table_request,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType


class State(StrEnum):
    """How a resource was found, or left."""

    CREATED = "created"
    CHANGED = "changed"
    OK = "ok"
    DIFFERS = "DIFFERS"


@dataclass(frozen=True, slots=True)
class Report:
    """One resource's line."""

    name: str
    state: State
    detail: str = ""

    def __str__(self) -> str:
        """Return the line."""
        return f"{self.state:8} {self.name}" + (f": {self.detail}" if self.detail else "")


def provision(stage: str) -> list[Report]:
    """Make or check everything; return a report for each resource. Tables are ready for use afterwards."""
    names = Names(stage)
    dynamodb, sqs, kms = boto3.client("dynamodb"), boto3.client("sqs"), boto3.client("kms")
    return [
        *(_table(dynamodb, names, schema) for schema in tables()),
        *_queues(sqs, names),
        _key(kms, names),
    ]


def _table(dynamodb: DynamoDBClient, names: Names, schema: TableSchema) -> Report:
    request = table_request(names, schema)
    name = request["TableName"]
    created = False
    try:
        found: Any = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        with suppress(dynamodb.exceptions.ResourceInUseException):  # made meanwhile, or by a lost first try
            dynamodb.create_table(**request)
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        created, found = True, dynamodb.describe_table(TableName=name)["Table"]
    differing = [part for part in _SHAPES if _shape(found, part) != _shape(request, part)]
    if differing:
        return Report(name, State.DIFFERS, ", ".join(differing))
    kept = schema.name not in HISTORY
    changed, lacking = _set(
        ("expiry", schema.expires_by is not None, lambda: _expire(dynamodb, name, schema.expires_by)),
        ("point-in-time recovery", kept, lambda: _recover(dynamodb, name, wanted=kept)),
        # Last: for some seconds AWS changes nothing else of a table that is being updated.
        ("protection from deletion", kept, lambda: _protect(dynamodb, name, found, wanted=kept)),
    )
    state = State.CREATED if created else State.CHANGED if changed else State.OK
    return Report(name, state, f"this store has no {' and no '.join(lacking)}" if lacking else "")


def _set(*settings: tuple[str, bool, Callable[[], bool]]) -> tuple[bool, list[str]]:
    """Set each setting, given by its name, whether it is wanted, and what sets it.

    Returns:
        Whether any had to be set, and those that are wanted and that the store does not know of.
    """
    changed, lacking = False, []
    for name, wanted, set_it in settings:
        try:
            changed |= set_it()
        except ClientError as error:
            if error.response["Error"]["Code"] != "UnknownOperationException":
                raise
            lacking += [name] if wanted else []
    return changed, lacking


_SHAPES = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")


def _shape(table: dict[str, Any], part: str) -> dict[str, Any]:
    """Return the part of a table's description that cannot be changed, freed of its order."""
    entries = table.get(part, [])
    match part:
        case "KeySchema":
            return {entry["AttributeName"]: entry["KeyType"] for entry in entries}
        case "AttributeDefinitions":
            return {entry["AttributeName"]: entry["AttributeType"] for entry in entries}
        case _:
            return {
                index["IndexName"]: (_shape(index, "KeySchema"), index["Projection"]["ProjectionType"])
                for index in entries
            }


def _protect(dynamodb: DynamoDBClient, name: str, found: dict[str, Any], *, wanted: bool) -> bool:
    """Set protection from deletion; return whether it had to be set."""
    if found.get("DeletionProtectionEnabled", False) == wanted:
        return False
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=wanted)
    return True


def _expire(dynamodb: DynamoDBClient, name: str, attribute: str | None) -> bool:
    """Let rows expire by the attribute; return whether that had to be set."""
    found = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if attribute is None or found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
        return False
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute}
    )
    return True


def _recover(dynamodb: DynamoDBClient, name: str, *, wanted: bool) -> bool:
    """Keep backups for point-in-time recovery; return whether that had to be set."""
    found = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = found.get("PointInTimeRecoveryDescription", {})
    if (recovery.get("PointInTimeRecoveryStatus") == "ENABLED") == wanted:
        return False
    for pause in (1, 2, 4, 8, 0):  # AWS says it is unavailable for some seconds after a table was made
        try:
            dynamodb.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": wanted}
            )
        except dynamodb.exceptions.ContinuousBackupsUnavailableException:
            if not pause:
                raise
            time.sleep(pause)
        else:
            break
    return True


def _queues(sqs: SQSClient, names: Names) -> list[Report]:
    kept: dict[QueueAttributeNameType, str] = {"MessageRetentionPeriod": str(DEAD_LETTERS_KEPT_SECONDS)}
    failed = _queue(sqs, names.dead_letters, kept)
    url = sqs.get_queue_url(QueueName=names.dead_letters)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": DELIVERIES}
    delivery: dict[QueueAttributeNameType, str] = {
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "RedrivePolicy": json.dumps(redrive),
    }
    return [failed, _queue(sqs, names.queue, delivery)]


def _queue(sqs: SQSClient, name: str, attributes: dict[QueueAttributeNameType, str]) -> Report:
    attributes = {**attributes, "SqsManagedSseEnabled": "true"}
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        sqs.create_queue(QueueName=name, Attributes=attributes)
        return Report(name, State.CREATED)
    found: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]).get("Attributes", {})
    if all(_setting(found.get(key)) == _setting(value) for key, value in attributes.items()):
        return Report(name, State.OK)
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return Report(name, State.CHANGED)


def _setting(text: str | None) -> Any:
    """Return an attribute's value freed of its spelling; the engines write JSON and numbers differently."""
    value = None if text is None else json.loads(text)
    return {key: str(each) for key, each in value.items()} if isinstance(value, dict) else value


def _key(kms: KMSClient, names: Names) -> Report:
    created = False
    try:
        key = kms.describe_key(KeyId=names.key)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        key = kms.create_key(Description=KEY_DESCRIPTION)["KeyMetadata"]
        kms.create_alias(AliasName=names.key, TargetKeyId=key["KeyId"])
        created = True
    rotated = kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    if not rotated:
        kms.enable_key_rotation(KeyId=key["KeyId"])
    return Report(names.key, State.CREATED if created else State.OK if rotated else State.CHANGED)


def main() -> int:
    """Provision the stage that the command line names; report each resource in a line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m deploy.provision")
    parser.add_argument("--stage", required=True)
    reports = provision(parser.parse_args().stage)
    for report in reports:
        print(report)
    return int(any(report.state is State.DIFFERS for report in reports))


if __name__ == "__main__":
    sys.exit(main())
