"""Several policies of one group in one tick: one change, of the one that wants most."""

from __future__ import annotations

import pytest

from chalicelib.core.asked import Proposal
from chalicelib.core.decision import Decision, Event
from chalicelib.core.execution import Execution, Outcome, Rule, Step, Verdict
from chalicelib.core.forecast import Predictive
from chalicelib.core.ids import PolicyId
from chalicelib.core.policy import PolicyMode, ScalingRule
from chalicelib.core.tracking import TargetTracking
from chalicelib.flows.scale import Ask
from chalicelib.flows.together import Voice, scale_together
from tests.core import factories
from tests.core.factories import by, to
from tests.world import World, key

TRACKING = TargetTracking(metric="cpu", target=60)
WORDS = Step(rule=Rule.METRIC, verdict=Verdict.PASS, detail="As cpu is.")
KNOWN_OUTCOMES = (Outcome.EXECUTED, Outcome.OUTVOTED)


@pytest.fixture
def world() -> World:
    world = World()
    world.with_group(desired_capacity=5, cooldown_seconds=0, max_size=20)
    return world


def voice(world: World, id_: str, rule: ScalingRule, *, wants: int | None = None, **changes: object) -> Voice:
    policy = factories.a_policy(rule, **{"id": PolicyId(id_), "name": id_, "cooldown_seconds": 0, **changes})
    return Voice(
        ask=Ask(
            project_id=policy.project_id,
            policy_id=policy.id,
            source=f"alarm:{id_}",
            event_id=f"{id_}:{world.clock.now.isoformat()}",
            event=Event(tick=world.clock.now, proposal=Proposal(capacity=wants, steps=(WORDS,))),
            request_id="req-1",
        ),
        policy=policy,
        quiet=not isinstance(rule, type(by(1))),
    )


def outcomes(world: World, *voices: Voice) -> list[Outcome]:
    return [made.outcome for made in decided(world, *voices)]


def decided(world: World, *voices: Voice) -> list[Decision]:
    return [decision for _, decision in scale_together(world.services, key(), lambda _: voices)]


def recorded(world: World) -> dict[PolicyId | None, Execution]:
    s = world.services
    page = s.executions.of_group(factories.PROJECT, factories.GROUP, 100, None)
    return {execution.policy_id: execution for execution in page.items}


def test_the_largest_of_those_that_grow_wins_and_the_others_are_told(world: World) -> None:
    made = outcomes(world, voice(world, "a", by(1)), voice(world, "b", by(3)), voice(world, "c", by(-2)))
    assert made == [Outcome.OUTVOTED, Outcome.EXECUTED, Outcome.OUTVOTED]
    assert world.group().desired_capacity == 8
    assert "'b'" in recorded(world)[PolicyId("a")].explanation.summary


def test_in_only_if_all_agree_and_the_largest_remains(world: World) -> None:
    made = outcomes(world, voice(world, "a", by(-1)), voice(world, "b", by(-3)))
    assert (made, world.group().desired_capacity) == ([Outcome.EXECUTED, Outcome.OUTVOTED], 4)


@pytest.mark.parametrize("wants", [5, None])
def test_who_wants_to_stay_or_does_not_know_its_metric_holds_the_group(
    world: World, wants: int | None
) -> None:
    tracking = voice(world, "t", TRACKING, wants=wants)
    made = outcomes(world, voice(world, "a", by(-1)), tracking)
    assert (made[0], world.group().desired_capacity) == (Outcome.OUTVOTED, 5)
    assert PolicyId("t") not in recorded(world), "it asked for no change"


def test_two_that_want_the_same_are_one_change(world: World) -> None:
    made = outcomes(world, voice(world, "a", by(2)), voice(world, "b", to(7)))
    assert sorted(made) == sorted(KNOWN_OUTCOMES)
    assert world.group().desired_capacity == 7


def test_a_forecast_bounds_a_scale_in_and_never_makes_one(world: World) -> None:
    forecast = Predictive(metric="cpu", target=60, act=True)
    shrinking = voice(world, "a", by(-4))
    assert outcomes(world, shrinking, voice(world, "f", forecast, wants=3))[0] is Outcome.EXECUTED
    assert world.group().desired_capacity == 3
    world.clock.pass_(60)
    assert outcomes(world, voice(world, "f", forecast, wants=1)) == [Outcome.OUTVOTED]
    assert world.group().desired_capacity == 3


def test_one_in_its_cooldown_still_has_its_say(world: World) -> None:
    out = voice(world, "a", by(1), cooldown_seconds=600)
    assert outcomes(world, out) == [Outcome.EXECUTED]
    world.clock.pass_(60)
    again = voice(world, "a", by(1), cooldown_seconds=600)
    assert outcomes(world, again, voice(world, "b", by(-2))) == [Outcome.IN_COOLDOWN, Outcome.OUTVOTED]
    assert world.group().desired_capacity == 6


@pytest.mark.parametrize("mode", [PolicyMode.SHADOW, PolicyMode.DISABLED])
def test_one_that_does_not_act_has_no_say(world: World, mode: PolicyMode) -> None:
    shadow = voice(world, "a", by(9), mode=mode)
    assert outcomes(world, shadow, voice(world, "b", by(-1)))[1] is Outcome.EXECUTED
    assert world.group().desired_capacity == 4


def test_a_tick_judged_twice_writes_once(world: World) -> None:
    voices = [voice(world, "a", by(1)), voice(world, "b", by(3))]
    decided(world, *voices)
    before = recorded(world)
    world.clock.pass_(1)
    decided(world, *voices)
    assert (recorded(world), world.group().desired_capacity) == (before, 8)


def test_a_first_judging_that_died_behind_the_change_is_completed_without_another(world: World) -> None:
    winner, loser = voice(world, "b", by(3)), voice(world, "a", by(1))
    decided(world, winner)
    assert outcomes(world, loser, winner) == [Outcome.OUTVOTED, Outcome.OUTVOTED]
    assert world.group().desired_capacity == 8
    assert recorded(world)[PolicyId("b")].outcome is Outcome.EXECUTED


def test_target_tracking_records_only_what_it_changes(world: World) -> None:
    assert outcomes(world, voice(world, "t", TRACKING, wants=5)) == [Outcome.NO_CHANGE]
    assert not recorded(world)
    world.clock.pass_(60)
    assert outcomes(world, voice(world, "t", TRACKING, wants=7)) == [Outcome.EXECUTED]
    assert world.group().desired_capacity == 7
    assert world.queue.rounds, "a round is asked for"


def test_a_shadow_that_does_not_know_its_metric_stands_in_nobodys_way(world: World) -> None:
    shadow = voice(world, "shadow", TRACKING, mode=PolicyMode.SHADOW)
    in_ = voice(world, "in", by(-1))
    assert outcomes(world, shadow, in_) == [Outcome.NO_DATA, Outcome.EXECUTED]
    assert world.group().desired_capacity == 4
