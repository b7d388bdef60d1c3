from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.cron import Cron
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from chalicelib.core.execution import Outcome
from chalicelib.core.ids import ExecutionId, GroupId, PolicyId, ProjectId, ScheduleId
from chalicelib.core.schedule import ExecutePolicy, LastFiring, Once, Schedule, SetSizes
from chalicelib.ports.schedules import ScheduleKey
from tests.core.factories import GROUP, NOW, POLICY, a_schedule, seconds
from tests.tables.storage import QUOTA, Storage

LAST = LastFiring(
    due_at=NOW, fired_at=NOW + seconds(1), outcome=Outcome.EXECUTED, execution_id=ExecutionId("e")
)


def stored(storage: Storage, **changes: Any) -> Schedule:
    """Return a schedule that is stored; its group must be."""
    return storage.schedules.create(a_schedule(project_id=storage.project, **changes), QUOTA)


def key_of(schedule: Schedule) -> ScheduleKey:
    return ScheduleKey(project_id=schedule.project_id, schedule_id=schedule.id)


@pytest.mark.parametrize(
    "changes",
    [
        {"timing": Once(at=NOW + seconds(0.25)), "action": SetSizes(max_size=3)},
        {
            "timing": Cron(expression="0 7 * * *", timezone="Europe/Ljubljana", start=NOW, end=None),
            "action": ExecutePolicy(policy_id=POLICY, honor_cooldown=True),
        },
        {"enabled": False, "fingerprint": "f", "next_due_at": NOW, "last_firing": LAST},
    ],
)
def test_a_schedule_comes_back_exactly(storage: Storage, changes: dict[str, Any]) -> None:
    storage.a_stored_group()
    storage.a_stored_policy()
    schedule = a_schedule(project_id=storage.project, **changes)
    assert storage.schedules.create(schedule, QUOTA) == schedule
    assert storage.schedules.get(storage.project, schedule.id) == schedule
    assert storage.schedules.find(key_of(schedule)) == schedule


def test_a_schedule_needs_its_group(storage: Storage) -> None:
    with pytest.raises(Invalid) as refused:
        stored(storage)
    assert refused.value.code == "autoscaling.schedule.no_such_group"
    assert storage.usage.of_project(storage.project).schedules == 0


def test_a_group_that_is_being_deleted_gets_no_schedule(storage: Storage) -> None:
    was = storage.a_stored_group()
    storage.groups.change(was, replace(was, deleting=True), QUOTA, storage.an_activity())
    with pytest.raises(Invalid):
        stored(storage)


@pytest.mark.parametrize(("policy", "group"), [("none", GROUP), (POLICY, GroupId("group-2"))])
def test_a_schedule_executes_policies_of_its_group_only(
    storage: Storage, policy: str, group: GroupId
) -> None:
    storage.a_stored_group()
    storage.a_stored_group(id=GroupId("group-2"), fingerprint="same")
    storage.a_stored_policy(group_id=group)
    action = ExecutePolicy(policy_id=PolicyId(policy))
    with pytest.raises(Invalid) as refused:
        stored(storage, action=action)
    assert refused.value.code == "autoscaling.schedule.no_such_policy"
    was = stored(storage)
    with pytest.raises(Invalid):
        storage.schedules.change(was, replace(was, action=action))
    assert storage.schedules.get(storage.project, was.id) == was


def test_a_schedule_whose_policy_is_gone_may_still_be_changed(storage: Storage) -> None:
    storage.a_stored_group()
    storage.a_stored_policy()
    was = stored(storage, action=ExecutePolicy(policy_id=POLICY))
    storage.policies.delete(storage.project, POLICY)
    assert storage.schedules.change(was, replace(was, name="new")).name == "new"


def test_the_same_request_makes_one_schedule(storage: Storage) -> None:
    storage.a_stored_group()
    schedule = stored(storage, fingerprint="same")
    assert storage.schedules.create(replace(schedule, created_at=NOW), QUOTA) == schedule
    with pytest.raises(Conflict):
        storage.schedules.create(replace(schedule, fingerprint="other"), QUOTA)
    assert storage.usage.of_project(storage.project).schedules == 1


def test_schedules_are_counted(storage: Storage) -> None:
    storage.a_stored_group()
    schedule = stored(storage)
    full = replace(QUOTA, schedules=1)
    with pytest.raises(Forbidden) as refused:
        storage.schedules.create(replace(schedule, id=ScheduleId("2")), full)
    assert refused.value.code == "autoscaling.quota.schedules_exceeded"
    storage.schedules.delete(storage.project, schedule.id)
    storage.schedules.create(replace(schedule, id=ScheduleId("2")), full)
    assert storage.usage.of_project(storage.project).schedules == 1


def test_a_schedule_is_deleted_only_as_it_was_seen(storage: Storage) -> None:
    storage.a_stored_group()
    was = stored(storage)
    storage.schedules.change(was, replace(was, name="new"))
    with pytest.raises(Stale):
        storage.schedules.delete(storage.project, was.id, generation=1)
    assert storage.schedules.get(storage.project, was.id).name == "new"
    assert storage.usage.of_project(storage.project).schedules == 1
    storage.schedules.delete(storage.project, was.id, generation=2)
    with pytest.raises(NotFound):
        storage.schedules.delete(storage.project, was.id, generation=2)
    assert storage.usage.of_project(storage.project).schedules == 0


