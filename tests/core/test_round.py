from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.balance import Balance
from chalicelib.core.capacity import Direction
from chalicelib.core.group import Freeze, Group, GroupStatus, Trouble, TroubleKind
from chalicelib.core.ids import PoolId, RefreshId
from chalicelib.core.plan import Plan
from chalicelib.core.round import REOBSERVE_AFTER, Conclusion, Setback, back_off, conclude
from tests.core.factories import LONG_AGO, NOW, a_group, a_plan, a_stamp, a_trouble, seconds

thorough = settings(max_examples=200, derandomize=True, deadline=None)

ROUTINE = NOW + seconds(240)
WAITING = a_plan(settled=False, moves=False, current_size=1, in_service=1)
MOVING = a_plan(settled=False, moves=True, current_size=3, in_service=1)
FAILED = a_plan(settled=False, moves=True, current_size=1, failed_builds=("web-1 is in ERROR: no host",))


def after(
    group: Group,
    plan: Plan | None,
    setback: Setback | None = None,
    *,
    cut_short: bool = False,
    jitter: float = 1.0,
    looked: timedelta = timedelta(),
) -> Conclusion:
    return conclude(group, plan, setback, now=NOW, jitter=jitter, cut_short=cut_short, looked=looked)


def a_setback(kind: TroubleKind, **changes: Any) -> Setback:
    return replace(Setback(kind=kind, reason="It went wrong."), **changes)


def trouble_of(conclusion: Conclusion) -> Trouble:
    trouble = conclusion.group.trouble
    assert trouble is not None
    return trouble


# --- settled or not


def test_a_group_with_nothing_left_to_do_is_settled_for_its_generation() -> None:
    conclusion = after(a_group(generation=7, settled=False), a_plan(current_size=2, in_service=2))
    assert conclusion.group.settled
    assert conclusion.group.observed.generation == 7
    assert conclusion.group.trouble is None
    assert conclusion.look_again_at == NOW + REOBSERVE_AFTER == ROUTINE


@pytest.mark.parametrize("plan", [WAITING, MOVING, FAILED, None])
def test_a_group_that_waits_moves_fails_or_was_not_seen_is_not_settled(plan: Plan | None) -> None:
    setback = a_setback(TroubleKind.CLOUD) if plan is None else None
    assert not after(a_group(), plan, setback).group.settled


def test_a_setback_keeps_even_a_complete_group_from_being_settled() -> None:
    assert not after(a_group(), a_plan(), a_setback(TroubleKind.CLOUD)).group.settled


def test_what_was_counted_is_noted() -> None:
    observed = after(a_group(), MOVING).group.observed
    assert (observed.current_size, observed.in_service) == (3, 1)


def test_what_was_known_stays_known_when_the_cloud_could_not_be_looked_at() -> None:
    observed = after(a_group(desired_capacity=4), None, a_setback(TroubleKind.CLOUD)).group.observed
    assert (observed.current_size, observed.in_service) == (4, 4)


def test_a_round_changes_nothing_that_is_wanted() -> None:
    group = a_group(cooldowns=(a_stamp(),), freeze=Freeze(reason="", until=None))
    for plan, setback in ((a_plan(), None), (FAILED, None), (None, a_setback(TroubleKind.CREDENTIAL))):
        concluded = after(group, plan, setback).group
        assert replace(concluded, observed=group.observed) == group


# --- cooldowns


@pytest.mark.parametrize(
    ("plan", "setback", "starts_anew"),
    [
        (a_plan(), None, True),
        (MOVING, None, False),
        (WAITING, None, False),
        (FAILED, None, False),
        (a_plan(), a_setback(TroubleKind.CLOUD), False),
        (None, a_setback(TroubleKind.CLOUD), False),
    ],
)
def test_the_cooldown_starts_anew_only_when_the_change_completed(
    plan: Plan | None, setback: Setback | None, starts_anew: bool
) -> None:
    stamp = a_stamp(Direction.OUT, until=NOW + seconds(10), under_way_until=NOW + seconds(400))
    group = a_group(cooldowns=(stamp,))
    (left,) = after(group, plan, setback).group.cooldowns
    if starts_anew:
        assert (left.until, left.under_way_until) == (NOW + seconds(300), None)
    else:
        assert left == stamp


