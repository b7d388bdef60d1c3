"""A deployment by change set, to the AWS stand-in: as far as that tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import boto3
import pytest

from deploy.deploy import Refused, deploy, losses, parameter_values
from deploy.package import Package
from deploy.uninstall import uninstall
from dev import simulated
from dev.aws import LocalAws
from dev.client import Client
from dev.simcloud import SimCloud
from tests.deploy.stage import STAGE

BUCKET = "artifacts"


@pytest.fixture
def empty_aws() -> Iterator[LocalAws]:
    """An account in which nothing is there yet, but the bucket."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as exits:
        patch.delenv(
            "AWS_ENDPOINT_URL", raising=False
        )  # it would lead the stand-in's functions to another one
        aws = exits.enter_context(LocalAws())
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield aws


@pytest.fixture
def other_cloud() -> Iterator[SimCloud]:
    with SimCloud() as running:
        yield running


def _environment(cloud: SimCloud) -> dict[str, str]:
    user = simulated.service_user(cloud.auth_url)
    made = boto3.client("secretsmanager").create_secret(Name="p", SecretString=user.pop("OS_PASSWORD"))
    return user | {"OS_PASSWORD_SECRET": made["ARN"]}


def test_a_deployed_stack_scales_a_group_by_itself(
    made: Package, empty_aws: LocalAws, other_cloud: SimCloud
) -> None:
    """From the change set to a server: API, queue, its mapping to the function, tables, key and secret."""
    pytest.importorskip("samtranslator", reason="the stand-in expands SAM templates with aws-sam-translator")
    outputs = deploy(STAGE, made.bundle.parent, BUCKET, _environment(other_cloud))
    stages = f"{empty_aws.url}/restapis/{outputs['RestAPIId']}/api/_user_request_"
    client = Client(stages, simulated.token_of(other_cloud.auth_url, "demo"))
    server = {"image": simulated.IMAGE, "flavor": simulated.FLAVOR}
    configuration = client.post("/v1/launch-configurations", {"name": "a", "server": server})
    credential = client.post("/v1/credentials", {"name": "a", "type": "trust"})
    group = {"name": "a", "min_size": 1, "max_size": 1, "cooldown": 0, "desired_capacity": 1}
    group |= {"launch_configuration_id": configuration["id"], "credential_id": credential["id"]}
    path = f"/v1/groups/{client.post('/v1/groups', group)['id']}"
    client.until(path, lambda found: bool(found["in_service"] == 1), within_seconds=40)

    again = deploy(STAGE, made.bundle.parent, BUCKET, {})
    assert again == outputs, "nothing changed, and parameters that are not set stay"

    left = uninstall(STAGE)
    assert f"thermostat-{STAGE}-groups" in left
    assert not boto3.client("lambda").list_functions()["Functions"]
    (row,) = boto3.client("dynamodb").scan(TableName=f"thermostat-{STAGE}-groups")["Items"]
    assert row["name"] == {"S": "a"}, "what owners have is kept"

    uninstall(STAGE, delete_data=True)
    assert boto3.client("dynamodb").list_tables()["TableNames"] == []
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


def test_without_credentials_nothing_is_tried(made: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Refused, match="credentials"):
        deploy(STAGE, made.bundle.parent, BUCKET, {})
