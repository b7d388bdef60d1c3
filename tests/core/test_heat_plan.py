from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.group import TroubleKind
from chalicelib.core.heat import Adjust, HeatScene, HeatStatus
from chalicelib.core.heat_plan import HeatPlan, Patch, Signal, plan_in_heat
from tests.core import factories
from tests.core.factories import NOW, a_trouble, seconds
from tests.core.heat_factories import (
    BUSY,
    COMPLETE,
    FAILED,
    a_heat_member,
    a_heat_target,
    a_scene,
    an_aim,
    an_asked,
    steps,
)

SIGNAL = Adjust.SIGNAL


def planned(capacity: int, scene: HeatScene, adjust: Adjust = Adjust.PARAMETER, **aim: Any) -> HeatPlan:
    return plan_in_heat(an_aim(capacity, adjust, **aim), scene, NOW)


def stack(status: HeatStatus, **parameters: str) -> Any:
    return replace(a_scene().stack, status=status, parameters=parameters or {"size": "2"})


def why(plan: HeatPlan) -> tuple[TroubleKind, str]:
    assert plan.setback
    assert not plan.settled
    return plan.setback.kind, plan.setback.reason


def test_what_is_as_wanted_is_settled() -> None:
    assert planned(2, a_scene(2)) == HeatPlan(settled=True)
    assert planned(2, a_scene(2), SIGNAL) == HeatPlan(settled=True)


def test_the_parameter_is_set_to_exactly_what_is_wanted() -> None:
    plan = planned(5, a_scene(2))
    assert plan.step == Patch(parameter="size", size=5)
    assert plan.drift is None


def test_a_group_of_the_right_size_whose_parameter_would_undo_it_is_patched_too() -> None:
    assert planned(3, a_scene(3, parameter="2")).step == Patch(parameter="size", size=3)
    assert planned(3, a_scene(3, parameter="3.0")).settled


def test_a_signal_is_not_repeated_because_somebody_else_moved_the_mark() -> None:
    """It may still lie there, and would be done beside a second one; an update sets the same size again."""
    meddled = a_scene(1, nested_updated="2")
    waiting = planned(3, meddled, SIGNAL, asked=an_asked(3))
    assert (waiting.step, waiting.moves, waiting.asked) == (None, True, an_asked(3))
    again = planned(3, meddled, SIGNAL, asked=an_asked(3, at=NOW - seconds(31)))
    assert again.step == Signal(policy="up", size=2)


def test_signals_go_one_by_one() -> None:
    assert planned(8, a_scene(2), SIGNAL).step == Signal(policy="up", size=3)
    assert planned(7, a_scene(2), SIGNAL).step == Signal(policy="up5", size=7)


def test_steps_that_lead_no_further_are_said_with_the_sizes_that_cannot_be_made() -> None:
    target = a_heat_target(SIGNAL, policies=steps(2, -2))
    kind, reason = why(planned(5, a_scene(4), SIGNAL, target=target))
    assert kind is TroubleKind.REFUSED
    assert reason == (
        "4 members are as near to 5 as signals of +2, -2 come; from there they cannot make 1, 3, 5, 7, 9."
    )


@pytest.mark.parametrize("adjust", list(Adjust))
@pytest.mark.parametrize(
    "busy",
    [
        {"stack": stack(BUSY)},
        {"stack": stack(HeatStatus(word="ROLLBACK_IN_PROGRESS"))},
        {"group": BUSY},
        {"nested": BUSY},
        {"scaling": True},
    ],
)
def test_a_stack_at_work_is_left_in_peace_and_said(adjust: Adjust, busy: dict[str, Any]) -> None:
    scene = a_scene(2, **busy)
    plan = planned(5, scene, adjust)
    kind, reason = why(plan)
    assert plan.step is None
    assert kind is TroubleKind.CLOUD
    assert "at work" in reason
    ours = planned(5, scene, adjust, asked=an_asked(5))
    assert (ours.step, ours.setback, ours.moves, ours.asked) == (None, None, True, an_asked(5))


def test_what_we_asked_for_and_takes_long_is_said_too() -> None:
    asked = an_asked(5, at=NOW - seconds(91))
    plan = planned(5, a_scene(2, nested=BUSY), asked=asked)
    assert why(plan)[0] is TroubleKind.CLOUD
    assert plan.asked == asked


