"""A backend calls: the state is mirrored and its policies are asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Alarm, AlarmHook, AlarmState
from chalicelib.core.alarm_history import AlarmEvent
from chalicelib.core.errors import Conflict, NotFound, Unavailable
from chalicelib.core.execution import Execution, Outcome
from chalicelib.core.ids import AlarmId, PolicyId, ProjectId, UserId
from chalicelib.core.notice import Notice
from chalicelib.core.token import hash_of
from chalicelib.flows import notices
from tests.core import factories
from tests.core.aodh_alarms import an_aodh_alarm
from tests.world import CALLER, QUOTA, World

OUT, IN, LAST = PolicyId("policy-out"), PolicyId("policy-in"), PolicyId("policy-last")
TOKEN = "t" * 43
HOOK = AlarmHook(sha256=hash_of(TOKEN), sealed_token="sealed")
ALARM = an_aodh_alarm(
    hook=HOOK,
    external_id="external-1",
    alarm_actions=(OUT,),
    ok_actions=(IN,),
    insufficient_data_actions=(LAST,),
)


@pytest.fixture
def world() -> World:
    world = World()
    world.with_group(desired_capacity=5, cooldown_seconds=0)
    for id_, rule in ((OUT, factories.by(1)), (IN, factories.by(-1)), (LAST, factories.to(7))):
        policy = factories.a_policy(id=id_, rule=rule, cooldown_seconds=0)
        world.services.policies.create(policy, world.limits.quota)
    keep(world, ALARM)
    return world


def keep(world: World, alarm: Alarm) -> None:
    entry = alarm_history.created(alarm, CALLER.user_id, world.clock.now)
    world.services.alarms.create(alarm, world.limits.quota, entry)


def stored(world: World) -> Alarm:
    return world.services.alarms.get(ALARM.project_id, ALARM.id)


def call(world: World, state: AlarmState, event_id: str | None = None, **said: Any) -> tuple[Execution, ...]:
    fields = {"external_id": "external-1", "state": state, "reason": f"it is {state}", "value": 95.0}
    notice = Notice(**{**fields, **said})
    return notices.notified(world.services, stored(world), notice, event_id, "req-1")


@pytest.mark.parametrize(
    ("state", "policy", "size"),
    [(AlarmState.ALARM, OUT, 6), (AlarmState.OK, IN, 4), (AlarmState.INSUFFICIENT_DATA, LAST, 7)],
)
def test_a_state_asks_its_own_policies(world: World, state: AlarmState, policy: PolicyId, size: int) -> None:
    other = AlarmState.OK if state is not AlarmState.OK else AlarmState.ALARM
    world.services.alarms.change(stored(world), replace(stored(world), state=other), None)
    (execution,) = call(world, state)
    assert (execution.policy_id, execution.outcome) == (policy, Outcome.EXECUTED)
    assert execution.source == f"alarm:{ALARM.id}"
    assert world.group().desired_capacity == size


def test_ok_and_unknown_ask_once_and_an_alarm_as_long_as_it_lasts(world: World) -> None:
    world.services.alarms.change(stored(world), replace(stored(world), state=AlarmState.ALARM), None)
    assert [len(call(world, AlarmState.OK, f"{n}")) for n in range(3)] == [1, 0, 0]
    assert [len(call(world, AlarmState.ALARM, f"{n}")) for n in range(3, 6)] == [1, 1, 1]


def test_ok_asks_once_though_it_could_not_be_mirrored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend calls again, under another name; each time that it is ok anew its policies are asked."""
    world.services.alarms.change(stored(world), replace(stored(world), state=AlarmState.ALARM), None)

    def fail(*_: object) -> None:
        raise Unavailable("storage.unavailable", "busy")

    with monkeypatch.context() as patch:
        patch.setattr(world.services.alarms, "change", fail)
        with pytest.raises(Unavailable):
            call(world, AlarmState.OK, "1")
    (again,) = call(world, AlarmState.OK, "2")
    assert (again.outcome, world.group().desired_capacity) == (Outcome.DUPLICATE, 4)
    for state in (AlarmState.ALARM, AlarmState.OK):
        world.clock.pass_(60)
        call(world, state, f"then {state}")
    assert world.group().desired_capacity == 4 + 1 - 1


