"""Somebody's stacks in the simulated Heat: templates, and how their owner sees them fare."""

from __future__ import annotations

from typing import Any, Protocol

import requests

from dev.simcloud import IMAGE_ID, ManualClock
from tests.dev.caller import Document

SERVER: Document = {
    "type": "OS::Nova::Server",
    "properties": {
        "image": IMAGE_ID,
        "flavor": "m1.tiny",
        "networks": [{"allocate_network": "none"}],
        "metadata": {"stack": {"get_param": "OS::stack_id"}},
        "tags": ["asg"],
    },
}
VERSION = {"heat_template_version": "2021-04-16"}
RANDOM: Document = {**VERSION, "resources": {"r": {"type": "OS::Heat::RandomString"}}}


def policy(amount: float, kind: str = "change_in_capacity", **properties: Any) -> Document:
    """Return a policy of the group ``asg``."""
    own = {"auto_scaling_group_id": {"get_resource": "asg"}, "scaling_adjustment": amount}
    return {"type": "OS::Heat::ScalingPolicy", "properties": {**own, "adjustment_type": kind, **properties}}


def group_template(member: Document | None = None, cooldown: int = 0, **group: Any) -> Document:
    """Return a template of a group with two policies; None leaves a property of the group out."""
    properties = {
        "min_size": 0,
        "max_size": 50,
        "desired_capacity": {"get_param": "size"},
        "resource": member or SERVER,
        **group,
    }
    asg = {name: value for name, value in properties.items() if value is not None}
    return {
        **VERSION,
        "parameters": {
            "size": {"type": "number", "default": 2},
            "flavor": {"type": "string", "default": "m1.tiny"},
        },
        "resources": {
            "asg": {"type": "OS::Heat::AutoScalingGroup", "properties": asg},
            "up": policy(1, cooldown=cooldown),
            "down": policy(-1, cooldown=cooldown),
        },
        "outputs": {
            "size": {"value": {"get_attr": ["asg", "current_size"]}},
            "refs": {"value": {"get_attr": ["asg", "refs"]}},
            "signal_url": {"value": {"get_attr": ["up", "signal_url"]}},
        },
    }


class AsksHeat(Protocol):
    """Somebody who calls Heat, below their project's path or by whole URLs."""

    def heat(self, method: str, path: str, body: Document | None = None) -> requests.Response:
        """Ask; redirects are not followed."""


ACCEPTED = (200, "null")
"""What a signal is answered, whatever becomes of it."""


class OwnStack:
    """A stack, to its owner."""

    def __init__(self, caller: AsksHeat, name: str, stack_id: str) -> None:
        self.caller = caller
        self.name = name
        self.id = stack_id
        self.path = f"/stacks/{name}/{stack_id}"

    @classmethod
    def made(
        cls, caller: AsksHeat, name: str = "s", template: Document | str | None = None, **asked: Any
    ) -> OwnStack:
        """Ask for a stack of a group, or of ``template``; ``asked`` are its parameters."""
        body = {"stack_name": name, "template": template or group_template(), "parameters": asked}
        response = caller.heat("POST", "/stacks", body)
        assert response.status_code == 201, response.text
        return cls(caller, name, response.json()["stack"]["id"])

    def get(self, path: str = "") -> Document:
        """Return the one thing that lies below the stack's path."""
        response = self.caller.heat("GET", self.path + path)
        assert response.status_code == 200, response.text
        (document,) = response.json().values()
        return dict(document) if isinstance(document, dict) else {"all": document}

    def status(self) -> tuple[str, str]:
        """Return the stack's status and the reason of it."""
        shown = self.get("?resolve_outputs=false")
        return shown["stack_status"], shown["stack_status_reason"]

    def output(self, key: str) -> Any:
        """Return an output's value."""
        return self.get(f"/outputs/{key}")["output_value"]

    def group(self) -> Document:
        """Return the resource of the group."""
        return self.get("/resources/asg")

    def metadata(self) -> Document:
        """Return the group's metadata."""
        return self.get("/resources/asg/metadata")

    def nested(self) -> str:
        """Return the URL of the group's nested stack."""
        return str(next(link["href"] for link in self.group()["links"] if link["rel"] == "nested"))

    def nested_status(self) -> str:
        """Return the status of the group's nested stack."""
        return str(self.caller.heat("GET", self.nested()).json()["stack"]["stack_status"])

    def members(self) -> dict[str, str]:
        """Return the status of each of the group's members, by name."""
        found = self.get("/resources?nested_depth=1")["all"]
        return {each["resource_name"]: each["resource_status"] for each in found if "parent_resource" in each}

    def signal(self, name: str = "up") -> tuple[int, str]:
        """Signal a policy; return the answer, which tells nothing."""
        response = self.caller.heat("POST", f"{self.path}/resources/{name}/signal", {})
        return response.status_code, response.text

    def patch(self, **parameters: Any) -> int:
        """Ask for an update to these parameters; return the status of the answer."""
        return self.caller.heat("PATCH", self.path, {"parameters": parameters}).status_code

    def act(self, action: str) -> int:
        """Suspend, resume or check the stack; return the status of the answer."""
        return self.caller.heat("POST", f"{self.path}/actions", {action: None}).status_code

    def delete(self) -> int:
        """Delete the stack; return the status of the answer."""
        return self.caller.heat("DELETE", self.path).status_code


def complete(
    caller: AsksHeat, clock: ManualClock, template: Document | None = None, **parameters: Any
) -> OwnStack:
    """Return a stack that is complete, by default with a group of two servers."""
    made = OwnStack.made(caller, "s", template, **parameters)
    clock.advance(10)
    assert made.status()[0] == "CREATE_COMPLETE"
    return made


def patched(stack: OwnStack, clock: ManualClock, **parameters: Any) -> tuple[str, str]:
    """Update a stack's parameters, let it come to rest, and return its status."""
    assert stack.patch(**parameters) == 202
    clock.advance(15)
    return stack.status()
