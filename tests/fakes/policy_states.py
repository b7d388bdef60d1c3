"""What policies remember, in memory."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core.errors import Stale
from chalicelib.core.ids import PolicyId, ProjectId
from chalicelib.core.policy_state import PolicyState
from tests.fakes.port import Port, atomic


class FakePolicyStates(Port):
    @atomic
    def get(self, project_id: ProjectId, policy_id: PolicyId) -> PolicyState | None:
        return self._memory.policy_states.get((project_id, policy_id))

    @atomic
    def put(self, state: PolicyState, expected: int) -> PolicyState:
        key = (state.project_id, state.policy_id)
        stored = self._memory.policy_states.get(key)
        if (stored.version if stored is not None else 0) != expected:
            raise Stale("policy_state.stale", "The policy was judged by another meanwhile.")
        written = replace(state, version=expected + 1)
        self._memory.policy_states[key] = written
        return written

    @atomic
    def delete(self, project_id: ProjectId, policy_id: PolicyId) -> None:
        self._memory.policy_states.pop((project_id, policy_id), None)
