"""What an owner does through the API of a stage, and what the stage does of it."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from standardwebhooks import Webhook as Signer

from dev import simulated
from dev.simcloud import SimCloud, stable_id
from tests.deploy.events import Gateway
from tests.deploy.stage import Stage
from tests.intake.bodies import alert, alertmanager
from tests.sns_messages import TOPIC, envelope

_ROUNDS_MAX = 10


def create_group(api: Gateway, cloud: SimCloud, once: str = "once") -> Any:
    """Create a group with all that it needs, each asked for twice as after a lost answer."""
    assert api.get("/healthcheck")["status"] == "ok"
    credential = api.post("/v1/credentials", application_credential(cloud))
    server = {"image": simulated.IMAGE, "flavor": simulated.FLAVOR}
    wanted = {"name": "web", "server": server, "client_token": once}
    configuration = api.post("/v1/launch-configurations", wanted)
    assert api.post("/v1/launch-configurations", wanted) == configuration
    for noun, made in (("credentials", credential), ("launch-configurations", configuration)):
        assert api.get(f"/v1/{noun}/{made['id']}")["id"] == made["id"]
    group = {
        "name": "web",
        "launch_configuration_id": configuration["id"],
        "credential_id": credential["id"],
        "min_size": 0,
        "max_size": 4,
        "desired_capacity": 2,
        "cooldown": 0,
        "client_token": once,
    }
    made = api.post("/v1/groups", group)
    assert api.post("/v1/groups", group)["id"] == made["id"]
    api.patch(f"/v1/groups/{made['id']}", {"name": "renamed"})
    api.put(f"/v1/groups/{made['id']}/freeze", {"reason": "for a moment"})
    api.delete(f"/v1/groups/{made['id']}/freeze")
    assert [each["name"] for each in api.get("/v1/groups")["groups"]] == ["renamed"]
    return made


def application_credential(cloud: SimCloud) -> dict[str, Any]:
    url = f"{cloud.auth_url}/users/{stable_id('user', 'demo')}/application_credentials"
    token = {"X-Auth-Token": simulated.token_of(cloud.auth_url, "demo")}
    name = str(uuid.uuid4())
    answer = requests.post(url, json={"application_credential": {"name": name}}, headers=token, timeout=10)
    made = answer.json()["application_credential"]
    return {
        "name": "handed over",
        "type": "application_credential",
        "application_credential_id": made["id"],
        "application_credential_secret": made["secret"],
    }


def use_policies_and_webhooks(api: Gateway, group_id: str) -> str:
    """Make, change and delete some; return the path of a webhook that is left."""
    wanted = {"name": "out", "group_id": group_id, "type": "change_in_capacity", "adjustment": 2}
    policy, gone = api.post("/v1/policies", wanted), api.post("/v1/policies", wanted)
    api.delete(f"/v1/policies/{gone['id']}")
    api.patch(f"/v1/policies/{policy['id']}", {"adjustment": 1})
    assert api.get(f"/v1/policies?group_id={group_id}")["policies"] == api.get("/v1/policies")["policies"]
    webhooks = f"/v1/policies/{policy['id']}/webhooks"
    webhook, revoked = api.post(webhooks, {"name": "a"}), api.post(webhooks, {"name": "b"})
    api.delete(f"/v1/webhooks/{revoked['id']}")
    api.patch(f"/v1/webhooks/{webhook['id']}", {"name": "c"})
    assert [each["name"] for each in api.get(webhooks)["webhooks"]] == ["c"]
    rotated = api.post(f"/v1/webhooks/{webhook['id']}/rotations", {"keep_previous": 0})
    return _path_of(rotated["url"])


def _path_of(url: str) -> str:
    begin, stage, path = url.partition("/api/")
    assert (begin, stage) == ("https://api.test", "/api/"), "links lead through API Gateway's stage"
    return f"/{path}"


def use_signed_webhooks(api: Gateway, policy_id: str) -> None:
    """Have deliveries signed in both ways; those that are not are refused."""
    webhooks = f"/v1/policies/{policy_id}/webhooks"
    webhook = api.post(webhooks, {"name": "signed", "signature": {"type": "standard_webhooks"}})
    body, now = json.dumps(alertmanager(alert(status="resolved"))).encode(), datetime.now(UTC)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    good = Signer(webhook["signature"]["key"]).sign("msg_1", now, body.decode())
    taken, refused = (
        api.call("POST", _path_of(webhook["url"]), body, headers | {"webhook-signature": signature})
        for signature in (good, "v1,AAAA")
    )
    assert (taken.status, taken.document["outcome"], refused.status) == (202, "not_alarm", 403)

    pinned = api.post(webhooks, {"name": "pinned", "sns_topic_arn": TOPIC})
    # How far a message comes without Amazon: to the certificate, behind the import of what reads it.
    elsewhere = envelope("{}", Timestamp=f"{now:%FT%T.000Z}", SigningCertURL="https://sns.test/a.pem")
    answer = api.call("POST", _path_of(pinned["url"]), elsewhere)
    assert (answer.status, answer.document["errors"][0]["code"]) == (403, "autoscaling.hook.sns_certificate")


def use_alarms(api: Gateway, group_id: str) -> None:
    """Make, change and delete some; leave one with an action to the group's end."""
    (policy,) = api.get(f"/v1/policies?group_id={group_id}")["policies"]
    wanted = {
        "name": "cpu-high",
        "group_id": group_id,
        "metric": "cpu",
        "comparison_operator": "gt",
        "threshold": 80,
        "alarm_actions": [policy["id"]],
    }
    alarm, gone = api.post("/v1/alarms", wanted), api.post("/v1/alarms", wanted)
    api.delete(f"/v1/alarms/{gone['id']}")
    api.patch(f"/v1/alarms/{alarm['id']}", {"threshold": 90})
    api.put(f"/v1/alarms/{alarm['id']}/state", {"state": "ok"})
    (shown,) = api.get("/v1/alarms")["alarms"]
    assert api.get(f"/v1/alarms?group_id={group_id}")["alarms"] == [shown]
    assert api.get(f"/v1/alarms/{alarm['id']}") == {**shown, "warnings": []}
    history = api.get(f"/v1/alarms/{alarm['id']}/history")["history"]
    assert [each["event"] for each in history] == ["manual_state", "rule_change", "creation"]


