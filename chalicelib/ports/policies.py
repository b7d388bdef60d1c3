"""What flows need of storage for policies and webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chalicelib.core.activity import Activity
    from chalicelib.core.ids import GroupId, PolicyId, ProjectId, WebhookId
    from chalicelib.core.policy import Policy, Webhook
    from chalicelib.core.quota import Quota
    from chalicelib.core.source import Source
    from chalicelib.ports.storage import Page


class Policies(Protocol):
    """Policies."""

    def get(self, project_id: ProjectId, policy_id: PolicyId) -> Policy:
        """Return the policy, read consistently."""

    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Policy]:
        """Return up to ``limit`` policies, of one group if it is named, in the order of their ids."""

    def of_group(self, project_id: ProjectId, group_id: GroupId) -> Sequence[Policy]:
        """Return all policies of the group, in the order of their ids; the quota bounds how many."""

    def watched(self, shard: int, after: str | None, limit: int) -> Page[Policy]:
        """Return up to ``limit`` of the shard's policies that are ``Policy.watched``, group by group.

        Args:
            after: the page's marker to go on after; it names the group, then the policy.
        """

    def create(self, new: Policy, quota: Quota) -> Policy:
        """Write it, or return the one that the same request made before; its group must exist (Invalid)."""

    def change(self, was: Policy, new: Policy) -> Policy:
        """Write ``new`` in place of ``was``; return it at its next generation, or raise Stale."""

    def delete(self, project_id: ProjectId, policy_id: PolicyId, *, generation: int | None = None) -> None:
        """Delete the policy and take it out of the count.

        Raises:
            NotFound: it is gone.
            Stale: it is not at ``generation``; None is any.
        """


class Webhooks(Protocol):
    """Webhooks, and the index of their tokens' hashes."""

    def get(self, project_id: ProjectId, webhook_id: WebhookId) -> Webhook:
        """Return the webhook, read consistently."""

    def by_token(self, sha256: str) -> Webhook | None:
        """Return the webhook that has this token hash among its own, or None."""

    def page(
        self, project_id: ProjectId, policy_id: PolicyId, limit: int, marker: str | None
    ) -> Page[Webhook]:
        """Return up to ``limit`` webhooks of the policy in the order of their ids."""

    def create(self, new: Webhook, quota: Quota) -> tuple[Webhook, bool]:
        """Write the webhook and the index of its tokens; its policy must exist (NotFound).

        Returns:
            The webhook and True; or the one that the same request made before, and False.
        """

    def change(self, was: Webhook, new: Webhook) -> Webhook:
        """Write ``new`` in place of ``was``, tokens and index alike; return it, or raise Stale.

        What is known of its source is written only where ``new`` says otherwise than ``was``.
        """

    def note(self, was: Webhook, source: Source, activity: Activity | None) -> bool:
        """Write what is known of the source, and the activity with it; the generation stays.

        Returns:
            False when something else was noted since ``was`` was read, or it is gone: nothing is written.
        """

    def overdue(self, shard: int, now: datetime, limit: int) -> Sequence[Webhook]:
        """Return up to ``limit`` webhooks of the shard whose call is overdue, the longest overdue first."""

    def delete(self, project_id: ProjectId, webhook_id: WebhookId) -> None:
        """Delete the webhook and its tokens and take it out of the count; Stale if it changed meanwhile."""
