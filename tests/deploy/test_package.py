"""The package: what the bundle holds, and what its template makes."""

from __future__ import annotations

import json
import re
import sys
import zipfile

import pytest
from cfnlint import lint_file  # type: ignore[import-untyped]

from chalicelib import settings
from chalicelib.tables.schema import tables
from deploy.package import Package, stage_name
from deploy.parameters import PARAMETERS, missing, variables
from tests.deploy.packaged import PackagedTemplate
from tests.deploy.stage import STAGE

FUNCTIONS = {"APIHandler": "app.app", "Tick": "app.tick", "Work": "app.work"}


def test_cfn_lint_has_nothing_to_say_of_the_template(made: Package) -> None:
    assert lint_file(made.template) == []


def test_each_function_has_its_handler_in_the_front_door_and_a_role_of_its_own(
    template: PackagedTemplate,
) -> None:
    functions = template.of_type("AWS::Serverless::Function")
    assert {name: each["Properties"]["Handler"] for name, each in functions.items()} == FUNCTIONS
    roles = {str(each["Properties"]["Role"]) for each in functions.values()}
    assert len(roles) == len(template.of_type("AWS::IAM::Role")) == len(FUNCTIONS)


def test_all_tables_are_there_on_demand_and_what_nobody_could_make_again_is_protected(
    template: PackagedTemplate,
) -> None:
    found = {
        each["Properties"]["TableName"]: each for each in template.of_type("AWS::DynamoDB::Table").values()
    }
    assert set(found) == {f"thermostat-{STAGE}-{schema.name}" for schema in tables()}
    expiring = {"executions", "activities", "alarm-history", "folds", "policy-states", "rates"}
    for schema in tables():
        table = found[f"thermostat-{STAGE}-{schema.name}"]
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        ttl = properties.get("TimeToLiveSpecification", {})
        assert ttl.get("AttributeName") == schema.expires_by
        history = schema.name in expiring
        recovery = properties.get("PointInTimeRecoverySpecification", {})
        assert recovery.get("PointInTimeRecoveryEnabled", False) is not history
        assert properties["DeletionProtectionEnabled"] is not history
        assert (table.get("DeletionPolicy") == "Retain") is not history


def test_the_queue_gives_up_on_a_message_only_after_the_function_has(template: PackagedTemplate) -> None:
    """Lambda demands a visibility timeout of at least the function's; a round that died comes again later."""
    (events,) = template.resources["Work"]["Properties"]["Events"].values()
    queue = template.resources["WorkQueue"]["Properties"]
    assert events["Properties"]["Queue"]["Fn::Sub"].endswith(f":{queue['QueueName']}")
    assert events["Properties"]["BatchSize"] == 1
    assert queue["VisibilityTimeout"] >= template.resources["Work"]["Properties"]["Timeout"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["FailedWorkQueue", "Arn"]}


def test_somebody_is_told_of_a_message_that_failed_for_good(template: PackagedTemplate) -> None:
    """Whoever the optional topic tells; without one the alarm is still there to be seen."""
    ((name, alarm),) = template.of_type("AWS::CloudWatch::Alarm").items()
    assert name == "FailedWorkAlarm"
    properties = alarm["Properties"]
    (dimension,) = properties["Dimensions"]
    assert dimension == {"Name": "QueueName", "Value": {"Fn::GetAtt": ["FailedWorkQueue", "QueueName"]}}
    assert (properties["Threshold"], properties["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    told, topics, nobody = properties["AlarmActions"]["Fn::If"]
    assert template.document["Conditions"][told] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "OperatorTopic"}, ""]}]
    }
    assert (topics, nobody) == ([{"Ref": "OperatorTopic"}], {"Ref": "AWS::NoValue"})
    assert template.document["Parameters"]["OperatorTopic"]["Default"] == ""


def test_the_tick_comes_as_often_as_judging_counts_on(template: PackagedTemplate) -> None:
    (events,) = template.resources["Tick"]["Properties"]["Events"].values()
    assert events["Properties"]["Schedule"] == "rate(1 minute)"
    assert settings.read(_environment()).limits.tick_seconds == 60


def test_a_round_is_over_before_its_function_is_and_that_before_the_lease(template: PackagedTemplate) -> None:
    limits = settings.read(_environment()).limits
    slowest_call_seconds = 30
    timeout = template.resources["Work"]["Properties"]["Timeout"]
    assert limits.round_seconds + slowest_call_seconds < timeout < limits.lease_seconds
    assert template.resources["APIHandler"]["Properties"]["Timeout"] <= 29, "API Gateway waits no longer"


