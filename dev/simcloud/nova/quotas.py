"""Limits of a project: what is allowed, what is used, and who may change it."""

from __future__ import annotations

from dataclasses import dataclass

from dev.simcloud.messages import Document, Malformed, Refused, Response, need
from dev.simcloud.nova.call import Call
from dev.simcloud.nova.lifecycle import is_gone
from dev.simcloud.nova.routing import Router
from dev.simcloud.records import Flavor
from dev.simcloud.world import FLAVORS, World

# Limits that are shown and never reached.
_CONSTANT = {"key_pairs": 100, "metadata_items": 128, "server_group_members": 1000, "server_groups": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The resource of limits."""

    world: World

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add("GET", "/limits", self.limits)
        router.add("GET", "/os-quota-sets/{project_id}", self.show)
        router.add("GET", "/os-quota-sets/{project_id}/detail", self.detail)
        router.add("PUT", "/os-quota-sets/{project_id}", self.update)
        router.add("DELETE", "/os-quota-sets/{project_id}", self.reset)

    def limits(self, call: Call) -> Response:
        """Show the limits and the use of the caller's project."""
        quota = self.world.quota(call.project_id or "")
        used = usage(self.world, call.project_id or "")
        absolute = {
            "maxTotalCores": quota["cores"],
            "maxTotalInstances": quota["instances"],
            "maxTotalKeypairs": _CONSTANT["key_pairs"],
            "maxServerMeta": _CONSTANT["metadata_items"],
            "maxTotalRAMSize": quota["ram"],
            "maxServerGroups": _CONSTANT["server_groups"],
            "maxServerGroupMembers": _CONSTANT["server_group_members"],
            "totalRAMUsed": used["ram"],
            "totalCoresUsed": used["cores"],
            "totalInstancesUsed": used["instances"],
            "totalServerGroupsUsed": 0,
        }
        return Response(status=200, body={"limits": {"rate": [], "absolute": absolute}})

    def show(self, call: Call, project_id: str) -> Response:
        """Show a project's limits to itself."""
        self._check_reader(call, project_id)
        return Response(status=200, body={"quota_set": {"id": project_id, **self._limits_of(project_id)}})

    def detail(self, call: Call, project_id: str) -> Response:
        """Show a project's limits beside what it uses."""
        self._check_reader(call, project_id)
        used = usage(self.world, project_id)
        details = {
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
            for name, limit in self._limits_of(project_id).items()
        }
        return Response(status=200, body={"quota_set": {"id": project_id, **details}})

    def update(self, call: Call, project_id: str) -> Response:
        """Set limits of any project; only an administrator may."""
        call.check("os-quota-sets:update", "admin")
        asked: Document = need(call.request.document(), "quota_set", dict)
        settable = {name: value for name, value in asked.items() if name != "force"}
        self._check_known(asked, settable)
        self.world.quotas[project_id] = self.world.quotas.get(project_id, {}) | settable
        return Response(status=200, body={"quota_set": self._limits_of(project_id)})

    def reset(self, call: Call, project_id: str) -> Response:
        """Return to the limits that every project starts with."""
        call.check("os-quota-sets:delete", "admin")
        self.world.quotas.pop(project_id, None)
        return Response(status=202)

    def _limits_of(self, project_id: str) -> dict[str, int]:
        return dict(sorted((_CONSTANT | self.world.quota(project_id)).items()))

    def _check_known(self, asked: Document, settable: Document) -> None:
        for name in settable:
            if name not in self.world.quota(""):
                why = f"Additional properties are not allowed ({name!r} was unexpected)"
                raise Malformed(f"Invalid input for field/attribute quota_set. Value: {asked}. {why}")
            need(settable, name, int)

    def _check_reader(self, call: Call, project_id: str) -> None:
        own = project_id == call.project_id
        call.check("os-quota-sets:show", "reader" if own else "admin")


def usage(world: World, project_id: str) -> dict[str, int]:
    """Return what the servers of a project use; broken ones count like others until they are gone."""
    now = world.now()
    flavors = [
        FLAVORS[server.flavor_id]
        for server in world.servers.values()
        if server.project_id == project_id and not is_gone(server, now)
    ]
    return _needs(flavors)


def allowed_count(world: World, project_id: str, flavor: Flavor, min_count: int, max_count: int) -> int:
    """Return how many servers the quota lets a project create, at least ``min_count``.

    Raises:
        Refused: not even so many, in the words of Nova.
    """
    quota, used = world.quota(project_id), usage(world, project_id)
    for count in range(max_count, min_count - 1, -1):
        needs = _needs([flavor] * count)
        if not any(_exceeds(quota[name], used[name] + needs[name]) for name in needs):
            return count
    raise Refused(403, _exceeded(quota, used, _needs([flavor] * max_count), min_count))


def _needs(flavors: list[Flavor]) -> dict[str, int]:
    return {
        "cores": sum(flavor.vcpus for flavor in flavors),
        "instances": len(flavors),
        "ram": sum(flavor.ram_mib for flavor in flavors),
    }


def _exceeds(limit: int, total: int) -> bool:
    return limit >= 0 and total > limit


def _exceeded(quota: dict[str, int], used: dict[str, int], needs: dict[str, int], min_count: int) -> str:
    over = [name for name in needs if _exceeds(quota[name], used[name] + needs[name])]
    max_count = needs["instances"]
    counts = str(max_count) if min_count == max_count else f"{min_count}-{max_count}"
    requested = ", ".join(counts if name == "instances" else str(needs[name]) for name in over)
    in_use = ", ".join(str(used[name]) for name in over)
    limits = ", ".join(str(quota[name]) for name in over)
    names = ", ".join(over)
    return f"Quota exceeded for {names}: Requested {requested}, but already used {in_use} of {limits} {names}"
