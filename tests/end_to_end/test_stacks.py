"""Groups of stacks, as an owner has them over REST and sees them in Heat, Nova and Keystone."""

from __future__ import annotations

from typing import Any

import pytest

from dev.client import Document, Refused
from tests.end_to_end.site import Party, Site
from tests.end_to_end.test_main_job import path, settled

pytestmark = pytest.mark.timeout(600)  # Heat takes some seconds for each stack

TEMPLATE = """heat_template_version: 2018-08-31
parameters:
  flavor: {type: string}
  image: {type: string}
  thermostat_group: {type: string}
resources:
  server:
    type: OS::Nova::Server
    properties:
      flavor: {get_param: flavor}
      image: {get_param: image}
      networks: [{allocate_network: none}]
      metadata: {metering.server_group: {get_param: thermostat_group}}
"""


def launch(where: Site, flavor: str | None = None) -> Document:
    """Return the document of a launch configuration of a stack with the smallest server there is."""
    parameters = {"flavor": flavor or where.flavor, "image": where.image}
    return {"name": "e2e", "type": "stack", "stack": {"template": TEMPLATE, "parameters": parameters}}


def make_group(owner: Party, configuration: Document, **wanted: Any) -> Document:
    trust = {"name": "stacks", "type": "trust", "redelegation": True}
    credential = owner.api.post("/v1/credentials", trust)
    made = {
        "launch_configuration_id": owner.api.post("/v1/launch-configurations", configuration)["id"],
        "credential_id": credential["id"],
    }
    defaults = {"name": "e2e stacks", "min_size": 0, "max_size": 10, "cooldown": 0}
    return owner.api.post("/v1/groups", {**defaults, **made, **wanted})


def stacks_of(owner: Party, group: Document) -> list[Document]:
    """Return the group's stacks as Heat shows them, without those that are already going."""
    tag = f"thermostat:group:{group['id']}"
    found = owner.cloud.orchestration.get("/stacks", params={"tags": tag}).json()["stacks"]
    return [stack for stack in found if stack["stack_status"] != "DELETE_IN_PROGRESS"]


def reached(owner: Party, group: Document, size: int) -> list[Document]:
    """Wait until the group, Heat and Nova have exactly ``size``; return the stacks."""
    shown = owner.api.until(path(group), settled, within_seconds=180)
    assert shown["desired_capacity"] == size
    stacks = stacks_of(owner, group)
    assert [stack["stack_status"] for stack in stacks] == ["CREATE_COMPLETE"] * size
    members = owner.api.get(f"{path(group)}/members?limit=100")["members"]
    assert {m["stack_id"] for m in members} == {stack["id"] for stack in stacks}
    assert {m["server_id"] for m in members} <= {None}
    assert len(servers_of(owner, group)) == size
    return stacks


def servers_of(owner: Party, group: Document) -> list[str]:
    """Return the ACTIVE servers that were told by their stack which group they are of."""
    return [
        server.id
        for server in owner.cloud.compute.servers(details=True)
        if server.metadata.get("metering.server_group") == group["id"] and server.status == "ACTIVE"
    ]


def test_a_group_of_stacks_grows_and_shrinks_and_leaves_nothing_behind(owner: Party, where: Site) -> None:
    trusts = set(owner.trusts())
    group = make_group(owner, launch(where), desired_capacity=1)
    reached(owner, group, 1)
    for size in (3, 1):
        owner.api.patch(path(group), {"desired_capacity": size})
        reached(owner, group, size)
    owner.api.delete(path(group))
    with pytest.raises(Refused, match="404"):
        owner.api.until(path(group), lambda _: False, within_seconds=120)
    assert stacks_of(owner, group) == []
    assert servers_of(owner, group) == []
    owner.api.delete(f"/v1/credentials/{group['credential_id']}")
    assert set(owner.trusts()) <= trusts


def test_a_stack_deleted_behind_our_back_comes_back(owner: Party, where: Site) -> None:
    group = make_group(owner, launch(where), desired_capacity=2)
    gone = reached(owner, group, 2)[0]
    owner.cloud.orchestration.delete(f"/stacks/{gone['stack_name']}/{gone['id']}")
    owner.api.until(path(group), lambda g: looked_at(owner, g)["status"] == "converging")
    assert gone["id"] not in {stack["id"] for stack in reached(owner, group, 2)}
    told = owner.api.get(f"/v1/activities?group_id={group['id']}")["activities"]
    assert any("vanished" in line["detail"] for line in told)


def looked_at(owner: Party, group: Document) -> Document:
    """Have a group that is content looked at, so that what happened behind our back is seen soon."""
    if group["status"] == "active":
        owner.api.post(f"{path(group)}/convergences")
    return group


def test_a_stack_that_fails_is_said_in_heats_words_and_replaced(owner: Party, where: Site) -> None:
    group = make_group(owner, launch(where, where.flavor_too_big), desired_capacity=1)
    failing = owner.api.until(path(group), lambda g: g["status"] == "error", within_seconds=300)
    assert "CREATE_FAILED" in failing["status_reason"]
    assert "No valid host" in failing["status_reason"]
    assert failing["retry_at"]
    small = owner.api.post("/v1/launch-configurations", launch(where))
    owner.api.patch(path(group), {"launch_configuration_id": small["id"]})
    reached(owner, group, 1)


@pytest.mark.parametrize("kind", ["trust", "application_credential"])
def test_a_credential_that_can_make_no_stack_is_refused_when_the_group_is_defined(
    owner: Party, where: Site, kind: str
) -> None:
    handed = owner.application_credential("e2e-stacks") if kind == "application_credential" else {}
    credential = owner.api.post("/v1/credentials", {"name": "weak", "type": kind, **handed})
    configuration = owner.api.post("/v1/launch-configurations", launch(where))
    made = {"launch_configuration_id": configuration["id"], "credential_id": credential["id"]}
    with pytest.raises(Refused, match="redelegation: true") as refused:
        owner.api.post("/v1/groups", {"name": "weak", "max_size": 1, **made})
    assert refused.value.status == 409
    assert owner.api.get("/v1/groups")["groups"] == []
    if handed:
        of_keystone = handed["application_credential_id"]
        user = owner.cloud.current_user_id
        owner.cloud.identity.delete(f"/users/{user}/application_credentials/{of_keystone}")
