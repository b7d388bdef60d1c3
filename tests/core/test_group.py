from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from chalicelib.core.capacity import Bounds
from chalicelib.core.errors import Invalid
from chalicelib.core.group import (
    CHANGES_MAX,
    Change,
    Freeze,
    GroupStatus,
    TroubleKind,
    remembered,
    require_within,
)
from tests.core.factories import NOW, a_group, a_trouble, seconds

FROZEN = Freeze(reason="Release day.", until=NOW + seconds(1))
CREDENTIAL = a_trouble(TroubleKind.CREDENTIAL, reason="The trust was deleted.")
REFUSED = a_trouble(TroubleKind.REFUSED, reason="Quota exceeded.")
BUILD = a_trouble(TroubleKind.BUILD, reason="No valid host.")
CLOUD = a_trouble(TroubleKind.CLOUD, reason="Nova does not answer.")


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({}, GroupStatus.ACTIVE, None),
        ({"settled": False}, GroupStatus.CONVERGING, None),
        ({"trouble": CLOUD}, GroupStatus.CONVERGING, "Nova does not answer."),
        ({"trouble": BUILD}, GroupStatus.ERROR, "No valid host."),
        ({"trouble": REFUSED}, GroupStatus.ERROR, "Quota exceeded."),
        ({"freeze": FROZEN}, GroupStatus.FROZEN, "Release day."),
        ({"freeze": FROZEN, "trouble": REFUSED}, GroupStatus.FROZEN, "Release day."),
        ({"freeze": replace(FROZEN, until=NOW)}, GroupStatus.ACTIVE, None),
        ({"trouble": CREDENTIAL}, GroupStatus.CREDENTIAL_ERROR, "The trust was deleted."),
        ({"trouble": CREDENTIAL, "freeze": FROZEN}, GroupStatus.CREDENTIAL_ERROR, "The trust was deleted."),
        ({"deleting": True}, GroupStatus.DELETING, None),
        (
            {"deleting": True, "freeze": FROZEN, "trouble": CREDENTIAL},
            GroupStatus.DELETING,
            "The trust was deleted.",
        ),
    ],
)
def test_what_a_caller_reads_first(changes: dict[str, Any], status: GroupStatus, reason: str | None) -> None:
    assert a_group(**changes).status(NOW) == (status, reason)


@pytest.mark.parametrize("trouble", [CREDENTIAL, REFUSED, BUILD, CLOUD])
def test_any_change_arms_a_group_in_trouble_again(trouble: Any) -> None:
    group = a_group(trouble=replace(trouble, retry_at=None))
    assert not group.may_create(NOW)
    changed = replace(group, generation=group.generation + 1)
    assert changed.may_create(NOW)
    assert changed.status(NOW) == (GroupStatus.CONVERGING, None)


def test_a_group_is_settled_for_the_generation_that_was_observed_only() -> None:
    group = a_group(generation=4)
    assert group.settled
    assert not replace(group, generation=5).settled
    assert not a_group(settled=False).settled


@pytest.mark.parametrize(
    ("retry_at", "may"), [(None, False), (NOW + seconds(1), False), (NOW, True), (NOW - seconds(1), True)]
)
def test_trouble_is_tried_again_when_its_wait_is_over(retry_at: datetime | None, may: bool) -> None:
    assert a_group(trouble=a_trouble(retry_at=retry_at)).may_create(NOW) is may


def test_a_group_without_trouble_may_create() -> None:
    assert a_group().may_create(NOW)


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        (None, False),
        (Freeze(reason="", until=None), True),
        (Freeze(reason="", until=NOW + seconds(1)), True),
        (Freeze(reason="", until=NOW), False),
    ],
)
def test_a_freeze_ends_by_itself_where_it_has_an_end(freeze: Freeze | None, frozen: bool) -> None:
    assert a_group(freeze=freeze).frozen(NOW) is frozen


def test_a_group_that_is_being_deleted_wants_nobody() -> None:
    assert a_group(desired_capacity=4).wanted_capacity() == 4
    assert a_group(desired_capacity=4, deleting=True).wanted_capacity() == 0


@pytest.mark.parametrize("desired", [2, 3, 5])
def test_a_capacity_within_its_bounds_is_accepted(desired: int) -> None:
    require_within(Bounds(min_size=2, max_size=5), desired)


@pytest.mark.parametrize("desired", [-1, 1, 6])
def test_a_capacity_outside_its_bounds_is_refused(desired: int) -> None:
    with pytest.raises(Invalid) as caught:
        require_within(Bounds(min_size=2, max_size=5), desired)
    assert caught.value.code == "autoscaling.group.desired_outside_bounds"


def test_a_group_remembers_the_changes_of_an_hour_and_no_more() -> None:
    old, recent = Change(at=NOW - seconds(3600), by=3), Change(at=NOW - seconds(3599), by=1)
    assert remembered((old, recent), NOW) == (recent,)


def test_however_often_a_size_changes_little_is_kept_and_none_is_forgotten() -> None:
    changes: tuple[Change, ...] = ()
    for number in range(400):
        now = NOW + seconds(number)
        changes = remembered((*changes, Change(at=now, by=-1 if number % 2 else 1)), now)
    assert len(changes) == 2 * CHANGES_MAX
    assert sum(change.by for change in changes if change.by > 0) == 200
    assert list(changes) == sorted(changes, key=lambda change: change.at)