def test_every_log_group_is_that_of_its_function(template: PackagedTemplate) -> None:
    groups = template.of_type("AWS::Logs::LogGroup").values()
    named = {each["Properties"]["LogGroupName"]["Fn::Sub"] for each in groups}
    assert named == {f"/aws/lambda/${{{function}}}" for function in FUNCTIONS}
    assert all(each["Properties"]["RetentionInDays"] for each in groups)


def test_what_api_gateway_refuses_itself_has_the_shape_of_our_errors(template: PackagedTemplate) -> None:
    api = template.resources["RestAPI"]["Properties"]["DefinitionBody"]
    assert api["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    responses = api["x-amazon-apigateway-gateway-responses"]
    assert responses["MISSING_AUTHENTICATION_TOKEN"]["statusCode"] == 404
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= set(responses)
    for response in responses.values():
        (error,) = json.loads(response["responseTemplates"]["application/json"])["errors"]
        assert error["status"] == response["statusCode"]
        assert error["code"].startswith("autoscaling.")
        assert set(error) == {"request_id", "code", "status", "title", "detail"}


def test_every_setting_is_a_parameter_or_left_out_for_a_reason() -> None:
    asked: set[str] = set()

    class Recording(dict[str, str]):
        def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
            asked.add(key)
            return super().get(key, default)

    settings.read(Recording(_environment()))
    by_chalice_or_lambda = {"STAGE", "AWS_REGION", "AWS_DEFAULT_REGION"}
    never_in_a_template = {"OS_PASSWORD"}
    no_such_file_in_the_bundle = {"OS_CACERT"}
    fixed_with_the_resources = {"TABLE_PREFIX", "SHARDS"}
    matched_to_the_functions_time = {"STEPS_MAX", "ROUND_SECONDS", "LEASE_SECONDS", "ADOPTION_SECONDS"}
    the_rate_of_the_tick = {"TICK_SECONDS"}
    assert asked == set(variables()) | (
        by_chalice_or_lambda
        | never_in_a_template
        | no_such_file_in_the_bundle
        | fixed_with_the_resources
        | matched_to_the_functions_time
        | the_rate_of_the_tick
    )


def test_no_function_is_given_a_variable_that_the_settings_do_not_read(template: PackagedTemplate) -> None:
    variables_of_template = template.document["Globals"]["Function"]["Environment"]["Variables"]
    assert set(variables_of_template) == set(variables())
    for parameter in PARAMETERS:
        assert template.document["Parameters"][parameter.name]["Type"] == "String"


def test_the_bundle_is_small_compiled_and_without_tests_or_tools(made: Package) -> None:
    assert made.bundle.stat().st_size < 14_000_000
    with zipfile.ZipFile(made.bundle) as bundle:
        names = set(bundle.namelist())
        assert {info.date_time[0] for info in bundle.infolist()} == {1980}
    assert {"app.py", "chalicelib/wiring.py", "chalice/app.py", "pynamodb/models.py"} <= names
    assert f"__pycache__/app.{sys.implementation.cache_tag}.pyc" in names
    assert "tzdata/zoneinfo/Europe/Ljubljana" in names, "Lambda has no time zones of its own"
    outside = ("tests/", "dev/", "deploy/", "pip/", "setuptools/", "botocore/data/ec2/", ".chalice/")
    assert not [name for name in names if name.startswith(outside)]


def test_a_new_stack_needs_to_be_told_where_the_cloud_is_and_who_we_are_there() -> None:
    assert missing({}) == [
        "OS_AUTH_URL",
        "OS_PASSWORD_SECRET",
        "OS_USERNAME or OS_USER_ID",
        "OS_PROJECT_NAME or OS_PROJECT_ID",
    ]
    given = ("OS_AUTH_URL", "OS_PASSWORD_SECRET", "OS_USER_ID", "OS_PROJECT_NAME")
    assert missing(dict.fromkeys(given, "x")) == []


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ü", "x" * 33])
def test_what_aws_could_not_name_resources_after_is_no_stage(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(name)}$"):
        stage_name(name)


def _environment() -> dict[str, str]:
    return {
        "STAGE": STAGE,
        "QUEUE_URL": "https://sqs.test/work",
        "KMS_KEY": "key",
        "AWS_REGION": "us-east-1",
        "OS_AUTH_URL": "https://keystone.test/v3",
        "OS_USERNAME": "thermostat",
        "OS_PROJECT_NAME": "service",
        "OS_PASSWORD_SECRET": "arn",
    }
