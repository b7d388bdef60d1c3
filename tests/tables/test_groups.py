from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.core.capacity import Bounds
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from chalicelib.core.group import Freeze
from chalicelib.core.ids import CredentialId, GroupId, LaunchConfigurationId, PoolId, ProjectId
from chalicelib.core.launch import LaunchType
from chalicelib.core.quota import Quota
from chalicelib.ports.storage import AlreadyDecided
from tests.core.factories import (
    NOW,
    a_credential,
    a_group,
    a_launch_configuration,
    a_pool,
    a_stamp,
    a_trouble,
    seconds,
)
from tests.tables.storage import QUOTA, Storage, an_execution, key_of


def test_a_group_comes_back_as_it_was_stored(storage: Storage) -> None:
    group = storage.a_stored_group(
        availability_zones=("a", "b"),
        freeze=Freeze(reason="Weihnachten ☃", until=NOW),
        cooldowns=(a_stamp(), a_stamp(under_way_until=NOW)),
        trouble=a_trouble(retry_at=None),
        kind=LaunchType.STACK,
        fingerprint="f",
        load_balancers=(a_pool(1, subnet_id="s", network="dmz"), a_pool(2, drain_seconds=0)),
        former_pools=(PoolId("pool-3"),),
    )
    assert storage.groups.get(group.project_id, group.id) == group


def test_a_group_of_another_project_is_not_found(storage: Storage) -> None:
    group = storage.a_stored_group()
    with pytest.raises(NotFound):
        storage.groups.get(ProjectId("another"), group.id)


def test_creating_counts_the_group_and_the_members_it_may_have(storage: Storage) -> None:
    storage.a_stored_group(max_size=7)
    used = storage.usage.of_project(storage.project)
    assert (used.groups, used.members) == (1, 7)


def test_creating_tells_the_groups_story(storage: Storage) -> None:
    group = storage.a_stored_group()
    (activity,) = storage.activities.of_group(storage.project, group.id, 10, None).items
    assert activity.detail == "said by a test"


def test_the_same_request_finds_the_group_it_made_even_at_the_quotas_end(storage: Storage) -> None:
    group = storage.a_stored_group(fingerprint="same")
    full = replace(QUOTA, groups=1, members=0)
    again = replace(group, updated_at=NOW)
    assert storage.groups.create(again, full, storage.an_activity()) == group
    assert storage.usage.of_project(storage.project).groups == 1


@pytest.mark.parametrize("fingerprint", ["other", None])
def test_an_id_cannot_be_used_for_another_request(storage: Storage, fingerprint: str | None) -> None:
    group = storage.a_stored_group(fingerprint=fingerprint)
    with pytest.raises(Conflict, match="client_token"):
        storage.groups.create(replace(group, fingerprint="same"), QUOTA, storage.an_activity())


@pytest.mark.parametrize(
    ("quota", "code"),
    [
        (replace(QUOTA, groups=0), "autoscaling.quota.groups_exceeded"),
        (replace(QUOTA, members=9), "autoscaling.quota.members_exceeded"),
    ],
)
def test_a_group_beyond_the_quota_is_refused_by_its_noun(storage: Storage, quota: Quota, code: str) -> None:
    group = storage.a_stored_group(max_size=10)
    another = replace(group, id=GroupId("another"))
    with pytest.raises(Forbidden) as refused:
        storage.groups.create(another, quota, storage.an_activity())
    assert refused.value.code == code
    assert storage.usage.of_project(storage.project).groups == 1


def test_the_first_group_can_be_too_large_as_well(storage: Storage) -> None:
    with pytest.raises(Forbidden):
        storage.a_stored_group(max_size=101)
    assert storage.usage.of_project(storage.project).groups == 0


@pytest.mark.parametrize("missing", ["launch_configuration", "credential"])
def test_a_group_must_use_what_exists(storage: Storage, missing: str) -> None:
    if missing != "launch_configuration":
        storage.launch_configurations.create(a_launch_configuration(project_id=storage.project), QUOTA)
    if missing != "credential":
        storage.credentials.create(a_credential(project_id=storage.project), QUOTA)
    with pytest.raises(Invalid) as refused:
        storage.groups.create(a_group(project_id=storage.project), QUOTA, storage.an_activity())
    assert refused.value.code == f"autoscaling.group.no_such_{missing}"
    assert storage.groups.page(storage.project, 10, None).items == ()


def test_a_change_is_written_at_the_next_generation_and_due_at_once(empty_storage: Storage) -> None:
    was = empty_storage.a_stored_group()
    new = replace(was, desired_capacity=4, bounds=Bounds(min_size=2, max_size=20), updated_at=NOW)
    changed = empty_storage.groups.change(was, new, QUOTA, empty_storage.an_activity())
    assert changed == replace(new, generation=2)
    assert empty_storage.groups.get(was.project_id, was.id) == changed
    assert empty_storage.usage.of_project(was.project_id).members == 20
    assert empty_storage.groups.due(0, NOW - seconds(1), 10) == []
    assert empty_storage.groups.due(0, NOW, 10) == [key_of(was)]


def test_a_field_can_be_emptied_again(storage: Storage) -> None:
    was = storage.a_stored_group(freeze=Freeze(reason="sale", until=None))
    changed = storage.groups.change(was, replace(was, freeze=None), QUOTA, storage.an_activity())
    assert storage.groups.get(was.project_id, was.id) == changed


