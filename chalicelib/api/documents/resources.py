"""Launch configurations, credentials and limits as documents."""

from __future__ import annotations

import base64
import binascii
import math
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import (
    ClientToken,
    Input,
    Link,
    Name,
    Time,
    consists_of,
    self_link,
    utc,
)
from chalicelib.core.credential import Caller, Credential, CredentialStatus, CredentialType
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import CredentialId, LaunchConfigurationId, ProjectId
from chalicelib.core.intake import URL_MAX_CHARACTERS
from chalicelib.core.launch import INTAKE_PLACEHOLDER, LaunchConfiguration, LaunchType, ServerTemplate

_USER_DATA_MAX_BYTES = 65_535
"""Nova's limit, on the encoded text."""
_TAGS_MAX = 49
"""Nova allows 50 on a server; one is ours."""
_LEVELS_MAX = 8
"""How deep Nova's documents may be nested; its own schemas need three."""

Word = Annotated[str, Meta(min_length=1, max_length=255)]
Tag = Annotated[str, consists_of(r"[^,/\x00-\x1f]+", min_length=1, max_length=60)]
NovaDocument = Annotated[dict[str, Any], Meta(max_length=20, description="As Nova takes it.")]


class ServerDocument(Input, kw_only=True):
    """What one server is made of, in Nova's terms; ``user_data`` is base64."""

    image: Word | None = None
    flavor: Word
    networks: Literal["none", "auto"] | Annotated[list[NovaDocument], Meta(min_length=1, max_length=20)] = (
        "none"
    )
    key_name: Word | None = None
    security_groups: Annotated[list[Word], Meta(max_length=20)] = []
    user_data: Annotated[str, Meta(max_length=_USER_DATA_MAX_BYTES)] | None = None
    config_drive: bool = False
    metadata: Annotated[dict[Word, Annotated[str, Meta(max_length=255)]], Meta(max_length=100)] = {}
    tags: Annotated[list[Tag], Meta(max_length=_TAGS_MAX)] = []
    scheduler_hints: NovaDocument = {}
    block_device_mapping_v2: Annotated[list[NovaDocument], Meta(max_length=20)] = []
    intake_in_user_data: bool = False

    def to_template(self) -> ServerTemplate:
        """Return the template.

        Raises:
            Invalid: the user data is not base64, or has no place for the intake though it is wanted there;
                there is nothing to boot from; or a document of Nova's is nested too deep to be anything that
                Nova takes.
        """
        _require_shallow(self.scheduler_hints, self.networks, self.block_device_mapping_v2)
        if self.user_data is not None:
            _require_base64(self.user_data)
        if self.intake_in_user_data:
            _require_placeholder(self.user_data or "")
        if self.image is None and not self.block_device_mapping_v2:
            raise Invalid("launch_configuration.image", "Give an image, or block devices to boot from.")
        return ServerTemplate(
            image=self.image,
            flavor=self.flavor,
            networks=self.networks if isinstance(self.networks, str) else tuple(self.networks),
            key_name=self.key_name,
            security_groups=tuple(self.security_groups),
            user_data=self.user_data,
            config_drive=self.config_drive,
            metadata=self.metadata,
            tags=tuple(self.tags),
            scheduler_hints=self.scheduler_hints,
            block_device_mapping_v2=tuple(self.block_device_mapping_v2),
            intake_in_user_data=self.intake_in_user_data,
        )


def _require_shallow(*documents: Any) -> None:
    level = list(documents)
    for _ in range(_LEVELS_MAX + 1):
        inner = [list(value.values()) if isinstance(value, dict) else value for value in level]
        level = [child for children in inner if isinstance(children, list) for child in children]
    if level:
        raise Invalid(
            "launch_configuration.too_deep", f"What Nova takes is nested at most {_LEVELS_MAX} levels deep."
        )


def _require_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("launch_configuration.user_data", "user_data is not base64.") from error


def _require_placeholder(user_data: str) -> None:
    """Refuse user data that does not say where the URL goes, or that would be too long with it."""
    text = base64.b64decode(user_data)
    if INTAKE_PLACEHOLDER not in text:
        raise Invalid(
            "launch_configuration.intake_placeholder",
            f"With intake_in_user_data, user_data holds {INTAKE_PLACEHOLDER.decode()} where the URL goes.",
        )
    longest = len(text.replace(INTAKE_PLACEHOLDER, b"-" * URL_MAX_CHARACTERS))
    if math.ceil(longest / 3) * 4 > _USER_DATA_MAX_BYTES:
        raise Invalid(
            "launch_configuration.user_data",
            "With the URL of the intake in it, user_data is too long for Nova.",
        )


class NewLaunchConfiguration(Input, kw_only=True):
    """A launch configuration to be made; it never changes afterwards."""

    name: Name
    type: Literal["server"] = "server"
    server: ServerDocument
    client_token: ClientToken | None = None

    def to_launch_configuration(
        self, project_id: ProjectId, id_: str, now: datetime, fingerprint: str | None
    ) -> LaunchConfiguration:
        """Return the launch configuration."""
        return LaunchConfiguration(
            project_id=project_id,
            id=LaunchConfigurationId(id_),
            name=self.name,
            type=LaunchType(self.type),
            server=self.server.to_template(),
            created_at=now,
            fingerprint=fingerprint,
        )


