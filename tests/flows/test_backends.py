"""Alarms that a backend evaluates: made, changed and deleted with it, whatever dies or is lost between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Alarm, AlarmState, Backend, CompositeRule
from chalicelib.core.alarm_history import AlarmEvent
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, ThermostatError, Unavailable
from chalicelib.core.notice import Notice
from chalicelib.flows import backends, groups, notices
from chalicelib.ports import Services
from chalicelib.ports.cloud import CredentialBroken
from tests.core import factories
from tests.core.aodh_alarms import a_rule_for_aodh, an_aodh_alarm
from tests.core.heat_factories import a_heat_target
from tests.simulation.crash import Died, Executioner, mortal
from tests.world import CALLER, World

BASE = "https://scale.example"
REQUEST_ID = "req-1"
ALARM = an_aodh_alarm(alarm_actions=(factories.POLICY,), fingerprint="f")
NO_ANSWER = Unavailable("aodh.unavailable", "Aodh did not answer.")
REFUSALS = [
    Forbidden("aodh.quota_exceeded", "Alarm quota exceeded."),
    Invalid("aodh.refused", "No."),
    Conflict("aodh.missing", "This cloud has no Aodh."),
    CredentialBroken("The trust is gone.", for_good=True),
]


@pytest.fixture
def world() -> World:
    world = World()
    world.with_group(cooldown_seconds=0)
    world.services.policies.create(factories.a_policy(cooldown_seconds=0), world.limits.quota)
    return world


def create(s: Services, alarm: Alarm = ALARM) -> Alarm:
    entry = alarm_history.created(alarm, CALLER.user_id, s.now())
    return backends.create(s, alarm, entry, base=BASE, user_id=CALLER.user_id, request_id=REQUEST_ID)


def change(s: Services, threshold: float) -> Alarm:
    was = s.alarms.get(ALARM.project_id, ALARM.id)
    new = replace(was, rule=a_rule_for_aodh(threshold=threshold))
    entry = alarm_history.changed(was, new, CALLER.user_id, s.now())
    return backends.change(s, was, new, entry, base=BASE, request_id=REQUEST_ID)


def delete(s: Services) -> None:
    was = s.alarms.get(ALARM.project_id, ALARM.id)
    backends.delete(s, was, alarm_history.deleted(was, CALLER.user_id, s.now()), request_id=REQUEST_ID)


def stored(world: World) -> Alarm | None:
    return world.memory.alarms.get((ALARM.project_id, ALARM.id))


def token_of(hook_url: str) -> str:
    path = f"{BASE}{backends.HOOK_PATH}/{ALARM.project_id}/{ALARM.id}/"
    assert hook_url.startswith(path)
    return hook_url.removeprefix(path)


def calls(world: World) -> int:
    """Let everything that the backend has call its hook, firing; return how many executions come of it."""
    s, count = world.services, 0
    for watched in list(world.aodh.watched.values()):
        notice = Notice(external_id=watched.id, state=AlarmState.ALARM, reason="high", value=95)
        try:
            alarm = notices.alarm_of_hook(s, ALARM.project_id, ALARM.id, token_of(watched.hook_url))
            count += len(notices.notified(s, alarm, notice, s.new_id(), REQUEST_ID))
        except (NotFound, Conflict):
            pass
    return count


def is_whole(world: World) -> None:
    """One alarm here, the same in the backend, and what it says scales once."""
    alarm = stored(world)
    assert alarm
    (watched,) = world.aodh.watched.values()
    assert watched.id == alarm.external_id
    assert watched.alarm.rule == alarm.rule
    assert calls(world) == 1


def test_an_alarm_is_made_here_and_in_its_backend(world: World) -> None:
    made = create(world.services)
    assert made == stored(world)
    is_whole(world)
    history = [entry.event for entry in world.memory.alarm_history.values()]
    assert history.count(AlarmEvent.CREATION) == 1
    assert AlarmEvent.RULE_CHANGE not in history


def test_an_alarm_over_servers_that_heat_makes_is_refused(world: World) -> None:
    held = world.memory.groups[factories.PROJECT, factories.GROUP]
    held.group = replace(held.group, heat=a_heat_target(), launch_configuration_id=None)
    with pytest.raises(Invalid) as refused:
        create(world.services)
    assert refused.value.code == "autoscaling.alarm.group_in_heat"
    assert world.aodh.watched == {}
    assert stored(world) is None


def test_a_builtin_alarm_passes_through(world: World) -> None:
    alarm = replace(ALARM, backend=Backend.BUILTIN)
    made = create(world.services, alarm)
    assert made == alarm
    assert backends.as_seen(world.services, made, REQUEST_ID) is made
    assert change(world.services, 50).rule == a_rule_for_aodh(threshold=50)
    delete(world.services)
    assert stored(world) is None
    assert world.aodh.watched == {}


def test_the_token_is_kept_as_its_hash_and_sealed(world: World) -> None:
    made = create(world.services)
    (watched,) = world.aodh.watched.values()
    token = token_of(watched.hook_url)
    assert made.hook
    assert token not in repr(made)
    assert backends.owns(made, token)
    assert not backends.owns(made, token + "x")
    assert not backends.owns(replace(made, hook=None), token)


def test_what_the_backend_cannot_do_is_refused_and_nothing_written(world: World) -> None:
    with pytest.raises(Invalid):
        create(world.services, replace(ALARM, rule=CompositeRule(expression="{}")))
    assert stored(world) is None


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_what_the_backend_refuses_is_not_kept(world: World, refusal: Exception) -> None:
    world.aodh.refusal = refusal
    with pytest.raises((Forbidden, Invalid, Conflict)):
        create(world.services)
    assert stored(world) is None
    world.aodh.refusal = None
    create(world.services)
    is_whole(world)


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_an_established_alarm_survives_a_refusal_of_the_same_request(
    world: World, refusal: Exception
) -> None:
    made = create(world.services)
    world.aodh.refusal = refusal
    with pytest.raises((Forbidden, Invalid, Conflict)):
        create(world.services)
    assert stored(world) == made


def test_an_alarm_whose_backend_does_not_answer_is_kept_scales_nothing_and_is_completed(world: World) -> None:
    world.aodh.answers_lost = 1
    with pytest.raises(Unavailable):
        create(world.services)
    assert len(world.aodh.watched) == 1
    assert calls(world) == 0
    create(world.services)
    is_whole(world)


@pytest.mark.parametrize("refusal", [*REFUSALS, NO_ANSWER], ids=repr)
def test_a_change_that_the_backend_does_not_make_is_none(world: World, refusal: Exception) -> None:
    made = create(world.services)
    world.aodh.refusal = refusal
    with pytest.raises(ThermostatError):
        change(world.services, 50)
    assert stored(world) == made


def test_what_the_backend_lost_is_made_again_by_a_change(world: World) -> None:
    create(world.services)
    world.aodh.watched.clear()
    change(world.services, 50)
    is_whole(world)


@pytest.mark.parametrize("refusal", [*REFUSALS, NO_ANSWER], ids=repr)
def test_an_alarm_that_its_backend_does_not_delete_is_kept(world: World, refusal: Exception) -> None:
    made = create(world.services)
    world.aodh.refusal = refusal
    with pytest.raises(ThermostatError):
        delete(world.services)
    assert stored(world) == made
    world.aodh.refusal = None
    delete(world.services)
    assert stored(world) is None
    assert world.aodh.watched == {}


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_an_ended_group_abandons_what_nobody_lets_us_delete(world: World, refusal: Exception) -> None:
    made = create(world.services)
    world.aodh.refusal = refusal
    entry = alarm_history.deleted(made, None, world.clock.now)
    backends.abandon(world.services, world.group(), made, entry, request_id=REQUEST_ID)
    assert stored(world) is None
    assert calls(world) == 0


def test_an_ended_group_waits_for_a_backend_that_does_not_answer(world: World) -> None:
    made = create(world.services)
    world.aodh.refusal = NO_ANSWER
    entry = alarm_history.deleted(made, None, world.clock.now)
    with pytest.raises(Unavailable):
        backends.abandon(world.services, world.group(), made, entry, request_id=REQUEST_ID)
    assert stored(world) == made


def test_a_group_is_gone_only_when_its_alarms_are_gone_from_their_backend(world: World) -> None:
    create(world.services)
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id=REQUEST_ID)
    world.aodh.refusal = NO_ANSWER
    with pytest.raises(Unavailable):
        world.settle()
    assert world.group().deleting
    assert stored(world)
    world.aodh.refusal = None
    world.settle()
    assert world.memory.groups == {}
    assert stored(world) is None
    assert world.aodh.watched == {}


def test_it_is_shown_as_its_backend_sees_it_now(world: World) -> None:
    made = create(world.services)
    assert made.external_id
    watched = world.aodh.watched[made.external_id]
    world.aodh.watched[watched.id] = replace(watched, state=AlarmState.OK)
    shown = backends.as_seen(world.services, made, REQUEST_ID)
    assert shown == replace(made, state=AlarmState.OK, state_reason="as the backend says")
    assert stored(world) == made


@pytest.mark.parametrize("refusal", [*REFUSALS, NO_ANSWER], ids=repr)
def test_it_is_shown_as_it_was_last_told_when_its_backend_cannot_be_asked(
    world: World, refusal: Exception
) -> None:
    made = create(world.services)
    world.aodh.refusal = refusal
    assert backends.as_seen(world.services, made, REQUEST_ID) == made


def test_one_that_its_backend_lost_is_shown_so(world: World) -> None:
    made = create(world.services)
    world.aodh.watched.clear()
    shown = backends.as_seen(world.services, made, REQUEST_ID)
    assert shown.state is AlarmState.INSUFFICIENT_DATA
    assert "no such alarm" in shown.state_reason


DEATHS = [(number, late) for number in range(14) for late in (False, True)]


def dies(world: World, number: int, late: bool, run: Callable[[Services], object]) -> bool:
    """Run one invocation that dies at its ``number``-th call; return whether it did."""
    executioner = Executioner(calls_left=number, after_effect=late)
    try:
        run(mortal(world.services, executioner))
    except Died:
        return True
    return False


@pytest.mark.parametrize(("number", "late"), DEATHS)
def test_a_creation_that_died_anywhere_scales_nothing_wrongly_and_is_completed(
    world: World,
    number: int,
    late: bool,
) -> None:
    died = dies(world, number, late, create)
    alarm = stored(world)
    whole = alarm is not None and alarm.external_id is not None
    assert died or whole
    assert calls(world) == (1 if whole else 0)
    create(world.services)
    is_whole(world)


@pytest.mark.parametrize(("number", "late"), DEATHS)
def test_a_change_that_died_anywhere_is_completed(
    world: World,
    number: int,
    late: bool,
) -> None:
    create(world.services)
    dies(world, number, late, lambda s: change(s, 50))
    assert calls(world) == 1
    change(world.services, 50)
    is_whole(world)


@pytest.mark.parametrize(("number", "late"), DEATHS)
def test_a_deletion_that_died_anywhere_leaves_nothing_behind_that_nobody_knows_of(
    world: World,
    number: int,
    late: bool,
) -> None:
    create(world.services)
    dies(world, number, late, delete)
    assert stored(world) or not world.aodh.watched
    if stored(world):
        delete(world.services)
    assert stored(world) is None
    assert world.aodh.watched == {}


def once(do: Callable[[], None]) -> Callable[[], None]:
    """Return what does it the first time that it is called, and then no more, not even within itself."""
    left = [do]

    def run() -> None:
        if left:
            left.pop()()

    return run


def test_of_two_creations_at_once_both_find_the_same_alarm(world: World) -> None:
    """The second one runs whole while the first waits for its backend."""
    others: list[Alarm] = []
    world.aodh.meanwhile = once(lambda: others.append(create(world.services)))
    made = create(world.services)
    (other,) = others
    assert made.external_id == other.external_id
    is_whole(world)


def test_a_deletion_while_it_is_changed_leaves_nothing_in_the_backend(world: World) -> None:
    create(world.services)
    world.aodh.meanwhile = once(lambda: delete(world.services))
    with pytest.raises((Conflict, NotFound)):
        change(world.services, 50)
    assert stored(world) is None
    assert world.aodh.watched == {}