def test_a_settled_group_that_is_looked_at_again_keeps_its_cooldowns() -> None:
    group = a_group(cooldowns=(a_stamp(),))
    assert after(group, a_plan()).group.cooldowns == group.cooldowns


# --- trouble


@pytest.mark.parametrize(
    ("setback", "wait"),
    [
        (a_setback(TroubleKind.BUILD), 10),
        (a_setback(TroubleKind.CLOUD), 5),
        (a_setback(TroubleKind.CREDENTIAL), 60),
        (a_setback(TroubleKind.CLOUD, retry_after=seconds(77)), 77),
        (a_setback(TroubleKind.REFUSED), None),
        (a_setback(TroubleKind.REFUSED, retry_after=seconds(77)), None),
        (a_setback(TroubleKind.REFUSED, over_quota=True), 60),
        (a_setback(TroubleKind.CREDENTIAL, for_good=True), None),
    ],
)
def test_the_first_setback_is_trouble_and_waits_as_its_kind_does(setback: Setback, wait: int | None) -> None:
    trouble = trouble_of(after(a_group(), WAITING, setback))
    assert trouble == Trouble(
        kind=setback.kind,
        reason="It went wrong.",
        since=NOW,
        attempts=1,
        retry_at=None if wait is None else NOW + seconds(wait),
    )


@pytest.mark.parametrize("kind", [TroubleKind.BUILD, TroubleKind.CLOUD, TroubleKind.CREDENTIAL])
def test_more_of_the_same_trouble_waits_longer_and_began_when_it_began(kind: TroubleKind) -> None:
    known = a_trouble(kind, attempts=2, retry_at=NOW)
    trouble = trouble_of(after(a_group(trouble=known), WAITING, a_setback(kind)))
    assert (trouble.attempts, trouble.since) == (3, known.since)
    assert trouble.retry_at == NOW + back_off(kind, 3, 1.0)


def test_servers_of_one_try_that_fail_one_after_the_other_count_as_one_failure() -> None:
    known = a_trouble(TroubleKind.BUILD, attempts=2, retry_at=NOW + seconds(1))
    trouble = trouble_of(after(a_group(trouble=known), FAILED))
    assert (trouble.attempts, trouble.retry_at) == (2, known.retry_at)


def test_a_cloud_that_wishes_to_be_left_alone_for_a_day_is_asked_sooner() -> None:
    wish = a_setback(TroubleKind.CLOUD, retry_after=timedelta(days=1))
    trouble = trouble_of(after(a_group(), WAITING, wish))
    assert trouble.retry_at == NOW + timedelta(minutes=15)


def test_trouble_of_another_kind_counts_from_one() -> None:
    known = a_trouble(TroubleKind.BUILD, attempts=8)
    trouble = trouble_of(after(a_group(trouble=known), WAITING, a_setback(TroubleKind.CLOUD)))
    assert (trouble.kind, trouble.attempts, trouble.since) == (TroubleKind.CLOUD, 1, NOW)


def test_servers_that_fail_to_build_are_trouble_with_novas_words() -> None:
    trouble = trouble_of(after(a_group(), FAILED))
    assert trouble.kind is TroubleKind.BUILD
    assert trouble.reason == "Members fail to build: web-1 is in ERROR: no host"
    many = replace(FAILED, failed_builds=("web-1 is in ERROR", "web-2 is in ERROR", "web-3 is in ERROR"))
    assert (
        trouble_of(after(a_group(), many)).reason == "Members fail to build: web-1 is in ERROR (and 2 more)"
    )