class LaunchConfigurationDocument(msgspec.Struct, kw_only=True):
    """A launch configuration."""

    id: str
    project_id: str
    name: str
    type: Literal["server"]
    server: ServerDocument
    created_at: Time
    updated_at: Time
    links: list[Link]


class LaunchConfigurationList(msgspec.Struct, kw_only=True):
    """Part of the launch configurations."""

    launch_configurations: list[LaunchConfigurationDocument]
    links: list[Link]


def launch_configuration_document(
    configuration: LaunchConfiguration, base: str
) -> LaunchConfigurationDocument:
    """Return the launch configuration as it is shown."""
    template = configuration.server
    return LaunchConfigurationDocument(
        id=configuration.id,
        project_id=configuration.project_id,
        name=configuration.name,
        type=configuration.type.value,
        server=ServerDocument(
            image=template.image,
            flavor=template.flavor,
            networks=_networks(template),
            key_name=template.key_name,
            security_groups=list(template.security_groups),
            user_data=template.user_data,
            config_drive=template.config_drive,
            metadata=dict(template.metadata),
            tags=list(template.tags),
            scheduler_hints=dict(template.scheduler_hints),
            block_device_mapping_v2=[dict(device) for device in template.block_device_mapping_v2],
            intake_in_user_data=template.intake_in_user_data,
        ),
        created_at=utc(configuration.created_at),
        updated_at=utc(configuration.created_at),
        links=self_link(base, f"/v1/launch-configurations/{configuration.id}"),
    )


def _networks(template: ServerTemplate) -> Any:
    networks = template.networks
    return networks if isinstance(networks, str) else [dict(network) for network in networks]


class NewTrust(Input, kw_only=True, tag_field="type", tag="trust"):
    """A trust to be made from the caller's token."""

    name: Name
    roles: Annotated[list[Word], Meta(min_length=1, max_length=10)] = msgspec.field(
        default_factory=lambda: ["member"]
    )
    client_token: ClientToken | None = None


class NewApplicationCredential(Input, kw_only=True, tag_field="type", tag="application_credential"):
    """An application credential, handed to us; its secret never comes back."""

    name: Name
    application_credential_id: Word
    application_credential_secret: Annotated[str, Meta(min_length=1, max_length=255)]
    client_token: ClientToken | None = None


NewCredential = NewTrust | NewApplicationCredential


def wanted_credential(
    body: NewCredential, caller: Caller, id_: str, now: datetime, fingerprint: str | None
) -> Credential:
    """Return the credential as asked for: not tried yet, and without its secret."""
    is_trust = isinstance(body, NewTrust)
    return Credential(
        project_id=caller.project_id,
        id=CredentialId(id_),
        name=body.name,
        type=CredentialType.TRUST if is_trust else CredentialType.APPLICATION_CREDENTIAL,
        user_id=caller.user_id,
        roles=tuple(body.roles) if isinstance(body, NewTrust) else (),
        reference="" if isinstance(body, NewTrust) else body.application_credential_id,
        sealed_secret=None,
        status=CredentialStatus.OK,
        status_reason=None,
        checked_at=now,
        created_at=now,
        updated_at=now,
        fingerprint=fingerprint,
    )


class CredentialDocument(msgspec.Struct, kw_only=True):
    """A credential, without its secret."""

    id: str
    project_id: str
    name: str
    type: Literal["trust", "application_credential"]
    user_id: str
    roles: list[str]
    application_credential_id: str | None
    status: Literal["ok", "broken"]
    status_reason: str | None
    checked_at: Time
    created_at: Time
    updated_at: Time
    links: list[Link]


class CredentialList(msgspec.Struct, kw_only=True):
    """Part of the credentials."""

    credentials: list[CredentialDocument]
    links: list[Link]


def credential_document(credential: Credential, base: str) -> CredentialDocument:
    """Return the credential as it is shown."""
    handed = credential.type is CredentialType.APPLICATION_CREDENTIAL
    return CredentialDocument(
        id=credential.id,
        project_id=credential.project_id,
        name=credential.name,
        type=credential.type.value,
        user_id=credential.user_id,
        roles=list(credential.roles),
        application_credential_id=credential.reference if handed else None,
        status=credential.status.value,
        status_reason=credential.status_reason,
        checked_at=utc(credential.checked_at),
        created_at=utc(credential.created_at),
        updated_at=utc(credential.updated_at),
        links=self_link(base, f"/v1/credentials/{credential.id}"),
    )


class QuotaDocument(msgspec.Struct, kw_only=True):
    """A number for each noun; ``members`` is the sum of all groups' max_size."""

    groups: int
    members: int
    policies: int
    webhooks: int
    launch_configurations: int
    credentials: int
    alarms: int
    schedules: int


class RatesDocument(msgspec.Struct, kw_only=True):
    """How many calls a minute are taken: of one webhook's or intake's token, and of a project in all."""

    webhook: int
    intake: int
    project_webhooks: int
    project_samples: int
    project_calls: int


class LimitsDocument(msgspec.Struct, kw_only=True):
    """What a project may have, what it has, and how often it may call."""

    limits: QuotaDocument
    used: QuotaDocument
    rates: RatesDocument