def use_aodh(api: Gateway, cloud: SimCloud, group_id: str) -> None:
    """Have Aodh keep an alarm, and call its hook as Aodh does; leave it to the group's end."""
    wanted = {"name": "busy", "group_id": group_id, "backend": "aodh", "metric": "cpu"}
    alarm = api.post("/v1/alarms", {**wanted, "comparison_operator": "gt", "threshold": 80})
    (kept,) = cloud.world.alarms.values()
    url = kept.document["ok_actions"][0]
    for _ in range(2):
        notice = {"alarm_id": kept.id, "current": "ok", "reason": "all is well"}
        assert api.post(url[url.index("/v1/") :], notice) == {"executions": []}
    (listed,) = [each for each in api.get("/v1/alarms")["alarms"] if each["id"] == alarm["id"]]
    assert (listed["state"], listed["state_reason"]) == ("ok", "all is well")


def read_history(api: Gateway, group_id: str) -> None:
    (execution,) = api.get(f"/v1/executions?group_id={group_id}")["executions"]
    by_policy = api.get(f"/v1/policies/{execution['policy_id']}/executions")["executions"]
    assert by_policy == [api.get(f"/v1/executions/{execution['id']}")]
    assert api.get(f"/v1/activities?group_id={group_id}")["activities"]


def use_schedules(stage: Stage, api: Gateway, group_id: str) -> None:
    """Have one set sizes and one execute a policy, in a few seconds; leave both to the group's end."""
    (policy,) = api.get("/v1/policies")["policies"]
    soon = datetime.now(UTC) + timedelta(seconds=3)
    wanted = {"name": "larger", "group_id": group_id, "max_size": 5, "at": soon.isoformat()}
    larger, gone = api.post("/v1/schedules", wanted), api.post("/v1/schedules", wanted)
    api.delete(f"/v1/schedules/{gone['id']}")
    api.patch(f"/v1/schedules/{larger['id']}", {"name": "larger still"})
    out = api.post("/v1/schedules", {"name": "out", "policy_id": policy["id"], "at": soon.isoformat()})
    of_group = api.get(f"/v1/schedules?group_id={group_id}")["schedules"]
    assert of_group == api.get("/v1/schedules")["schedules"]
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))
    for shard in range(8):
        stage.work(json.dumps({"kind": "sweep", "shard": shard}))
    for schedule in (larger, out):
        assert api.get(f"/v1/schedules/{schedule['id']}")["last_firing"]["outcome"] == "executed"
    group = api.get(f"/v1/groups/{group_id}")
    assert (group["max_size"], group["desired_capacity"]) == (5, 4)


