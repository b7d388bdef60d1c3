"""The packaged functions at work, by the template's handler strings, with nothing but the zip's content."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from deploy.policies import QUEUE
from dev.aws import LocalAws
from dev.simcloud import SimCloud
from tests.deploy.aws_gate import AwsGate
from tests.deploy.events import sqs_event
from tests.deploy.judged import let_hours_pass, post_latency, post_samples, watch_group
from tests.deploy.owner import (
    create_group,
    end_group,
    end_stack,
    message_for,
    read_history,
    servers,
    use_alarms,
    use_aodh,
    use_heat,
    use_intake,
    use_members,
    use_policies_and_webhooks,
    use_refreshes,
    use_schedules,
    use_signed_webhooks,
    work_until,
)
from tests.deploy.stage import STAGE, Stage
from tests.logged import metrics_of


def test_the_routes_answer_behind_the_template_s_handler(stage: Stage) -> None:
    answer = stage.api().call("GET", "/")
    assert answer.status == 200
    assert answer.document["versions"][0]["links"][0]["href"] == "https://api.test/api/v1/"


def test_what_chalice_itself_refuses_is_answered_with_our_error_document(stage: Stage) -> None:
    answer = stage.api().call("GET", "/v1/groups?unknown=1")
    assert (answer.status, answer.document["errors"][0]["code"]) == (400, "autoscaling.request.query")


def test_without_a_token_there_is_no_access(stage: Stage) -> None:
    api = stage.api()
    api._token = ""
    assert api.call("GET", "/v1/groups").status == 401


def test_the_tick_has_every_shard_swept_and_watched(stage: Stage) -> None:
    stage.messages()
    stage.tick()
    bodies = stage.messages()
    sent = sorted((each["kind"], each["shard"]) for each in map(json.loads, bodies))
    assert sent == [(kind, shard) for kind in ("sweep", "watch") for shard in range(8)]
    for body in bodies:
        stage.work(body)


def test_a_silent_source_is_noticed_by_the_sweep_and_heard_again_by_the_api(
    stage: Stage, cloud: SimCloud
) -> None:
    api = stage.api()
    group = create_group(api, cloud, once="silence")
    wanted = {"name": "out", "group_id": group["id"], "type": "change_in_capacity", "adjustment": 0}
    policy = api.post("/v1/policies", wanted)
    webhook = api.post(f"/v1/policies/{policy['id']}/webhooks", {"name": "a", "expected_every": 60})
    stage.let_pass_since_heard(webhook["project_id"], webhook["id"], seconds=3600)
    for shard in range(8):
        stage.work(json.dumps({"kind": "sweep", "shard": shard}))
    assert api.get(f"/v1/webhooks/{webhook['id']}")["source"]["state"] == "source_silent"
    api.call("POST", "/" + str(webhook["url"]).partition("/api/")[2])
    assert api.get(f"/v1/webhooks/{webhook['id']}")["source"]["state"] == "ok"
    told = api.get(f"/v1/activities?group_id={group['id']}")["activities"]
    assert [each["kind"] for each in told if "source" in each["kind"]] == ["source_heard", "source_silent"]
    end_group(stage, api, group["id"])


def test_a_group_lives_from_creation_to_deletion_through_the_bundle(stage: Stage, cloud: SimCloud) -> None:
    api = stage.api()
    stage.messages()
    group = create_group(api, cloud)
    path = f"/v1/groups/{group['id']}"
    converge = message_for(stage, group["id"])
    post_samples = use_intake(api, path)
    work_until(stage, api, group["id"], converge, in_service=2)
    assert len(servers(cloud)) == 2
    use_refreshes(stage, api, path, converge)

    trust = api.post("/v1/credentials", {"name": "trust", "type": "trust"})
    api.call("PATCH", path, {"credential_id": trust["id"]})
    hook = use_policies_and_webhooks(api, group["id"])
    fired = api.call("POST", hook)
    assert (fired.status, fired.document["outcome"]) == (202, "executed")
    work_until(stage, api, group["id"], converge, in_service=3)
    read_history(api, group["id"])
    use_schedules(stage, api, group["id"])
    use_members(api, path)
    use_alarms(api, group["id"])
    assert api.post(post_samples, {"samples": [{"metric": "cpu", "value": 1}]})["accepted"] == 1
    many = [{"metric": f"m{number}", "value": 1} for number in range(8)]
    assert api.post(post_samples, {"samples": many})["accepted"] == len(many)
    assert len(api.get(f"{path}/metrics")["metrics"]) == 1 + len(many)
    use_aodh(api, cloud, group["id"])

    end_group(stage, api, group["id"])
    assert cloud.world.alarms == {}
    assert servers(cloud) == []
    assert set(api.get("/v1/limits")["used"].values()) == {0}


def test_a_group_in_heat_is_resized_through_the_bundle(stage: Stage, cloud: SimCloud) -> None:
    api = stage.api()
    stage.messages()
    group = use_heat(api, cloud)
    work_until(stage, api, group["id"], message_for(stage, group["id"]), in_service=3)
    assert len(servers(cloud)) == 3
    end_group(stage, api, group["id"])
    assert len(servers(cloud)) == 3, "the stack is left as it is"
    end_stack(cloud)
    assert servers(cloud) == []


def test_a_group_is_judged_by_samples_of_every_format(stage: Stage, cloud: SimCloud) -> None:
    """By the minute's message to watch, by the message to judge at once, and when the API is asked."""
    api = stage.api()
    stage.messages()
    group = create_group(api, cloud, once="judged")
    path = f"/v1/groups/{group['id']}"
    intake = use_intake(api, path).removesuffix("/samples")
    work_until(stage, api, group["id"], message_for(stage, group["id"]), in_service=2)
    members = api.get(f"{path}/members")["members"]
    watching = watch_group(api, group["id"])
    post_samples(api, group["id"], intake, [each["server_id"] for each in members])
    let_hours_pass(stage, group["project_id"], group["id"], hours=30)
    told = api.call("POST", f"/v1/policies/{watching.foreseeing}/executions")
    assert told.document["outcome"] == "no_data", "one call makes whole hours of a day at most"
    stage.forget_attention(group["project_id"], group["id"], "latency")

    for shard in range(8):
        stage.work(json.dumps({"kind": "watch", "shard": shard, "after": None, "until": None}))
    assert api.get(path)["desired_capacity"] == 4
    by_source = {
        each["source"]: each["outcome"]
        for each in api.get(f"/v1/executions?group_id={group['id']}")["executions"]
    }
    assert by_source[f"policy:{watching.tracking}"] == "executed"
    assert by_source[f"alarm:{watching.high}"] == "outvoted"
    evaluation = api.get(f"/v1/policies/{watching.tracking}")["evaluation"]
    assert (evaluation["value"], evaluation["recommended"], evaluation["decided"]) == (90, 4, 4)
    assert len(api.get(f"/v1/policies/{watching.foreseeing}")["forecast"]["hours"]) == 48
    again = api.call("POST", f"/v1/policies/{watching.tracking}/executions")
    assert again.document["outcome"] == "no_change"

    stage.messages()
    post_latency(api, intake)
    (judge,) = [body for body in stage.messages() if json.loads(body)["kind"] == "judge"]
    stage.work(judge)
    states = {each["id"]: each["state"] for each in api.get("/v1/alarms")["alarms"]}
    assert states == dict.fromkeys((watching.high, watching.quick, watching.both), "alarm")
    by_hand = api.put(f"/v1/alarms/{watching.high}/state", {"state": "alarm", "reason": "a drill"})
    assert by_hand["state_reason"] == "a drill"
    use_signed_webhooks(api, watching.adding)
    for alarm in (watching.both, watching.quick):
        api.delete(f"/v1/alarms/{alarm}")
    end_group(stage, api, group["id"])


