from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.core.behavior import Advice, Window
from chalicelib.core.errors import Stale
from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.forecast import Expected, Forecast, Verified
from chalicelib.core.group import Change
from chalicelib.core.ids import PolicyId
from chalicelib.core.policy_state import Evaluation, PolicyState
from tests.core.factories import NOW, POLICY, seconds
from tests.tables.storage import Storage


def a_state(storage: Storage) -> PolicyState:
    """Return a state with everything in it, not stored yet."""
    return PolicyState(
        project_id=storage.project,
        policy_id=POLICY,
        updated_at=NOW,
        window=Window(
            advice=(Advice(at=NOW, capacity=3), Advice(at=NOW + seconds(0.5), capacity=4)),
            changes=(Change(at=NOW, by=-2),),
        ),
        last=Evaluation(
            at=NOW,
            value=0.1 + 0.2,
            recommended=None,
            decided=3,
            steps=(Step(rule=Rule.STABILIZATION, verdict=Verdict.HOLD, detail="It is held.", until=NOW),),
        ),
        forecast=Forecast(made_at=NOW, hours=(Expected(hour=NOW, load=1.5, low=1, high=2),)),
        past=(Verified(hour=NOW, foreseen=1, actual=2.5, day_before=None),),
    )


def test_a_state_comes_back_exactly(storage: Storage) -> None:
    assert storage.policy_states.get(storage.project, POLICY) is None
    written = storage.policy_states.put(a_state(storage), 0)
    assert written == replace(a_state(storage), version=1)
    assert storage.policy_states.get(storage.project, POLICY) == written
    assert storage.policy_states.get(storage.project, PolicyId("other")) is None


def test_an_empty_state_comes_back_exactly(storage: Storage) -> None:
    empty = PolicyState(project_id=storage.project, policy_id=POLICY, updated_at=NOW)
    written = storage.policy_states.put(empty, 0)
    assert storage.policy_states.get(storage.project, POLICY) == written == replace(empty, version=1)


def test_of_two_judgements_one_is_written(storage: Storage) -> None:
    state = a_state(storage)
    first = storage.policy_states.put(state, 0)
    for stale in (0, 2, 7):
        with pytest.raises(Stale):
            storage.policy_states.put(replace(state, window=Window()), stale)
    second = storage.policy_states.put(replace(first, last=None), first.version)
    assert second.version == 2
    assert storage.policy_states.get(storage.project, POLICY) == second


def test_a_state_is_forgotten_and_begins_anew(storage: Storage) -> None:
    storage.policy_states.delete(storage.project, POLICY)
    storage.policy_states.put(a_state(storage), 0)
    storage.policy_states.delete(storage.project, POLICY)
    assert storage.policy_states.get(storage.project, POLICY) is None
    with pytest.raises(Stale):
        storage.policy_states.put(a_state(storage), 1)
    assert storage.policy_states.put(a_state(storage), 0).version == 1
