"""The tokens in URLs that need no other proof: what is kept of one."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHash:
    """One live token of a webhook, as its SHA-256 in hex; the token itself is kept nowhere."""

    sha256: str
    issued_at: datetime
    expires_at: datetime | None

    def is_of(self, sha256: str) -> bool:
        """Return whether it is this hash; how long that takes tells nothing."""
        return hmac.compare_digest(self.sha256, sha256)


def hash_of(token: str) -> str:
    """Return what is stored of a token. It has 256 random bits, so a plain hash cannot be searched for."""
    return hashlib.sha256(token.encode()).hexdigest()
