"""A cloud to test against, with an owner who delegates and the service user delegated to."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from chalicelib import settings
from chalicelib.core.credential import Caller, Credential, CredentialStatus, CredentialType
from chalicelib.core.ids import CredentialId, GroupId, ProjectId, UserId
from chalicelib.core.launch import ServerTemplate, StackTemplate
from chalicelib.core.member import MEMBER_KEY, group_metadata, group_tag
from chalicelib.openstack.clouds import OwnersClouds
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.keystone import Keystone
from chalicelib.openstack.rehearsal import StackRehearsals
from chalicelib.openstack.session import ServiceUser
from chalicelib.ports.cloud import Order
from chalicelib.settings import ServiceUserSettings
from dev.simcloud import IMAGE_ID, PASSWORD, SimCloud
from tests.kept_secrets import keep

RANDOM = """heat_template_version: 2018-08-31
parameters:
  length: {type: number, default: 8}
resources:
  word: {type: OS::Heat::RandomString, properties: {length: {get_param: length}}}
"""
"""A template of one resource that costs nothing."""

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
REQUEST_ID = "req-6f8d1f0e-2f1b-4a7c-9a53-0b7a5f1d2c3e"


class PlainVault:
    """A vault that seals nothing, but opens only what was sealed for the same project and id."""

    def seal(self, project_id: ProjectId, id_: str, secret: str) -> str:
        return f"{project_id}/{id_}/{keep(secret)}"

    def open(self, project_id: ProjectId, id_: str, sealed: str) -> str:
        return sealed.removeprefix(f"{project_id}/{id_}/")


class Clock:
    """Seconds, put forward by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Someone who has servers, and a password to get tokens by."""

    name: str
    password: str
    project: str
    user_domain: str = "Default"
    project_domain: str = "Default"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where the tests run, and as whom."""

    settings: ServiceUserSettings
    password: str
    owner: Owner
    flavor: str
    image: str

    def service_user(self) -> ServiceUser:
        return ServiceUser(self.settings, lambda: self.password)

    def delegations(self, clock: Callable[[], float] | None = None) -> Delegations:
        return Delegations(self.service_user(), PlainVault(), clock or Clock())

    def keystone(self, clock: Callable[[], float] | None = None, **options: Any) -> Keystone:
        service_user = self.service_user()
        delegations = Delegations(service_user, PlainVault(), clock or Clock())
        return Keystone(service_user, delegations, clock=clock or Clock(), **options)

    def clouds(self, clock: Callable[[], float] | None = None) -> OwnersClouds:
        service_user = self.service_user()
        return OwnersClouds(service_user, Delegations(service_user, PlainVault(), clock or Clock()))

    def token(self, owner: Owner | None = None, *, scoped: bool = True) -> str:
        """Return a token from the owner's password."""
        owner = owner or self.owner
        user = {"name": owner.name, "domain": {"name": owner.user_domain}, "password": owner.password}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if scoped:
            auth["scope"] = {"project": {"name": owner.project, "domain": {"name": owner.project_domain}}}
        return self._token(auth)

    def token_of_application_credential(self, id_: str, secret: str) -> str:
        method = "application_credential"
        return self._token({"identity": {"methods": [method], method: {"id": id_, "secret": secret}}})

    def token_of_trust(self, trust_id: str) -> str:
        ours = self.service_user().access().auth_token
        identity = {"methods": ["token"], "token": {"id": ours}}
        return self._token({"identity": identity, "scope": {"OS-TRUST:trust": {"id": trust_id}}})

    def endpoint(self, service_type: str) -> str | None:
        """Return where the catalog says a service is, None where there is none."""
        catalog = self.service_user().access().service_catalog
        urls = catalog.get_urls(service_type=service_type, interface=self.settings.interface)
        return urls[0] if urls else None

    def caller(self, owner: Owner | None = None) -> Caller:
        return self.keystone().authenticate(self.token(owner))

    def rehearsals(self) -> StackRehearsals:
        service_user = self.service_user()
        return StackRehearsals(service_user, Delegations(service_user, PlainVault(), Clock()))

    def trust(self) -> Credential:
        """Return a credential for a new trust from the owner."""
        caller = self.caller()
        trust_id = self.keystone().create_trust(caller, ["member"])
        return a_credential(caller, CredentialType.TRUST, trust_id)

    def trust_for_stacks(self) -> Credential:
        """Return a credential for a new trust from the owner from which Heat can make its own."""
        caller = self.caller()
        trust_id = self.keystone().create_trust(caller, ["member", "reader"], redelegation=True)
        return a_credential(caller, CredentialType.TRUST, trust_id)

    def application_credential(self, owner: Owner | None = None) -> tuple[Credential, str]:
        """Return a credential for a new application credential of the owner, and its secret."""
        caller = self.caller(owner)
        document = {"name": f"test-{uuid.uuid4()}", "roles": [{"name": "member"}]}
        answer = self.as_caller(caller, "POST", f"/users/{caller.user_id}/application_credentials", document)
        made = answer["application_credential"]
        return with_secret(caller, made["id"], made["secret"]), made["secret"]

    def withdraw(self, credential: Credential) -> None:
        """Delete in Keystone what the credential stands for, if it is there yet."""
        caller = self.caller()
        if credential.type is CredentialType.TRUST:
            self.keystone().delete_trust(caller, credential.reference)
        else:
            path = f"/users/{caller.user_id}/application_credentials/{credential.reference}"
            self.as_caller(caller, "DELETE", path)

    def as_caller(self, caller: Caller, method: str, path: str, document: object = None) -> Any:
        kind = "application_credential"
        answer = requests.request(
            method,
            self.settings.auth_url + path,
            json=None if document is None else {kind: document},
            headers={"X-Auth-Token": caller.token},
            timeout=20,
        )
        return answer.json() if answer.content else None

    def order(self, group_id: GroupId, count: int = 1, **template: Any) -> Order:
        return Order(
            template=ServerTemplate(image=self.image, flavor=self.flavor, **template),
            count=count,
            name=f"web-{uuid.uuid4().hex[:8]}",
            availability_zone=None,
            metadata=group_metadata(group_id),
            tags=(group_tag(group_id),),
        )

    def order_of_stack(self, group_id: GroupId, template: StackTemplate | None = None) -> Order:
        name = f"web-{uuid.uuid4().hex[:8]}"
        return Order(
            template=template or StackTemplate(template=RANDOM),
            count=1,
            name=name,
            availability_zone=None,
            metadata={**group_metadata(group_id), MEMBER_KEY: f"member-of-{name}"},
            tags=(group_tag(group_id),),
        )

    def _token(self, auth: dict[str, Any]) -> str:
        answer = requests.post(f"{self.settings.auth_url}/auth/tokens", json={"auth": auth}, timeout=20)
        return answer.headers["X-Subject-Token"]


