"""What an owner does to a policy: change it, delete it with its webhooks."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core.errors import Stale
from chalicelib.core.ids import PolicyId, ProjectId
from chalicelib.core.policy import Policy
from chalicelib.flows.bury import delete_policy
from chalicelib.flows.retry import until_not_stale
from chalicelib.ports import Services


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
        was = s.policies.get(project_id, policy_id)
        _require(generation, was)
        written = s.policies.change(was, edit(was))
        if written.rule != was.rule:
            s.policy_states.delete(project_id, policy_id)
        return written

    return attempt() if generation is not None else until_not_stale(s, attempt)


def delete(s: Services, project_id: ProjectId, policy_id: PolicyId, *, generation: int | None) -> None:
    """Delete the policy and its webhooks.

    Raises:
        NotFound: there is no such policy.
        Stale: it is not at ``generation``, the one the caller saw (If-Match).
    """
    _require(generation, s.policies.get(project_id, policy_id))
    delete_policy(s, project_id, policy_id)


def _require(generation: int | None, policy: Policy) -> None:
    if generation is not None and policy.generation != generation:
        raise Stale("policy.stale", f"The policy has changed: it is at generation {policy.generation}.")
