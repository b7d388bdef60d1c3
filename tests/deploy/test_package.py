"""The package: what the bundle holds, and what its template makes."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path

import certifi
import pytest
from cfnlint import lint_file  # type: ignore[import-untyped]
from chalice.app import Response

from chalicelib import settings
from chalicelib.api.errors import kept_to_tls, response_of
from chalicelib.openstack.nova import CREATION_TIMEOUT_SECONDS
from chalicelib.openstack.session import TIMEOUT_SECONDS
from chalicelib.tables.schema import tables
from chalicelib.telemetry import METRICS
from deploy.alarms import alarms_of
from deploy.package import Package, Unpackaged, package, stage_name
from deploy.parameters import PARAMETERS, halves, missing, variables
from deploy.resources import HISTORY, Names
from tests.deploy.packaged import PackagedTemplate
from tests.deploy.stage import STAGE

FUNCTIONS = {"APIHandler": "app.app", "Tick": "app.tick", "Work": "app.work"}
QUEUES = ("WorkQueue", "FailedWorkQueue")


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


def test_only_the_messages_of_a_batch_that_failed_come_again(template: PackagedTemplate) -> None:
    (events,) = template.resources["Work"]["Properties"]["Events"].values()
    assert events["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_rounds_at_once_are_limited_where_messages_are_taken(template: PackagedTemplate) -> None:
    """A reserved concurrency would have the poller run into it, until messages count as failed."""
    (events,) = template.resources["Work"]["Properties"]["Events"].values()
    assert events["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 50}
    for function in FUNCTIONS:
        assert "ReservedConcurrentExecutions" not in template.resources[function]["Properties"]


def test_every_alarm_tells_whom_the_operator_names(template: PackagedTemplate) -> None:
    """Without a topic the alarms are still there to be seen."""
    found = template.of_type("AWS::CloudWatch::Alarm")
    assert set(found) == {alarm.logical for alarm in alarms_of(STAGE)}
    for alarm in found.values():
        told, topics, nobody = alarm["Properties"]["AlarmActions"]["Fn::If"]
        assert template.document["Conditions"][told] == {
            "Fn::Not": [{"Fn::Equals": [{"Ref": "OperatorTopic"}, ""]}]
        }
        assert (topics, nobody) == ([{"Ref": "OperatorTopic"}], {"Ref": "AWS::NoValue"})
        assert alarm["Properties"]["OKActions"] == alarm["Properties"]["AlarmActions"]
    assert template.document["Parameters"]["OperatorTopic"]["Default"] == ""


def test_alarms_look_at_what_is_there(template: PackagedTemplate) -> None:
    """Functions and queues of the template, and metrics that lines of the log carry."""
    own = {metric.name: metric for metric in METRICS}
    names = {
        "FunctionName": {template.resources[each]["Properties"]["FunctionName"] for each in FUNCTIONS},
        "QueueName": {template.resources[each]["Properties"]["QueueName"] for each in QUEUES},
    }
    for alarm in alarms_of(STAGE):
        if alarm.namespace == "Thermostat":
            assert set(alarm.dimensions) == {"stage", *own[alarm.metric].dimensions}
            assert alarm.dimensions["stage"] == STAGE
        else:
            ((dimension, value),) = alarm.dimensions.items()
            assert value in names[dimension]


def test_what_ends_a_function_and_a_tick_that_never_comes_are_alarming(template: PackagedTemplate) -> None:
    by_metric = {(alarm.metric, str(alarm.dimensions.get("FunctionName"))) for alarm in alarms_of(STAGE)}
    for function in FUNCTIONS:
        name = template.resources[function]["Properties"]["FunctionName"]
        assert {("Errors", name), ("Throttles", name)} <= by_metric
    (stopped,) = [alarm for alarm in alarms_of(STAGE) if alarm.name == "tick-stopped"]
    assert (stopped.below, stopped.threshold, stopped.missing) == (True, 1, "breaching")


def test_the_functions_run_in_a_network_of_ones_own_if_one_is_named(template: PackagedTemplate) -> None:
    condition, network, nowhere = template.document["Globals"]["Function"]["VpcConfig"]["Fn::If"]
    assert nowhere == {"Ref": "AWS::NoValue"}
    assert network == {
        "SubnetIds": {"Fn::Split": [",", {"Ref": "SubnetIds"}]},
        "SecurityGroupIds": {"Fn::Split": [",", {"Ref": "SecurityGroupIds"}]},
    }
    policy = template.resources["NetworkPolicy"]
    assert policy["Condition"] == condition
    assert {role["Ref"] for role in policy["Properties"]["Roles"]} == set(template.of_type("AWS::IAM::Role"))
    allowed, denied = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
    assert allowed["Action"] == denied["Action"], "what Lambda may do for a function, its code may not"
    (who,) = denied["Condition"]["ArnLike"].values()
    assert who["Fn::Sub"].endswith(":function:thermostat-*")


def test_half_a_network_is_refused_before_anything_is_made() -> None:
    assert halves({"SUBNET_IDS": "subnet-1"}) == ["SUBNET_IDS"]
    assert halves({"SECURITY_GROUP_IDS": "sg-1"}) == ["SECURITY_GROUP_IDS"]
    assert halves({"SUBNET_IDS": "subnet-1", "SECURITY_GROUP_IDS": "sg-1"}) == halves({}) == []


def test_the_tick_comes_as_often_as_judging_counts_on(template: PackagedTemplate) -> None:
    (events,) = template.resources["Tick"]["Properties"]["Events"].values()
    assert events["Properties"]["Schedule"] == "rate(1 minute)"
    assert settings.read(_environment()).limits.tick_seconds == 60


def test_a_round_is_over_before_its_function_is_and_that_before_the_lease(template: PackagedTemplate) -> None:
    limits = settings.read(_environment()).limits
    timeout = template.resources["Work"]["Properties"]["Timeout"]
    assert limits.round_seconds + CREATION_TIMEOUT_SECONDS < timeout < limits.lease_seconds
    assert limits.round_seconds + 2 * TIMEOUT_SECONDS < limits.lease_seconds, (
        "what harms nobody is asked twice"
    )
    assert template.resources["APIHandler"]["Properties"]["Timeout"] <= 29, "API Gateway waits no longer"


def test_each_function_has_the_memory_that_it_was_measured_with(template: PackagedTemplate) -> None:
    memory = {name: template.resources[name]["Properties"]["MemorySize"] for name in FUNCTIONS}
    assert memory == {"APIHandler": 512, "Tick": 256, "Work": 512}
    described = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
    for name, row in (("APIHandler", "api_handler"), ("Tick", "tick"), ("Work", "work")):
        timeout = template.resources[name]["Properties"]["Timeout"]
        assert re.search(rf"^\| `{row}` .*\| {timeout} s \| {memory[name]} MB \|", described, re.MULTILINE)


def test_the_api_is_where_the_stack_is_and_what_owners_have_outlives_it(template: PackagedTemplate) -> None:
    assert template.resources["RestAPI"]["Properties"]["EndpointConfiguration"] == "REGIONAL"
    kept = {**template.of_type("AWS::KMS::Key"), **template.of_type("AWS::DynamoDB::Table")}
    lost = {name for name, each in kept.items() if each.get("DeletionPolicy") != "Retain"}
    assert {kept[name]["Properties"].get("TableName") for name in lost} == {
        Names(STAGE).table(schema) for schema in tables() if schema.name in HISTORY
    }
    assert all(kept[name]["UpdateReplacePolicy"] == "Retain" for name in kept.keys() - lost)


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
        ours = {**response_of({}, 200, "-", {}).headers, **kept_to_tls(Response("")).headers}
        said = response["responseParameters"]
        assert error["request_id"] == "$context.requestId"
        for name in ours.keys() - {"Content-Type", "X-Openstack-Request-Id"}:
            assert said[f"gatewayresponse.header.{name}"] == f"'{ours[name]}'"
        assert said["gatewayresponse.header.X-Openstack-Request-Id"] == "context.requestId"


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
    matched_to_the_functions_time = {"STEPS_MAX", "ROUND_SECONDS", "LEASE_SECONDS", "ADOPTION_SECONDS"}
    the_rate_of_the_tick = {"TICK_SECONDS"}
    read_by_those_who_connect = {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"}
    assert asked | read_by_those_who_connect == set(variables()) | (
        by_chalice_or_lambda
        | never_in_a_template
        | no_such_file_in_the_bundle
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


@pytest.fixture(scope="module")
def for_another_machine(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A package for arm64, whatever this machine is, that trusts certificates of its own."""
    directory = tmp_path_factory.mktemp("arm")
    (directory / "ca.pem").write_text(Path(certifi.where()).read_text(encoding="utf-8"), encoding="utf-8")
    return package(STAGE, directory / "build", "arm64", directory / "ca.pem")


