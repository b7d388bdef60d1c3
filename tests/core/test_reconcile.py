from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.execution import Rule, Verdict
from chalicelib.core.reconcile import Want, reconciled
from tests.core.test_worked_examples import want

thorough = settings(max_examples=300, derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("wants", "current", "capacity", "winner"),
    [
        ([], 4, 4, None),
        ([want("a", 4)], 4, 4, None),
        ([want("a", None)], 4, 4, None),
        ([want("a", 7), want("b", 9), want("c", 2)], 4, 9, "b"),
        ([want("b", 7), want("a", 7)], 4, 7, "a"),  # the same for all: the first by id
        ([want("a", 2), want("b", 3)], 4, 3, "b"),
        ([want("a", 2), want("b", 4)], 4, 4, None),
        ([want("a", 2), want("b", None)], 4, 4, None),
        ([want("a", 6), want("b", None)], 4, 6, "a"),
        ([want("f", 3, never_in=True)], 4, 4, None),  # a forecast alone never shrinks the group
        ([want("f", 6, never_in=True)], 4, 6, "f"),
        ([want("f", 3, never_in=True), want("a", 1)], 4, 3, "a"),  # but nobody goes below it
        ([want("f", 1, never_in=True), want("a", 3)], 4, 3, "a"),
        ([want("f", None, never_in=True), want("a", 3)], 4, 4, None),
    ],
)
def test_out_if_any_wants_it_in_if_all_agree(
    wants: list[Want], current: int, capacity: int, winner: str | None
) -> None:
    result = reconciled(wants, current)
    assert result.capacity == capacity
    assert (None if result.winner is None else result.winner.name) == winner


@pytest.mark.parametrize(
    ("wants", "said"),
    [
        (
            [want("a", 7), want("b", 2)],
            {"b": "Policy 'b' wants 2 and is outvoted: 'a' wants more members, 7."},
        ),
        (
            [want("a", 2), want("b", 4)],
            {"a": "Policy 'a' wants 2 and is outvoted: 'b' wants to stay at 4."},
        ),
        (
            [want("a", 2), want("b", None)],
            {
                "a": "Policy 'a' wants 2 and is outvoted: 'b' does not know its metric, so the group "
                "does not shrink."
            },
        ),
        (
            [want("a", 2), want("b", 3)],
            {"a": "Policy 'a' wants 2 and is outvoted: 'b' wants more members to remain, 3."},
        ),
        (
            [want("f", 2, never_in=True)],
            {"f": "Policy 'f' wants 2 and is outvoted: no policy that scales in wants to."},
        ),
    ],
)
def test_each_loser_is_told_who_outvoted_it(wants: list[Want], said: dict[str, str]) -> None:
    losses = reconciled(wants, 4).losses
    assert {loss.want.name: loss.step.detail for loss in losses} == said
    assert {(loss.step.rule, loss.step.verdict) for loss in losses} == {(Rule.RECONCILE, Verdict.REFUSE)}


def test_a_winner_that_others_hold_back_is_told_so() -> None:
    result = reconciled([want("f", 3, never_in=True), want("a", 1)], 4)
    assert result.step is not None
    assert result.step.verdict is Verdict.CLAMPED
    assert result.step.detail == "1 members would do, but 'f' wants more members to remain, 3."
    assert result.losses == ()


wants = st.lists(
    st.builds(
        want,
        st.sampled_from("abcdef"),
        st.none() | st.integers(0, 20),
        never_in=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda each: each.name,
)


@thorough
@given(wants, st.integers(0, 20))
def test_the_laws_of_reconciling(found: list[Want], current: int) -> None:
    result = reconciled(found, current)
    known = [each.capacity for each in found if each.capacity is not None]
    assert result.capacity <= max([current, *known])
    assert all(result.capacity >= min(capacity, current) for capacity in known), (
        "nobody gets less than it wants"
    )
    if any(capacity > current for capacity in known):
        assert result.capacity == max(known)
    if len(known) < len(found):
        assert result.capacity >= current
    assert (result.winner is None) == (result.capacity == current)
    again = reconciled(sorted(found, key=lambda each: each.name, reverse=True), current)
    assert (again.capacity, again.winner) == (result.capacity, result.winner), "whatever the order"
    unhappy = {each.name for each in found if each.capacity not in (None, result.capacity)}
    winner = {result.winner.name} if result.winner is not None else set()
    assert {loss.want.name for loss in result.losses} == unhappy - winner
