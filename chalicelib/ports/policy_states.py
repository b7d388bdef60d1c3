"""What flows need to remember of the policies that watch a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chalicelib.core.ids import PolicyId, ProjectId
    from chalicelib.core.policy_state import PolicyState


class PolicyStates(Protocol):
    """What each policy remembers from one minute to the next.

    It may be lost at any time (then a policy begins anew, holding its group's size), and one that nobody
    writes any more is dropped after a while: a policy may be deleted while it is being judged.
    """

    def get(self, project_id: ProjectId, policy_id: PolicyId) -> PolicyState | None:
        """Return what the policy remembers, read consistently, or None."""

    def put(self, state: PolicyState, expected: int) -> PolicyState:
        """Write the state in place of the one at version ``expected`` (0: there is none yet).

        Returns:
            The state at its next version, as it is stored.

        Raises:
            Stale: another judgement wrote first; what it decided stands.
        """

    def delete(self, project_id: ProjectId, policy_id: PolicyId) -> None:
        """Forget it; what is forgotten already is a success."""