def test_what_the_cloud_said_to_a_request_goes_before_builds_that_failed() -> None:
    trouble = trouble_of(after(a_group(), FAILED, a_setback(TroubleKind.REFUSED)))
    assert trouble.kind is TroubleKind.REFUSED


@pytest.mark.parametrize(
    ("known", "stays"),
    [
        (TroubleKind.CLOUD, False),
        (TroubleKind.CREDENTIAL, False),
        (TroubleKind.REFUSED, True),
        (TroubleKind.BUILD, True),
        (TroubleKind.REMOVAL, True),
    ],
)
@pytest.mark.parametrize("plan", [WAITING, MOVING])
def test_what_a_round_without_a_setback_leaves_of_trouble(
    known: TroubleKind, stays: bool, plan: Plan
) -> None:
    trouble = a_trouble(known)
    assert after(a_group(trouble=trouble), plan).group.trouble == (trouble if stays else None)


@pytest.mark.parametrize("kind", TroubleKind)
def test_no_trouble_outlives_the_groups_completion(kind: TroubleKind) -> None:
    conclusion = after(a_group(trouble=a_trouble(kind)), a_plan())
    assert conclusion.group.trouble is None
    assert conclusion.group.settled


@pytest.mark.parametrize("kind", [TroubleKind.BUILD, TroubleKind.REFUSED])
@pytest.mark.parametrize(
    ("serving", "refresh", "over"), [(2, None, True), (1, None, False), (2, RefreshId("refresh"), False)]
)
def test_trouble_with_coming_is_over_when_all_have_come_whatever_else_is_to_do(
    kind: TroubleKind, serving: int, refresh: RefreshId | None, over: bool
) -> None:
    """But a refresh asks for more than are wanted, and would ask again at once."""
    group = replace(a_group(desired_capacity=2, trouble=a_trouble(kind)), refresh_id=refresh)
    plan = a_plan(settled=False, moves=False, current_size=2, in_service=serving)
    assert (after(group, plan).group.trouble is None) is over


def a_changed_group(trouble: Trouble) -> Group:
    """Return a group that was changed after it fell into trouble."""
    return replace(a_group(trouble=trouble), generation=2)


def test_a_change_ends_a_refusal() -> None:
    group = a_changed_group(a_trouble(TroubleKind.REFUSED, retry_at=None))
    assert after(group, MOVING).group.trouble is None


def test_a_change_lets_builds_be_tried_again_for_as_many_rounds_as_it_takes() -> None:
    """Otherwise a large group would create one round's servers, and then wait out the old trouble."""
    group = a_changed_group(a_trouble(TroubleKind.BUILD, attempts=9, retry_at=NOW + timedelta(minutes=30)))
    assert group.may_create(NOW)
    once = after(group, MOVING).group
    assert once.may_create(NOW)
    assert once.observed.trouble is not None
    assert once.observed.trouble.attempts == 9
    assert after(once, MOVING).group.may_create(NOW)


def test_builds_that_fail_again_after_a_change_wait_longer_still() -> None:
    group = a_changed_group(a_trouble(TroubleKind.BUILD, attempts=3))
    trouble = trouble_of(after(group, FAILED))
    assert trouble.attempts == 4
    assert trouble.retry_at == NOW + seconds(80)


# --- when to look again


@pytest.mark.parametrize(
    ("age", "wait"), [(0, 1), (1, 1), (8, 1), (16, 2), (80, 10), (160, 20), (1600, 20), (90000, 20)]
)
def test_what_moves_is_looked_at_soon_and_less_often_the_longer_it_takes(age: int, wait: int) -> None:
    group = a_group(updated_at=NOW - seconds(age))
    assert after(group, MOVING).look_again_at == NOW + seconds(wait)


def test_what_was_asked_for_just_now_is_looked_at_soon_however_long_ago_the_group_was_changed() -> None:
    """A member that takes the place of another, or comes after a wait."""
    group = a_group(updated_at=LONG_AGO, settled=False)
    asked = replace(MOVING, asked_at=NOW - seconds(40))
    assert after(group, asked).look_again_at == NOW + seconds(5)


