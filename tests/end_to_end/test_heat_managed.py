"""A group in a stack, resized from outside: what the owner asks of us is what Heat and Nova then show."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dev.client import Document, Refused
from tests.end_to_end.site import Party, Site
from tests.end_to_end.test_main_job import hook, outcome, path

pytestmark = pytest.mark.timeout(900)

STEPS = {"up": 1, "down": -1, "up5": 5, "down5": -5}


class Stack:
    """A stack of the owner's, with the group ``asg``."""

    def __init__(self, owner: Party, name: str, id_: str) -> None:
        self.name, self.id = name, id_
        self._heat = owner.cloud.orchestration
        self._nova = owner.cloud.compute

    @property
    def at(self) -> str:
        return f"/stacks/{self.name}/{self.id}"

    def shown(self) -> Document:
        document: Document = self._heat.get(self.at, params={"resolve_outputs": "False"}).json()["stack"]
        return document

    def wait(self) -> str:
        end = time.monotonic() + 240
        while self.shown()["stack_status"].endswith("IN_PROGRESS") and time.monotonic() < end:
            time.sleep(0.5)
        return str(self.shown()["stack_status"])

    def servers(self) -> set[str]:
        """Return the ids of the group's servers, each of which Nova shows as ACTIVE."""
        resources = self._heat.get(f"{self.at}/resources", params={"nested_depth": 1}).json()["resources"]
        ids = {r["physical_resource_id"] for r in resources if r["resource_type"] == "OS::Nova::Server"}
        active = {server.id for server in self._nova.servers(status="ACTIVE")}
        assert ids <= active
        return ids

    def patch(self, **parameters: Any) -> None:
        self._heat.patch(self.at, json={"parameters": parameters}, raise_exc=True)

    def delete(self) -> None:
        self._heat.delete(self.at)
        self.wait()


MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(owner: Party, where: Site) -> Iterator[MakeStack]:
    """Makes stacks of a group whose size is the parameter ``size``."""
    made: list[Stack] = []

    def make(*, size: int = 2, policies: bool = False, **server: Any) -> Stack:
        plain = {"image": where.image, "flavor": where.flavor, "networks": [{"allocate_network": "none"}]}
        member = {"type": "OS::Nova::Server", "properties": {**plain, **server}}
        group = {
            "min_size": 0,
            "max_size": 20,
            "desired_capacity": {"get_param": "size"},
            "resource": member,
        }
        resources: dict[str, Any] = {"asg": {"type": "OS::Heat::AutoScalingGroup", "properties": group}}
        for name, step in STEPS.items() if policies else ():
            properties = {
                "adjustment_type": "change_in_capacity",
                "auto_scaling_group_id": {"get_resource": "asg"},
                "scaling_adjustment": step,
            }
            resources[name] = {"type": "OS::Heat::ScalingPolicy", "properties": properties}
        template = {
            "heat_template_version": "2021-04-16",
            "parameters": {"size": {"type": "number"}},
            "resources": resources,
        }
        name = f"mg-{uuid.uuid4().hex[:8]}"
        asked = {"stack_name": name, "template": template, "parameters": {"size": size}, "timeout_mins": 10}
        answer = owner.cloud.orchestration.post("/stacks", json=asked).json()
        made.append(Stack(owner, name, answer["stack"]["id"]))
        assert made[-1].wait() == "CREATE_COMPLETE"
        return made[-1]

    yield make
    for stack in made:
        stack.delete()


def taken_over(owner: Party, stack: Stack, adjust: str, **changes: Any) -> Document:
    """Take the stack's group over as it is suggested."""
    credential = owner.api.post("/v1/credentials", {"name": "heat", "type": "trust"})
    found = owner.api.get(f"/v1/stacks/{stack.name}?credential_id={credential['id']}")
    (group,) = found["groups"]
    (body,) = [each for each in group["suggestions"] if each["heat"]["adjust"] == adjust]
    return owner.api.post("/v1/groups", {**body, "cooldown": 0, **changes})


def reached(owner: Party, group: Document, stack: Stack, size: int) -> None:
    """Wait until the group says that it has ``size`` members; then Heat and Nova must say so, too."""

    def settled(shown: Document) -> bool:
        return bool(shown["status"] == "active" and shown["in_service"] == size)

    owner.api.until(path(group), settled, within_seconds=240)
    assert stack.shown()["stack_status"].endswith("_COMPLETE")
    servers = stack.servers()
    assert len(servers) == size
    members = owner.api.get(f"{path(group)}/members")["members"]
    assert {member["server_id"] for member in members} == servers


@pytest.mark.parametrize("adjust", ["parameter", "signal"])
def test_a_group_in_heat_goes_from_2_to_12_to_3_by_our_policies(
    owner: Party, make_stack: MakeStack, adjust: str
) -> None:
    stack = make_stack(policies=adjust == "signal")
    group = taken_over(owner, stack, adjust)
    reached(owner, group, stack, 2)
    size = 2
    for amount in (10, -9):
        began = time.monotonic()
        assert outcome(hook(owner, group, amount)) == "executed"
        size += amount
        reached(owner, group, stack, size)
        print(f"{adjust} {amount:+d}: as wanted after {time.monotonic() - began:.1f} s")
    if adjust == "parameter":
        assert stack.shown()["stack_status"] == "UPDATE_COMPLETE"
        assert stack.shown()["parameters"]["size"] == "3"
    owner.api.delete(path(group))
    with pytest.raises(Refused, match="404"):
        owner.api.until(path(group), lambda _: False, within_seconds=60)
    assert len(stack.servers()) == 3, "the stack is left as it is"


def test_what_somebody_else_does_to_the_stack_is_set_back_and_told(
    owner: Party, make_stack: MakeStack
) -> None:
    stack = make_stack()
    group = taken_over(owner, stack, "parameter")
    reached(owner, group, stack, 2)
    stack.patch(size=4)
    assert stack.wait() == "UPDATE_COMPLETE"
    owner.api.post(f"{path(group)}/convergences")
    owner.api.until(path(group), lambda shown: shown["status"] == "converging")
    reached(owner, group, stack, 2)
    told = owner.api.get(f"/v1/activities?group_id={group['id']}")["activities"]
    assert any("updated: size is 2" in line["detail"] for line in told)


def test_a_member_that_fails_is_told_in_heats_words_and_the_group_is_no_success(
    owner: Party, where: Site, make_stack: MakeStack
) -> None:
    stack = make_stack(size=0, flavor=where.flavor_too_big)
    credential = owner.api.post("/v1/credentials", {"name": "heat", "type": "trust"})
    heat = {"stack": stack.name, "resource": "asg", "adjust": "parameter", "parameter": "size"}
    body = {"name": "too-big", "credential_id": credential["id"], "min_size": 1, "max_size": 5, "heat": heat}
    group = owner.api.post("/v1/groups", {**body, "desired_capacity": 1})
    failing = owner.api.until(path(group), lambda shown: shown["status"] == "error", within_seconds=600)
    assert "No valid host" in failing["status_reason"]
    assert stack.shown()["stack_status"] == "UPDATE_FAILED"
    assert failing["in_service"] == 0
    assert failing["retry_at"]
