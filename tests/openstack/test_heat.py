from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.core.credential import Credential
from chalicelib.core.heat import RESOURCE_GROUP, Adjust, HeatScene, HeatTarget
from chalicelib.core.heat_template import groups_of
from chalicelib.openstack.heat import Heat
from chalicelib.openstack.orchestration import OwnersOrchestration
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.orchestration import Stacks
from dev.simcloud import Effect, Fault, SimCloud
from tests.openstack.site import REQUEST_ID, Site
from tests.openstack.stacks import OwnersStack, a_resource_group, a_server, an_asg, make_stack, target_of

MakeStack = Callable[..., OwnersStack]


@pytest.fixture
def stacks(site: Site, trust: Credential) -> Stacks:
    return OwnersOrchestration(site.service_user(), site.delegations()).enter(trust, REQUEST_ID)


@pytest.fixture
def make(site: Site, trust: Credential) -> Iterator[MakeStack]:
    """Makes stacks as the owner does, and deletes them afterwards."""
    made: list[OwnersStack] = []

    def make(template: dict[str, Any] | None = None, **more: Any) -> OwnersStack:
        made.append(make_stack(site, trust, template or an_asg(site), **more))
        return made[-1]

    yield make
    for stack in made:
        stack.delete()


def seen(stacks: Stacks, target: HeatTarget) -> HeatScene:
    scene = stacks.scene(target)
    assert scene is not None
    return scene


def until(stacks: Stacks, target: HeatTarget, true: Callable[[HeatScene], bool]) -> HeatScene:
    end = time.monotonic() + 90
    while not true(scene := seen(stacks, target)):
        assert time.monotonic() < end, scene
        time.sleep(0.2)
    return scene


def idle(scene: HeatScene) -> bool:
    statuses = (scene.stack.status, scene.group, scene.nested)
    return all(status.complete for status in statuses) and not scene.scaling


def test_a_stack_is_viewed_by_its_name_and_by_its_id(stacks: Stacks, make: MakeStack) -> None:
    stack = make()
    for named in (stack.name, stack.id):
        view = stacks.view(named)
        assert view is not None
        assert (view.stack.id, view.stack.name) == (stack.id, stack.name)
        assert view.stack.status.word == "CREATE_COMPLETE"
        assert view.stack.parameters["size"] == "2"
        (group,) = groups_of(view.template, view.stack)
        assert (group.resource, group.parameter, group.min_size, group.max_size) == ("asg", "size", 0, 20)
        assert {p.resource: p.whole_step for p in group.policies} == {"up": 1, "down": -1, "up5": 5}
        facts = view.groups["asg"]
        assert (facts.status.complete, facts.nested and facts.nested.complete) == (True, True)
        assert len({server for member in facts.members for server in member.servers}) == 2
        assert facts.cooldown_until is not None
        assert view.deeper == ()


def test_what_is_not_there_is_none(stacks: Stacks, make: MakeStack) -> None:
    assert stacks.view("mg-no-such-stack") is None
    stack = make()
    assert stacks.scene(target_of(stack, resource="other")) is None
    assert stacks.scene(target_of(stack, stack_id="00000000-0000-4000-8000-000000000000")) is None


def test_a_scene_has_members_beside_their_servers_in_nova(stacks: Stacks, make: MakeStack) -> None:
    scene = seen(stacks, target_of(make()))
    assert scene.size == 2
    assert idle(scene)
    assert [len(member.servers) for member in scene.members] == [1, 1]
    assert {server.status for server in scene.servers.values()} == {"ACTIVE"}
    assert set(scene.servers) == {id_ for member in scene.members for id_ in member.servers}
    assert scene.cooldown_until is not None


def test_the_parameter_resizes_the_group_and_the_scene_shows_that_it_was_taken_up(
    stacks: Stacks, make: MakeStack
) -> None:
    target = target_of(make())
    before = seen(stacks, target)
    stacks.patch(target, "size", 12)
    after = until(stacks, target, lambda scene: scene.mark != before.mark and idle(scene))
    assert (after.size, len(after.servers)) == (12, 12)
    assert after.stack.parameters["size"] == "12"
    assert after.stack.status.word == "UPDATE_COMPLETE"
    stacks.patch(target, "size", 1)
    fewer = until(stacks, target, lambda scene: scene.size == 1 and idle(scene))
    assert (fewer.size, len(fewer.servers)) == (1, 1)


def test_a_signal_resizes_the_group_and_the_scene_shows_that_it_was_taken_up(
    stacks: Stacks, make: MakeStack
) -> None:
    target = target_of(make(), Adjust.SIGNAL)
    before = seen(stacks, target)
    stacks.signal(target, "up5")
    busy = until(stacks, target, lambda scene: scene.mark != before.mark)
    assert busy.nested.in_progress or busy.size == 7
    after = until(stacks, target, lambda scene: idle(scene) and scene.size == 7)
    assert after.stack.status.word == "CREATE_COMPLETE"
    assert after.mark != before.mark