@pytest.mark.parametrize(("looked", "wait"), [(0.1, 1), (0.5, 2.5), (3, 15), (60, 20)])
def test_a_look_that_takes_long_is_not_repeated_soon(looked: float, wait: float) -> None:
    group = a_group(updated_at=NOW - seconds(1))
    assert after(group, MOVING, looked=seconds(looked)).look_again_at == NOW + seconds(wait)


@pytest.mark.parametrize("settled", [True, False])
def test_a_round_that_ran_out_of_time_goes_on_at_once(settled: bool) -> None:
    assert after(a_group(settled=settled), MOVING, cut_short=True).look_again_at == NOW


def test_a_round_that_ran_out_of_time_in_trouble_does_not_hurry() -> None:
    conclusion = after(a_group(), WAITING, a_setback(TroubleKind.CLOUD), cut_short=True)
    assert conclusion.look_again_at == NOW + seconds(5)


@pytest.mark.parametrize(
    ("setback", "expected"),
    [
        (a_setback(TroubleKind.CLOUD), NOW + seconds(5)),
        (a_setback(TroubleKind.CLOUD, retry_after=seconds(77)), NOW + seconds(77)),
        (a_setback(TroubleKind.CLOUD, retry_after=seconds(0.1)), NOW + seconds(1)),
        (a_setback(TroubleKind.CLOUD, retry_after=seconds(9000)), ROUTINE),
        (a_setback(TroubleKind.CREDENTIAL), NOW + seconds(60)),
        (a_setback(TroubleKind.CREDENTIAL, for_good=True), ROUTINE),
    ],
)
@pytest.mark.parametrize("plan", [WAITING, MOVING, None])
def test_a_cloud_that_turned_us_away_is_left_in_peace_whatever_moves(
    plan: Plan | None, setback: Setback, expected: datetime
) -> None:
    group = a_group(updated_at=NOW)
    assert after(group, plan, setback).look_again_at == expected


@pytest.mark.parametrize(
    ("retry_at", "expected"),
    [
        (None, ROUTINE),
        (NOW + seconds(30), NOW + seconds(30)),
        (NOW + seconds(9000), ROUTINE),
        (NOW - seconds(5), ROUTINE),  # the round that ended might have tried
    ],
)
def test_a_group_that_waits_out_failed_builds_is_due_when_it_may_try_again(
    retry_at: datetime | None, expected: datetime
) -> None:
    group = a_group(trouble=a_trouble(TroubleKind.BUILD, retry_at=retry_at))
    assert after(group, WAITING).look_again_at == expected


def test_a_refused_group_is_looked_at_by_routine_and_sooner_while_something_moves() -> None:
    group = a_group(updated_at=LONG_AGO)
    setback = a_setback(TroubleKind.REFUSED)
    assert after(group, WAITING, setback).look_again_at == ROUTINE
    assert after(group, MOVING, setback).look_again_at == NOW + seconds(20)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (None, ROUTINE),
        (NOW + seconds(50), NOW + seconds(50)),
        (NOW + seconds(9000), ROUTINE),
        (NOW, NOW + seconds(1)),  # it ended while the round ran
    ],
)
def test_a_frozen_group_is_due_when_it_thaws(until: datetime | None, expected: datetime) -> None:
    group = a_group(freeze=Freeze(reason="Release day.", until=until))
    assert after(group, WAITING).look_again_at == expected


def test_a_frozen_group_is_not_looked_at_every_second_for_its_trouble() -> None:
    """While it is frozen nothing is tried again, so the time to do so lies behind us and stays there."""
    group = a_group(
        freeze=Freeze(reason="Release day.", until=None),
        trouble=a_trouble(TroubleKind.BUILD, retry_at=NOW - seconds(5)),
    )
    assert after(group, WAITING).look_again_at == ROUTINE


