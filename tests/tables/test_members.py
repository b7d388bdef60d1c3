from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from chalicelib.core.errors import NotFound, Stale
from chalicelib.core.group import Group
from chalicelib.core.ids import MemberId, PoolId, ResourceId
from chalicelib.core.member import Member, MemberState
from chalicelib.ports.storage import Lease, LeaseLost
from tests.core.factories import NOW, a_planned_member, seconds
from tests.tables.storage import QUOTA, Storage, key_of


def planned(storage: Storage, group: Group, count: int = 1) -> list[Member]:
    """Return members that are stored, planned by a round."""
    members = [a_planned_member(number, project_id=storage.project) for number in range(1, count + 1)]
    storage.members.plan(storage.leased(group), members)
    return members


def test_members_come_back_as_they_were_planned(storage: Storage) -> None:
    group = storage.a_stored_group()
    members = planned(storage, group, 50)
    assert sorted(storage.members.of_group(key_of(group)), key=lambda m: m.created_at) == members
    assert storage.members.get(key_of(group), members[0].id) == members[0]


def test_a_round_that_lost_its_lease_plans_nothing(storage: Storage) -> None:
    group = storage.a_stored_group()
    late = storage.leased(group, "one")
    storage.groups.lease(late.key, "two", NOW + seconds(60), NOW + seconds(120))
    with pytest.raises(LeaseLost):
        storage.members.plan(late, [a_planned_member(project_id=storage.project)])
    assert list(storage.members.of_group(late.key)) == []


def test_nothing_is_planned_for_a_group_that_is_gone(storage: Storage) -> None:
    group = storage.a_stored_group()
    lease = storage.leased(group)
    storage.groups.remove(lease, group)
    with pytest.raises(LeaseLost):
        storage.members.plan(lease, [a_planned_member(project_id=storage.project)])


def test_a_round_writes_its_part_and_leaves_the_owners_alone(storage: Storage) -> None:
    group = storage.a_stored_group()
    (member,) = planned(storage, group)
    storage.members.protect(key_of(group), member.id, True)
    seen = replace(
        member, state=MemberState.IN_SERVICE, resource_id=ResourceId("s"), labelled=True, name="ignored"
    )
    storage.members.update(seen)
    stored = storage.members.get(key_of(group), member.id)
    assert stored == replace(seen, protected=True, name=member.name)


def test_a_leaving_member_stays_so(storage: Storage) -> None:
    group = storage.a_stored_group()
    (member,) = planned(storage, group)
    leaving = replace(member, state=MemberState.DELETING, deleting_because="surplus")
    storage.members.update(leaving)
    storage.members.update(replace(member, state=MemberState.IN_SERVICE))
    assert storage.members.get(key_of(group), member.id) == leaving
    storage.members.update(replace(leaving, resource_id=ResourceId("found")))
    assert storage.members.get(key_of(group), member.id).resource_id == "found"


def test_a_member_that_was_struck_off_stays_gone(storage: Storage) -> None:
    group = storage.a_stored_group()
    (member,) = planned(storage, group)
    storage.members.strike(member)
    storage.members.strike(member)
    storage.members.update(replace(member, state=MemberState.IN_SERVICE))
    with pytest.raises(NotFound):
        storage.members.get(key_of(group), member.id)


def test_what_drains_does_not_come_back_and_what_is_deleted_does_not_drain(storage: Storage) -> None:
    group = storage.a_stored_group()
    (member,) = planned(storage, group)
    served = replace(member, state=MemberState.IN_SERVICE, missing_from=(PoolId("p"),))
    storage.members.update(served)
    assert storage.members.get(key_of(group), member.id) == served
    draining = replace(member, state=MemberState.DRAINING, deleting_because="surplus", draining_since=NOW)
    storage.members.update(draining)
    storage.members.update(served)
    assert storage.members.get(key_of(group), member.id) == draining
    quiet = replace(draining, quiet_since=NOW)
    storage.members.update(quiet)
    assert storage.members.get(key_of(group), member.id) == quiet
    storage.members.update(going(quiet))
    storage.members.update(draining)
    assert storage.members.get(key_of(group), member.id) == going(quiet)