def simulated_site(cloud: SimCloud) -> Site:
    """Return the site that a simulated cloud is."""
    return Site(
        settings=ServiceUserSettings(
            auth_url=cloud.auth_url, username="thermostat", project_name="service", region_name="RegionOne"
        ),
        password=PASSWORD,
        owner=Owner(name="demo", password=PASSWORD, project="demo"),
        flavor="m1.tiny",
        image=IMAGE_ID,
    )


def real_site() -> Site:
    """Return the site that the environment names.

    OS_CLOUD and OWNER_CLOUD are entries in clouds.yaml: the service user's and an owner's. FLAVOR (m1.tiny)
    is what servers are made of, with the first image there is.
    """
    from openstack.config import OpenStackConfig  # noqa: PLC0415  slow, and for a real cloud only
    from openstack.connection import Connection  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it will no longer do one day, and is not asked to
        config = OpenStackConfig()
        ours, owners = (config.get_one(os.environ[name]) for name in ("OS_CLOUD", "OWNER_CLOUD"))
        owner = Connection(config=owners)
        flavors = {flavor.name: flavor.id for flavor in owner.compute.flavors()}
        image = next(owner.image.images()).id
    environ = {
        "STAGE": "test",
        "QUEUE_URL": "http://queue.test",
        "KMS_KEY": "test",
        "AWS_REGION": "test",
        "OS_REGION_NAME": ours.region_name,
        **{f"OS_{name.upper()}": value for name, value in ours.auth.items()},
    }
    return Site(
        settings=settings.read(environ).service_user,
        password=ours.auth["password"],
        owner=Owner(
            name=owners.auth["username"],
            password=owners.auth["password"],
            project=owners.auth["project_name"],
            user_domain=owners.auth["user_domain_name"],
            project_domain=owners.auth["project_domain_name"],
        ),
        flavor=flavors[os.environ.get("FLAVOR", "m1.tiny")],
        image=image,
    )


def a_credential(
    caller: Caller,
    type_: CredentialType,
    reference: str,
    secret: str | None = None,
    id_: CredentialId | None = None,
) -> Credential:
    """Return a credential as it is stored; ``secret`` is sealed."""
    return Credential(
        project_id=caller.project_id,
        id=id_ or CredentialId(str(uuid.uuid4())),
        name="test",
        type=type_,
        user_id=UserId(caller.user_id),
        roles=("member",),
        reference=reference,
        sealed_secret=secret,
        status=CredentialStatus.OK,
        status_reason=None,
        checked_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )


def with_secret(caller: Caller, reference: str, secret: str) -> Credential:
    """Return a credential for an application credential and its secret."""
    id_ = CredentialId(str(uuid.uuid4()))
    sealed = PlainVault().seal(caller.project_id, id_, secret)
    return a_credential(caller, CredentialType.APPLICATION_CREDENTIAL, reference, sealed, id_)
