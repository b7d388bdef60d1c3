from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.capacity import Direction
from chalicelib.core.cooldown import Stamp, completed, holding, shrunk, stamped, stamps_of_change
from chalicelib.core.ids import PolicyId
from tests.core.factories import NOW, POLICY, a_stamp, seconds

thorough = settings(max_examples=200, derandomize=True, deadline=None)

OUT, IN = Direction.OUT, Direction.IN
OTHER = PolicyId("policy-2")


def a_change(**changes: int) -> tuple[Stamp, ...]:
    lengths = {"group_seconds": 300, "policy_seconds": 60, "build_timeout_seconds": 600, **changes}
    return stamps_of_change(policy_id=POLICY, direction=OUT, now=NOW, **lengths)


def test_a_change_stamps_the_group_and_its_policy() -> None:
    group, policy = a_change()
    assert (group.policy_id, group.seconds, group.until) == (None, 300, NOW + seconds(300))
    assert (policy.policy_id, policy.seconds, policy.until) == (POLICY, 60, NOW + seconds(60))
    assert {group.direction, policy.direction} == {OUT}
    assert group.under_way_until == policy.under_way_until == NOW + seconds(600)


@pytest.mark.parametrize(
    ("lengths", "owners"),
    [
        ({"group_seconds": 0}, [POLICY]),
        ({"policy_seconds": 0}, [None]),
        ({"group_seconds": 0, "policy_seconds": 0}, []),
    ],
)
def test_a_cooldown_of_zero_leaves_no_stamp(lengths: dict[str, int], owners: list[PolicyId | None]) -> None:
    assert [stamp.policy_id for stamp in a_change(**lengths)] == owners


@pytest.mark.parametrize(
    ("stamped_direction", "asked", "held"),
    [(OUT, OUT, True), (OUT, IN, True), (IN, IN, True), (IN, OUT, False)],
)
def test_a_scale_in_waits_for_both_and_a_scale_out_for_scale_outs_only(
    stamped_direction: Direction, asked: Direction, held: bool
) -> None:
    assert (holding([a_stamp(stamped_direction)], POLICY, asked, NOW) is not None) is held


@pytest.mark.parametrize(("owner", "held"), [(None, True), (POLICY, True), (OTHER, False)])
def test_the_group_holds_every_policy_and_a_policy_only_itself(owner: PolicyId | None, held: bool) -> None:
    assert (holding([a_stamp(policy_id=owner)], POLICY, OUT, NOW) is not None) is held


@pytest.mark.parametrize(
    ("until", "under_way", "held"),
    [
        (1, None, True),
        (0, None, False),  # the end itself is past the hold
        (-1, None, False),
        (-1, 1, True),  # its cooldown has passed, its servers still build
        (-1, 0, False),
        (1, -1, True),
    ],
)
def test_a_stamp_holds_until_its_cooldown_has_passed_and_its_change_completed(
    until: int, under_way: int | None, held: bool
) -> None:
    stamp = a_stamp(
        until=NOW + seconds(until),
        under_way_until=None if under_way is None else NOW + seconds(under_way),
    )
    assert (holding([stamp], POLICY, OUT, NOW) is stamp) is held


def test_asking_again_makes_sense_at_the_promised_end_and_past_it_at_the_slowest_builds() -> None:
    stamp = a_stamp(until=NOW + seconds(300), under_way_until=NOW + seconds(600))
    assert stamp.retry_at(NOW) == NOW + seconds(300)
    assert stamp.retry_at(NOW + seconds(299)) == NOW + seconds(300)
    assert stamp.retry_at(NOW + seconds(300)) == NOW + seconds(600)


def test_of_two_cooldowns_of_one_change_the_longer_one_is_named() -> None:
    """Both are under way equally long, so only the promised ends tell them apart."""
    stamps = a_change(group_seconds=300, policy_seconds=400)
    for listed in (stamps, tuple(reversed(stamps))):
        hold = holding(listed, POLICY, OUT, NOW + seconds(1))
        assert hold is not None
        assert hold.retry_at(NOW + seconds(1)) == NOW + seconds(400)


def test_nothing_holds_a_group_that_never_changed() -> None:
    assert holding([], POLICY, OUT, NOW) is None


