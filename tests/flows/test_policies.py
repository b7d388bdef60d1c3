"""Policies that are deleted while others write, or while we die."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from chalicelib.core.errors import NotFound
from chalicelib.core.policy_state import PolicyState
from chalicelib.flows import policies
from tests.core.factories import NOW, POLICY, PROJECT, a_policy, a_webhook
from tests.simulation.crash import Executioner, Kind, Mishap, mortal
from tests.world import QUOTA, World


@pytest.fixture
def world() -> World:
    world = World()
    world.with_group()
    world.services.policies.create(a_policy(), QUOTA)
    world.services.webhooks.create(a_webhook(), QUOTA)
    remembered = PolicyState(project_id=PROJECT, policy_id=POLICY, updated_at=NOW)
    world.services.policy_states.put(remembered, 0)
    return world


@pytest.mark.parametrize("call", range(3))
def test_a_policy_that_is_changed_while_it_is_deleted_as_it_was_seen_stays_whole(
    world: World, call: int
) -> None:
    def rename() -> None:
        policies.change(
            world.services, PROJECT, POLICY, lambda was: replace(was, name="new"), generation=None
        )

    executioner = Executioner(meanwhile=rename)
    late = mortal(world.services, executioner)
    executioner.invoke(
        lambda: policies.delete(late, PROJECT, POLICY, generation=1),
        Mishap(call, kind=Kind.STALLS),
        tells=True,
    )
    assert executioner.struck
    assert world.services.policies.get(PROJECT, POLICY).name == "new"
    assert world.services.usage.of_project(PROJECT).webhooks == 1


@pytest.mark.parametrize("call", range(8))
def test_a_deletion_that_died_is_finished_by_who_asks_again(world: World, call: int) -> None:
    executioner = Executioner()
    dying = mortal(world.services, executioner)
    executioner.invoke(lambda: policies.delete(dying, PROJECT, POLICY, generation=None), Mishap(call))
    with suppress(NotFound):
        policies.delete(world.services, PROJECT, POLICY, generation=None)
    memory = world.memory
    assert [memory.policies, memory.webhooks, memory.policy_states] == [{}, {}, {}]