def test_what_the_functions_print_is_what_cloudwatch_makes_metrics_of(stage: Stage) -> None:
    stage.tick()
    stage.work(json.dumps({"kind": "sweep", "shard": 0}))
    for logical, work in (("Tick", "tick"), ("Work", "sweep")):
        found = [line for line in stage.lines(logical) if line["message"] == work]
        dimensions, _ = metrics_of(found[-1])["WorkSeconds"]
        assert dimensions == {"stage": STAGE, "work": work}
        assert found[-1]["request_id"].startswith("req-")


def test_a_message_that_fails_is_given_back(stage: Stage) -> None:
    event = sqs_event("no work of ours")
    answer = stage.function("Work").invoke(event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}


def test_the_functions_use_what_their_policies_allow_and_all_of_it(stage: Stage) -> None:
    """The tests above were the use: nothing was refused, and no grant was idle."""
    by_lambda_itself = {f"sqs:{action}" for action in QUEUE["work"]} - {"sqs:SendMessage"}
    assert set(stage.gates) == {"APIHandler", "Tick", "Work"}
    for logical, gate in stage.gates.items():
        granted = stage.described(logical).grants
        idle = {
            grant
            for grant in granted - gate.used
            if grant.action not in by_lambda_itself and not grant.action.startswith("logs:")
        }
        assert (logical, gate.refused, idle) == (logical, [], set())


def test_what_no_policy_allows_is_refused(stage: Stage, local_aws: LocalAws) -> None:
    """The tick reads no table, and the API makes no members: the gate does not let everything in."""
    members = f"thermostat-{STAGE}-members"
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("Tick", "Scan", {}),
        ("APIHandler", "PutItem", {"Item": {}}),
    ]
    for logical, action, more in tries:
        with AwsGate(local_aws.url, stage.described(logical).grants) as gate:
            database = boto3.client("dynamodb", endpoint_url=gate.url)
            with pytest.raises(ClientError, match="AccessDenied"):
                getattr(database, xform_name(action))(TableName=members, **more)
            (refused,) = gate.refused
        assert (refused.action, refused.resource.rpartition("/")[2]) == (f"dynamodb:{action}", members)


@pytest.mark.parametrize("logical", ["APIHandler", "Tick", "Work"])
def test_the_handlers_are_those_of_the_front_door(stage: Stage, logical: str) -> None:
    """A Blueprint's event handler would be chalicelib.x.f, and app.py never imported."""
    assert stage.described(logical).handler.startswith("app.")
