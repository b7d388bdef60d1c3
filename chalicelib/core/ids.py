"""Names for the kinds of ids, so that one cannot be passed for another, and ids that are derived."""

from __future__ import annotations

import uuid
from typing import NewType

ProjectId = NewType("ProjectId", str)
UserId = NewType("UserId", str)
CredentialId = NewType("CredentialId", str)
LaunchConfigurationId = NewType("LaunchConfigurationId", str)
GroupId = NewType("GroupId", str)
MemberId = NewType("MemberId", str)
ServerId = NewType("ServerId", str)
PolicyId = NewType("PolicyId", str)
WebhookId = NewType("WebhookId", str)
ExecutionId = NewType("ExecutionId", str)
ActivityId = NewType("ActivityId", str)

_DERIVED = uuid.UUID("7f0f1d2e-3c55-4c0b-9a53-6d1f0a3b9e10")


def derived_id(*parts: str) -> str:
    """Return the UUID that always stands for ``parts``: the same event, the same id.

    Each part is length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    """
    return str(uuid.uuid5(_DERIVED, "".join(f"{len(part)}:{part}" for part in parts)))