offsets = st.integers(-400, 900)
stamps_anyhow = st.lists(
    st.builds(
        Stamp,
        policy_id=st.sampled_from([None, POLICY, OTHER]),
        direction=st.sampled_from(Direction),
        seconds=st.integers(1, 900),
        until=offsets.map(lambda s: NOW + seconds(s)),
        under_way_until=st.none() | offsets.map(lambda s: NOW + seconds(s)),
    ),
    max_size=6,
)


@thorough
@given(stamps_anyhow, st.sampled_from(Direction))
def test_asking_again_before_the_promised_end_is_in_vain(stamps: list[Stamp], direction: Direction) -> None:
    hold = holding(stamps, POLICY, direction, NOW)
    if hold is not None:
        retry_at = hold.retry_at(NOW)
        assert retry_at > NOW
        assert holding(stamps, POLICY, direction, retry_at - seconds(1)) is not None


@thorough
@given(stamps_anyhow, st.sampled_from(Direction))
def test_whoever_asks_again_when_told_is_soon_let_through(stamps: list[Stamp], direction: Direction) -> None:
    moment, asked = NOW, 0
    while (hold := holding(stamps, POLICY, direction, moment)) is not None:
        moment, asked = hold.retry_at(moment), asked + 1
        assert asked <= 2 * len(stamps)
    assert all(
        stamp.ends_at() <= moment for stamp in stamps if holding([stamp], POLICY, direction, NOW) is not None
    )


@thorough
@given(stamps_anyhow)
def test_no_number_of_scale_ins_ever_holds_a_scale_out(stamps: list[Stamp]) -> None:
    shrinking = [stamp for stamp in stamps if stamp.direction is IN]
    assert holding(shrinking, POLICY, OUT, NOW) is None


def test_a_new_stamp_replaces_the_one_it_follows_and_leaves_the_others() -> None:
    old = [
        a_stamp(OUT),
        a_stamp(IN),
        a_stamp(OUT, policy_id=OTHER),
        a_stamp(OUT, policy_id=POLICY),
    ]
    new = a_change()
    assert stamped(old, new, NOW) == (old[1], old[2], *new)


def test_stamps_that_have_ended_are_dropped_and_those_under_way_are_kept() -> None:
    ended = a_stamp(IN, until=NOW)
    under_way = a_stamp(IN, policy_id=OTHER, until=NOW - seconds(1), under_way_until=NOW + seconds(1))
    assert stamped([ended, under_way], [], NOW) == (under_way,)


def test_new_stamps_may_come_as_an_iterator() -> None:
    assert stamped([], iter(a_change()), NOW) == a_change()


@pytest.mark.parametrize(
    ("finished", "until"),
    [
        (10, 310),  # quick: the wait starts at the end of the change, not at its start
        (250, 550),
        (500, 800),  # slow: held all the while (Heat bug 1375156), and then the whole cooldown
    ],
)
def test_the_cooldown_starts_anew_when_the_change_completes(finished: int, until: int) -> None:
    group_stamp = a_change()[0]
    (after,) = completed([group_stamp], NOW + seconds(finished))
    assert after.under_way_until is None
    assert after.until == NOW + seconds(until)
    assert (after.policy_id, after.direction, after.seconds) == (None, OUT, 300)


def test_completion_never_brings_a_promised_end_forward() -> None:
    late = a_stamp(until=NOW + seconds(500), under_way_until=NOW + seconds(600), seconds=300)
    assert completed([late], NOW)[0].until == NOW + seconds(500)


def test_what_completed_before_is_not_extended_again() -> None:
    once = completed(a_change(), NOW + seconds(20))
    assert completed(once, NOW + seconds(40)) == once


def test_a_stamp_keeps_the_moment_it_was_promised() -> None:
    """It is stored as a time: no policy or group is asked for its cooldown again."""
    promised: datetime = a_stamp().until
    assert a_stamp().retry_at(NOW) == promised


@pytest.mark.parametrize(("by", "left"), [(0, [3, 1]), (1, [2]), (2, [1]), (3, []), (9, [])])
def test_those_that_are_not_wanted_any_more_do_not_warm_up(by: int, left: list[int]) -> None:
    holds = a_stamp(IN)
    stamps = (a_stamp(policy_id=POLICY, added=3), holds, a_stamp(policy_id=OTHER, added=1))
    after = shrunk(stamps, by)
    assert [stamp.added for stamp in after if stamp.added] == left
    assert [stamp for stamp in after if not stamp.added] == [holds]