def test_a_schedule_is_deleted_once(storage: Storage) -> None:
    storage.a_stored_group()
    schedule = stored(storage)
    storage.schedules.delete(storage.project, schedule.id)
    for gone in (storage.schedules.delete, storage.schedules.get):
        with pytest.raises(NotFound):
            gone(storage.project, schedule.id)
    assert storage.schedules.find(key_of(schedule)) is None
    assert storage.usage.of_project(storage.project).schedules == 0


def test_a_schedule_is_written_only_as_it_was_read(storage: Storage) -> None:
    storage.a_stored_group()
    was = stored(storage, next_due_at=NOW)
    new = replace(was, name="new", action=SetSizes(desired_capacity=3), updated_at=NOW)
    assert storage.schedules.change(was, new) == replace(new, generation=2)
    assert storage.schedules.get(storage.project, was.id) == replace(new, generation=2)
    with pytest.raises(Stale):
        storage.schedules.change(was, replace(was, name="late"))
    none = a_schedule(project_id=storage.project, id=ScheduleId("none"))
    with pytest.raises(NotFound):
        storage.schedules.change(none, none)


def test_firing_advances_a_schedule_and_leaves_its_generation(storage: Storage) -> None:
    storage.a_stored_group()
    was = stored(storage, next_due_at=NOW)
    storage.schedules.advance(was, NOW + seconds(60), LAST)
    now = storage.schedules.get(storage.project, was.id)
    assert now == replace(was, next_due_at=NOW + seconds(60), last_firing=LAST)
    storage.schedules.advance(now, None, LAST)
    assert storage.schedules.get(storage.project, was.id).next_due_at is None


@pytest.mark.parametrize("meanwhile", ["advanced", "changed", "deleted"])
def test_who_comes_second_advances_nothing(storage: Storage, meanwhile: str) -> None:
    storage.a_stored_group()
    was = stored(storage, next_due_at=NOW)
    if meanwhile == "advanced":
        storage.schedules.advance(was, NOW + seconds(60), None)
    elif meanwhile == "changed":
        storage.schedules.change(was, replace(was, name="new"))
    else:
        storage.schedules.delete(storage.project, was.id)
    found = storage.schedules.find(key_of(was))
    storage.schedules.advance(was, NOW + seconds(3600), LAST)
    assert storage.schedules.find(key_of(was)) == found


def test_an_owners_change_leaves_what_firing_wrote_meanwhile(storage: Storage) -> None:
    storage.a_stored_group()
    was = stored(storage, next_due_at=NOW)
    storage.schedules.advance(was, NOW + seconds(60), LAST)
    storage.schedules.change(was, replace(was, name="new"))
    found = storage.schedules.get(storage.project, was.id)
    assert (found.name, found.next_due_at, found.last_firing) == ("new", NOW + seconds(60), LAST)


def test_other_times_are_written_also_where_the_next_one_is_the_same(storage: Storage) -> None:
    storage.a_stored_group()
    was = stored(storage, next_due_at=NOW)
    storage.schedules.advance(was, NOW + seconds(60), LAST)
    storage.schedules.change(was, replace(was, timing=Once(at=NOW)))
    found = storage.schedules.get(storage.project, was.id)
    assert (found.next_due_at, found.last_firing) == (NOW, LAST)


def test_the_index_has_what_is_due_the_longest_due_first(empty_storage: Storage) -> None:
    empty_storage.a_stored_group()
    late, soon, later = (
        stored(empty_storage, id=ScheduleId(id_), next_due_at=NOW + seconds(after))
        for id_, after in (("b", -60), ("a", 0), ("c", 0.001))
    )
    spent = a_schedule(project_id=empty_storage.project, id=ScheduleId("spent"), next_due_at=None)
    empty_storage.schedules.create(spent, replace(QUOTA, schedules=10))
    due = empty_storage.schedules.due
    assert list(due(0, NOW, 10)) == [key_of(late), key_of(soon)]
    assert list(due(0, NOW, 1)) == [key_of(late)]
    assert list(due(0, NOW + seconds(1), 10)) == [key_of(late), key_of(soon), key_of(later)]
    assert list(due(1, NOW, 10)) == []
    empty_storage.schedules.advance(late, None, LAST)
    empty_storage.schedules.change(soon, replace(soon, enabled=False, next_due_at=None))
    assert list(due(0, NOW + seconds(1), 10)) == [key_of(later)]
    empty_storage.schedules.delete(later.project_id, later.id)
    assert list(due(0, NOW + seconds(1), 10)) == []


def test_pages_are_of_one_group_or_of_all(storage: Storage) -> None:
    for group_id, schedule_id in (("g1", "c"), ("g2", "b"), ("g1", "a")):
        storage.a_stored_group(id=GroupId(group_id), fingerprint="same")
        stored(storage, id=ScheduleId(schedule_id), group_id=GroupId(group_id))
    everything = storage.schedules.page(storage.project, None, 3, None)
    assert ([each.id for each in everything.items], everything.marker) == (["a", "b", "c"], None)
    first = storage.schedules.page(storage.project, GroupId("g1"), 1, None)
    assert ([each.id for each in first.items], first.marker) == (["a"], "a")
    second = storage.schedules.page(storage.project, GroupId("g1"), 1, first.marker)
    assert ([each.id for each in second.items], second.marker) == (["c"], None)
    assert storage.schedules.page(ProjectId("other"), None, 3, None).items == ()
