"""What an owner does to a policy: make it, change it, delete it with its webhooks."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core.errors import NotFound
from chalicelib.core.ids import PolicyId, ProjectId
from chalicelib.core.policy import Policy
from chalicelib.flows import alarms
from chalicelib.flows.attention import attend
from chalicelib.flows.bury import delete_webhooks
from chalicelib.flows.retry import as_seen, retried_unless
from chalicelib.ports import Services


def create(s: Services, policy: Policy) -> Policy:
    """Write a new policy, or return the one that the same request made before."""
    stored = s.policies.create(policy, s.limits.quota)
    attend(s, None, stored)
    return stored


def change(
    s: Services,
    project_id: ProjectId,
    policy_id: PolicyId,
    edit: Callable[[Policy], Policy],
    *,
    generation: int | None,
) -> Policy:
    """Write what ``edit`` makes of the policy, on the generation it was read at.

    One whose rule changes forgets what it recommended and foresaw by the old one, and begins by holding its
    group's size. (Should we die in between, the old advice ages out by itself.)

    Raises:
        Stale: the policy is not at ``generation``, the one the caller saw (If-Match).
    """

    def attempt() -> Policy:
        was = as_seen("policy", s.policies.get(project_id, policy_id), generation)
        written = s.policies.change(was, edit(was))
        if written.rule != was.rule:
            s.policy_states.delete(project_id, policy_id)
            attend(s, was, written)
        return written

    return retried_unless(generation, s, attempt)


def delete(s: Services, project_id: ProjectId, policy_id: PolicyId, *, generation: int | None) -> None:
    """Delete the policy, then its webhooks: of one that stays, since it was changed meanwhile, nothing goes.

    Should we die in between, its webhooks lead nowhere, and who asks again has them deleted.

    Raises:
        NotFound: there is no such policy.
        Stale: it is not at ``generation``, the one the caller saw (If-Match).
        Conflict: an alarm sets it in motion. To drop the action instead would leave an alarm that fires and
            does nothing, and nobody would be told.
    """
    try:
        policy = as_seen("policy", s.policies.get(project_id, policy_id), generation)
        alarms.require_idle(s, project_id, policy.group_id, policy_id)
        s.policies.delete(project_id, policy_id, generation=generation)
    except NotFound:
        _delete_what_is_left(s, project_id, policy_id)
        raise
    _delete_what_is_left(s, project_id, policy_id)
    attend(s, policy, None)


def _delete_what_is_left(s: Services, project_id: ProjectId, policy_id: PolicyId) -> None:
    """Delete the webhooks of a policy that is gone, and what it remembered."""
    delete_webhooks(s, project_id, policy_id)
    s.policy_states.delete(project_id, policy_id)
