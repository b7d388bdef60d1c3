"""Rounds and the sweep: who may work on a group, what a round writes, and when the group is due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.group import Observed, TroubleKind
from chalicelib.core.heat import Adjust
from chalicelib.core.ids import GroupId, PoolId
from chalicelib.ports.storage import GroupKey, Lease, LeaseLost
from tests.core.factories import NOW, a_member, a_stamp, a_trouble, seconds
from tests.core.heat_factories import a_heat_target, an_asked
from tests.tables.storage import QUOTA, Storage, key_of


def test_a_held_lease_is_refused_until_it_ends(storage: Storage) -> None:
    group = storage.a_stored_group()
    key = key_of(group)
    assert storage.groups.lease(key, "one", NOW, NOW + seconds(60)) == group
    assert storage.groups.lease(key, "two", NOW + seconds(59), NOW + seconds(119)) is None
    assert storage.groups.lease(key, "two", NOW + seconds(60), NOW + seconds(120)) == group


def test_an_owner_whose_answer_was_lost_takes_its_lease_again(storage: Storage) -> None:
    group = storage.a_stored_group()
    storage.leased(group, "one")
    assert storage.groups.lease(key_of(group), "one", NOW, NOW + seconds(60)) == group


def test_nobody_can_lease_what_is_gone(storage: Storage) -> None:
    key = GroupKey(project_id=storage.project, group_id=GroupId("gone"))
    assert storage.groups.lease(key, "one", NOW, NOW + seconds(60)) is None
    with pytest.raises(NotFound):
        storage.groups.get(key.project_id, key.group_id)


def test_a_leased_group_is_due_when_its_lease_ends(empty_storage: Storage) -> None:
    group = empty_storage.a_stored_group()
    empty_storage.leased(group)
    assert empty_storage.groups.due(0, NOW + seconds(59), 10) == []
    assert empty_storage.groups.due(0, NOW + seconds(60), 10) == [key_of(group)]


def test_a_round_writes_what_it_saw_and_when_to_look_again(empty_storage: Storage) -> None:
    was = empty_storage.a_stored_group(settled=False)
    lease = empty_storage.leased(was)
    seen = replace(was, observed=Observed(generation=1, settled=True, current_size=2, in_service=2))
    assert empty_storage.groups.conclude(lease, was, seen, NOW + seconds(240))
    assert empty_storage.groups.get(was.project_id, was.id) == seen
    assert empty_storage.groups.due(0, NOW + seconds(239), 10) == []
    assert empty_storage.groups.due(0, NOW + seconds(240), 10) == [key_of(was)]
    assert empty_storage.groups.lease(lease.key, "two", NOW, NOW + seconds(60)) is not None


def test_cooldowns_that_start_anew_are_a_change_that_stays_settled(storage: Storage) -> None:
    was = storage.a_stored_group(cooldowns=(a_stamp(under_way_until=NOW),))
    seen = replace(was, cooldowns=(a_stamp(),))
    assert storage.groups.conclude(storage.leased(was), was, seen, NOW)
    stored = storage.groups.get(was.project_id, was.id)
    assert (stored.cooldowns, stored.generation, stored.settled) == (seen.cooldowns, 2, True)


def test_pools_that_were_left_are_forgotten_unless_the_group_changed_meanwhile(storage: Storage) -> None:
    was = storage.a_stored_group(former_pools=(PoolId("pool-1"), PoolId("pool-2")))
    trouble = a_trouble(TroubleKind.BALANCER)
    observed = replace(was.observed, pool_trouble=trouble, pools_busy_since=NOW)
    seen = replace(was, former_pools=(PoolId("pool-2"),), observed=observed)
    assert storage.groups.conclude(storage.leased(was), was, seen, NOW)
    assert storage.groups.get(was.project_id, was.id) == seen
    lease = storage.leased(seen, "two")
    changed = storage.groups.change(seen, replace(seen, name="new"), QUOTA, storage.an_activity())
    assert not storage.groups.conclude(lease, seen, replace(seen, former_pools=()), NOW)
    assert storage.groups.get(was.project_id, was.id) == changed


def test_a_group_that_changed_during_the_round_is_due_at_once(empty_storage: Storage) -> None:
    was = empty_storage.a_stored_group(cooldowns=(a_stamp(under_way_until=NOW),))
    lease = empty_storage.leased(was)
    new = replace(was, desired_capacity=5, cooldowns=(), updated_at=NOW)
    changed = empty_storage.groups.change(was, new, QUOTA, empty_storage.an_activity())
    seen = replace(was, cooldowns=(a_stamp(),), observed=replace(was.observed, in_service=1))
    assert not empty_storage.groups.conclude(lease, was, seen, NOW + seconds(240))
    stored = empty_storage.groups.get(was.project_id, was.id)
    assert stored == replace(changed, observed=seen.observed)
    assert not stored.settled
    assert empty_storage.groups.due(0, NOW, 10) == [key_of(was)]
    assert empty_storage.groups.lease(lease.key, "two", NOW, NOW + seconds(60)) is not None


def test_a_round_that_lost_its_lease_writes_nothing(storage: Storage) -> None:
    was = storage.a_stored_group()
    late = storage.leased(was, "one")
    assert storage.groups.lease(late.key, "two", NOW + seconds(60), NOW + seconds(120)) is not None
    seen = replace(was, observed=replace(was.observed, in_service=0))
    assert storage.groups.conclude(late, was, seen, NOW)
    assert storage.groups.get(was.project_id, was.id) == was
    assert storage.groups.lease(late.key, "three", NOW + seconds(61), NOW + seconds(121)) is None


def test_removing_takes_the_group_out_of_all_counts_once(storage: Storage) -> None:
    group = storage.a_stored_group()
    lease = storage.leased(group)
    storage.groups.remove(lease, group)
    storage.groups.remove(lease, group)
    used = storage.usage.of_project(storage.project)
    assert (used.groups, used.members) == (0, 0)
    storage.launch_configurations.delete(storage.project, group.owned_configuration_id)
    storage.credentials.delete(storage.project, group.credential_id)


def test_a_group_is_removed_only_under_the_lease_and_as_it_was_read(storage: Storage) -> None:
    group = storage.a_stored_group()
    storage.groups.remove(Lease(key=key_of(group), owner="nobody"), group)
    lease = storage.leased(group)
    storage.groups.remove(lease, replace(group, generation=7))
    assert storage.groups.get(group.project_id, group.id) == group


def test_the_longest_due_come_first_and_not_more_than_asked_for(empty_storage: Storage) -> None:
    for number in (3, 1, 2):
        empty_storage.a_stored_group(id=GroupId(f"g{number}"), updated_at=NOW + seconds(number))
    due = empty_storage.groups.due(0, NOW + seconds(3), 2)
    assert [key.group_id for key in due] == ["g1", "g2"]


def test_due_times_sort_across_whole_seconds(empty_storage: Storage) -> None:
    """A time without a fraction must not be written shorter than one with it."""
    empty_storage.a_stored_group(id=GroupId("later"), updated_at=NOW + seconds(0.5))
    empty_storage.a_stored_group(id=GroupId("sooner"), updated_at=NOW)
    assert [key.group_id for key in empty_storage.groups.due(0, NOW, 10)] == ["sooner"]
    assert [key.group_id for key in empty_storage.groups.due(0, NOW + seconds(1), 10)] == ["sooner", "later"]


def test_a_round_in_heat_notes_what_it_is_about_to_ask_for(storage: Storage) -> None:
    group = storage.a_stored_group(heat=a_heat_target(), launch_configuration_id=None, settled=False)
    lease = storage.leased(group)
    asking = replace(group, observed=replace(group.observed, asked=an_asked(5)))
    storage.groups.note(lease, asking)
    assert storage.groups.get(group.project_id, group.id) == asking
    assert storage.groups.lease(lease.key, "two", NOW, NOW + seconds(60)) is None, "the round goes on"


def test_a_round_that_lost_its_lease_notes_nothing(storage: Storage) -> None:
    group = storage.a_stored_group(heat=a_heat_target(), launch_configuration_id=None)
    late = storage.leased(group, "one")
    storage.groups.lease(late.key, "two", NOW + seconds(60), NOW + seconds(120))
    with pytest.raises(LeaseLost):
        storage.groups.note(late, replace(group, observed=replace(group.observed, asked=an_asked())))
    gone = Lease(key=replace(late.key, group_id=GroupId("gone")), owner="one")
    with pytest.raises(LeaseLost):
        storage.groups.note(gone, replace(group, id=GroupId("gone")))
    assert storage.groups.get(group.project_id, group.id) == group


def test_a_group_in_heat_uses_its_credential_alone(storage: Storage) -> None:
    group = storage.a_stored_group(heat=a_heat_target(Adjust.SIGNAL), launch_configuration_id=None)
    assert storage.groups.get(group.project_id, group.id) == group
    with pytest.raises(Conflict):
        storage.credentials.delete(group.project_id, group.credential_id)
    storage.groups.remove(storage.leased(group), group)
    storage.credentials.delete(group.project_id, group.credential_id)


def test_a_member_that_heat_made_comes_back_as_it_was_written(storage: Storage) -> None:
    group = storage.a_stored_group(heat=a_heat_target(), launch_configuration_id=None)
    member = a_member(project_id=storage.project, launch_configuration_id=None)
    storage.members.plan(storage.leased(group), [member])
    assert list(storage.members.of_group(key_of(group))) == [member]
