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
ResourceId = NewType("ResourceId", str)
PoolId = NewType("PoolId", str)
PoolMemberId = NewType("PoolMemberId", str)
PolicyId = NewType("PolicyId", str)
WebhookId = NewType("WebhookId", str)
AlarmId = NewType("AlarmId", str)
AlarmHistoryId = NewType("AlarmHistoryId", str)
ScheduleId = NewType("ScheduleId", str)
RefreshId = NewType("RefreshId", str)
ExecutionId = NewType("ExecutionId", str)
ActivityId = NewType("ActivityId", str)

_DERIVED = uuid.UUID("7f0f1d2e-3c55-4c0b-9a53-6d1f0a3b9e10")


def derived_id(*parts: str) -> str:
    """Return the UUID that always stands for ``parts``: the same event, the same id.

    Each part is length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    """
    return str(uuid.uuid5(_DERIVED, "".join(f"{len(part)}:{part}" for part in parts)))


def time_sorted_id(unix_milliseconds: int, random_bits: int) -> str:
    """Return a UUID of version 7: it sorts by time, and is unique by its 74 random bits.

    Source:
        RFC 9562, section 5.7.
    """
    upper, lower = random_bits >> 62 & (2**12 - 1), random_bits & (2**62 - 1)
    value = (unix_milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | upper << 64 | 0x2 << 62 | lower
    return str(uuid.UUID(int=value))
