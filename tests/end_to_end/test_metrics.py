"""Samples that servers post to the URL that Nova hands them, and what follows them; and schedules."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from dev.client import Document, Refused
from tests.end_to_end.conftest import MakeGroup
from tests.end_to_end.metrics import SENDERS, batch, post
from tests.end_to_end.site import Party
from tests.end_to_end.telemetry import seconds_since
from tests.end_to_end.test_main_job import path, reached

pytestmark = pytest.mark.timeout(300)

CLOSELY = {"period": 10}
"""What is looked at in periods this short is judged as its samples come, not each minute."""
IN_TIME = {**CLOSELY, "evaluation_periods": 7, "datapoints_to_alarm": 1}
"""What comes once is still seen by a minute's judging."""


def with_intake(owner: Party, make_group: MakeGroup, **wanted: Any) -> tuple[Document, str]:
    """Return a group with one server, and the intake's URL, from where that server finds it."""
    group = make_group(desired_capacity=0, **wanted)
    shown = owner.api.call("PUT", f"{path(group)}/intake")["url"]
    owner.api.patch(path(group), {"desired_capacity": 1})
    reached(owner, group, 1)
    (server,) = owner.servers_of(group)
    assert server["metadata"]["thermostat:intake"] == shown
    return group, shown


def executions(owner: Party, group: Document, source: str) -> list[Document]:
    """Return what somebody or something set in motion, the newest first."""
    found = owner.api.get(f"/v1/executions?group_id={group['id']}")["executions"]
    return [each for each in found if each["source"] == source]


def alarm(owner: Party, group: Document, name: str, **rule: Any) -> Document:
    return owner.api.post("/v1/alarms", {"name": name, "group_id": group["id"], **rule})


def test_samples_of_every_format_make_alarms_that_scale_out(owner: Party, make_group: MakeGroup) -> None:
    """An alarm for each format, all of which have to fire; what came twice is counted once."""
    group, intake = with_intake(owner, make_group, max_size=3)
    server_id = owner.servers_of(group)[0]["id"]
    rule = {"statistic": "sum", "comparison_operator": "gt", "threshold": 3, **IN_TIME}
    parts = {name: alarm(owner, group, name, metric=f"jobs.{name}", **rule) for name in SENDERS}
    twice = alarm(owner, group, "twice", metric="jobs.twice", **rule)
    out = {"name": "out", "group_id": group["id"], "type": "change_in_capacity", "adjustment": 1}
    policy = owner.api.post("/v1/policies", {**out, "cooldown": 300})
    every = {"and": [{"alarm": part["id"]} for part in (*parts.values(), twice)]}
    all_ = alarm(owner, group, "all", composite=every, alarm_actions=[policy["id"]])

    began = time.monotonic()
    again = batch("jobs.twice", {server_id: 4})
    assert post(intake, again) == post(intake, again) == {"accepted": 1, "rejected": []}
    for name, send in SENDERS.items():
        send(intake, server_id, f"jobs.{name}", 5)
    owner.api.until(path(group), lambda g: g["desired_capacity"] == 2, within_seconds=40)
    print(f"alarm: decided {seconds_since(began)} after the samples")
    reached(owner, group, 2)

    executed = executions(owner, group, f"alarm:{all_['id']}")[-1]
    assert (executed["outcome"], executed["policy_id"]) == ("executed", policy["id"])
    assert executed["explanation"]["summary"]
    assert [sums(fired(owner, part)) for part in (*parts.values(), twice)] == [["5"]] * len(parts) + [["4"]]
    listed = owner.api.get(f"{path(group)}/metrics")["metrics"]
    assert {each["name"] for each in listed} == {f"jobs.{name}" for name in (*SENDERS, "twice")}


def fired(owner: Party, of: Document) -> Document:
    """Return the alarm's way to ``alarm``, from its history."""
    history: list[Document] = owner.api.get(f"/v1/alarms/{of['id']}/history")["history"]
    (found,) = [each for each in history if each["state_after"] == "alarm"]
    return found


def sums(of: Document) -> list[str]:
    """Return the values that an alarm's way to ``alarm`` was judged by."""
    values = str(of["reason"]).removesuffix(".").rpartition("Newest last: ")[2].split(", ")
    return [value for value in values if value != "none"]