def test_a_cooldown_is_seen(site: Site, stacks: Stacks, make: MakeStack) -> None:
    target = target_of(make(an_asg(site, cooldown=3600)), Adjust.SIGNAL)
    before = seen(stacks, target)
    stacks.signal(target, "up")
    time.sleep(2)
    after = seen(stacks, target)
    assert after.cooldown_until == before.cooldown_until
    assert after.mark == before.mark, "it was dropped"


def test_what_heat_refuses_is_told_in_its_words(stacks: Stacks, make: MakeStack) -> None:
    target = target_of(make())
    with pytest.raises(CloudRefused, match="between MinSize and MaxSize"):
        stacks.patch(target, "size", 21)
    with pytest.raises(CloudRefused, match="could not be found"):
        stacks.signal(target, "no-such-policy")
    with pytest.raises(CloudRefused):
        stacks.signal(target, "asg")


def test_a_group_of_type_resource_group_goes_to_none_at_all(
    site: Site, stacks: Stacks, make: MakeStack
) -> None:
    target = target_of(make(a_resource_group(site)), resource_type=RESOURCE_GROUP)
    before = seen(stacks, target)
    assert before.size == 2
    stacks.patch(target, "size", 0)
    after = until(stacks, target, lambda scene: scene.mark != before.mark and idle(scene))
    assert (after.size, after.members) == (0, ())


def test_servers_inside_members_that_are_stacks_are_found(
    site: Site, stacks: Stacks, make: MakeStack
) -> None:
    member = {
        "heat_template_version": "2021-04-16",
        "resources": {"web": a_server(site), "db": a_server(site)},
    }
    scene = seen(
        stacks,
        target_of(make(an_asg(site, {"type": "member.yaml"}), files={"member.yaml": json.dumps(member)})),
    )
    assert [len(each.servers) for each in scene.members] == [2, 2]
    assert len(scene.servers) == 4


def test_a_stack_that_was_deleted_is_gone_or_says_so(stacks: Stacks, make: MakeStack) -> None:
    stack = make()
    target = target_of(stack)
    stack.delete()
    scene = stacks.scene(target)
    assert scene is None or scene.stack.status.action == "DELETE"
    assert stacks.view(stack.name) is None


def test_an_update_without_a_parameter_is_never_sent() -> None:
    with pytest.raises(AssertionError):
        Heat(None).patch("shop", "1", {})  # type: ignore[arg-type]


# What goes wrong, on the simulated cloud.


@pytest.fixture
def own(cloud: SimCloud, sim: Site) -> tuple[Stacks, HeatTarget]:
    trust = sim.trust()
    stack = make_stack(sim, trust, an_asg(sim))
    entered = OwnersOrchestration(sim.service_user(), sim.delegations()).enter(trust, REQUEST_ID)
    return entered, target_of(stack)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_heat_that_is_down_is_unavailable(
    cloud: SimCloud, own: tuple[Stacks, HeatTarget], status: int
) -> None:
    stacks, target = own
    calls: tuple[Callable[[], object], ...] = (
        lambda: stacks.scene(target),
        lambda: stacks.patch(target, "size", 3),
    )
    for ask in calls:
        cloud.faults.add(Fault(what=Effect.ANSWER, service="heat", status=status, retry_after_seconds=7))
        with pytest.raises(CloudUnavailable) as failed:
            ask()
        assert failed.value.retry_after
        assert failed.value.certainly_not_done is (status == 429)


def test_a_404_from_something_in_front_of_heat_is_no_stack_that_is_gone(
    cloud: SimCloud, own: tuple[Stacks, HeatTarget]
) -> None:
    stacks, target = own
    cloud.faults.add(Fault(what=Effect.ANSWER, service="heat", status=404, body={}))
    with pytest.raises(CloudUnavailable):
        stacks.scene(target)


@pytest.mark.parametrize("body", [{"no": "stack"}, {"stack": {"stack_name": "s", "id": "1"}}])
def test_an_answer_that_makes_no_sense_is_unavailable(
    cloud: SimCloud, own: tuple[Stacks, HeatTarget], body: dict[str, Any]
) -> None:
    stacks, target = own
    cloud.faults.add(Fault(what=Effect.ANSWER, service="heat", method="GET", status=200, body=body))
    with pytest.raises(CloudUnavailable):
        stacks.scene(target)


def test_looking_is_tried_again_when_a_connection_broke_and_changing_is_not(
    cloud: SimCloud, own: tuple[Stacks, HeatTarget]
) -> None:
    stacks, target = own
    cloud.faults.add(Fault(what=Effect.DROP, service="heat", method="GET"))
    assert stacks.scene(target) is not None
    calls: tuple[tuple[str, Callable[[], None]], ...] = (
        ("PATCH", lambda: stacks.patch(target, "size", 3)),
        ("POST", lambda: stacks.signal(target, "up")),
    )
    for method, ask in calls:
        cloud.faults.add(Fault(what=Effect.DROP, service="heat", method=method))
        with pytest.raises(CloudUnavailable) as failed:
            ask()
        assert not failed.value.certainly_not_done


def test_a_trust_that_is_gone_is_a_broken_credential(sim: Site) -> None:
    trust = sim.trust()
    sim.withdraw(trust)
    with pytest.raises(CredentialBroken):
        OwnersOrchestration(sim.service_user(), sim.delegations()).enter(trust, REQUEST_ID)
