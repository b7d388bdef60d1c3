"""The main job, on the terminal: a group builds, alarms come, it grows, holds, shrinks; and says why.

Then the same without anybody's alarms: servers post their CPU, and target tracking holds it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable

from dev import simulated
from dev.client import Client, Document, call_hook
from dev.load import Phase, play

_COOLDOWN_SECONDS = 6
_DAY = (
    Phase("a quiet morning", 100, 20),
    Phase("everybody comes at once", 290, 60),
    Phase("they go home", 90, 75),
)


def run_demo(url: str, auth_url: str, stop: threading.Event) -> None:
    """Play the main job against a running service and a simulated cloud, as its owner would."""
    client = Client(url, simulated.token_of(auth_url, "demo"))
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {line}", flush=True)

    say("POST /v1/credentials            a trust from the owner's token")
    credential = client.post("/v1/credentials", {"name": "demo", "type": "trust"})
    say("POST /v1/launch-configurations  what one server is made of")
    server = {"image": simulated.IMAGE, "flavor": simulated.FLAVOR, "networks": "none"}
    configuration = client.post("/v1/launch-configurations", {"name": "demo", "server": server})
    say("POST /v1/groups                 2 servers, never less than 1 or more than 5")
    group = client.post("/v1/groups", _group(configuration, credential))
    path = f"/v1/groups/{group['id']}"
    say(f"                                {_size(client.until(path, _settled))}")
    out, in_ = (_hook(client, group, name, amount) for name, amount in (("out", 2), ("in", -1)))
    for hook, what in (
        (out, "an alarm comes: out"),
        (out, "it comes again"),
        (in_, "another one: in"),
    ):
        if stop.is_set():
            return
        _alarm(hook, what, say)
        say(f"                                {_size(client.until(path, _settled))}")
    say("                                waiting for the cooldown to pass")
    if not stop.wait(_COOLDOWN_SECONDS + 1):
        _alarm(in_, "the alarm lasts: in", say)
        say(f"                                {_size(client.until(path, _settled))}")
    say(f"The group stays for you: {url}{path}  (TOKEN=$(make -s token))")
    if not stop.is_set():
        _follow_the_load(client, configuration, credential, say, stop)


def _follow_the_load(
    client: Client,
    configuration: Document,
    credential: Document,
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Let a group hold its CPU at 60 % with nothing but the samples that its servers post."""
    say("POST /v1/policies               target tracking: hold the servers' mean CPU at 60 %")
    group = client.post(
        "/v1/groups", {**_group(configuration, credential), "name": "demo-load", "max_size": 8}
    )
    path = f"/v1/groups/{group['id']}"
    client.post("/v1/policies", _tracking(group))
    say("PUT  /v1/groups/.../intake      where its servers post their samples")
    intake = client.call("PUT", f"{path}/intake")["url"]
    client.until(path, _settled)
    play(client, path, intake, _DAY, say, stop)
    for execution in client.get(f"/v1/executions?group_id={group['id']}&limit=100")["executions"][::-1]:
        if execution["outcome"] == "executed":
            say(f"{execution['created_at'][11:19]} UTC  {execution['explanation']['summary']}")


def _tracking(group: Document) -> Document:
    return {
        "name": "hold-cpu",
        "group_id": group["id"],
        "type": "target_tracking",
        "metric": "cpu",
        "target": 60,
        "period": 10,
        "unready": 0,
        "behavior": {"scale_in": {"stabilization": 30}},
    }


def _group(configuration: Document, credential: Document) -> Document:
    return {
        "name": "demo",
        "launch_configuration_id": configuration["id"],
        "credential_id": credential["id"],
        "min_size": 1,
        "max_size": 5,
        "desired_capacity": 2,
        "cooldown": _COOLDOWN_SECONDS,
    }


def _hook(client: Client, group: Document, name: str, amount: int) -> str:
    policy = client.post(
        "/v1/policies",
        {"name": name, "group_id": group["id"], "type": "change_in_capacity", "adjustment": amount},
    )
    webhook = client.post(f"/v1/policies/{policy['id']}/webhooks", {"name": "demo"})
    return str(webhook["url"])


def _alarm(hook: str, what: str, say: Callable[[str], None]) -> None:
    """Send what Aodh sends, and tell the outcome."""
    body = {
        "alarm_name": "demo",
        "alarm_id": str(uuid.uuid4()),
        "severity": "low",
        "previous": "ok",
        "current": "alarm",
        "reason": "Transition to alarm due to 1 samples outside threshold, most recent: 95.0",
        "reason_data": {"type": "threshold", "disposition": "outside", "count": 1, "most_recent": 95.0},
    }
    answer = call_hook(hook, body, x_openstack_request_id=f"req-{uuid.uuid4()}").json()
    say(f"POST /v1/hooks/...              {what}: {answer['outcome']}")
    say(f"                                {answer['explanation']['summary']}")


def _settled(group: Document) -> bool:
    return bool(group["status"] == "active" and group["in_service"] == group["desired_capacity"])


def _size(group: Document) -> str:
    return f"group {group['status']}: {group['in_service']} of {group['desired_capacity']} in service"