def test_a_change_of_what_has_changed_is_stale(storage: Storage) -> None:
    was = storage.a_stored_group()
    storage.groups.change(was, replace(was, name="first"), QUOTA, storage.an_activity())
    with pytest.raises(Stale):
        storage.groups.change(was, replace(was, name="second"), QUOTA, storage.an_activity())
    assert storage.groups.get(was.project_id, was.id).name == "first"


def test_a_change_of_what_is_gone_is_not_found(storage: Storage) -> None:
    was = storage.a_stored_group()
    storage.groups.remove(storage.leased(was), was)
    with pytest.raises(NotFound):
        storage.groups.change(was, replace(was, name="late"), QUOTA, storage.an_activity())


def test_growing_beyond_the_quota_is_refused_and_shrinking_never(storage: Storage) -> None:
    was = storage.a_stored_group(max_size=10)
    larger = replace(was, bounds=Bounds(min_size=1, max_size=11))
    with pytest.raises(Forbidden):
        storage.groups.change(was, larger, replace(QUOTA, members=10), storage.an_activity())
    smaller = replace(was, bounds=Bounds(min_size=1, max_size=5))
    storage.groups.change(was, smaller, replace(QUOTA, members=0), storage.an_activity())
    assert storage.usage.of_project(storage.project).members == 5


def test_uses_follow_a_group_to_another_launch_configuration(storage: Storage) -> None:
    was = storage.a_stored_group()
    other = a_launch_configuration(project_id=storage.project, id=LaunchConfigurationId("other"))
    storage.launch_configurations.create(other, QUOTA)
    storage.groups.change(was, replace(was, launch_configuration_id=other.id), QUOTA, storage.an_activity())
    storage.launch_configurations.delete(storage.project, was.owned_configuration_id)
    with pytest.raises(Conflict, match="used"):
        storage.launch_configurations.delete(storage.project, other.id)


def test_a_group_cannot_change_to_what_does_not_exist(storage: Storage) -> None:
    was = storage.a_stored_group()
    with pytest.raises(Invalid):
        storage.groups.change(
            was, replace(was, credential_id=CredentialId("none")), QUOTA, storage.an_activity()
        )
    assert storage.groups.get(was.project_id, was.id) == was


def test_pages_follow_one_another_in_the_order_of_ids(storage: Storage) -> None:
    for id_ in ("c", "a", "b", "d"):
        storage.a_stored_group(id=GroupId(id_))
    first = storage.groups.page(storage.project, 2, None)
    assert ([group.id for group in first.items], first.marker) == (["a", "b"], "b")
    second = storage.groups.page(storage.project, 2, first.marker)
    assert ([group.id for group in second.items], second.marker) == (["c", "d"], None)
    beside = storage.groups.page(storage.project, 2, "bb")
    assert [group.id for group in beside.items] == ["c", "d"]


def test_a_decision_writes_execution_and_group_together(storage: Storage) -> None:
    was = storage.a_stored_group()
    execution = an_execution(was)
    new = replace(was, desired_capacity=3, cooldowns=(a_stamp(),), updated_at=NOW)
    assert storage.groups.decide(was, new, execution) == replace(new, generation=2)
    assert storage.groups.get(was.project_id, was.id) == replace(new, generation=2)
    assert storage.executions.get(was.project_id, execution.id) == execution


def test_a_decision_that_changes_nothing_leaves_the_group_alone(storage: Storage) -> None:
    was = storage.a_stored_group()
    assert storage.groups.decide(was, was, an_execution(was)) is was
    assert storage.groups.get(was.project_id, was.id) == was


def test_an_event_is_decided_once(storage: Storage) -> None:
    was = storage.a_stored_group()
    first = an_execution(was)
    now = storage.groups.decide(was, replace(was, desired_capacity=3), first)
    with pytest.raises(AlreadyDecided) as found:
        storage.groups.decide(now, replace(now, desired_capacity=4), an_execution(now))
    assert found.value.execution == first
    assert storage.groups.get(was.project_id, was.id) == now


def test_a_stale_decision_writes_no_execution(storage: Storage) -> None:
    was = storage.a_stored_group()
    storage.groups.decide(was, replace(was, desired_capacity=3), an_execution(was))
    late = an_execution(was, "execution-2")
    with pytest.raises(Stale):
        storage.groups.decide(was, replace(was, desired_capacity=5), late)
    with pytest.raises(NotFound):
        storage.executions.get(was.project_id, late.id)


def test_a_decision_that_moves_the_bounds_is_counted_and_held_to_the_quota(storage: Storage) -> None:
    was = storage.a_stored_group()
    grown = replace(was, bounds=Bounds(min_size=0, max_size=20))
    with pytest.raises(Forbidden) as refused:
        storage.groups.decide(was, grown, an_execution(was), replace(QUOTA, members=19))
    assert refused.value.code == "autoscaling.quota.members_exceeded"
    assert storage.groups.get(was.project_id, was.id) == was
    assert storage.executions.of_group(was.project_id, was.id, 9, None).items == ()
    now = storage.groups.decide(was, grown, an_execution(was), QUOTA)
    assert storage.usage.of_project(was.project_id).members == 20
    shrunk = replace(now, bounds=Bounds(min_size=0, max_size=5))
    storage.groups.decide(now, shrunk, an_execution(was, "execution-2"), QUOTA)
    assert storage.usage.of_project(was.project_id).members == 5