def test_what_is_tried_again_after_it_failed_is_waited_for_without_forgetting_how_often() -> None:
    asked = an_asked(5, at=NOW - seconds(300))
    plan = planned(5, a_scene(2, nested=BUSY), asked=asked, trouble=a_trouble())
    assert (plan.setback, plan.moves) == (None, True)


def test_the_mark_of_an_engine_that_died_is_not_believed_for_ever_where_an_update_takes_it_away() -> None:
    trouble = a_trouble(TroubleKind.CLOUD, attempts=6)
    assert planned(5, a_scene(2, scaling=True), trouble=trouble).step == Patch(parameter="size", size=5)
    assert planned(5, a_scene(2, scaling=True), SIGNAL, trouble=trouble).step is None


@pytest.mark.parametrize("adjust", list(Adjust))
def test_a_request_that_heat_has_not_taken_up_is_waited_for_and_then_made_again(adjust: Adjust) -> None:
    waiting = planned(3, a_scene(2), adjust, asked=an_asked(3))
    assert (waiting.step, waiting.moves, waiting.asked) == (None, True, an_asked(3))
    again = planned(3, a_scene(2), adjust, asked=an_asked(3, at=NOW - seconds(31)))
    assert again.step is not None


def test_a_request_that_never_reached_heat_is_made_again_and_is_no_failure() -> None:
    long_ago = an_asked(5, at=NOW - seconds(31))
    drifted = a_scene(3, parameter="5")
    assert planned(5, drifted, asked=long_ago).step == Patch(parameter="size", size=5)
    failed = a_scene(2, nested=FAILED)
    assert planned(5, failed, asked=long_ago, trouble=a_trouble()).step == Patch(parameter="size", size=5)


def test_a_request_that_was_taken_up_is_not_waited_for() -> None:
    assert planned(4, a_scene(3, nested_updated="2"), SIGNAL, asked=an_asked(3)).step == Signal(
        policy="up", size=4
    )


@pytest.mark.parametrize(
    "seen",
    [{"stack": stack(FAILED)}, {"group": FAILED}, {"nested": FAILED}],
    ids=["stack", "group", "nested"],
)
def test_a_failure_is_said_in_heats_words_counted_once_and_tried_again_when_it_is_time(
    seen: dict[str, Any],
) -> None:
    scene = a_scene(2, nested_updated="2", **seen)
    first = planned(2, scene, asked=an_asked())
    assert why(first) == (TroubleKind.BUILD, f"UPDATE_FAILED: {FAILED.reason}")
    assert first.asked is None
    assert why(planned(2, scene))[0] is TroubleKind.BUILD
    assert planned(2, scene, trouble=a_trouble(), may_ask=False) == HeatPlan()
    assert planned(2, scene, trouble=a_trouble()).step == Patch(parameter="size", size=2)


def test_signals_cannot_mend_a_stack_whose_update_failed() -> None:
    scene = a_scene(2, stack=stack(FAILED), group=FAILED)
    kind, reason = why(planned(5, scene, SIGNAL, trouble=a_trouble()))
    assert kind is TroubleKind.BUILD
    assert "drops signals" in reason


def test_a_signal_that_failed_is_signalled_again_and_replaces_what_failed() -> None:
    failed = a_heat_member(3, status=HeatStatus(word="CREATE_FAILED", reason="no host"))
    scene = a_scene(2, nested=FAILED)
    scene = replace(scene, members=(*scene.members, failed))
    assert scene.size == 2
    assert planned(3, scene, SIGNAL, trouble=a_trouble()).step == Signal(policy="up", size=3)
    assert why(planned(2, scene, SIGNAL, trouble=a_trouble()))[0] is TroubleKind.BUILD


def test_an_update_that_heat_rolled_back_failed() -> None:
    rolled_back = HeatStatus(word="ROLLBACK_COMPLETE", reason="Stack ROLLBACK completed successfully")
    scene = a_scene(2, stack=stack(rolled_back), nested_updated="2")
    assert "rolled the update back" in why(planned(5, scene, asked=an_asked(5)))[1]
    assert planned(2, scene).settled


