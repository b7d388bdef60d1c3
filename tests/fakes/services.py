"""The vault and the queue in memory."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.core.ids import ProjectId
from chalicelib.ports import Share
from chalicelib.ports.cloud import CredentialBroken
from chalicelib.ports.storage import GroupKey
from tests.kept_secrets import keep


class FakeVault:
    """Seals by encoding, and remembers whom for."""

    def seal(self, project_id: ProjectId, id_: str, secret: str) -> str:
        return base64.b64encode(f"{project_id}\n{id_}\n{keep(secret)}".encode()).decode()

    def open(self, project_id: ProjectId, id_: str, sealed: str) -> str:
        try:
            owner, of, secret = base64.b64decode(sealed, validate=True).decode().split("\n", 2)
        except ValueError:
            owner = of = secret = ""
        if (owner, of) != (project_id, id_):
            raise CredentialBroken("The stored secret cannot be decrypted.", for_good=True)
        return secret


@dataclass
class FakeQueue:
    """Keeps what was asked for, in order, until a test takes it."""

    rounds: list[tuple[GroupKey, str, int]] = field(default_factory=list)
    shards: list[int] = field(default_factory=list)
    watches: list[Share] = field(default_factory=list)
    judgings: dict[GroupKey, datetime] = field(default_factory=dict)

    def converge_soon(self, keys: Sequence[GroupKey], request_id: str, delay_seconds: int = 0) -> None:
        self.rounds += [(key, request_id, delay_seconds) for key in keys]

    def sweep_soon(self, shards: Sequence[int]) -> None:
        self.shards += shards

    def judge_soon(self, key: GroupKey, slot: datetime) -> None:
        if self.judgings.get(key) != slot:
            self.judgings[key] = slot

    def watch_soon(self, shares: Sequence[Share]) -> None:
        self.watches += shares
