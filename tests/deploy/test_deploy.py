"""What a deployment makes, refuses and leaves behind: by change set, in the AWS stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.deploy import Refused, apply, deploy, losses, parameter_values
from deploy.package import Package
from deploy.uninstall import uninstall
from dev import simulated
from dev.aws import LocalAws
from tests.deploy.stage import STAGE

BUCKET = "artifacts"


@pytest.fixture
def empty_aws() -> Iterator[LocalAws]:
    """An account in which nothing is there yet, but the bucket."""
    with LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield aws


@contextmanager
def deleting_only_what_is_active() -> Iterator[None]:
    """Have the tables be as AWS's: UPDATING for a moment after each change, and then refused to be deleted.

    The stand-in changes a table at once. What it says is changed on its way to the caller.
    """
    busy: dict[str, int] = {}

    def begun(params: dict[str, Any], **_: object) -> None:
        busy[params["TableName"]] = 2

    def seen(parsed: dict[str, Any], **_: object) -> None:
        if "Table" in parsed and busy.get(name := parsed["Table"]["TableName"]):
            busy[name] -= 1
            parsed["Table"]["TableStatus"] = "UPDATING" if busy[name] else "ACTIVE"

    def deleted(params: dict[str, Any], **_: object) -> None:
        assert not busy.get(params["TableName"]), "ResourceInUseException: it is UPDATING"

    boto3.setup_default_session()
    assert boto3.DEFAULT_SESSION is not None
    events = boto3.DEFAULT_SESSION.events
    events.register("provide-client-params.dynamodb.UpdateTable", begun)
    events.register("after-call.dynamodb.DescribeTable", seen)
    events.register("provide-client-params.dynamodb.DeleteTable", deleted)
    try:
        yield
    finally:
        boto3.setup_default_session()


def test_a_second_run_changes_nothing_and_uninstalling_keeps_what_owners_have(
    made: Package, empty_aws: LocalAws
) -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="p", SecretString="of nobody")
    user = simulated.service_user("http://127.0.0.1:1/v3") | {"OS_PASSWORD_SECRET": secret["ARN"]}
    outputs = deploy(STAGE, made.bundle.parent, BUCKET, user)
    again = deploy(STAGE, made.bundle.parent, BUCKET, {})
    assert again == outputs, "nothing changed, and parameters that are not set stay"

    dynamodb, groups = boto3.client("dynamodb"), f"thermostat-{STAGE}-groups"
    row = {"project_id": {"S": "p"}, "id": {"S": "g"}}
    dynamodb.put_item(TableName=groups, Item=row)
    assert groups in uninstall(STAGE)
    assert not boto3.client("lambda").list_functions()["Functions"]
    assert dynamodb.scan(TableName=groups)["Items"] == [row], "what owners have is kept"

    with deleting_only_what_is_active():
        uninstall(STAGE, delete_data=True)
    assert dynamodb.list_tables()["TableNames"] == []
    with pytest.raises(Refused, match="no stack"):
        uninstall(STAGE)


def test_what_would_lose_what_owners_have_is_found_in_a_change_set() -> None:
    """The words are CloudFormation's: Replacement is text, and no part of additions and removals."""

    def change(kind: str, name: str, action: str, **more: str) -> dict[str, object]:
        found = {"ResourceType": kind, "LogicalResourceId": name, "Action": action, **more}
        return {"Type": "Resource", "ResourceChange": found}

    table, key, function = "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::Lambda::Function"
    changes: list[dict[str, object]] = [
        change(table, "New", "Add"),
        change(table, "Changed", "Modify", Replacement="False"),
        change(table, "OtherKeys", "Modify", Replacement="True"),
        change(table, "Dropped", "Remove"),
        change(key, "SecretsKey", "Modify", Replacement="True"),
        change(function, "Work", "Modify", Replacement="True"),
        {"Type": "Hook"},
    ]
    assert losses(changes) == ["OtherKeys", "Dropped", "SecretsKey"]


def test_a_new_stack_is_refused_while_parameters_are_missing(made: Package, empty_aws: LocalAws) -> None:
    with pytest.raises(Refused, match="OS_AUTH_URL, OS_PASSWORD_SECRET"):
        deploy(STAGE, made.bundle.parent, BUCKET, {})


def test_a_parameter_that_a_stack_does_not_have_yet_takes_its_default() -> None:
    """An update to a release with more parameters; the stand-in would not mind, CloudFormation does."""
    values = parameter_values({"LOG_LEVEL": "DEBUG"}, known={"OsAuthUrl"})
    assert values == [
        {"ParameterKey": "OsAuthUrl", "UsePreviousValue": True},
        {"ParameterKey": "LogLevel", "ParameterValue": "DEBUG"},
    ]


def test_a_parameter_that_is_set_to_nothing_is_emptied_unless_it_is_needed() -> None:
    known = {"HttpsProxy", "OsAuthUrl"}
    assert parameter_values({"HTTPS_PROXY": "", "OS_AUTH_URL": ""}, known) == [
        {"ParameterKey": "OsAuthUrl", "UsePreviousValue": True},
        {"ParameterKey": "HttpsProxy", "ParameterValue": ""},
    ]


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_stack_whose_first_deployment_failed_is_refused_with_the_way_out(status: str) -> None:
    """AWS would refuse it, too, without saying what to do; the stand-in does not."""
    cloudformation = boto3.client("cloudformation", region_name="eu-central-1")
    with Stubber(cloudformation) as aws:
        stack = {"StackName": "s", "CreationTime": datetime.now(UTC), "StackStatus": status}
        aws.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "s"})
        with pytest.raises(Refused, match="A first deployment that fails"):
            apply(cloudformation, "s", {"TemplateBody": "{}"}, [], exists=True)


def test_without_credentials_nothing_is_tried(made: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Refused, match="credentials"):
        deploy(STAGE, made.bundle.parent, BUCKET, {})
