"""Who is who in the simulated cloud, for those who talk to it."""

from __future__ import annotations

import requests

from dev.simcloud import IMAGE_ID, PASSWORD

FLAVOR = "m1.tiny"
IMAGE = IMAGE_ID


def service_user(auth_url: str) -> dict[str, str]:
    """Return the OS_* variables of the user that owners delegate to."""
    return {
        "OS_AUTH_URL": auth_url,
        "OS_USERNAME": "thermostat",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "service",
        "OS_REGION_NAME": "RegionOne",
    }


def token_of(auth_url: str, user: str, project: str | None = None) -> str:
    """Return a token of a user, scoped to a project (by default the one named like the user)."""
    domain = {"name": "Default"}
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": user, "domain": domain, "password": PASSWORD}},
    }
    scope = {"project": {"name": project or user, "domain": domain}}
    answer = requests.post(
        f"{auth_url}/auth/tokens", json={"auth": {"identity": identity, "scope": scope}}, timeout=10
    )
    answer.raise_for_status()
    return answer.headers["X-Subject-Token"]
