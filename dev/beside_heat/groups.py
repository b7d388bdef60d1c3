"""Two groups of the same servers, with the same policies: ours and Heat's."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from requests import Response

from dev.beside_heat.place import WITHIN_SECONDS, Place, until
from dev.client import Document, call_hook

BENCH = "bench"
"""The key in the metadata of servers that tells whose they are, where they are not ours."""

_LARGEST = 100

_BUILD_TIMEOUT_SECONDS = 180
"""A server of ours that is not ACTIVE by then is replaced; here one takes seconds, fifty take a minute."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One change, as both services name it: ``change_in_capacity`` or ``exact_capacity``."""

    type: str
    adjustment: int


class OurGroup:
    """A group whose policies' webhooks are called."""

    def __init__(self, place: Place, policies: Mapping[str, Policy], size: int = 0) -> None:
        api, server = place.api, place.server
        template = {"image": server["imageRef"], "flavor": server["flavorRef"], "networks": "none"}
        self.place = place
        self._credential = api.post("/v1/credentials", {"name": "bench", "type": "trust"})["id"]
        configuration = api.post("/v1/launch-configurations", {"name": "bench", "server": template})
        self._configuration = configuration["id"]
        made_of = {"credential_id": self._credential, "launch_configuration_id": self._configuration}
        sizes = {"min_size": 0, "max_size": _LARGEST, "desired_capacity": size}
        waits = {"cooldown": 0, "build_timeout": _BUILD_TIMEOUT_SECONDS}
        group = api.post("/v1/groups", {"name": "bench", **sizes, **waits, **made_of})["id"]
        self.id = str(group)
        self.path = f"/v1/groups/{group}"
        self._hooks = {name: self._hook(policy) for name, policy in policies.items()}

    def call(self, policy: str, event_id: str | None = None) -> Response:
        """Call a policy's webhook, as an alarm would."""
        return call_hook(self._hooks[policy], {"event_id": event_id} if event_id else None)

    def servers(self) -> list[Document]:
        """List them in Nova."""
        return self.place.servers("thermostat:group", self.id)

    def want(self, size: int) -> None:
        """Set the size, and wait until it is so."""
        api = self.place.api
        api.patch(self.path, {"desired_capacity": size})
        api.until(
            self.path,
            lambda group: bool(group["status"] == "active" and group["current_size"] == size),
            within_seconds=WITHIN_SECONDS,
        )

    def close(self) -> None:
        """Delete the group, and with its credential the trust."""
        api = self.place.api
        api.delete(self.path)
        until(lambda: self.id not in {group["id"] for group in api.get("/v1/groups")["groups"]})
        api.delete(f"/v1/launch-configurations/{self._configuration}")
        api.delete(f"/v1/credentials/{self._credential}")

    def _hook(self, policy: Policy) -> str:
        change = {"type": policy.type, "adjustment": policy.adjustment}
        api = self.place.api
        made = api.post("/v1/policies", {"name": "bench", "group_id": self.id, **change})
        return str(api.post(f"/v1/policies/{made['id']}/webhooks", {"name": "bench"})["url"])


class HeatGroup:
    """An OS::Heat::AutoScalingGroup in a stack of its own, with policies that its owner signals.

    The group is ``asg``, its size at creation and in updates the parameter ``size``.
    """

    def __init__(self, place: Place, policies: Mapping[str, Policy], size: int = 0) -> None:
        self.place = place
        self.heat = place.owner.orchestration
        self.mark = f"bench-{uuid.uuid4().hex[:8]}"
        template = _template(place.server, policies, self.mark)
        wanted = {"stack_name": self.mark, "template": template, "parameters": {"size": size}}
        answer = self.heat.post("/stacks", json=wanted)
        answer.raise_for_status()
        self.path = f"/stacks/{self.mark}/{answer.json()['stack']['id']}"
        until(lambda: self.shown()["stack"]["stack_status"] == "CREATE_COMPLETE")

    def signal(self, policy: str) -> Response:
        """Signal a policy."""
        answer: Response = self.heat.post(f"{self.path}/resources/{policy}/signal", json={})
        return answer

    def servers(self) -> list[Document]:
        """List them in Nova."""
        return self.place.servers(BENCH, self.mark)

    def shown(self, path: str = "") -> Document:
        """Return what Heat shows of the stack, or of what is below it."""
        answer = self.heat.get(f"{self.path}{path}")
        answer.raise_for_status()
        document: Document = answer.json()
        return document

    def is_scaling(self) -> bool:
        """Return whether the group is scaling: what it is asked meanwhile, Heat drops."""
        return bool(self.shown("/resources/asg/metadata")["metadata"].get("scaling_in_progress"))

    def close(self) -> None:
        """Ask for the stack to be deleted."""
        self.heat.delete(self.path)


def _template(server: Mapping[str, Any], policies: Mapping[str, Policy], mark: str) -> dict[str, Any]:
    """Return a stack of one group, as Heat's own documentation writes one."""
    member = {
        "image": server["imageRef"],
        "flavor": server["flavorRef"],
        "networks": [{"allocate_network": "none"}],
        "metadata": {BENCH: mark},
    }
    group = {"min_size": 0, "max_size": _LARGEST, "desired_capacity": {"get_param": "size"}}
    resources = {
        "asg": {
            "type": "OS::Heat::AutoScalingGroup",
            "properties": {**group, "resource": {"type": "OS::Nova::Server", "properties": member}},
        },
        **{name: _policy(policy) for name, policy in policies.items()},
    }
    parameters = {"size": {"type": "number"}}
    return {"heat_template_version": "2018-08-31", "parameters": parameters, "resources": resources}


def _policy(policy: Policy) -> dict[str, Any]:
    properties = {
        "auto_scaling_group_id": {"get_resource": "asg"},
        "adjustment_type": policy.type,
        "scaling_adjustment": policy.adjustment,
        "cooldown": 0,
    }
    return {"type": "OS::Heat::ScalingPolicy", "properties": properties}
