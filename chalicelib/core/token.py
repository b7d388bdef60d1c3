"""The tokens in URLs that need no other proof: what is kept of one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHash:
    """One live token of a webhook or an intake, as its SHA-256 in hex.

    Attributes:
        rotation: what its owner calls the rotation that issued it, so as to ask for it again.
    """

    sha256: str
    issued_at: datetime
    expires_at: datetime | None
    rotation: str | None = None

    def is_of(self, sha256: str) -> bool:
        """Return whether it is this hash; how long that takes tells nothing."""
        return hmac.compare_digest(self.sha256, sha256)


def issued(token: str, now: datetime, rotation: str | None = None) -> TokenHash:
    """Return what is kept of a token that is issued now, and lives until it is rotated away."""
    return TokenHash(sha256=hash_of(token), issued_at=now, expires_at=None, rotation=rotation)


def rotated(
    live: Sequence[TokenHash], new: TokenHash, now: datetime, keep_previous: timedelta | None
) -> tuple[TokenHash, ...]:
    """Return what lives on once ``new`` is issued: the token before it, for a while, and no older one.

    If ``new`` is of the same rotation as the newest (whose answer was lost), it takes that one's place, and
    the one that senders use lives on as it was promised.

    Args:
        live: the newest first.
        keep_previous: how long; None is until the next rotation.
    """
    newest, *older = live
    if new.rotation is not None and new.rotation == newest.rotation:
        return (new, *older)
    if keep_previous == timedelta(0):
        return (new,)
    return (new, replace(newest, expires_at=None if keep_previous is None else now + keep_previous))


def hash_of(token: str) -> str:
    """Return what is stored of a token. It has 256 random bits, so a plain hash cannot be searched for."""
    return hashlib.sha256(token.encode()).hexdigest()
