"""A cloud to be tested on, and the people in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from keystoneauth1.exceptions import EndpointNotFound
from openstack.connection import Connection

from dev.client import Client, Document
from dev.clouds import environment_of
from dev.simcloud import PASSWORD, SimCloud
from dev.simulated import service_user
from tests.kept_secrets import keep, keep_all_of, keep_in


def is_going(server: Any) -> bool:
    """Return whether Nova shows a server that is being deleted; for a moment it lists one that was."""
    return bool(server.task_state == "deleting" or server.status == "DELETED")


@dataclass(frozen=True, slots=True)
class Site:
    """A cloud: our own service user's variables, and connections as the people who use it."""

    service_user: dict[str, str]
    owner: Connection
    other: Connection
    admin: Connection
    image: str
    flavor: str
    flavor_too_big: str


class KeepingClient(Client):
    """A client that keeps the secrets which go through it, so that no log may show them.

    It waits ``patience`` times as long as it is told to, on a service that takes its time.
    """

    def __init__(self, url: str, token: str, patience: int = 1) -> None:
        super().__init__(url, keep(token))
        self._patience = patience

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Document:
        """Send a request; return the answer's document."""
        keep_in(body)
        answer: Document = keep_in(super().call(method, path, body, **headers))
        return answer

    def until(
        self, path: str, condition: Callable[[Document], bool], *, within_seconds: float = 120
    ) -> Document:
        """Return the document at ``path`` once it meets ``condition``; TimeoutError if it does not."""
        return super().until(path, condition, within_seconds=within_seconds * self._patience)


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who uses the service and has a project in the cloud."""

    api: Client
    cloud: Connection

    @property
    def project_id(self) -> str:
        """The project's id."""
        return str(self.cloud.current_project_id)

    def endpoint(self, service_type: str) -> str | None:
        """Return where the cloud's catalog says that a service is, None if it has none."""
        try:
            found = self.cloud.session.get_endpoint(service_type=service_type, interface="public")
        except EndpointNotFound:
            return None
        return str(found) if found else None

    def servers_of(self, group: Document) -> list[Document]:
        """Return the group's servers as Nova shows them, without those that are already going."""
        shown = self.cloud.compute.servers(tags=f"thermostat:group:{group['id']}")
        return [
            {"id": s.id, "name": s.name, "status": s.status, "metadata": s.metadata}
            for s in shown
            if not is_going(s)
        ]

    def trusts(self) -> list[str]:
        """Return the ids of the trusts that this user made."""
        found = self.cloud.identity.get(
            "/OS-TRUST/trusts", params={"trustor_user_id": self.cloud.current_user_id}
        )
        return [trust["id"] for trust in found.json()["trusts"]]

    def application_credential(self, name: str) -> Document:
        """Make an application credential of this user's; return what a credential of ours is made from."""
        answer = self.cloud.identity.post(
            f"/users/{self.cloud.current_user_id}/application_credentials",
            json={"application_credential": {"name": name, "roles": [{"name": "member"}]}},
        )
        made = answer.json()["application_credential"]
        return {"application_credential_id": made["id"], "application_credential_secret": made["secret"]}


@contextmanager
def site() -> Iterator[Site]:
    """Yield the real cloud that OS_CLOUD names, or a simulated one."""
    if os.environ.get("OS_CLOUD"):
        yield _real(os.environ["OS_CLOUD"])
        return
    with SimCloud(build_seconds=0.5, delete_seconds=0.2, balancing_seconds=0.5) as cloud:
        keep_all_of(cloud)
        people = {name: _simulated(cloud, name) for name in ("demo", "demo2", "admin")}
        yield _site(service_user(cloud.auth_url), people["demo"], people["demo2"], people["admin"])


def _real(cloud: str) -> Site:
    names = [os.environ.get(name) for name in ("OWNER_CLOUD", "OTHER_CLOUD", "ADMIN_CLOUD")]
    assert all(names), (
        "Name three more entries of clouds.yaml: OWNER_CLOUD and OTHER_CLOUD, members of two projects, "
        "and ADMIN_CLOUD, who may set quotas."
    )
    owner, other, admin = (Connection(cloud=name) for name in names)
    return _site(environment_of(cloud), owner, other, admin)


def _simulated(cloud: SimCloud, user: str) -> Connection:
    return Connection(
        auth={
            "auth_url": cloud.auth_url,
            "username": user,
            "password": PASSWORD,
            "project_name": user,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        region_name="RegionOne",
    )


def _site(service: dict[str, str], owner: Connection, other: Connection, admin: Connection) -> Site:
    flavors = {flavor.name: flavor.id for flavor in owner.compute.flavors()}
    return Site(
        service_user=service,
        owner=owner,
        other=other,
        admin=admin,
        image=next(owner.image.images()).id,
        flavor=flavors[os.environ.get("FLAVOR", "m1.tiny")],
        flavor_too_big=flavors[os.environ.get("FLAVOR_TOO_BIG", "m1.huge")],
    )
