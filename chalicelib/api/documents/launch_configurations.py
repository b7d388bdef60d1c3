"""Launch configurations as documents."""

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
    Word,
    consists_of,
    deeper_than,
    self_link,
    utc,
)
from chalicelib.api.documents.stack_templates import ShownStack, StackDocument, shown_stack
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import LaunchConfigurationId, ProjectId
from chalicelib.core.intake import URL_MAX_CHARACTERS
from chalicelib.core.launch import INTAKE_PLACEHOLDER, LaunchConfiguration, LaunchType, ServerTemplate

_USER_DATA_MAX_BYTES = 65_535
"""Nova's limit, on the encoded text."""
_TAGS_MAX = 49
"""Nova allows 50 on a server; one is ours."""
_LEVELS_MAX = 8
"""How deep Nova's documents may be nested; its own schemas need three."""

Tag = Annotated[str, consists_of(r"[^,/\x00-\x1f]+", min_length=1, max_length=60)]
NovaDocument = Annotated[dict[str, Any], Meta(max_length=20, description="As Nova takes it.")]
LaunchTypeWord = Literal["server", "stack"]


class ServerDocument(Input, kw_only=True):
    """What one server is made of, in Nova's terms; ``user_data`` is base64, and null in lists."""

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
    if deeper_than(_LEVELS_MAX, *documents):
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
    """A launch configuration to be made, which describes what its ``type`` says; it never changes."""

    name: Name
    type: LaunchTypeWord = "server"
    server: ServerDocument | None = None
    stack: StackDocument | None = None
    client_token: ClientToken | None = None

    def to_launch_configuration(
        self, project_id: ProjectId, id_: str, now: datetime, fingerprint: str | None
    ) -> LaunchConfiguration:
        """Return the launch configuration.

        Raises:
            Invalid: it does not describe what its type says, or something else, too; or what it describes
                makes no sense.
        """
        described = {word for word, document in self._described().items() if document is not None}
        if described != {self.type}:
            raise Invalid(
                "launch_configuration.type",
                f"A launch configuration of type {self.type} has a field {self.type!r}, and no other kind.",
            )
        return LaunchConfiguration(
            project_id=project_id,
            id=LaunchConfigurationId(id_),
            name=self.name,
            type=LaunchType(self.type),
            server=self.server.to_template() if self.server else None,
            stack=self.stack.to_template() if self.stack else None,
            created_at=now,
            fingerprint=fingerprint,
        )

    def _described(self) -> dict[str, Input | None]:
        return {"server": self.server, "stack": self.stack}


class LaunchConfigurationDocument(msgspec.Struct, kw_only=True):
    """A launch configuration: ``server`` or ``stack``, as its type says."""

    id: str
    project_id: str
    name: str
    type: LaunchTypeWord
    server: ServerDocument | None
    stack: ShownStack | None
    created_at: Time
    updated_at: Time
    links: list[Link]


class LaunchConfigurationList(msgspec.Struct, kw_only=True):
    """Part of the launch configurations."""

    launch_configurations: list[LaunchConfigurationDocument]
    links: list[Link]


def launch_configuration_document(
    configuration: LaunchConfiguration, base: str, *, whole: bool = True
) -> LaunchConfigurationDocument:
    """Return the launch configuration as it is shown by itself (``whole``) or in a list."""
    server, stack = configuration.server, configuration.stack
    return LaunchConfigurationDocument(
        id=configuration.id,
        project_id=configuration.project_id,
        name=configuration.name,
        type=configuration.type.value,
        server=_shown_server(server, whole=whole) if server else None,
        stack=shown_stack(stack, whole=whole) if stack else None,
        created_at=utc(configuration.created_at),
        updated_at=utc(configuration.created_at),
        links=self_link(base, f"/v1/launch-configurations/{configuration.id}"),
    )


def _shown_server(template: ServerTemplate, *, whole: bool) -> ServerDocument:
    return ServerDocument(
        image=template.image,
        flavor=template.flavor,
        networks=_networks(template),
        key_name=template.key_name,
        security_groups=list(template.security_groups),
        user_data=template.user_data if whole else None,
        config_drive=template.config_drive,
        metadata=dict(template.metadata),
        tags=list(template.tags),
        scheduler_hints=dict(template.scheduler_hints),
        block_device_mapping_v2=[dict(device) for device in template.block_device_mapping_v2],
        intake_in_user_data=template.intake_in_user_data,
    )


def _networks(template: ServerTemplate) -> Any:
    networks = template.networks
    return networks if isinstance(networks, str) else [dict(network) for network in networks]