def test_a_refused_group_is_not_looked_at_every_second_for_a_freeze_that_is_over() -> None:
    group = a_group(
        freeze=Freeze(reason="Release day.", until=LONG_AGO),
        trouble=a_trouble(TroubleKind.REFUSED, retry_at=None),
    )
    assert after(group, WAITING).look_again_at == ROUTINE


@pytest.mark.parametrize(("began", "wait"), [(0, 240), (10, 1)])
def test_a_hold_that_ended_before_the_round_does_not_have_it_repeated_every_second(
    began: int, wait: int
) -> None:
    """Something else keeps the group unsettled, a pool that is gone, say."""
    ended = NOW - seconds(5)
    freeze = Freeze(reason="Release day.", until=ended)
    for group in (a_group(trouble=a_trouble(TroubleKind.BUILD, retry_at=ended)), a_group(freeze=freeze)):
        after_round = conclude(
            group,
            WAITING,
            None,
            now=NOW,
            jitter=1,
            cut_short=False,
            round_began_at=NOW - seconds(began),
        )
        assert after_round.look_again_at == NOW + seconds(wait)


kinds = st.sampled_from([TroubleKind.BUILD, TroubleKind.CLOUD, TroubleKind.CREDENTIAL])
moments = st.none() | st.integers(-5000, 5000).map(lambda s: NOW + seconds(s))
groups = st.builds(
    a_group,
    generation=st.just(2),
    updated_at=st.integers(0, 5000).map(lambda s: NOW - seconds(s)),
    freeze=st.none() | st.builds(Freeze, reason=st.just("Stop."), until=moments),
    trouble=st.none() | st.builds(a_trouble, st.sampled_from(TroubleKind), retry_at=moments),
)
setbacks = st.none() | st.builds(
    a_setback,
    st.sampled_from(TroubleKind),
    for_good=st.booleans(),
    retry_after=st.none() | st.integers(0, 5000).map(seconds),
)


@thorough
@given(groups, st.sampled_from([a_plan(), WAITING, MOVING, FAILED, None]), setbacks, st.floats(0, 1))
def test_every_group_is_looked_at_again_within_five_minutes_and_never_in_a_hurry(
    group: Group, plan: Plan | None, setback: Setback | None, jitter: float
) -> None:
    conclusion = after(group, plan, setback, jitter=jitter)
    assert NOW + seconds(1) <= conclusion.look_again_at <= ROUTINE
    assert not (conclusion.group.settled and conclusion.group.trouble)


# --- back-off


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        (TroubleKind.BUILD, [10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800]),
        (TroubleKind.CLOUD, [5, 10, 20, 40, 80, 160, 300, 300]),
        (TroubleKind.CREDENTIAL, [60, 120, 240, 300, 300]),
    ],
)
def test_a_wait_doubles_up_to_the_longest(kind: TroubleKind, waits: list[int]) -> None:
    assert [back_off(kind, number, 1.0) for number in range(1, len(waits) + 1)] == [
        seconds(wait) for wait in waits
    ]


def test_jitter_spreads_over_the_upper_half() -> None:
    assert back_off(TroubleKind.BUILD, 2, 0.0) == seconds(10)
    assert back_off(TroubleKind.BUILD, 2, 0.5) == seconds(15)
    assert back_off(TroubleKind.BUILD, 2, 1.0) == seconds(20)


@thorough
@given(kinds, st.integers(1, 10**9), st.floats(0, 1))
def test_a_wait_is_bounded_however_often_it_went_wrong(
    kind: TroubleKind, attempts: int, jitter: float
) -> None:
    wait = back_off(kind, attempts, jitter)
    assert back_off(kind, 1, 0.0) <= wait <= timedelta(minutes=30)
    assert back_off(kind, attempts, 0.0) <= wait <= back_off(kind, attempts, 1.0)


# --- trouble with pools, beside the other


def pools(**changes: Any) -> Plan:
    """Return the plan of a group in whose pools something is due."""
    return a_plan(settled=False, pools=replace(Balance(due=True), **changes))


