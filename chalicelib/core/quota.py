"""Quotas: how many of each noun a project may have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A number for each noun that is counted per project: what is allowed, or what is in use.

    Attributes:
        members: the sum of all groups' max_size, so that a decision to scale never fails for a quota.
    """

    groups: int
    members: int
    policies: int
    webhooks: int
    launch_configurations: int
    credentials: int
    alarms: int
