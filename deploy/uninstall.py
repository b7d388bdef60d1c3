"""Take a stage away: ``python -m deploy.uninstall --stage prod``.

Functions, API, queues, alarms and roles go. What owners have stays in the stack: tables and key, at the price
of their storage. ``python -m deploy.deploy`` brings the rest back upon it. With ``--delete-data prod``, the
stage's name once more, everything goes, and nobody can bring it back: tables at once, the key after 30 days.

Servers are not touched: whose group is gone, they are their owners' again.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from chalicelib.tables.schema import tables
from deploy.deploy import Refused, apply, parameters_of, stack_name
from deploy.package import stage_name
from deploy.resources import HISTORY, Names, data

_LOOKS: Any = {"Delay": 1, "MaxAttempts": 300}  # seconds apart, and how many
_KEY_WAITS_DAYS = 30  # the longest that KMS offers to think again


def uninstall(stage: str, *, delete_data: bool = False) -> list[str]:
    """Take a stage away; return what is left of it, by name. It may run again where it was interrupted.

    Raises:
        Refused: there is nothing by this name, or CloudFormation does not do it.
        WaiterError: CloudFormation gave up.
        BotoCoreError, ClientError: AWS does not answer, or does not allow it.
    """
    cloudformation = boto3.client("cloudformation")
    stack, names = stack_name(stage), Names(stage)
    exists = parameters_of(cloudformation, stack) is not None
    if delete_data:
        key = _key_of(names)
        if exists:
            cloudformation.delete_stack(StackName=stack)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
        return _delete_what_was_kept(names, key)
    if not exists:
        raise Refused(f"There is no stack {stack} in this account and region.")
    apply(cloudformation, stack, {"TemplateBody": json.dumps(data(stage))}, [], exists=True)
    return [*(names.table(schema) for schema in tables()), names.key]


def _delete_what_was_kept(names: Names, key: str | None) -> list[str]:
    """Delete the tables that a stack leaves behind, and have the key deleted."""
    dynamodb, kms = boto3.client("dynamodb"), boto3.client("kms")
    for schema in tables():
        if schema.name in HISTORY:
            continue  # the stack took them along
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            name = names.table(schema)
            dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
            # Until protection is off the table is UPDATING, and DynamoDB deletes only what is ACTIVE.
            dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=_LOOKS)
            dynamodb.delete_table(TableName=name)
    if key is None:
        return []
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=_KEY_WAITS_DAYS)
    kms.delete_alias(AliasName=names.key)  # last: it is what finds the key where this was interrupted
    return [f"{key} (for {_KEY_WAITS_DAYS} days)"]


def _key_of(names: Names) -> str | None:
    """Return the ARN of the key while it is there to be used."""
    kms: Any = boto3.client("kms")
    try:
        found = kms.describe_key(KeyId=names.key)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        return None
    return None if found["KeyState"] == "PendingDeletion" else str(found["Arn"])


def main() -> int:
    """Take the stage away that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.uninstall")
    parser.add_argument("--stage", required=True, type=stage_name)
    parser.add_argument("--delete-data", metavar="STAGE", default="")
    arguments = parser.parse_args()
    if arguments.delete_data not in ("", arguments.stage):
        print("To delete all data, say the stage's name once more.", file=sys.stderr)
        return 1
    try:
        left = uninstall(arguments.stage, delete_data=bool(arguments.delete_data))
    except (Refused, WaiterError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(["What is left:", *left]) if left else "Nothing is left.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