@pytest.mark.timeout(600)
def test_a_bundle_for_arm64_has_its_compiled_parts(for_another_machine: Package) -> None:
    template = PackagedTemplate(for_another_machine.template)
    for function in FUNCTIONS:
        assert template.resources[function]["Properties"]["Architectures"] == ["arm64"]
    with zipfile.ZipFile(for_another_machine.bundle) as bundle:
        parts = [name for name in bundle.namelist() if name.endswith(".so")]
        machines = {int.from_bytes(bundle.read(name)[18:20], "little") for name in parts}  # ELF's e_machine
    assert parts
    assert machines == {183}, "AArch64"


@pytest.mark.timeout(600)
def test_certificates_of_ones_own_lie_in_the_bundle_and_are_trusted(for_another_machine: Package) -> None:
    template = PackagedTemplate(for_another_machine.template)
    variables_of_template = template.document["Globals"]["Function"]["Environment"]["Variables"]
    assert variables_of_template["OS_CACERT"] == "/var/task/openstack-ca.pem"
    with zipfile.ZipFile(for_another_machine.bundle) as bundle:
        found = bundle.read("openstack-ca.pem").decode()
    assert found == Path(certifi.where()).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_makes_no_package(tmp_path: Path, text: str) -> None:
    (tmp_path / "ca.pem").write_text(text)
    with pytest.raises(Unpackaged, match="no certificates"):
        package(STAGE, tmp_path / "build", cacert=tmp_path / "ca.pem")
    assert not (tmp_path / "build").exists()


def test_a_private_key_is_not_packaged(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    (tmp_path / "ca.pem").write_text(Path(certifi.where()).read_text(encoding="utf-8") + key)
    with pytest.raises(Unpackaged, match="private key"):
        package(STAGE, tmp_path / "build", cacert=tmp_path / "ca.pem")


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
