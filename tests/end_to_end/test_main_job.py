"""The main job, as an owner does it over REST and sees it in Nova."""

from __future__ import annotations

import time
import uuid

import pytest

from dev.beside_heat.place import until
from dev.client import Document, Refused, call_hook
from tests.at_once import at_once
from tests.end_to_end.conftest import ON_BUNDLE, MakeGroup, launch
from tests.end_to_end.site import Party, Site, is_going

pytestmark = pytest.mark.timeout(600)  # a real cloud builds fifty servers in its own time

AT_ONCE = 8 if ON_BUNDLE else 32
"""Deliveries: of a bundle, each that comes while others are being decided starts one more function."""


def path(group: Document) -> str:
    return f"/v1/groups/{group['id']}"


def settled(group: Document) -> bool:
    return bool(group["status"] == "active" and group["in_service"] == group["desired_capacity"])


def hook(owner: Party, group: Document, amount: int, **limits: str) -> str:
    policy = owner.api.post(
        "/v1/policies",
        {
            "name": f"by {amount}",
            "group_id": group["id"],
            "type": "change_in_capacity",
            "adjustment": amount,
        },
    )
    webhook = owner.api.post(f"/v1/policies/{policy['id']}/webhooks", {"name": "alarm", **limits})
    return str(webhook["url"])


def outcome(url: str, event_id: str | None = None) -> str:
    answer = call_hook(url, {"event_id": event_id} if event_id else None)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


def reached(owner: Party, group: Document, size: int) -> None:
    """Wait until the group, and Nova, have exactly ``size`` active servers."""
    shown = owner.api.until(path(group), settled, within_seconds=180)
    assert shown["desired_capacity"] == size
    servers = owner.servers_of(group)
    assert [s["status"] for s in servers] == ["ACTIVE"] * size
    members = owner.api.get(f"{path(group)}/members?limit=1000")["members"]
    assert {m["server_id"] for m in members} == {s["id"] for s in servers}


def test_a_group_grows_by_one_ten_and_fifty_and_shrinks_through_webhooks(
    owner: Party, make_group: MakeGroup
) -> None:
    group = make_group(desired_capacity=1)
    reached(owner, group, 1)
    size = 1
    for amount in (1, 10, 50, -60):
        began = time.monotonic()
        assert outcome(hook(owner, group, amount)) == "executed"
        size += amount
        reached(owner, group, size)
        print(f"{amount:+d}: as wanted after {time.monotonic() - began:.1f} s")
    server = owner.servers_of(group)[0]
    assert server["metadata"]["metering.server_group"] == group["id"]
    assert server["metadata"]["thermostat:group"] == group["id"]
    assert server["metadata"]["thermostat:member"]


def test_a_notification_that_comes_while_the_group_scales_counts_too(
    owner: Party, make_group: MakeGroup
) -> None:
    group = make_group(desired_capacity=0)
    out, up = hook(owner, group, 20), hook(owner, group, 1)
    assert outcome(out) == "executed"
    assert owner.api.get(path(group))["status"] == "converging"
    assert outcome(up) == "executed"
    reached(owner, group, 21)


def test_an_application_credential_does_as_well_as_a_trust(owner: Party, make_group: MakeGroup) -> None:
    handed = owner.application_credential(f"e2e-{uuid.uuid4()}")
    credential = owner.api.post(
        "/v1/credentials", {"name": "handed", "type": "application_credential", **handed}
    )
    assert "application_credential_secret" not in credential
    group = make_group(credential=credential, desired_capacity=2)
    reached(owner, group, 2)
    owner.cloud.identity.delete(
        f"/users/{owner.cloud.current_user_id}/application_credentials/{handed['application_credential_id']}"
    )
    broken = owner.api.until(path(group), lambda g: _armed(owner, g)["status"] == "credential_error")
    assert "application credential" in broken["status_reason"].lower()
    _give_new_trust(owner, group)
    owner.api.until(path(group), settled)


def _armed(owner: Party, group: Document) -> Document:
    """Have the group looked at, so that what happened behind our back is seen soon."""
    if group["status"] == "active":
        owner.api.post(f"{path(group)}/convergences")
    return group


def _give_new_trust(owner: Party, group: Document) -> None:
    credential = owner.api.post("/v1/credentials", {"name": "new", "type": "trust"})
    owner.api.patch(path(group), {"credential_id": credential["id"]})