def test_a_state_without_actions_asks_nobody_and_is_mirrored(world: World) -> None:
    s = world.services
    s.alarms.change(ALARM, replace(ALARM, ok_actions=()), None)
    assert call(world, AlarmState.OK) == ()
    assert stored(world).state is AlarmState.OK
    assert world.group().desired_capacity == 5


def test_a_change_of_state_is_mirrored_with_its_reason_and_told_in_the_history(world: World) -> None:
    world.clock.pass_(7)
    call(world, AlarmState.ALARM)
    alarm = stored(world)
    assert (alarm.state, alarm.state_reason) == (AlarmState.ALARM, "it is alarm")
    assert alarm.state_changed_at == alarm.heard_at == world.clock.now
    entries = [e for e in world.memory.alarm_history.values() if e.event is AlarmEvent.STATE_CHANGE]
    (entry,) = entries
    assert (entry.state_before, entry.state_after) == (AlarmState.INSUFFICIENT_DATA, AlarmState.ALARM)


def test_while_it_lasts_the_policies_are_asked_again_and_little_is_written(world: World) -> None:
    for number in range(4):
        (execution,) = call(world, AlarmState.ALARM, event_id=f"req-{number}")
        assert execution.outcome is Outcome.EXECUTED
        world.clock.pass_(60)
    assert world.group().desired_capacity == 9
    alarm = stored(world)
    assert alarm.generation == 2
    assert alarm.heard_at == alarm.state_changed_at
    world.clock.pass_(60)
    call(world, AlarmState.ALARM)
    assert stored(world).heard_at == world.clock.now
    assert stored(world).generation == 2


def test_the_same_delivery_twice_scales_once(world: World) -> None:
    outcomes = [call(world, AlarmState.ALARM, event_id="req-a")[0].outcome for _ in range(2)]
    assert outcomes == [Outcome.EXECUTED, Outcome.DUPLICATE]
    assert world.group().desired_capacity == 6


@pytest.mark.parametrize("known", [None, "external-2"])
def test_what_another_alarm_than_the_established_one_says_changes_nothing(
    world: World, known: str | None
) -> None:
    s = world.services
    was = s.alarms.change(ALARM, replace(ALARM, external_id=known), None)
    with pytest.raises(Conflict) as refused:
        call(world, AlarmState.ALARM)
    assert refused.value.code == "autoscaling.alarm.not_established"
    assert stored(world) == was
    assert world.group().desired_capacity == 5


def test_a_disabled_alarm_asks_nobody(world: World) -> None:
    world.services.alarms.change(ALARM, replace(ALARM, enabled=False), None)
    assert call(world, AlarmState.ALARM) == ()
    assert world.group().desired_capacity == 5


def test_a_policy_that_is_gone_is_passed_over(world: World) -> None:
    s = world.services
    s.alarms.change(ALARM, replace(ALARM, alarm_actions=(LAST, OUT)), None)
    s.policies.delete(factories.PROJECT, LAST)
    (execution,) = call(world, AlarmState.ALARM)
    assert execution.policy_id == OUT


def test_a_hook_is_found_by_its_project_alarm_and_token_together(world: World) -> None:
    s = world.services
    other = replace(
        ALARM, id=AlarmId("other"), hook=AlarmHook(sha256=hash_of("y" * 43), sealed_token="sealed")
    )
    s.alarms.create(other, QUOTA, alarm_history.created(other, UserId("user-1"), ALARM.created_at))
    assert notices.alarm_of_hook(s, ALARM.project_id, ALARM.id, TOKEN) == ALARM
    for project_id, alarm_id, token in (
        (ALARM.project_id, ALARM.id, "x" * 43),
        (ProjectId("other"), ALARM.id, TOKEN),
        (ALARM.project_id, other.id, TOKEN),
    ):
        with pytest.raises(NotFound) as unknown:
            notices.alarm_of_hook(s, project_id, alarm_id, token)
        assert unknown.value.code == "autoscaling.webhook.unknown"
