"""The intake: where the servers of one group post their samples, by a URL that is its own authentication."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.core.token import TokenHash

INTAKE_KEY = "thermostat:intake"
"""The metadata in which a server finds the URL."""

URL_MAX_CHARACTERS = 255
"""Nova's limit for a value of metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The intake of one group; each group has at most one.

    Attributes:
        tokens: newest first, at most two: the one in use and, for a while after a rotation, the one before.
        sealed_token: the newest token, encrypted, for it is handed to each new server.
        base: what the URL begins with, as the owner reached us: rounds do not know it by themselves.
    """

    project_id: ProjectId
    group_id: GroupId
    tokens: tuple[TokenHash, ...]
    sealed_token: str
    base: str
    created_at: datetime
    updated_at: datetime
    generation: int = 1


def intake_url(base: str, token: str) -> str:
    """Return the URL that holds ``token``; each format has a path of its own below it."""
    return f"{base}/v1/intake/{token}"
