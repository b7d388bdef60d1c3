"""The launch configuration: what one member is made of, immutable; and how many fit in one request."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from chalicelib.core.ids import LaunchConfigurationId, ProjectId
from chalicelib.core.intake import INTAKE_KEY

INTAKE_PLACEHOLDER = b"${THERMOSTAT_INTAKE_URL}"
"""What stands in the user data for the URL; in a group without an intake it stays as it is."""


class LaunchType(StrEnum):
    """What kind of thing a member is."""

    SERVER = "server"
    STACK = "stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTemplate:
    """What is asked of Nova for one server.

    Attributes:
        networks: ``"none"``, ``"auto"``, or Nova's list of network documents.
        user_data: base64, as Nova takes it.
        scheduler_hints: Nova's ``os:scheduler_hints``.
        block_device_mapping_v2: Nova's documents of volumes; empty boots from the image.
        intake_in_user_data: the URL of the group's intake is written into the user data.
    """

    image: str | None
    flavor: str
    networks: str | tuple[Mapping[str, Any], ...] = "none"
    key_name: str | None = None
    security_groups: tuple[str, ...] = ()
    user_data: str | None = None
    config_drive: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    scheduler_hints: Mapping[str, Any] = field(default_factory=dict)
    block_device_mapping_v2: tuple[Mapping[str, Any], ...] = ()
    intake_in_user_data: bool = False

    def given_intake(self, url: str) -> ServerTemplate:
        """Return the template of servers that post their samples to ``url``."""
        metadata = {**self.metadata, INTAKE_KEY: url}
        if not self.intake_in_user_data or self.user_data is None:
            return replace(self, metadata=metadata)
        text = base64.b64decode(self.user_data).replace(INTAKE_PLACEHOLDER, url.encode())
        return replace(self, metadata=metadata, user_data=base64.b64encode(text).decode())

    def together_at_most(self, limit: int) -> int:
        """Return how many servers may be asked for in one request, up to ``limit``.

        A server group's policy fails a whole request when not all servers fit, and a port, an address or
        a volume can belong to one server only: those are asked for one by one.
        """
        networks = () if isinstance(self.networks, str) else self.networks
        single = (
            "group" in self.scheduler_hints
            or any("port" in network or "fixed_ip" in network for network in networks)
            or any(device.get("source_type") == "volume" for device in self.block_device_mapping_v2)
        )
        return 1 if single else limit


INTAKE_PARAMETER = "thermostat_intake"
"""The parameter in which a stack finds the URL of its group's intake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackTemplate:
    """What is asked of Heat for one stack; any of it may be secret.

    Attributes:
        template: HOT, as text or as a document.
        files: what the template refers to by name.
        environment: Heat's environment document, None for none.
        timeout_minutes: how long Heat may take to make or delete the stack.
    """

    template: str | Mapping[str, Any] = field(repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, Any] | None = field(default=None, repr=False)
    timeout_minutes: int = 60
    tags: tuple[str, ...] = ()

    def given_intake(self, url: str) -> StackTemplate:
        """Return the template of stacks whose servers post their samples to ``url``."""
        return self.given({INTAKE_PARAMETER: url})

    def given(self, parameters: Mapping[str, str]) -> StackTemplate:
        """Return the template with ``parameters`` for whatever declares them, itself or nested in it.

        They are defaults in the environment: Heat takes no notice of one that nothing declares, where it
        refuses a parameter that the template does not declare. What the owner gives has the last word.
        """
        environment = dict(self.environment or {})
        environment["parameter_defaults"] = {**parameters, **(environment.get("parameter_defaults") or {})}
        return replace(self, environment=environment)

    def together_at_most(self, limit: int) -> int:
        """Return how many stacks may be asked for in one request: Heat makes one, whatever the ``limit``."""
        return min(limit, 1)


Template = ServerTemplate | StackTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchConfiguration:
    """An immutable description of one member: of a server or of a stack, as its type says."""

    project_id: ProjectId
    id: LaunchConfigurationId
    name: str
    type: LaunchType
    server: ServerTemplate | None = None
    stack: StackTemplate | None = None
    created_at: datetime
    fingerprint: str | None = None

    @property
    def template(self) -> Template:
        """What is asked of the cloud for one member."""
        template = self.server if self.type is LaunchType.SERVER else self.stack
        if template is None:
            raise ValueError(f"launch configuration {self.id} does not describe a {self.type}")
        return template