def use_intake(api: Gateway, path: str) -> str:
    """Make, revoke and rotate intakes of the group; return where its samples are posted."""
    api.put(f"{path}/intake", {})
    api.delete(f"{path}/intake")
    api.put(f"{path}/intake", {})
    url = api.post(f"{path}/intake/rotations", {"keep_previous": 0})["url"]
    assert api.get(f"{path}/intake")["url"] is None
    return f"{_path_of(url)}/samples"


def use_members(api: Gateway, path: str) -> None:
    member = api.get(f"{path}/members")["members"][0]["id"]
    api.patch(f"{path}/members/{member}", {"protected": True})
    assert api.get(f"{path}/members/{member}")["protected"]
    api.delete(f"{path}/members/{member}?replace=false")


def use_heat(api: Gateway, cloud: SimCloud) -> Any:
    """Take over the group of a stack, which has one member, and want three."""
    token = {"X-Auth-Token": simulated.token_of(cloud.auth_url, "demo")}
    server = {
        "image": simulated.IMAGE,
        "flavor": simulated.FLAVOR,
        "networks": [{"allocate_network": "none"}],
    }
    group = {
        "min_size": 0,
        "max_size": 9,
        "desired_capacity": {"get_param": "size"},
        "resource": {"type": "OS::Nova::Server", "properties": server},
    }
    template = {
        "heat_template_version": "2021-04-16",
        "parameters": {"size": {"type": "number", "default": 1}},
        "resources": {"asg": {"type": "OS::Heat::AutoScalingGroup", "properties": group}},
    }
    asked = {"stack_name": "shop", "template": template}
    assert requests.post(_stacks(cloud), json=asked, headers=token, timeout=10).status_code == 201
    credential = api.post("/v1/credentials", {"name": "trust", "type": "trust"})
    (found,) = api.get(f"/v1/stacks/shop?credential_id={credential['id']}")["groups"]
    (suggested,) = found["suggestions"]
    return api.post("/v1/groups", {**suggested, "desired_capacity": 3})


def end_stack(cloud: SimCloud) -> None:
    """Delete the stack, which its group has let go of."""
    token = {"X-Auth-Token": simulated.token_of(cloud.auth_url, "demo")}
    shown = requests.get(f"{_stacks(cloud)}/shop", headers=token, timeout=10).json()["stack"]
    requests.delete(f"{_stacks(cloud)}/shop/{shown['id']}", headers=token, timeout=10)


def _stacks(cloud: SimCloud) -> str:
    return f"{cloud.url}/orchestration/v1/{stable_id('project', 'demo')}/stacks"


def use_refreshes(stage: Stage, api: Gateway, path: str, message: str) -> None:
    """Begin, pause and abort one; let another one find that nobody is to be replaced."""
    refreshes = f"{path}/refreshes"
    aborted = api.post(refreshes, {"client_token": "once"})
    api.patch(f"{refreshes}/{aborted['id']}", {"paused": True})
    api.delete(f"{refreshes}/{aborted['id']}")
    assert api.post(refreshes, {"client_token": "once"})["status"] == "aborted"
    done = api.post(refreshes, {})
    stage.work(message)
    assert api.get(f"{refreshes}/{done['id']}")["status"] == "succeeded"
    assert len(api.get(f"{refreshes}?limit=1&marker={done['id']}")["refreshes"]) == 1


def message_for(stage: Stage, group_id: str) -> str:
    """Return the message that the API has put on the queue."""
    return next(body for body in stage.messages() if json.loads(body).get("group_id") == group_id)


def work_until(stage: Stage, api: Gateway, group_id: str, message: str, *, in_service: int) -> None:
    for _ in range(_ROUNDS_MAX):
        stage.work(message)
        group = api.get(f"/v1/groups/{group_id}")
        if group["in_service"] == in_service and group["status"] == "active":
            return
    raise AssertionError(group)


def end_group(stage: Stage, api: Gateway, group_id: str) -> None:
    """Delete the group, what it needed, and what is still asked for on its behalf."""
    path = f"/v1/groups/{group_id}"
    stage.messages()
    api.delete(path)
    work_until_gone(stage, api, path, message_for(stage, group_id))
    stage.messages()
    for noun in ("credentials", "launch-configurations"):
        for each in api.get(f"/v1/{noun}")[noun.replace("-", "_")]:
            api.delete(f"/v1/{noun}/{each['id']}")


def work_until_gone(stage: Stage, api: Gateway, path: str, message: str) -> None:
    for _ in range(_ROUNDS_MAX):
        stage.work(message)
        if api.call("GET", path).status == 404:
            return
    raise AssertionError(f"{path} is still there")


def servers(cloud: SimCloud) -> list[str]:
    return [server.id for server in cloud.world.servers.values() if server.gone_at is None]
