from __future__ import annotations

import boto3
import pytest

from chalicelib.tables.schema import tables
from deploy import provision as command
from deploy.provision import State, provision
from deploy.resources import HISTORY, Names, cloudformation
from dev.aws import LocalAws
from tests.engines import Engines, needs_dynoxide


def test_what_was_made_is_found_again_unchanged(local_aws: LocalAws) -> None:
    first, second = provision("twice"), provision("twice")
    assert {report.state for report in first} == {State.CREATED}
    assert {report.state for report in second} == {State.OK}
    assert [report.name for report in first] == [report.name for report in second]
    assert len(first) == len(tables()) + 3


def test_a_table_with_another_key_is_reported_and_left_alone(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="thermostat-differs-usage",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    monkeypatch.setattr("sys.argv", ["provision", "--stage", "differs"])
    assert command.main() == 1
    assert "DIFFERS  thermostat-differs-usage: KeySchema, AttributeDefinitions" in capsys.readouterr().out


def test_a_setting_that_went_astray_is_set_again(local_aws: LocalAws) -> None:
    provision("astray")
    boto3.client("dynamodb").update_table(
        TableName="thermostat-astray-groups", DeletionProtectionEnabled=False
    )
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="thermostat-astray-work")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    changed = {report.name for report in provision("astray") if report.state is State.CHANGED}
    assert changed == {"thermostat-astray-groups", "thermostat-astray-work"}
    assert {report.state for report in provision("astray")} == {State.OK}


@needs_dynoxide
def test_what_a_store_lacks_is_said_and_keeps_it_from_nothing_else(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", engines.url("dynoxide"))
    for state in (State.CREATED, State.OK):
        reports = {report.name: report for report in provision("lacking")}
        assert {report.state for report in reports.values()} == {state}
        lacking = "this store has no point-in-time recovery"
        assert str(reports["thermostat-lacking-groups"]).endswith(f"thermostat-lacking-groups: {lacking}")
        assert {name for name, report in reports.items() if report.detail} == {
            f"thermostat-lacking-{schema.name}" for schema in tables() if schema.name not in HISTORY
        }
    expiry = boto3.client("dynamodb").describe_time_to_live(TableName="thermostat-lacking-tokens")
    assert expiry["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


def test_the_template_declares_the_same_tables(local_aws: LocalAws) -> None:
    """CloudFormation is given what CreateTable is; the engine is asked what came of the latter."""
    provision("same")
    resources = cloudformation("same")["Resources"]
    declared = {
        each["Properties"]["TableName"]: each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::DynamoDB::Table"
    }
    assert set(declared) == {Names("same").table(schema) for schema in tables()}
    dynamodb = boto3.client("dynamodb")
    for name, properties in declared.items():
        made = dynamodb.describe_table(TableName=name)["Table"]
        assert made["KeySchema"] == properties["KeySchema"]
        assert made.get("DeletionProtectionEnabled") == properties["DeletionProtectionEnabled"]
        expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        wanted = properties.get("TimeToLiveSpecification", {})
        assert expiry.get("AttributeName") == wanted.get("AttributeName")


def test_what_cannot_be_made_again_is_protected_and_kept() -> None:
    resources = cloudformation("prod")["Resources"]
    kept = {name for name, each in resources.items() if each.get("DeletionPolicy") == "Retain"}
    assert set(resources) - kept == {
        "ExecutionsTable",
        "ActivitiesTable",
        "AlarmHistoryTable",
        "FoldsTable",
        "PolicyStatesTable",
        "RatesTable",
        "WorkQueue",
        "FailedWorkQueue",
    }
