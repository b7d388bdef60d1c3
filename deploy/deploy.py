"""Deploy a package: ``python -m deploy.deploy --stage prod --bucket artifacts build``.

Uploads the bundle to the bucket, and makes or updates the stack ``thermostat-<stage>`` by a change set. The
stack's parameters are taken from environment variables of the same meaning (an openrc file sets most); on an
update, those that are not set stay as they were, and those that are set to nothing are emptied.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from deploy.package import stage_name
from deploy.parameters import PARAMETERS, Parameter, halves, missing

_HOLDS_DATA = {"AWS::DynamoDB::Table", "AWS::KMS::Key"}
_NEVER_MADE = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")


class Refused(Exception):
    """Nothing can be deployed; the text says why and what to do."""


def deploy(stage: str, package: Path, bucket: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Deploy the package; return the stack's outputs once it is complete.

    Raises:
        Refused: the account or the parameters do not do; nothing was changed.
        WaiterError: CloudFormation gave up, and has rolled back.
        BotoCoreError, ClientError: AWS does not answer, or does not allow it.
    """
    session = boto3.Session()
    if session.get_credentials() is None or session.region_name is None:
        raise Refused("AWS credentials or a region are missing: set AWS_PROFILE, or AWS_* variables.")
    cloudformation = session.client("cloudformation")
    stack = stack_name(stage)
    known = parameters_of(cloudformation, stack)
    lacking = [] if known else missing(environ)  # one that was uninstalled has data, and no parameters
    if lacking:
        raise Refused(f"A new stack needs these environment variables: {', '.join(lacking)}.")
    if halves(environ):
        raise Refused("SUBNET_IDS and SECURITY_GROUP_IDS go together: set both, or neither.")
    template_url = _upload(session.client("s3"), package, bucket, stack)
    values = parameter_values(environ, known or frozenset())
    apply(cloudformation, stack, {"TemplateURL": template_url}, values, exists=known is not None)
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def stack_name(stage: str) -> str:
    """Return what the stack of a stage is called."""
    return f"thermostat-{stage}"


def parameters_of(cloudformation: Any, stack: str) -> AbstractSet[str] | None:
    """Return the parameters of the stack as it is, None where there is none; one never executed is none."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    return {parameter["ParameterKey"] for parameter in found.get("Parameters", [])}


def parameter_values(environ: Mapping[str, str], known: AbstractSet[str]) -> list[dict[str, Any]]:
    """Return what each parameter is to be; one that is not set stays, or takes its default.

    One that is set to nothing is emptied, unless a stack cannot do without it.

    Args:
        known: the names that the stack has already: CloudFormation knows no previous value of others.
    """
    return [
        {"ParameterKey": parameter.name, "ParameterValue": environ[parameter.variable]}
        if _is_set(parameter, environ)
        else {"ParameterKey": parameter.name, "UsePreviousValue": True}
        for parameter in PARAMETERS
        if parameter.name in known or _is_set(parameter, environ)
    ]


def _is_set(parameter: Parameter, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(parameter.variable)) or (parameter.variable in environ and not parameter.needed)


def _upload(s3: Any, package: Path, bucket: str, stack: str) -> str:
    """Upload the bundle, and the template that names it; return the template's URL."""
    bundle = (package / "deployment.zip").read_bytes()
    key = f"{stack}/{hashlib.sha256(bundle).hexdigest()}.zip"
    template = json.loads((package / "sam.json").read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{bucket}/{key}"
    body = json.dumps(template).encode()
    template_key = f"{stack}/{hashlib.sha256(body).hexdigest()}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=bundle)
    s3.put_object(Bucket=bucket, Key=template_key, Body=body)
    return f"{s3.meta.endpoint_url}/{bucket}/{template_key}"


def apply(
    cloudformation: Any,
    stack: str,
    template: Mapping[str, str],
    values: list[dict[str, Any]],
    *,
    exists: bool,
) -> None:
    """Make a change set and execute it, unless it holds no changes, or would lose what owners have.

    Args:
        template: as CloudFormation takes it: its URL or its body.

    Raises:
        Refused: CloudFormation does not accept it, or it would replace or drop a table or the key; or the
            stack was never made.
        WaiterError: CloudFormation gave up, and has rolled back.
    """
    if exists:
        _require_made(cloudformation, stack)
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{hashlib.sha256(os.urandom(16)).hexdigest()[:12]}",
        ChangeSetType="UPDATE" if exists else "CREATE",
        **template,
        Parameters=values,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )["Id"]
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=change_set)
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", ""))
        if not any(text in reason for text in _NOTHING_TO_DO):
            raise Refused(f"CloudFormation does not accept the template: {reason or error}") from error
        cloudformation.delete_change_set(ChangeSetName=change_set)
        return
    lost = losses(_changes(cloudformation, change_set))
    if lost:
        cloudformation.delete_change_set(ChangeSetName=change_set)
        raise Refused(f"This would replace or drop what holds data: {', '.join(lost)}. Nothing was changed.")
    cloudformation.execute_change_set(ChangeSetName=change_set)
    cloudformation.get_waiter("stack_update_complete" if exists else "stack_create_complete").wait(
        StackName=stack
    )


def _require_made(cloudformation: Any, stack: str) -> None:
    """Refuse a stack whose first deployment failed: CloudFormation can only delete it."""
    status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    if status in _NEVER_MADE:
        raise Refused(
            f"The first deployment of {stack} failed ({status}), and such a stack can only be deleted. "
            "Its events say why; what to do is in docs/runbook.md, 'A first deployment that fails'."
        )


def _changes(cloudformation: Any, change_set: str) -> Iterator[Mapping[str, Any]]:
    for page in cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set):
        yield from page["Changes"]


def losses(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return which tables and keys the changes of a change set would replace by empty ones, or let go of."""
    found = (change.get("ResourceChange", {}) for change in changes)
    return [
        change["LogicalResourceId"]
        for change in found
        if change.get("ResourceType") in _HOLDS_DATA
        and (change.get("Action") == "Remove" or change.get("Replacement") == "True")
    ]


def main() -> int:
    """Deploy what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.deploy")
    parser.add_argument("--stage", required=True, type=stage_name)
    parser.add_argument("--bucket", default=os.environ.get("DEPLOY_BUCKET"))
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    if not arguments.bucket:
        print("Name an S3 bucket for the bundle: DEPLOY_BUCKET=... or --bucket.", file=sys.stderr)
        return 1
    try:
        outputs = deploy(arguments.stage, arguments.directory, arguments.bucket, os.environ)
    except (Refused, WaiterError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, value in sorted(outputs.items()):
        print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