def test_a_server_deleted_in_nova_comes_back(owner: Party, make_group: MakeGroup) -> None:
    group = make_group(desired_capacity=2)
    reached(owner, group, 2)
    gone = owner.servers_of(group)[0]["id"]
    owner.cloud.compute.delete_server(gone)
    owner.api.until(path(group), lambda g: _armed(owner, g)["status"] == "converging")
    reached(owner, group, 2)
    assert gone not in {s["id"] for s in owner.servers_of(group)}
    told = owner.api.get(f"/v1/activities?group_id={group['id']}")["activities"]
    assert any("vanished" in line["detail"] for line in told)


def test_a_revoked_trust_is_said_and_a_new_credential_arms_the_group(
    owner: Party, make_group: MakeGroup
) -> None:
    before = set(owner.trusts())
    group = make_group(desired_capacity=1)
    reached(owner, group, 1)
    (trust,) = set(owner.trusts()) - before
    owner.cloud.identity.delete(f"/OS-TRUST/trusts/{trust}")
    broken = owner.api.until(
        path(group), lambda g: _armed(owner, g)["status"] == "credential_error", within_seconds=150
    )
    assert "trust" in broken["status_reason"]
    assert outcome(hook(owner, group, 1)) == "credential_error"
    _give_new_trust(owner, group)
    owner.api.until(path(group), settled)
    assert outcome(hook(owner, group, 1)) == "executed"
    reached(owner, group, 2)


def test_a_credential_takes_its_trust_with_it(owner: Party) -> None:
    before = set(owner.trusts())
    credential = owner.api.post("/v1/credentials", {"name": "short", "type": "trust"})
    assert len(set(owner.trusts()) - before) == 1
    owner.api.delete(f"/v1/credentials/{credential['id']}")
    assert set(owner.trusts()) <= before


def test_a_quota_is_filled_then_said_and_looking_again_goes_on(
    owner: Party, where: Site, make_group: MakeGroup
) -> None:
    quota = f"/os-quota-sets/{owner.project_id}"
    before = where.admin.compute.get(quota).json()["quota_set"]["instances"]
    until(lambda: not any(map(is_going, owner.cloud.compute.servers())))  # they count, as long as they go
    in_use = len(list(owner.cloud.compute.servers()))
    where.admin.compute.put(quota, json={"quota_set": {"instances": in_use + 2, "force": True}})
    try:
        group = make_group(desired_capacity=5)
        refused = owner.api.until(path(group), lambda g: g["status"] == "error" and g["in_service"] == 2)
        assert "Quota exceeded" in refused["status_reason"]
    finally:
        where.admin.compute.put(quota, json={"quota_set": {"instances": before, "force": True}})
    owner.api.post(f"{path(group)}/convergences")
    reached(owner, group, 5)


def test_servers_that_no_host_can_hold_are_replaced_with_growing_waits_and_said(
    owner: Party, where: Site, make_group: MakeGroup
) -> None:
    group = make_group(flavor=where.flavor_too_big, desired_capacity=1)
    failing = owner.api.until(path(group), lambda g: g["status"] == "error", within_seconds=90)
    assert "No valid host" in failing["status_reason"]
    assert failing["retry_at"]
    small = owner.api.post("/v1/launch-configurations", launch(where, "small"))
    owner.api.patch(path(group), {"launch_configuration_id": small["id"]})
    reached(owner, group, 1)


def test_two_projects_do_not_see_each_other(owner: Party, other: Party, make_group: MakeGroup) -> None:
    group = make_group(desired_capacity=1)
    reached(owner, group, 1)
    assert other.api.get("/v1/groups")["groups"] == []
    for method, at in (("GET", path(group)), ("DELETE", path(group)), ("GET", f"{path(group)}/members")):
        with pytest.raises(Refused) as refused:
            other.api.call(method, at)
        assert refused.value.status == 404
    mine = other.api.post("/v1/credentials", {"name": "mine", "type": "trust"})
    stolen = {"launch_configuration_id": group["launch_configuration_id"], "credential_id": mine["id"]}
    with pytest.raises(Refused) as refused:
        other.api.post("/v1/groups", {"name": "x", "max_size": 1, **stolen})
    assert refused.value.status == 400
    reached(owner, group, 1)


def test_the_same_delivery_many_times_at_once_scales_once(owner: Party, make_group: MakeGroup) -> None:
    group = make_group(desired_capacity=0, max_size=100)
    url = hook(owner, group, 1)
    for round_ in range(1, 4):
        event = str(uuid.uuid4())
        outcomes = at_once(AT_ONCE, lambda _: outcome(url, event))  # noqa: B023
        assert sorted(outcomes) == ["duplicate"] * (AT_ONCE - 1) + ["executed"]
        assert owner.api.get(path(group))["desired_capacity"] == round_
    reached(owner, group, 3)
