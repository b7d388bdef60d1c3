"""Rounds against a cloud in memory: each story goes from a wish to what the cloud then holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.core.errors import NotFound
from chalicelib.core.group import Freeze, Group, GroupStatus, TroubleKind
from chalicelib.core.ids import ResourceId
from chalicelib.core.member import MEMBER_KEY, MemberState
from chalicelib.flows import groups
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from tests.core import factories
from tests.fake_cloud import Fault
from tests.world import CALLER, World, key


@pytest.fixture
def world() -> World:
    return World()


def want(world: World, **changes: int) -> Group:
    def edit(group: Group) -> Group:
        return replace(group, **changes)  # type: ignore[arg-type]

    return groups.change(world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-2")


def told(world: World) -> str:
    page = world.services.activities.of_group(factories.PROJECT, factories.GROUP, 100, None)
    return "\n".join(f"{line.kind}: {line.detail}" for line in page.items)


def test_a_new_group_gets_its_servers_in_one_request_and_settles(world: World) -> None:
    world.with_group(desired_capacity=5)
    world.settle()
    assert [order.count for order in world.cloud.orders] == [5]
    assert {m.state for m in world.members()} == {MemberState.IN_SERVICE}
    assert {m.metadata[MEMBER_KEY] for m in world.cloud.machines.values()} == {m.id for m in world.members()}
    group = world.group()
    assert (group.observed.current_size, group.observed.in_service) == (5, 5)
    assert group.status(world.clock.now) == (GroupStatus.ACTIVE, None)


def test_a_group_gets_smaller_by_its_oldest_members(world: World) -> None:
    world.with_group(desired_capacity=3)
    world.settle()
    oldest = min(world.members(), key=lambda m: (m.created_at, m.name))
    want(world, desired_capacity=2)
    world.settle()
    assert len(world.cloud.machines) == 2
    assert oldest.id not in {m.id for m in world.members()}


def test_who_is_protected_while_a_round_is_about_to_remove_it_stays(world: World) -> None:
    world.with_group(desired_capacity=2)
    world.settle()
    oldest = min(world.members(), key=lambda m: (m.created_at, m.name))
    want(world, desired_capacity=1)
    world.cloud.meanwhile.append(lambda: world.protect(oldest.id))
    world.round()
    assert [m.state for m in world.members()] == [MemberState.IN_SERVICE] * 2
    assert "member_removed" not in told(world)
    world.settle()
    assert [m.id for m in world.members()] == [oldest.id]
    assert list(world.cloud.machines) == [oldest.resource_id]


def test_protection_spares_nobody_who_is_broken_or_whose_group_goes(world: World) -> None:
    world.with_group(desired_capacity=2)
    world.settle()
    broken, other = world.members()
    assert broken.resource_id
    world.cloud.machines[broken.resource_id].forced_status = "ERROR"
    world.cloud.meanwhile.append(lambda: world.protect(broken.id))
    world.round()
    assert broken.resource_id not in world.cloud.machines
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    world.cloud.meanwhile.append(lambda: world.protect(other.id))
    world.round()
    assert world.cloud.machines == {}


def test_a_server_deleted_behind_our_back_comes_back_within_five_minutes(world: World) -> None:
    world.with_group(desired_capacity=3)
    world.settle()
    world.cloud.machines.popitem()
    for _ in range(5):
        world.clock.pass_(60)
        world.tick()
    assert len(world.cloud.machines) == 3
    assert "vanished" in told(world)


def test_an_answer_lost_after_success_is_adopted_and_never_asked_for_again(world: World) -> None:
    world.with_group(desired_capacity=4)
    world.cloud.faults = [Fault.ANSWER_LOST]
    world.settle()
    assert len(world.cloud.machines) == 4
    assert len(world.cloud.orders) == 1


def test_a_request_turned_away_is_made_again_and_leaves_no_member_behind(world: World) -> None:
    world.with_group(desired_capacity=4)
    world.cloud.faults = [Fault.TURNED_AWAY]
    world.round()
    assert world.members() == []
    trouble = world.group().trouble
    assert trouble
    assert trouble.kind is TroubleKind.CLOUD
    world.settle()
    assert len(world.cloud.machines) == 4


def test_a_request_that_may_have_worked_is_waited_for_before_it_is_made_again(world: World) -> None:
    world.with_group(desired_capacity=4)
    world.cloud.faults = [Fault.BROKEN]
    world.round()
    world.clock.pass_(world.limits.adoption_seconds - 1)
    world.round()
    assert world.cloud.orders == []
    world.settle()
    assert len(world.cloud.machines) == 4


def test_what_is_refused_stops_the_group_until_something_changes_but_surplus_still_goes(
    world: World,
) -> None:
    world.with_group(desired_capacity=3)
    world.settle()
    world.cloud.faults = [Fault.REFUSED]
    want(world, desired_capacity=5)
    world.round()
    for _ in range(10):
        world.clock.pass_(60)
        world.tick()
    assert world.group().status(world.clock.now) == (
        GroupStatus.ERROR,
        "400 Flavor nope could not be found.",
    )
    assert len(world.cloud.orders) == 1
    want(world, desired_capacity=1)
    world.settle()
    assert len(world.cloud.machines) == 1
    want(world, desired_capacity=2)
    world.settle()
    assert len(world.cloud.machines) == 2


def test_a_quota_is_filled_and_then_said(world: World) -> None:
    world.cloud.capacity = 7
    world.with_group(desired_capacity=10)
    for _ in range(4):
        world.round()
        world.clock.pass_(5)
    assert len(world.cloud.machines) == 7
    status, reason = world.group().status(world.clock.now)
    assert (status, reason) == (GroupStatus.ERROR, "Quota exceeded for instances")


def test_after_a_quota_refused_a_round_takes_what_it_is_granted_once(world: World) -> None:
    """Nova counts what it granted a moment late: it would grant more than the quota, and let it fail."""
    world.cloud.capacity = 6
    world.with_group(desired_capacity=8)
    world.round()
    assert [order.count for order in world.cloud.orders] == [8, 4]
    world.round()
    assert [order.count for order in world.cloud.orders] == [8, 4, 4, 2]


def test_a_quota_that_was_raised_is_found_so_by_itself(world: World) -> None:
    world.cloud.capacity = 4
    world.with_group(desired_capacity=10)
    for _ in range(10):
        world.clock.pass_(60)
        world.tick()
    trouble = world.group().trouble
    assert trouble
    assert trouble.retry_at
    assert timedelta(minutes=2) < trouble.retry_at - world.clock.now <= timedelta(minutes=30)
    world.cloud.capacity = 10
    world.settle()
    assert len(world.cloud.machines) == 10
    assert "group_recovered" in told(world)


def test_looking_now_arms_a_refused_group_again(world: World) -> None:
    world.cloud.capacity = 1
    world.with_group(desired_capacity=2)
    world.round()
    world.cloud.capacity = 10
    groups.converge_now(world.services, CALLER, factories.GROUP, "req-3")
    world.settle()
    assert len(world.cloud.machines) == 2


def test_servers_that_fail_to_build_are_replaced_with_growing_waits(world: World) -> None:
    world.with_group(desired_capacity=2)
    world.cloud.fail_builds = 6
    world.settle()
    assert len(world.cloud.machines) == 2
    assert all(m.seen(world.clock.now).status == "ACTIVE" for m in world.cloud.machines.values())
    assert "No valid host" in told(world)
    assert "group_recovered" in told(world)


def test_while_builds_fail_the_group_says_so_and_when_it_tries_again(world: World) -> None:
    world.with_group(desired_capacity=1)
    world.cloud.fail_builds = 1
    world.round()
    world.clock.pass_(5)
    world.round()
    trouble = world.group().trouble
    assert trouble
    assert (trouble.kind, trouble.attempts) == (TroubleKind.BUILD, 1)
    assert trouble.retry_at
    assert timedelta(seconds=5) <= trouble.retry_at - world.clock.now <= timedelta(seconds=10)
    assert world.cloud.machines == {}


def test_a_revoked_credential_is_said_nothing_is_lost_and_a_new_one_arms_the_group(world: World) -> None:
    world.with_group(desired_capacity=2)
    world.settle()
    world.cloud.broken = CredentialBroken("the trust is gone", for_good=True)
    want(world, desired_capacity=3)
    world.round()
    assert world.group().status(world.clock.now) == (GroupStatus.CREDENTIAL_ERROR, "the trust is gone")
    assert len(world.members()) == 2
    stored = world.services.credentials.get(factories.PROJECT, factories.CREDENTIAL)
    assert (stored.status, stored.status_reason) == ("broken", "the trust is gone")
    world.cloud.broken = None
    groups.converge_now(world.services, CALLER, factories.GROUP, "req-3")
    world.settle()
    assert len(world.cloud.machines) == 3
    assert world.services.credentials.get(factories.PROJECT, factories.CREDENTIAL).status == "ok"


def test_a_credential_that_may_come_back_is_tried_again(world: World) -> None:
    world.with_group(desired_capacity=1)
    world.cloud.broken = CredentialBroken("the role is lost", for_good=False)
    world.round()
    world.cloud.broken = None
    world.settle()
    assert len(world.cloud.machines) == 1


def test_a_look_that_is_refused_for_a_time_stops_the_group_for_that_time_only(world: World) -> None:
    world.with_group(desired_capacity=2)
    world.settle()
    world.cloud.machines.popitem()
    world.cloud.broken = CloudRefused("403 Policy doesn't allow os_compute_api:servers:detail.")
    for _ in range(10):
        world.clock.pass_(60)
        world.tick()
    assert "403 Policy" in (world.group().status(world.clock.now)[1] or "")
    world.cloud.broken = None
    world.settle()
    assert len(world.cloud.machines) == 2


@pytest.mark.parametrize("outage", [CloudUnavailable("Keystone is down.", certainly_not_done=True), None])
def test_a_broken_credential_works_again_only_when_it_was_seen_to(
    world: World, outage: CloudUnavailable | None
) -> None:
    world.with_group(desired_capacity=1)
    world.cloud.broken = CredentialBroken("the trust is gone", for_good=True)
    world.round()
    world.cloud.broken = outage
    groups.converge_now(world.services, CALLER, factories.GROUP, "req-3")
    world.round()
    stored = world.services.credentials.get(factories.PROJECT, factories.CREDENTIAL)
    assert stored.status == ("broken" if outage else "ok")


def test_a_frozen_group_is_watched_but_not_touched(world: World) -> None:
    world.with_group(desired_capacity=2)
    world.settle()
    freeze = Freeze(reason="maintenance", until=world.clock.now + timedelta(minutes=30))
    groups.change(
        world.services,
        CALLER,
        factories.GROUP,
        lambda group: replace(group, freeze=freeze, desired_capacity=5),
        generation=None,
        request_id="req-2",
    )
    world.cloud.machines.popitem()
    for _ in range(20):
        world.clock.pass_(60)
        world.tick()
    assert len(world.cloud.machines) == 1
    assert world.group().status(world.clock.now)[0] is GroupStatus.FROZEN
    world.settle()
    assert len(world.cloud.machines) == 5


def test_a_deleted_group_is_drained_and_then_gone_with_all_that_belongs_to_it(world: World) -> None:
    world.with_group(desired_capacity=3)
    world.settle()
    policy = world.services.policies.create(factories.a_policy(), world.limits.quota)
    world.services.webhooks.create(factories.a_webhook(), world.limits.quota)
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    assert world.group().status(world.clock.now)[0] is GroupStatus.DELETING
    world.settle()
    assert world.cloud.machines == {}
    with pytest.raises(NotFound):
        world.group()
    with pytest.raises(NotFound):
        world.services.policies.get(factories.PROJECT, policy.id)
    assert world.memory.webhooks == {}
    world.services.credentials.delete(factories.PROJECT, factories.CREDENTIAL)


def test_a_group_deleted_while_a_request_is_in_the_air_leaks_no_server(world: World) -> None:
    world.with_group(desired_capacity=3)
    world.cloud.faults = [Fault.ANSWER_LOST]
    world.cloud.lag = timedelta(seconds=20)
    world.round()
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    world.settle()
    assert world.cloud.machines == {}


def test_a_server_that_nobody_asked_for_is_removed(world: World) -> None:
    world.with_group(desired_capacity=2)
    world.settle()
    twin = next(iter(world.cloud.machines.values()))
    world.cloud.machines[ResourceId("stray")] = replace(twin, id=ResourceId("stray"))
    for _ in range(6):
        world.clock.pass_(60)
        world.tick()
    assert len(world.cloud.machines) == 2
    assert "stray_removed" in told(world)


def test_two_rounds_of_one_group_never_overlap(world: World) -> None:
    world.with_group(desired_capacity=2)
    until = world.clock.now + timedelta(seconds=75)
    assert world.services.groups.lease(key(), "another round", world.clock.now, until)
    world.round()
    assert world.cloud.orders == []
    world.clock.pass_(76)
    world.round()
    assert len(world.cloud.orders) == 1


def test_dismissed_members_are_replaced_or_wanted_no_more(world: World) -> None:
    world.with_group(desired_capacity=3)
    world.settle()
    first, second, _ = world.members()
    groups.dismiss(world.services, CALLER, key(), first.id, replaced=True, request_id="req-2")
    world.settle()
    assert (len(world.cloud.machines), world.group().desired_capacity) == (3, 3)
    groups.dismiss(world.services, CALLER, key(), second.id, replaced=False, request_id="req-2")
    world.settle()
    assert (len(world.cloud.machines), world.group().desired_capacity) == (2, 2)
    assert not {first.id, second.id} & {m.id for m in world.members()}


def test_servers_in_error_and_switched_off_are_replaced_and_rescued_ones_left_alone(world: World) -> None:
    world.with_group(desired_capacity=3)
    world.settle()
    states = dict(zip(world.cloud.machines, ("ERROR", "SHUTOFF", "RESCUE"), strict=True))
    for id_, status in states.items():
        world.cloud.machines[id_].forced_status = status
    for _ in range(8):
        world.clock.pass_(60)
        world.tick()
    kept = [id_ for id_, status in states.items() if status == "RESCUE"]
    assert [id_ for id_ in states if id_ in world.cloud.machines] == kept
    assert len(world.cloud.machines) == 3
