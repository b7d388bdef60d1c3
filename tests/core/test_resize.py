from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.core.capacity import Bounds
from chalicelib.core.execution import Outcome, Rule, Verdict
from chalicelib.core.group import Freeze, TroubleKind
from chalicelib.core.resize import resize
from chalicelib.core.schedule import SetSizes
from tests.core.factories import NOW, a_group, a_stamp, a_trouble, seconds

thorough = settings(max_examples=200, derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("sizes", "becomes"),
    [
        # A group of 2, within 1 to 10.
        ({"min_size": 4}, (4, 10, 4)),
        ({"min_size": 0}, (0, 10, 2)),
        ({"max_size": 1}, (1, 1, 1)),
        ({"max_size": 20}, (1, 20, 2)),
        ({"desired_capacity": 7}, (1, 10, 7)),
        ({"desired_capacity": 70}, (1, 10, 10)),
        ({"desired_capacity": 0}, (1, 10, 1)),
        ({"min_size": 0, "max_size": 0}, (0, 0, 0)),
        ({"min_size": 3, "max_size": 5, "desired_capacity": 4}, (3, 5, 4)),
    ],
)
def test_sizes_are_set_in_one_write(sizes: dict[str, int], becomes: tuple[int, int, int]) -> None:
    group = a_group(desired_capacity=2)
    decision = resize(SetSizes(**sizes), group, NOW)
    low, high, desired = becomes
    assert decision.outcome is Outcome.EXECUTED
    assert decision.group == replace(
        group,
        bounds=Bounds(min_size=low, max_size=high),
        desired_capacity=desired,
        updated_at=NOW,
    )


def test_it_says_what_was_clamped() -> None:
    decision = resize(SetSizes(desired_capacity=70), a_group(desired_capacity=2), NOW)
    (clamp,) = [step for step in decision.explanation.steps if step.rule is Rule.CLAMP]
    assert clamp.verdict is Verdict.CLAMPED
    assert clamp.detail == "70 is outside min_size 1 and max_size 10: 10."
    assert decision.explanation.summary == (
        "The group wants 10 instead of 2, within min_size 1 and max_size 10."
    )


@pytest.mark.parametrize("sizes", [{"min_size": 1}, {"desired_capacity": 2}, {"max_size": 10}])
def test_what_is_so_already_changes_nothing(sizes: dict[str, int]) -> None:
    group = a_group(desired_capacity=2)
    decision = resize(SetSizes(**sizes), group, NOW)
    assert decision.outcome is Outcome.NO_CHANGE
    assert decision.group is group


@pytest.mark.parametrize(
    ("changes", "sizes", "outcome", "rule"),
    [
        ({"deleting": True}, {"min_size": 4}, Outcome.GROUP_DELETING, Rule.DELETION),
        ({"freeze": Freeze(reason="audit", until=None)}, {"min_size": 4}, Outcome.FROZEN, Rule.FREEZE),
        ({"freeze": Freeze(reason="over", until=NOW)}, {"min_size": 4}, Outcome.EXECUTED, Rule.CHANGE),
        ({}, {"min_size": 11}, Outcome.SIZES_REFUSED, Rule.ADJUSTMENT),
        ({}, {"max_size": 0}, Outcome.SIZES_REFUSED, Rule.ADJUSTMENT),
    ],
)
def test_what_stands_in_the_way(
    changes: dict[str, object], sizes: dict[str, int], outcome: Outcome, rule: Rule
) -> None:
    group = a_group(**changes)
    decision = resize(SetSizes(**sizes), group, NOW)
    assert (decision.outcome, decision.explanation.steps[-1].rule) == (outcome, rule)
    assert (decision.group is group) is (outcome is not Outcome.EXECUTED)


def test_neither_cooldowns_nor_a_broken_credential_hold_it() -> None:
    group = a_group(cooldowns=(a_stamp(until=NOW + seconds(100)),), trouble=a_trouble(TroubleKind.CREDENTIAL))
    decision = resize(SetSizes(min_size=4), group, NOW)
    assert decision.outcome is Outcome.EXECUTED
    assert decision.group.cooldowns == group.cooldowns


size = st.none() | st.integers(0, 20)


@thorough
@given(size, size, size, st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_whatever_is_set_the_group_wants_a_size_within_its_bounds(
    low: int | None, high: int | None, desired: int | None, min_size: int, more: int, above: int
) -> None:
    given_sizes = [each for each in (low, desired, high) if each is not None]
    assume(given_sizes and given_sizes == sorted(given_sizes))
    group = a_group(min_size=min_size, max_size=min_size + more, desired_capacity=min_size + min(above, more))
    decision = resize(SetSizes(min_size=low, max_size=high, desired_capacity=desired), group, NOW)
    bounds = decision.group.bounds
    assert bounds.min_size <= decision.group.desired_capacity <= bounds.max_size
    assert decision.explanation.steps
    again = resize(SetSizes(min_size=low, max_size=high, desired_capacity=desired), decision.group, NOW)
    assert again.outcome in (Outcome.NO_CHANGE, Outcome.SIZES_REFUSED)
