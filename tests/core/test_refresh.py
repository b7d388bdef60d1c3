from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.group import Freeze, Group, Trouble, TroubleKind
from chalicelib.core.ids import LaunchConfigurationId
from chalicelib.core.plan import Plan
from chalicelib.core.refresh import (
    ATTEMPTS_MAX,
    Refresh,
    RefreshStatus,
    after_round,
    look_again_at,
    require_fits,
    require_under_way,
    with_batch_begun,
)
from chalicelib.core.rolling import Turn
from tests.core.factories import NOW, a_group, a_plan, a_refresh, a_trouble, seconds

ROUTINE = NOW + seconds(240)
ENDED = [RefreshStatus.SUCCEEDED, RefreshStatus.ABORTED, RefreshStatus.FAILED]


def a_turn(**changes: Any) -> Plan:
    """Return the plan of a group at rest, with two of its three members still to be replaced."""
    turn = Turn(
        size=3, victims=(), begins=False, at_rest=True, stuck=False, replaced=1, remaining=2, spared=0
    )
    return a_plan(turn=replace(turn, **changes))


def after(
    refresh: Refresh, plan: Plan | None, group: Group | None = None, was: Group | None = None
) -> Refresh:
    return after_round(refresh, was or a_group(), group or a_group(), plan, NOW)


# --- when a batch may begin


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"status": RefreshStatus.PAUSED}, False),
        ({"rested_at": NOW - seconds(59), "pause_seconds": 60}, False),
        ({"rested_at": NOW - seconds(60), "pause_seconds": 60}, True),
        ({"batch_began_at": NOW - seconds(900), "pause_seconds": 60}, False),
        ({"batch_began_at": NOW - seconds(900)}, True),
    ],
)
def test_a_batch_may_begin_when_the_pause_is_over(changes: dict[str, Any], may: bool) -> None:
    assert a_refresh(**changes).rolling(a_group(), 50, NOW).may_begin is may


@pytest.mark.parametrize(
    "group",
    [
        a_group(freeze=Freeze(reason="", until=None)),
        *(a_group(trouble=a_trouble(kind, retry_at=NOW)) for kind in TroubleKind),
    ],
)
def test_no_batch_begins_while_the_group_is_frozen_or_in_trouble(group: Group) -> None:
    assert not a_refresh().rolling(group, 50, NOW).may_begin


def test_trouble_before_the_last_change_holds_nothing() -> None:
    group = replace(a_group(trouble=a_trouble()), generation=2)
    assert a_refresh().rolling(group, 50, NOW).may_begin


def test_a_batch_is_no_larger_than_what_a_round_may_do() -> None:
    assert a_refresh(batch_size=60).rolling(a_group(), 50, NOW).batch_size == 50
    assert a_refresh(batch_size=2).rolling(a_group(), 50, NOW).batch_size == 2


# --- batches


def test_a_batch_is_complete_when_the_group_is_seen_at_rest() -> None:
    begun = with_batch_begun(a_refresh(rested_at=NOW - seconds(9)), NOW - seconds(5))
    assert (begun.batches, begun.batch_began_at, begun.rested_at) == (1, NOW - seconds(5), None)
    building = after(begun, a_turn(at_rest=False))
    assert (building.batch_began_at, building.rested_at) == (NOW - seconds(5), None)
    rested = after(begun, a_turn())
    assert (rested.batch_began_at, rested.rested_at) == (None, NOW)
    assert after(rested, a_turn()).rested_at == NOW


def test_one_that_begins_in_this_round_is_not_complete_in_it() -> None:
    begun = with_batch_begun(a_refresh(), NOW)
    assert after(begun, a_turn(begins=True)).batch_began_at == NOW


def test_progress_is_what_was_seen() -> None:
    seen = after(a_refresh(), a_turn(spared=1))
    assert (seen.replaced, seen.remaining, seen.spared) == (1, 2, 1)
    unseen = after(seen, None)
    assert (unseen.replaced, unseen.remaining, unseen.spared) == (1, 2, 1)


# --- how it ends


@pytest.mark.parametrize("batches", [0, 3])
@pytest.mark.parametrize("status", [RefreshStatus.RUNNING, RefreshStatus.PAUSED])
def test_it_succeeds_when_nobody_is_left_to_be_replaced(batches: int, status: RefreshStatus) -> None:
    done = after(a_refresh(batches=batches, status=status), a_turn(remaining=0))
    assert (done.status, done.status_reason) == (RefreshStatus.SUCCEEDED, None)


def test_it_does_not_succeed_while_those_who_came_last_do_not_serve() -> None:
    seen = after(a_refresh(batches=3), a_turn(remaining=0), a_group(settled=False))
    assert seen.status is RefreshStatus.RUNNING


@pytest.mark.parametrize(
    ("spared", "said"),
    [(1, "1 protected member was left as before."), (2, "2 protected members were left as before.")],
)
def test_it_says_how_many_were_left(spared: int, said: str) -> None:
    assert after(a_refresh(), a_turn(remaining=0, spared=spared)).status_reason == said


def failing(attempts: int) -> Trouble:
    return a_trouble(TroubleKind.BUILD, attempts=attempts)


