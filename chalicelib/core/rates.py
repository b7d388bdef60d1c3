"""Rates: how often who may call in a minute, and when a minute begins anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MINUTE_SECONDS = 60

_REPORTS = 20
_REPORTED_AT_ONCE_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How many calls of each kind are taken in a minute of the clock; what is beyond is refused.

    Attributes:
        webhook: of one token of a webhook, or of an alarm's hook.
        intake: requests with samples, of one token of an intake; a group's servers share it.
        project_webhooks: of all hooks of a project, and its notifications with a Keystone token.
        project_samples: requests with samples for all groups of a project.
        project_calls: requests with a Keystone token of a project.
    """

    webhook: int = 120
    intake: int = 6000
    project_webhooks: int = 3000
    project_samples: int = 30_000
    project_calls: int = 6000


def minute_of(now: datetime) -> int:
    """Return the number of the minute of the clock, counted from 1970."""
    return int(now.timestamp()) // MINUTE_SECONDS


def seconds_left(now: datetime) -> int:
    """Return how many seconds are left of the minute, at least 1."""
    return MINUTE_SECONDS - int(now.timestamp()) % MINUTE_SECONDS


def reported_at_once(per_minute: int) -> int:
    """Return how many calls a process may take before it adds them to the count that all share.

    A twentieth of the limit, at most ten: that is what each process may take beyond the limit, and what a
    call costs less than one write each.
    """
    return max(1, min(_REPORTED_AT_ONCE_MAX, per_minute // _REPORTS))
