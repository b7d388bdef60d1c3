"""Somebody who calls the simulated cloud with plain HTTP."""

from __future__ import annotations

from typing import Any

import requests

from dev.simcloud import IMAGE_ID, PASSWORD, SimCloud, stable_id

Document = dict[str, Any]

DEMO = stable_id("user", "demo")
THERMOSTAT = stable_id("user", "thermostat")
DEMO_PROJECT = stable_id("project", "demo")


class Caller:
    """Somebody with a token, and what they can ask of the cloud."""

    def __init__(self, cloud: SimCloud, token: str) -> None:
        self.cloud = cloud
        self.token = token

    @classmethod
    def named(cls, cloud: SimCloud, user: str, project: str | None = None) -> Caller:
        return cls(cloud, cloud.token(user, project))

    def keystone(
        self, method: str, path: str, body: Document | None = None, **headers: str
    ) -> requests.Response:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            method,
            self.cloud.auth_url + path,
            json=body,
            headers={"X-Auth-Token": self.token, **headers},
            timeout=10,
        )

    def nova(
        self, method: str, path: str, body: Document | None = None, version: str = "2.79"
    ) -> requests.Response:
        return requests.request(
            method,
            f"{self.cloud.url}/compute/v2.1{path}",
            json=body,
            headers={"X-Auth-Token": self.token, "OpenStack-API-Version": f"compute {version}"},
            timeout=10,
        )

    def octavia(self, method: str, path: str, body: Document | None = None) -> requests.Response:
        return requests.request(
            method,
            f"{self.cloud.url}/load-balancer/v2/lbaas{path}",
            json=body,
            headers={"X-Auth-Token": self.token},
            timeout=10,
        )

    def heat(self, method: str, path: str, body: Document | None = None) -> requests.Response:
        """Ask Heat; ``path`` may be a whole URL, as its links and redirects have it."""
        base = f"{self.cloud.url}/orchestration/v1/{DEMO_PROJECT}"
        return requests.request(
            method,
            path if path.startswith("http") else base + path,
            json=body,
            headers={"X-Auth-Token": self.token},
            timeout=10,
            allow_redirects=False,
        )

    def create(self, *, version: str = "2.79", **fields: object) -> requests.Response:
        """Ask for servers; ``fields`` replace those of a minimal request, None leaves one out."""
        server = {"name": "a", "flavorRef": "m1.tiny", "imageRef": IMAGE_ID, "networks": "none", **fields}
        server = {name: value for name, value in server.items() if value is not None}
        return self.nova("POST", "/servers", {"server": server}, version)

    def created(self, **fields: Any) -> str:
        """Create a server; return its id."""
        response = self.create(**fields)
        assert response.status_code == 202, response.text
        return str(response.json()["server"]["id"])

    def names(self, query: str = "", version: str = "2.79") -> list[str]:
        """Return the names of the servers in a list, sorted."""
        response = self.nova("GET", f"/servers{query}", version=version)
        assert response.status_code == 200, response.text
        return sorted(server["name"] for server in response.json()["servers"])

    def shown(self, server_id: str) -> Document:
        document: Document = self.nova("GET", f"/servers/{server_id}").json()["server"]
        return document


def sign_in(cloud: SimCloud, identity: Document, scope: Document | str | None = None) -> requests.Response:
    """Ask Keystone for a token."""
    auth: Document = {"identity": identity} if scope is None else {"identity": identity, "scope": scope}
    return requests.post(f"{cloud.auth_url}/auth/tokens", json={"auth": auth}, timeout=10)


def by_password(user: str, password: str = PASSWORD) -> Document:
    given = {"name": user, "domain": {"name": "Default"}, "password": password}
    return {"methods": ["password"], "password": {"user": given}}


def by_token(token: str) -> Document:
    return {"methods": ["token"], "token": {"id": token}}


def by_credential(credential_id: str, secret: str) -> Document:
    given = {"id": credential_id, "secret": secret}
    return {"methods": ["application_credential"], "application_credential": given}


def of_trust(trust_id: str) -> Document:
    return {"OS-TRUST:trust": {"id": trust_id}}


def error_of(response: requests.Response) -> str:
    """Return the message of a refusal, whichever service's."""
    (error,) = response.json().values()
    assert error["code"] == response.status_code
    return str(error["message"])


def ask_trust(caller: Caller, **fields: object) -> requests.Response:
    """Delegate roles of demo's to thermostat; ``fields`` replace those of such a trust."""
    trust: Document = {
        "trustor_user_id": DEMO,
        "trustee_user_id": THERMOSTAT,
        "project_id": DEMO_PROJECT,
        "impersonation": True,
        "roles": [{"name": "member"}],
        **fields,
    }
    return caller.keystone("POST", "/OS-TRUST/trusts", {"trust": trust})


def ask_credential(caller: Caller, user_id: str = DEMO, **fields: object) -> requests.Response:
    body = {"application_credential": {"name": "n", **fields}}
    return caller.keystone("POST", f"/users/{user_id}/application_credentials", body)
