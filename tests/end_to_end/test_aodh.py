"""Alarms that a real Aodh evaluates on measures in a real Gnocchi scale a group on a real Nova."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.client import Document, Refused
from tests.end_to_end.conftest import MakeGroup
from tests.end_to_end.site import Party
from tests.end_to_end.telemetry import Telemetry, seconds_since
from tests.tls import over_tls

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def telemetry(owner: Party) -> Iterator[Telemetry]:
    telemetry = Telemetry(owner)
    yield telemetry
    telemetry.forget()


def path(group: Document) -> str:
    return f"/v1/groups/{group['id']}"


def reached(owner: Party, group: Document, size: int) -> None:
    """Wait until the group, and Nova, have exactly ``size`` active servers."""
    owner.api.until(
        path(group),
        lambda g: g["desired_capacity"] == size and g["status"] == "active" and g["in_service"] == size,
        within_seconds=180,
    )
    assert [s["status"] for s in owner.servers_of(group)] == ["ACTIVE"] * size


def policy(owner: Party, group: Document, amount: int) -> Document:
    """Make a policy of the group's."""
    wanted = {
        "name": f"by {amount}",
        "group_id": group["id"],
        "type": "change_in_capacity",
        "adjustment": amount,
        "cooldown": 1,
    }
    return owner.api.post("/v1/policies", wanted)


def hook(owner: Party, group: Document, amount: int) -> str:
    made = policy(owner, group, amount)
    webhook = owner.api.post(f"/v1/policies/{made['id']}/webhooks", {"name": "aodh"})
    return str(webhook["url"])


def test_alarms_of_the_owners_own_scale_out_and_in_through_capability_urls(
    owner: Party, make_group: MakeGroup, telemetry: Telemetry
) -> None:
    group = make_group(desired_capacity=1, min_size=1, max_size=2)
    reached(owner, group, 1)
    server_id = owner.servers_of(group)[0]["id"]
    with telemetry.alarm(group, hook(owner, group, 1), "gt", 80), telemetry.measured(group, server_id, 95):
        began = time.monotonic()
        owner.api.until(path(group), lambda g: g["desired_capacity"] == 2, within_seconds=60)
        print(f"out: decided {seconds_since(began)} after the first measure")
        reached(owner, group, 2)
        print(f"out: both servers active after {seconds_since(began)}")
    with telemetry.alarm(group, hook(owner, group, -1), "lt", 20), telemetry.measured(group, server_id, 5):
        began = time.monotonic()
        owner.api.until(path(group), lambda g: g["desired_capacity"] == 1, within_seconds=60)
        print(f"in: decided {seconds_since(began)} after the first measure")
        reached(owner, group, 1)
        print(f"in: one server left after {seconds_since(began)}")


def test_an_alarm_of_the_owners_own_scales_with_a_token_of_theirs(
    owner: Party, make_group: MakeGroup, telemetry: Telemetry, tmp_path: Path
) -> None:
    """``trust+https``: Aodh shows a token of the owner's in place of a capability URL."""
    group = make_group(desired_capacity=1, min_size=1, max_size=2)
    reached(owner, group, 1)
    server_id = owner.servers_of(group)[0]["id"]
    policy_id = policy(owner, group, 1)["id"]
    before = set(owner.trusts())
    with over_tls(owner.api.url, tmp_path) as url:
        # Aodh knows nothing of a certificate that was made a moment ago.
        action = f"trust+{url}/v1/policies/{policy_id}/notifications?aodh-alarm-ssl-verify=0"
        with telemetry.alarm(group, action, "gt", 80), telemetry.measured(group, server_id, 95):
            began = time.monotonic()
            reached(owner, group, 2)
            print(f"trust: both servers active {seconds_since(began)} after the first measure")
            assert len(set(owner.trusts()) - before) == 1
    executions = owner.api.get(f"/v1/executions?group_id={group['id']}")["executions"]
    (executed,) = [each for each in executions if each["outcome"] == "executed"]
    assert executed["source"] == f"user:{owner.cloud.current_user_id}"
    assert set(owner.trusts()) <= before


def test_alarms_that_we_keep_in_aodh_scale_out_and_in_and_go_with_the_group(
    owner: Party, make_group: MakeGroup, telemetry: Telemetry
) -> None:
    group = make_group(desired_capacity=1, min_size=1, max_size=2)
    reached(owner, group, 1)
    server_id = owner.servers_of(group)[0]["id"]
    out = kept_in_aodh(owner, group, "busy", policy(owner, group, 1), statistic="maximum", threshold=80)
    kept_in_aodh(owner, group, "idle", policy(owner, group, -1), metric="queue", threshold=7)
    assert {each["name"] for each in telemetry.alarms_of(group)} == {
        f"thermostat-{alarm['id']}" for alarm in owner.api.get(f"/v1/alarms?group_id={group['id']}")["alarms"]
    }
    with telemetry.measured(group, server_id, 95):
        began = time.monotonic()
        reached(owner, group, 2)
        print(f"kept: both servers active {seconds_since(began)} after the first measure")
        shown = owner.api.get(f"/v1/alarms/{out['id']}")
        assert (shown["state"], shown["backend"]) == ("alarm", "aodh")
        assert "95" in shown["state_reason"]
    owner.api.delete(f"/v1/alarms/{out['id']}")
    with telemetry.measured(group, server_id, 9, metric="queue"):
        began = time.monotonic()
        reached(owner, group, 1)
        print(f"kept: one server left {seconds_since(began)} after the first measure")
    (left,) = telemetry.alarms_of(group)
    owner.api.delete(path(group))
    with pytest.raises(Refused, match="404"):
        owner.api.until(path(group), lambda _: False, within_seconds=90)
    assert telemetry.alarms_of(group) == []
    assert left["repeat_actions"] is True


def kept_in_aodh(owner: Party, group: Document, name: str, action: Document, **rule: str | float) -> Document:
    """Make an alarm of the group's that Aodh evaluates on whole minutes."""
    wanted = {
        "name": name,
        "group_id": group["id"],
        "backend": "aodh",
        "metric": "cpu",
        "comparison_operator": "gt",
        "period": 60,
        "alarm_actions": [action["id"]],
        **rule,
    }
    return owner.api.post("/v1/alarms", wanted)