def test_trouble_with_pools_leaves_the_trouble_with_servers_alone() -> None:
    known = a_trouble(TroubleKind.BUILD, retry_at=NOW + seconds(900), attempts=5)
    conclusion = after(
        a_group(settled=False, desired_capacity=9, trouble=known), pools(troubles=("P is gone.",))
    )
    assert conclusion.group.trouble == known
    found = conclusion.group.pool_trouble
    assert found is not None
    assert (found.reason, found.kind, found.attempts) == ("P is gone.", TroubleKind.BALANCER, 1)
    assert not conclusion.group.settled


def test_pools_are_tried_again_after_ever_longer_waits_until_a_change() -> None:
    group, waits = a_group(settled=False), []
    for _ in range(9):
        group = after(group, pools(unreachable=True, troubles=("no answer",))).group
        assert group.pool_trouble is not None
        assert group.pool_trouble.retry_at is not None
        waits.append((group.pool_trouble.retry_at - NOW).total_seconds())
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert group.pool_trouble is not None
    assert group.pool_trouble.kind is TroubleKind.CLOUD
    assert replace(group, generation=group.generation + 1).pool_trouble is None


@pytest.mark.parametrize(
    ("attempts", "status"), [(1, GroupStatus.CONVERGING), (2, GroupStatus.ERROR), (9, GroupStatus.ERROR)]
)
def test_one_lost_answer_is_no_error_yet(attempts: int, status: GroupStatus) -> None:
    group = a_group(settled=False)
    trouble = a_trouble(TroubleKind.BALANCER, attempts=attempts, reason="why")
    troubled = replace(group, observed=replace(group.observed, pool_trouble=trouble))
    assert troubled.status(NOW) == (status, "why")


def test_what_is_known_of_pools_stays_known_while_they_are_not_asked() -> None:
    troubled = after(a_group(settled=False), pools(troubles=("why",))).group
    for plan in (pools(unasked=True), None):
        kept = after(troubled, plan, a_setback(TroubleKind.CLOUD)).group
        assert kept.pool_trouble == troubled.pool_trouble
    assert after(troubled, pools()).group.pool_trouble is None


def test_a_load_balancer_that_is_pending_for_long_is_trouble() -> None:
    busy = pools(busy=("Load balancer L is in PENDING_UPDATE",))
    group = after(a_group(settled=False), busy).group
    assert (group.pool_trouble, group.observed.pools_busy_since) == (None, NOW)
    later = conclude(group, busy, None, now=NOW + seconds(299), jitter=1, cut_short=False).group
    assert later.pool_trouble is None
    stuck = conclude(later, busy, None, now=NOW + seconds(300), jitter=1, cut_short=False).group
    assert stuck.pool_trouble is not None
    assert stuck.pool_trouble.reason.startswith("Load balancer L is in PENDING_UPDATE since 12:00:00")
    assert after(stuck, pools()).group.observed.pools_busy_since is None


@pytest.mark.parametrize(
    ("plan", "seconds_until"),
    [
        (pools(drained_at=NOW + seconds(42)), 42),
        (pools(drained_at=NOW + seconds(4000)), 240),
        (pools(troubles=("why",)), 5),
        (replace(pools(busy=("L",)), moves=True), 2),
    ],
)
def test_pools_say_when_the_group_is_looked_at_again(plan: Plan, seconds_until: float) -> None:
    group = a_group(settled=False, updated_at=LONG_AGO)
    assert after(group, plan).look_again_at == NOW + seconds(seconds_until)


def test_pools_that_were_left_are_forgotten() -> None:
    group = a_group(settled=False, former_pools=(PoolId("a"), PoolId("b")))
    assert after(group, pools(left=(PoolId("a"),))).group.former_pools == ("b",)
    assert after(group, None, a_setback(TroubleKind.CLOUD)).group.former_pools == ("a", "b")