def test_attempts_that_fail_in_a_row_are_counted_until_there_are_too_many() -> None:
    refresh = a_refresh()
    for number in range(1, ATTEMPTS_MAX):
        was, group = (a_group(trouble=failing(n) if n else None) for n in (number - 1, number))
        refresh = after(refresh, a_turn(at_rest=False, replaced=0), group, was)
        assert (refresh.attempts, refresh.status) == (number, RefreshStatus.RUNNING)
        assert refresh.status_reason == "It waits: No valid host was found."
        again = after(refresh, a_turn(at_rest=False, replaced=0), group, group)
        assert again.attempts == number, "the same failure counts once"
    was, group = (a_group(trouble=failing(n)) for n in (ATTEMPTS_MAX - 1, ATTEMPTS_MAX))
    failed = after(refresh, a_turn(at_rest=False, replaced=0), group, was)
    assert failed.status is RefreshStatus.FAILED
    assert failed.status_reason == f"{ATTEMPTS_MAX} builds in a row failed. No valid host was found."


def test_one_that_comes_off_or_another_configuration_lets_them_be_counted_anew() -> None:
    refresh = a_refresh(attempts=ATTEMPTS_MAX - 1)
    group, was = a_group(trouble=failing(2)), a_group(trouble=failing(1))
    assert after(refresh, a_turn(at_rest=False, replaced=1), group, was).attempts == 1
    other = replace(group, launch_configuration_id=LaunchConfigurationId("configuration-2"))
    assert after(refresh, a_turn(at_rest=False, replaced=0), other, was).attempts == 1
    assert after(refresh, a_turn(at_rest=False, replaced=1), a_group()).attempts == 0


def test_what_is_refused_outright_is_not_tried_again() -> None:
    failed = after(a_refresh(), a_turn(), a_group(trouble=a_trouble(TroubleKind.REFUSED, retry_at=None)))
    assert (failed.status, failed.status_reason) == (RefreshStatus.FAILED, "No valid host was found.")


@pytest.mark.parametrize("kind", [TroubleKind.CLOUD, TroubleKind.CREDENTIAL])
def test_for_a_cloud_that_is_out_of_reach_it_waits(kind: TroubleKind) -> None:
    for plan in (None, a_turn()):
        seen = after(a_refresh(attempts=1), plan, a_group(trouble=a_trouble(kind, attempts=99)))
        assert (seen.status, seen.status_reason) == ("running", "It waits: No valid host was found.")
        assert seen.attempts <= 1


def test_who_paused_it_stays_said() -> None:
    refresh = a_refresh(status=RefreshStatus.PAUSED, status_reason="paused by hand", replaced=1)
    assert after(refresh, a_turn(), a_group(trouble=failing(1))).status_reason == "paused by hand"


@pytest.mark.parametrize(
    ("refresh", "plan", "group", "said"),
    [
        (a_refresh(), a_turn(at_rest=False), a_group(), None),
        (a_refresh(), a_turn(stuck=True), a_group(), "It waits: without any one of those in service"),
        (a_refresh(pause_seconds=60, rested_at=NOW), a_turn(), a_group(), "It pauses until 2026-03-01T12:01"),
        (a_refresh(), a_turn(), a_group(freeze=Freeze(reason="", until=None)), "It waits: the group is"),
    ],
)
def test_it_says_what_it_waits_for(refresh: Refresh, plan: Plan, group: Group, said: str | None) -> None:
    reason = after(replace(refresh, status_reason="before"), plan, group).status_reason
    assert (reason or "").startswith(said or "")
    assert (reason is None) is (said is None)


# --- when it is looked at again


@pytest.mark.parametrize(
    ("refresh", "plan", "group", "at"),
    [
        (a_refresh(rested_at=NOW, pause_seconds=60), a_turn(), a_group(), NOW + seconds(60)),
        (a_refresh(rested_at=NOW, pause_seconds=900), a_turn(), a_group(), ROUTINE),
        (a_refresh(), a_turn(), a_group(), NOW + seconds(1)),
        (a_refresh(), a_turn(stuck=True), a_group(), NOW + seconds(20)),
        (a_refresh(status=RefreshStatus.PAUSED), a_turn(), a_group(), ROUTINE),
        (a_refresh(status=RefreshStatus.SUCCEEDED), a_turn(), a_group(), ROUTINE),
        (a_refresh(), a_turn(), a_group(settled=False), ROUTINE),
        (a_refresh(), None, a_group(), ROUTINE),
        (a_refresh(), a_turn(), a_group(freeze=Freeze(reason="", until=None)), ROUTINE),
        (
            a_refresh(),
            a_turn(),
            a_group(freeze=Freeze(reason="", until=NOW + seconds(90))),
            NOW + seconds(90),
        ),
    ],
)
def test_between_batches_it_is_looked_at_when_the_next_may_begin(
    refresh: Refresh, plan: Plan | None, group: Group, at: object
) -> None:
    assert look_again_at(refresh, group, plan, ROUTINE, NOW) == at


# --- what is refused


@pytest.mark.parametrize("status", ENDED)
def test_one_that_is_over_cannot_be_changed(status: RefreshStatus) -> None:
    refresh = a_refresh(status=status)
    assert refresh.ended
    with pytest.raises(Conflict) as refused:
        require_under_way(refresh)
    assert refused.value.code == "autoscaling.refresh.ended"


@pytest.mark.parametrize("status", [RefreshStatus.RUNNING, RefreshStatus.PAUSED])
def test_one_that_runs_or_is_paused_can(status: RefreshStatus) -> None:
    require_under_way(a_refresh(status=status))


def test_more_than_the_group_may_want_cannot_be_kept_in_service() -> None:
    for fits in (None, 0, 10):
        require_fits(a_refresh(min_in_service=fits), a_group(max_size=10))
    with pytest.raises(Invalid):
        require_fits(a_refresh(min_in_service=11), a_group(max_size=10))
