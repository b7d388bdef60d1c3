"""Who calls too often is refused before anything is decided or stored (docs/decisions/0014-rate-limits.md).

A token has its own count, not its webhook: whoever floods a stolen one that was rotated away takes nothing
from the new one. A project has counts of its own, so that no project spends what all share.
"""

from __future__ import annotations

from chalicelib.core.errors import TooOften
from chalicelib.core.ids import ProjectId
from chalicelib.core.token import hash_of
from chalicelib.ports import Services

_WHO = {
    "webhook": "this URL",
    "intake": "this URL",
    "project_webhooks": "the webhooks of the project",
    "project_samples": "samples of the project",
    "project_calls": "the project",
}


def admit_hook(s: Services, project_id: ProjectId, token: str) -> None:
    """Count a call of a webhook's or an alarm's URL.

    Raises:
        TooOften: it is one too many in this minute, of the URL or of all of the project's.
    """
    _admit(s, "webhook", hash_of(token), s.limits.rates.webhook)
    admit_notification(s, project_id)


def admit_notification(s: Services, project_id: ProjectId) -> None:
    """Count a notification, however it came; raises as ``admit_hook``."""
    _admit(s, "project_webhooks", project_id, s.limits.rates.project_webhooks)


def admit_intake(s: Services, project_id: ProjectId, token: str) -> None:
    """Count a request with samples at an intake's URL; raises as ``admit_hook``."""
    _admit(s, "intake", hash_of(token), s.limits.rates.intake)
    admit_samples(s, project_id)


def admit_samples(s: Services, project_id: ProjectId) -> None:
    """Count a request with samples, however it came; raises as ``admit_hook``."""
    _admit(s, "project_samples", project_id, s.limits.rates.project_samples)


def admit_call(s: Services, project_id: ProjectId) -> None:
    """Count a request with a Keystone token; raises as ``admit_hook``."""
    _admit(s, "project_calls", project_id, s.limits.rates.project_calls)


def _admit(s: Services, kind: str, of: str, per_minute: int) -> None:
    seconds = s.throttle.take(f"{kind}#{of}", per_minute, s.now())
    if seconds is not None:
        raise TooOften(
            f"rate.{kind}_exceeded",
            f"{per_minute} calls a minute are taken of {_WHO[kind]}; try again after {seconds} s.",
            retry_after_seconds=seconds,
        )
