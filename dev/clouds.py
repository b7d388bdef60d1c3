"""Reads clouds.yaml, with openstacksdk's own rules about where it lies and what completes it."""

from __future__ import annotations

from openstack.config import OpenStackConfig


def environment_of(cloud: str) -> dict[str, str]:
    """Return a cloud's entry as the variables of an openrc file: what the service reads.

    Raises:
        openstack.exceptions.ConfigException: there is no such entry.
    """
    entry = OpenStackConfig().get_one(cloud=cloud).config
    names = ("auth_url", "username", "user_id", "password", "project_name", "project_id")
    domains = ("user_domain_name", "project_domain_name")
    auth = entry["auth"]
    found = {f"OS_{name.upper()}": auth.get(name) for name in (*names, *domains)}
    found["OS_REGION_NAME"] = entry.get("region_name")
    found["OS_INTERFACE"] = entry.get("interface")
    found["OS_CACERT"] = entry.get("cacert")
    return {name: str(value) for name, value in found.items() if value}
