"""Groups of stacks: each story goes from a wish to what Heat then holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.core.errors import Conflict, Invalid, ThermostatError, Unavailable
from chalicelib.core.group import Group, GroupStatus
from chalicelib.core.ids import CredentialId, GroupId, LaunchConfigurationId, ResourceId
from chalicelib.core.launch import LaunchType, StackTemplate
from chalicelib.flows import groups, intakes
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.stacks import CreationDenied
from tests.core import factories
from tests.fake_cloud import Fault
from tests.world import CALLER, QUOTA, World

OTHER = LaunchConfigurationId("configuration-2")


@pytest.fixture
def world() -> World:
    world = World()
    world.with_group(factories.a_stack_template(), desired_capacity=3)
    return world


def want(world: World, **changes: object) -> Group:
    def edit(group: Group) -> Group:
        return replace(group, **changes)  # type: ignore[arg-type]

    return groups.change(world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-2")


def told(world: World) -> str:
    page = world.services.activities.of_group(factories.PROJECT, factories.GROUP, 100, None)
    return "\n".join(f"{line.kind}: {line.detail}" for line in page.items)


def minutes(world: World, number: int) -> None:
    for _ in range(number):
        world.clock.pass_(60)
        world.tick()


# --- convergence


def test_each_member_is_a_stack_that_is_asked_for_by_itself(world: World) -> None:
    world.settle()
    assert [(order.count, order.availability_zone) for order in world.cloud.orders] == [(1, None)] * 3
    assert {m.name for m in world.members()} == {order.name for order in world.cloud.orders}
    assert {m.kind for m in world.members()} == {LaunchType.STACK}
    want(world, desired_capacity=1)
    world.settle()
    assert len(world.cloud.machines) == 1


def test_an_answer_lost_after_success_is_adopted_and_never_asked_for_again(world: World) -> None:
    world.cloud.faults = [Fault.ANSWER_LOST]
    world.settle()
    assert len(world.cloud.machines) == len(world.cloud.orders) == 3


def test_a_stack_that_failed_is_replaced_after_a_while(world: World) -> None:
    world.cloud.fail_builds = 3
    minutes(world, 1)
    world.clock.pass_(5)
    world.tick()
    status, reason = world.group().status(world.clock.now)
    assert status is GroupStatus.ERROR
    assert reason
    assert "CREATE_FAILED: No valid host was found." in reason
    world.settle()
    assert len(world.cloud.machines) == 3
    assert world.group().status(world.clock.now) == (GroupStatus.ACTIVE, None)


def test_a_stack_that_cannot_be_deleted_is_said_told_again_ever_less_often_and_replaced(world: World) -> None:
    world.settle()
    stuck = next(iter(world.cloud.machines.values()))
    stuck.stays, stuck.forced_status = True, "DELETE_FAILED"
    minutes(world, 30)
    assert len(world.cloud.machines) == 4
    assert world.group().observed.in_service == 3
    assert world.group().status(world.clock.now) == (
        GroupStatus.ERROR,
        f"What is to go cannot be deleted: {stuck.name} is in DELETE_FAILED: No valid host was found.",
    )
    first = world.cloud.deletions
    assert 3 <= first <= 8
    minutes(world, 30)
    assert world.cloud.deletions - first <= 3
    want(world, desired_capacity=4)
    minutes(world, 2)
    assert world.group().observed.in_service == 4
    stuck.stays = False
    world.settle()
    assert len(world.cloud.machines) == 4


def test_a_group_that_is_deleted_stays_until_its_last_stack_went(world: World) -> None:
    world.settle()
    stuck = next(iter(world.cloud.machines.values()))
    stuck.stays = True
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-3")
    minutes(world, 10)
    assert list(world.cloud.machines.values()) == [stuck]
    assert world.group().status(world.clock.now)[0] is GroupStatus.DELETING
    stuck.stays = False
    world.settle()
    assert world.memory.groups == {}


def test_stacks_are_told_where_to_post_their_samples(world: World) -> None:
    intakes.ensure(world.services, factories.PROJECT, factories.GROUP, "https://scale.test")
    world.settle()
    for order in world.cloud.orders:
        assert isinstance(order.template, StackTemplate)
        (url,) = (order.template.environment or {})["parameter_defaults"].values()
        assert url.startswith("https://scale.test/v1/intake/")


def test_what_stands_for_no_member_is_called_a_stack(world: World) -> None:
    world.settle()
    machine = next(iter(world.cloud.machines.values()))
    stray = replace(machine, id=ResourceId("stray-1"), name="somebody-else")
    world.cloud.machines[stray.id] = stray
    minutes(world, 5)
    assert f"Stack somebody-else ({stray.id}) stood for no member." in told(world)


# --- definition


def create(world: World, **changes: object) -> Group:
    new = factories.a_group(settled=False, id=GroupId("group-2"), **changes)
    return groups.create(world.services, CALLER, new, "req-1")


def test_a_group_is_of_the_kind_that_its_launch_configuration_describes(world: World) -> None:
    assert create(world).kind is LaunchType.STACK
    assert world.group(GroupId("group-2")).kind is LaunchType.STACK
    assert world.rehearsals.rehearsed == [factories.a_stack_template()]


REFUSALS = [
    (CreationDenied("no trust"), Conflict, "credential.creates_no_stacks"),
    (CloudRefused("no such parameter"), Invalid, "launch_configuration.refused"),
    (CredentialBroken("gone", for_good=True), Conflict, "credential.broken"),
    (CloudUnavailable("503"), Unavailable, "heat.unavailable"),
]


@pytest.mark.parametrize(("refusal", "kind", "code"), REFUSALS)
def test_what_heat_would_not_make_is_refused_when_it_is_defined(
    world: World, refusal: Exception, kind: type[ThermostatError], code: str
) -> None:
    world.rehearsals.refusal = refusal
    with pytest.raises(kind) as caught:
        create(world)
    assert caught.value.code == f"autoscaling.{code}"
    assert GroupId("group-2") not in {held.group.id for held in world.memory.groups.values()}


@pytest.mark.parametrize(("refusal", "kind", "code"), REFUSALS)
def test_what_heat_would_not_make_is_refused_when_a_group_is_changed(
    world: World, refusal: Exception, kind: type[ThermostatError], code: str
) -> None:
    other = factories.a_credential(id=CredentialId("credential-2"))
    world.services.credentials.create(other, QUOTA)
    world.rehearsals.refusal = refusal
    before = world.group()
    with pytest.raises(kind) as caught:
        want(world, credential_id=other.id)
    assert caught.value.code == f"autoscaling.{code}"
    assert world.group() == before
    want(world, desired_capacity=2)


def test_a_group_that_was_made_already_is_not_asked_about_again(world: World) -> None:
    first = create(world, fingerprint="same")
    world.rehearsals.refusal = CreationDenied("no more")
    assert create(world, fingerprint="same") == first


def test_servers_do_not_become_stacks_nor_stacks_servers(world: World) -> None:
    world.services.launch_configurations.create(factories.a_launch_configuration(id=OTHER), QUOTA)
    with pytest.raises(Invalid, match="are stacks, and the launch configuration describes a server"):
        want(world, launch_configuration_id=OTHER)


def test_stacks_are_spread_over_no_zones(world: World) -> None:
    with pytest.raises(Invalid, match="availability zones"):
        create(world, availability_zones=("nova",))
    with pytest.raises(Invalid, match="availability zones"):
        want(world, availability_zones=("nova",))


def test_what_there_is_not_is_refused_as_for_servers(world: World) -> None:
    with pytest.raises(Invalid, match="launch configuration"):
        create(world, launch_configuration_id=LaunchConfigurationId("none"))
    with pytest.raises(Invalid, match="credential"):
        create(world, credential_id=CredentialId("none"))
