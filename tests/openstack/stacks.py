"""Stacks of an owner's own, made and unmade with a token from a password, as people do."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

import requests

from chalicelib.core.credential import Credential
from chalicelib.core.heat import AUTO_SCALING_GROUP, RESOURCE_GROUP, Adjust, HeatTarget, SignalPolicy
from tests.openstack.site import Site

STEPS = {"up": 1, "down": -1, "up5": 5}


@dataclass(frozen=True, slots=True)
class OwnersStack:
    """One stack."""

    url: str
    token: str
    name: str
    id: str

    @property
    def at(self) -> str:
        """Where Heat has it."""
        return f"{self.url}/stacks/{self.name}/{self.id}"

    def ask(self, method: str, path: str = "", document: object = None) -> requests.Response:
        """Ask Heat as the owner."""
        headers = {"X-Auth-Token": self.token}
        return requests.request(method, f"{self.at}{path}", json=document, headers=headers, timeout=60)

    def status(self) -> str:
        """Return Heat's word for how it is."""
        return str(self.ask("GET", "?resolve_outputs=False").json()["stack"]["stack_status"])

    def settled(self) -> str:
        """Wait until Heat is done with it; return how it is then."""
        end = time.monotonic() + 120
        while (status := self.status()).endswith("IN_PROGRESS") and time.monotonic() < end:
            time.sleep(0.2)
        return status

    def delete(self) -> None:
        """Delete it, and wait until it is gone."""
        self.ask("DELETE")
        self.settled()


def make_stack(site: Site, trust: Credential, template: dict[str, Any], **more: Any) -> OwnersStack:
    """Make a stack in the trust's project and wait until it is complete."""
    catalog = site.delegations().access(trust).service_catalog
    url = catalog.url_for(service_type="orchestration", interface=site.settings.interface)
    assert url, "the cloud has a Heat"
    token, name = site.token(), f"mg-{uuid.uuid4().hex[:8]}"
    document = {"stack_name": name, "template": template, "timeout_mins": 10, **more}
    answer = requests.post(f"{url}/stacks", json=document, headers={"X-Auth-Token": token}, timeout=60)
    assert answer.status_code == 201, answer.text
    stack = OwnersStack(url, token, name, answer.json()["stack"]["id"])
    assert stack.settled() == "CREATE_COMPLETE"
    return stack


def a_server(site: Site, **properties: Any) -> dict[str, Any]:
    """Return the definition of the smallest server there is."""
    plain = {"image": site.image, "flavor": site.flavor, "networks": [{"allocate_network": "none"}]}
    return {"type": "OS::Nova::Server", "properties": {**plain, **properties}}


def an_asg(site: Site, member: dict[str, Any] | None = None, *, cooldown: int = 0) -> dict[str, Any]:
    """Return a template with a group, ``asg``, whose size is the parameter ``size``, and its policies."""
    group = {
        "min_size": 0,
        "max_size": 20,
        "cooldown": cooldown,
        "desired_capacity": {"get_param": "size"},
        "resource": member or a_server(site),
    }
    resources: dict[str, Any] = {"asg": {"type": AUTO_SCALING_GROUP, "properties": group}}
    for name, step in STEPS.items():
        properties = {
            "adjustment_type": "change_in_capacity",
            "auto_scaling_group_id": {"get_resource": "asg"},
            "cooldown": cooldown,
            "scaling_adjustment": step,
        }
        resources[name] = {"type": "OS::Heat::ScalingPolicy", "properties": properties}
    return _template(resources)


def a_resource_group(site: Site) -> dict[str, Any]:
    """Return a template with an OS::Heat::ResourceGroup, ``asg``, whose count is the parameter ``size``."""
    properties = {"count": {"get_param": "size"}, "resource_def": a_server(site)}
    return _template({"asg": {"type": RESOURCE_GROUP, "properties": properties}})


def _template(resources: dict[str, Any]) -> dict[str, Any]:
    size = {"type": "number", "default": 2}
    return {"heat_template_version": "2021-04-16", "parameters": {"size": size}, "resources": resources}


def target_of(stack: OwnersStack, adjust: Adjust = Adjust.PARAMETER, **changes: Any) -> HeatTarget:
    """Return the group of such a stack as it is resized from outside."""
    by_parameter = adjust is Adjust.PARAMETER
    named = tuple(SignalPolicy(resource=name, adjustment=step) for name, step in STEPS.items())
    known = {
        "stack_name": stack.name,
        "stack_id": stack.id,
        "resource": "asg",
        "resource_type": AUTO_SCALING_GROUP,
        "adjust": adjust,
        "parameter": "size" if by_parameter else None,
        "policies": () if by_parameter else named,
    }
    return HeatTarget(**{**known, **changes})