def test_an_update_without_the_effect_that_it_had_to_have_is_no_success() -> None:
    scene = a_scene(3, parameter="5", nested_updated="2")
    assert "3 members, not 5" in why(planned(5, scene, asked=an_asked(5)))[1]


@pytest.mark.parametrize("word", ["DELETE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_FAILED"])
def test_a_stack_that_goes_is_not_touched(word: str) -> None:
    kind, reason = why(planned(5, a_scene(2, stack=stack(HeatStatus(word=word)))))
    assert (kind, reason) == (TroubleKind.REFUSED, f"The stack shop is {word}.")


def test_a_suspended_stack_is_not_touched() -> None:
    scene = a_scene(2, stack=stack(HeatStatus(word="SUSPEND_COMPLETE")))
    assert "resume" in why(planned(5, scene))[1]


def test_what_a_suspended_stack_was_asked_for_is_not_forgotten() -> None:
    """Or it would be asked for beside it, once the stack is resumed."""
    asked = an_asked(3, at=NOW - seconds(5))
    suspended = a_scene(2, stack=stack(HeatStatus(word="SUSPEND_COMPLETE")))
    assert planned(3, suspended, SIGNAL, asked=asked).asked == asked
    resumed = planned(3, a_scene(2), SIGNAL, asked=asked)
    assert (resumed.step, resumed.asked) == (None, asked)


def test_a_parameter_that_is_gone_is_said() -> None:
    scene = a_scene(2, stack=stack(COMPLETE, other="1"))
    assert "no parameter size" in why(planned(5, scene))[1]


def test_heats_cooldown_holds_signals_until_it_ends_and_updates_not_at_all() -> None:
    scene = a_scene(2, cooldown_until=NOW + seconds(40))
    held = planned(3, scene, SIGNAL)
    assert held.setback
    assert (held.setback.kind, held.setback.retry_after) == (TroubleKind.CLOUD, seconds(40))
    assert planned(3, scene).step
    assert planned(3, a_scene(2, cooldown_until=NOW), SIGNAL).step


def test_a_frozen_or_waiting_group_asks_for_nothing() -> None:
    waits: tuple[dict[str, Any], ...] = ({"may_act": False}, {"may_ask": False})
    for held in waits:
        assert planned(5, a_scene(2), **held) == HeatPlan()
        assert planned(2, a_scene(2), **held).settled


def test_a_size_that_is_somebody_elses_doing_is_set_back_and_told() -> None:
    plan = planned(2, a_scene(4), was_settled=True)
    assert plan.step == Patch(parameter="size", size=2)
    assert plan.drift == "Somebody else resized asg of the stack shop to 4; it is set back to 2."
    quiet = planned(2, a_scene(2, parameter="7"), was_settled=True)
    assert quiet.drift == "Somebody else set the parameter size; it is set back to 2."


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (None, "Nova has none"),
        (factories.a_server(1, status="ERROR", fault="host died"), "as ERROR: host died"),
        (factories.a_server(1, status="SHUTOFF"), "as SHUTOFF"),
    ],
)
def test_nova_has_the_last_word(server: Any, said: str) -> None:
    scene = a_scene(2)
    servers = {id_: each for id_, each in scene.servers.items() if id_ != "server-1"}
    if server is not None:
        servers[server.id] = server
    assert said in why(planned(2, replace(scene, servers=servers)))[1]


def test_a_server_that_still_builds_is_waited_for() -> None:
    scene = a_scene(1)
    servers = {id_: replace(each, status="BUILD") for id_, each in scene.servers.items()}
    assert planned(1, replace(scene, servers=servers)) == HeatPlan(moves=True)


def test_what_heat_does_not_count_is_not_counted() -> None:
    words = ("CREATE_FAILED", "DELETE_COMPLETE", "DELETE_IN_PROGRESS", "UPDATE_FAILED")
    members = [a_heat_member(n, status=HeatStatus(word=word)) for n, word in enumerate(words)]
    nothing_yet = a_heat_member(9, status=HeatStatus(word="INIT_COMPLETE"), physical_id="")
    assert a_scene(members=(*members, nothing_yet)).size == 0
