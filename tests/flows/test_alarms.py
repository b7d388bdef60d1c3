"""Alarms while others write at the same time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Alarm, AlarmState
from chalicelib.core.errors import Conflict, NotFound, Stale
from chalicelib.core.ids import AlarmId
from chalicelib.flows import alarms, policies
from tests.core.factories import GROUP, NOW, POLICY, PROJECT, a_policy, an_alarm
from tests.world import CALLER, QUOTA, World


@pytest.fixture
def world() -> World:
    world = World()
    world.with_group()
    return world


def stored(world: World) -> Alarm:
    return world.services.alarms.get(PROJECT, an_alarm().id)


REQUEST = {"base": "https://thermostat.example", "request_id": "req-1"}


def judge(world: World) -> None:
    """Write what another process finds."""
    was = stored(world)
    new = replace(was, state=AlarmState.ALARM, state_reason="It is high.", state_changed_at=NOW)
    world.services.alarms.change(was, new, alarm_history.found(was, new, NOW))


def test_a_change_and_a_judgement_at_once_are_both_kept(world: World) -> None:
    alarms.create(world.services, CALLER, an_alarm(), **REQUEST)
    judgements = iter([True])

    def edit(alarm: Alarm) -> Alarm:
        if next(judgements, False):
            judge(world)
        return replace(alarm, name="new")

    changed = alarms.change(world.services, CALLER, an_alarm().id, edit, generation=None, **REQUEST)
    assert changed == stored(world)
    assert (changed.name, changed.state, changed.generation) == ("new", AlarmState.ALARM, 3)


def test_a_change_of_one_state_is_not_made_on_another(world: World) -> None:
    alarms.create(world.services, CALLER, an_alarm(), **REQUEST)

    def edit(alarm: Alarm) -> Alarm:
        judge(world)
        return replace(alarm, name="new")

    with pytest.raises(Stale):
        alarms.change(world.services, CALLER, an_alarm().id, edit, generation=1, **REQUEST)
    assert stored(world).name == "cpu-high"


def test_a_policy_that_is_gone_keeps_nobody_from_changing_the_alarm(world: World) -> None:
    s = world.services
    s.policies.create(a_policy(), QUOTA)
    alarms.create(s, CALLER, an_alarm(alarm_actions=(POLICY,)), **REQUEST)
    with pytest.raises(Conflict):
        policies.delete(s, PROJECT, POLICY, generation=None)
    s.policies.delete(PROJECT, POLICY)  # as when both happen at once
    renamed = alarms.change(
        s, CALLER, an_alarm().id, lambda alarm: replace(alarm, name="new"), generation=None, **REQUEST
    )
    assert renamed.alarm_actions == (POLICY,)
    with pytest.raises(NotFound):
        policies.delete(s, PROJECT, POLICY, generation=None)


class Lagging:
    """Alarms whose list of a group is older than the alarms themselves, as that of an index may be."""

    def __init__(self, world: World, listed: Alarm) -> None:
        self._alarms, self._listed = world.services.alarms, listed

    def __getattr__(self, name: str) -> object:
        return getattr(self._alarms, name)

    def of_group(self, project_id: str, group_id: str) -> tuple[Alarm, ...]:
        assert (project_id, group_id) == (PROJECT, GROUP)
        return (self._listed,)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_list_that_is_late_is_in_nobodys_way(world: World, is_gone: bool) -> None:
    """An alarm is deleted, or lets go of its policy, and then the policy is deleted."""
    s = world.services
    s.policies.create(a_policy(), QUOTA)
    acting = alarms.create(s, CALLER, an_alarm(alarm_actions=(POLICY,)), **REQUEST)
    lagging = replace(s, alarms=Lagging(world, acting))  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        policies.delete(lagging, PROJECT, POLICY, generation=None)
    if is_gone:
        alarms.delete(s, CALLER, AlarmId(acting.id), generation=None, request_id="req-1")
    else:
        alarms.change(
            s, CALLER, acting.id, lambda a: replace(a, alarm_actions=()), generation=None, **REQUEST
        )
    policies.delete(lagging, PROJECT, POLICY, generation=None)
    with pytest.raises(NotFound):
        s.policies.get(PROJECT, POLICY)
