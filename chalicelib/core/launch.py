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


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchConfiguration:
    """An immutable description of one member."""

    project_id: ProjectId
    id: LaunchConfigurationId
    name: str
    type: LaunchType
    server: ServerTemplate
    created_at: datetime
    fingerprint: str | None = None