def test_target_tracking_grows_and_shrinks_the_group_with_its_load(
    owner: Party, make_group: MakeGroup
) -> None:
    group, intake = with_intake(owner, make_group, max_size=3)
    policy = owner.api.post(
        "/v1/policies",
        {
            "name": "cpu at 50",
            "group_id": group["id"],
            "type": "target_tracking",
            "metric": "cpu",
            "target": 50,
            "unready": 0,
            "behavior": {"scale_in": {"stabilization": 5}},
            **CLOSELY,
        },
    )
    for load, size in ((120, 3), (40, 1)):
        began = time.monotonic()
        owner.api.until(
            path(group),
            lambda g: share(owner, g, intake, load)["desired_capacity"] == size,  # noqa: B023
            within_seconds=60,
        )
        print(f"load {load}: {size} wanted after {seconds_since(began)}")
        reached(owner, group, size)
    changes = executions(owner, group, f"policy:{policy['id']}")
    last, first = changes[0], changes[-1]
    assert (first["capacity_before"], first["capacity_after"]) == (1, 3)
    assert "The mean cpu of 1 members is 120, the target 50." in sentences(first)
    assert last["capacity_after"] == 1
    assert f"The mean cpu of {last['capacity_before']} members is" in " ".join(sentences(last))
    assert owner.api.get(f"/v1/policies/{policy['id']}")["evaluation"]["steps"]


def share(owner: Party, group: Document, intake: str, load: float) -> Document:
    """Have the servers in service post their share of a load, in percent of one; return the group."""
    members = owner.api.get(f"{path(group)}/members")["members"]
    serving = [member["server_id"] for member in members if member["status"] == "in_service"]
    post(intake, batch("cpu", {server_id: load / len(serving) for server_id in serving}))
    return group


def sentences(execution: Document) -> list[str]:
    return [step["detail"] for step in execution["explanation"]["steps"]]


def test_strangers_are_refused(owner: Party, other: Party, make_group: MakeGroup) -> None:
    group, intake = with_intake(owner, make_group)
    sample = batch("cpu", {owner.servers_of(group)[0]["id"]: 99})
    stranger = str(uuid.uuid4())
    (told,) = post(intake, batch("cpu", {stranger: 99}))["rejected"]
    assert "not a member" in told["reason"]
    for tried in (f"{intake[:-1]}{'A' if intake[-1] != 'A' else 'B'}", f"{intake.rpartition('/')[0]}/short"):
        assert requests.post(f"{tried}/samples", json=sample, timeout=40).status_code == 404
    for method, at, body in (
        ("GET", f"{path(group)}/intake", None),
        ("POST", "/v1/samples", {"group_id": group["id"], **sample}),
    ):
        with pytest.raises(Refused, match="404"):
            other.api.call(method, at, body)
    owner.api.delete(f"{path(group)}/intake")
    assert requests.post(f"{intake}/samples", json=sample, timeout=40).status_code == 404
    assert owner.api.get(f"{path(group)}/metrics")["metrics"] == []


def test_a_schedule_sets_sizes_once_at_its_time(owner: Party, make_group: MakeGroup) -> None:
    group = make_group(desired_capacity=0, max_size=3)
    at = datetime.now(UTC) + timedelta(seconds=3)
    due = {"name": "soon", "at": at.isoformat(), "min_size": 1, "desired_capacity": 1}
    schedule = owner.api.post("/v1/schedules", {"group_id": group["id"], **due})
    assert owner.api.get(path(group))["desired_capacity"] == 0
    changed = owner.api.until(path(group), lambda g: g["desired_capacity"] == 1, within_seconds=40)
    print(f"schedule: sizes set {(datetime.now(UTC) - at).total_seconds():.1f} s after their time")
    assert (changed["min_size"], changed["max_size"]) == (1, 3)
    reached(owner, group, 1)
    (executed,) = executions(owner, group, f"schedule:{schedule['id']}")
    assert (executed["outcome"], executed["policy_id"]) == ("executed", None)
    assert executed["explanation"]["summary"]
    assert owner.api.get(f"/v1/schedules/{schedule['id']}")["next_firings"] == []