def test_protection_is_set_and_lifted(storage: Storage) -> None:
    group = storage.a_stored_group()
    (member,) = planned(storage, group)
    assert storage.members.protect(key_of(group), member.id, True) == replace(member, protected=True)
    assert storage.members.protect(key_of(group), member.id, False) == member
    with pytest.raises(NotFound):
        storage.members.protect(key_of(group), MemberId("none"), True)


def test_who_is_protected_does_not_part(storage: Storage) -> None:
    group = storage.a_stored_group()
    (member,) = planned(storage, group)
    draining = replace(member, state=MemberState.DRAINING, deleting_because="surplus", draining_since=NOW)
    storage.members.protect(key_of(group), member.id, True)
    assert not storage.members.part(draining)
    assert storage.members.get(key_of(group), member.id) == replace(member, protected=True)
    storage.members.protect(key_of(group), member.id, False)
    assert storage.members.part(draining)
    assert storage.members.get(key_of(group), member.id) == draining
    assert storage.members.part(going(member))
    assert not storage.members.part(draining), "what is deleted does not drain"
    storage.members.strike(member)
    assert not storage.members.part(going(member))
    assert not storage.members.of_group(key_of(group))


def going(member: Member) -> Member:
    return replace(member, state=MemberState.DELETING, deleting_because="requested")


@pytest.mark.parametrize(("state", "since"), [(MemberState.DELETING, None), (MemberState.DRAINING, NOW)])
def test_dismissing_writes_member_group_and_story_together(
    storage: Storage, state: MemberState, since: datetime | None
) -> None:
    was = storage.a_stored_group()
    (member,) = planned(storage, was)
    activity = storage.an_activity(detail="dismissed")
    smaller = replace(was, desired_capacity=1)
    going = replace(member, state=state, deleting_because="requested", draining_since=since)
    changed = storage.members.dismiss(was, smaller, going, activity)
    assert storage.groups.get(was.project_id, was.id) == changed == replace(smaller, generation=2)
    stored = storage.members.get(key_of(was), member.id)
    assert stored == going
    assert activity in storage.activities.of_group(was.project_id, was.id, 10, None).items


def test_a_stale_dismissal_changes_nothing(storage: Storage) -> None:
    was = storage.a_stored_group()
    (member,) = planned(storage, was)
    storage.groups.change(was, replace(was, name="new"), QUOTA, storage.an_activity())
    with pytest.raises(Stale):
        storage.members.dismiss(was, was, going(member), storage.an_activity())
    assert storage.members.get(key_of(was), member.id) == member


def test_a_member_that_is_gone_cannot_be_dismissed(storage: Storage) -> None:
    was = storage.a_stored_group()
    gone = a_planned_member(project_id=storage.project)
    with pytest.raises(NotFound):
        storage.members.dismiss(was, replace(was, desired_capacity=1), going(gone), storage.an_activity())
    assert storage.groups.get(was.project_id, was.id) == was


def test_pages_of_members_end_exactly(storage: Storage) -> None:
    group = storage.a_stored_group()
    members = sorted(planned(storage, group, 4), key=lambda member: member.id)
    first = storage.members.page(key_of(group), 2, None)
    second = storage.members.page(key_of(group), 2, first.marker)
    assert [*first.items, *second.items] == members
    assert second.marker is None


def test_the_lease_that_planned_may_plan_again(storage: Storage) -> None:
    group = storage.a_stored_group()
    planned(storage, group)
    lease = Lease(key=key_of(group), owner="round-1")
    storage.members.plan(lease, [a_planned_member(2, project_id=storage.project)])
    assert len(storage.members.of_group(lease.key)) == 2
