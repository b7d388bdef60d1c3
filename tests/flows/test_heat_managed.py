"""Rounds of a group in Heat against a Heat in memory: from a wish to what Heat was asked for, and shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.decision import Event
from chalicelib.core.errors import Conflict, Invalid, NotFound
from chalicelib.core.group import Freeze, Group, GroupStatus
from chalicelib.core.heat import Adjust, HeatStatus
from chalicelib.core.ids import GroupId, ResourceId
from chalicelib.core.member import MemberState
from chalicelib.flows import groups, scale
from chalicelib.ports.cloud import CredentialBroken
from tests.core import factories
from tests.core.heat_factories import a_heat_target
from tests.fake_cloud import Fault
from tests.fakes.memory import Held
from tests.fakes.orchestration import FakeStack
from tests.world import CALLER, World, key

SIGNAL = Adjust.SIGNAL
WAYS = pytest.mark.parametrize("adjust", list(Adjust))


@pytest.fixture
def world() -> World:
    return World()


def adopted(world: World, adjust: Adjust = Adjust.PARAMETER, **stack: Any) -> FakeStack:
    """Return a stack whose group a settled group of ours resizes."""
    made = world.heat.add(**stack)
    world.with_group(heat=a_heat_target(adjust), desired_capacity=len(made.members), min_size=1, max_size=20)
    settle(world)
    return made


def settle(world: World, seconds: int = 900) -> None:
    """Let time pass with a round each second that one is asked for, until the group is settled."""
    for _ in range(seconds):
        if world.group().settled:
            return
        run_due(world)
        world.clock.pass_(1)
    raise AssertionError(f"not settled: {world.group()}")


def run_due(world: World) -> None:
    held = world.memory.groups[factories.PROJECT, factories.GROUP]
    waiting, world.queue.rounds = world.queue.rounds, []
    later = [(k, r, d - 1) for k, r, d in waiting if d > 0]
    if len(later) < len(waiting) or held.due_at <= world.clock.now:
        world.round()
    world.queue.rounds += later


def pass_minutes(world: World, minutes: int) -> None:
    for _ in range(minutes * 60):
        run_due(world)
        world.clock.pass_(1)


def want(world: World, **changes: Any) -> Group:
    def edit(group: Group) -> Group:
        return replace(group, **changes)

    return groups.change(world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-2")


def told(world: World) -> str:
    page = world.services.activities.of_group(factories.PROJECT, factories.GROUP, 100, None)
    return "\n".join(f"{line.kind}: {line.detail}" for line in page.items)


def status(world: World) -> tuple[GroupStatus, str | None]:
    return world.group().status(world.clock.now)


@WAYS
def test_a_group_that_is_as_wanted_is_left_alone_and_its_members_are_shown(
    world: World, adjust: Adjust
) -> None:
    stack = adopted(world, adjust, size=3, parameter=3)
    assert (stack.patches, stack.signals) == ([], [])
    assert {(m.name, m.state) for m in world.members()} == {
        (f"shop-heat-server-{n}", MemberState.IN_SERVICE) for n in (1, 2, 3)
    }
    assert {m.resource_id for m in world.members()} == {f"heat-server-{n}" for n in (1, 2, 3)}
    observed = world.group().observed
    assert (observed.current_size, observed.in_service, observed.asked) == (3, 3, None)
    assert status(world) == (GroupStatus.ACTIVE, None)


def test_by_parameter_it_goes_from_2_to_12_to_3_by_a_policy(world: World) -> None:
    stack = adopted(world)
    for amount, before, after in ((10, 2, 12), (-9, 12, 3)):
        policy = factories.a_policy(id=f"policy{amount}", rule=factories.by(amount), cooldown_seconds=0)
        world.services.policies.create(policy, world.limits.quota)
        world.clock.pass_(400)
        ask = scale.Ask(
            project_id=factories.PROJECT,
            policy_id=policy.id,
            source="webhook:1",
            event_id=f"e{amount}",
            event=Event(),
            request_id="req-a",
        )
        assert scale.scale(world.services, ask).outcome == "executed"
        settle(world)
        assert stack.changes[-1] == ("size", before, after)
    assert stack.patches == [12, 3]
    assert stack.signals == []
    assert len(world.members()) == 3
    assert "The stack shop is updated: size is 12." in told(world)


def test_by_signals_it_goes_in_whole_steps_one_at_a_time(world: World) -> None:
    stack = adopted(world, SIGNAL)
    want(world, desired_capacity=12)
    settle(world)
    want(world, desired_capacity=3)
    settle(world)
    assert stack.signals == ["up5", "up5", *["down"] * 9]
    assert stack.overlaps == 0
    assert stack.patches == []
    assert len(stack.members) == 3


def test_a_signal_that_lies_with_a_busy_engine_is_not_sent_again_before_its_time(world: World) -> None:
    stack = adopted(world, SIGNAL, take_up_seconds=20)
    want(world, desired_capacity=3)
    settle(world)
    assert stack.signals == ["up"]


def test_a_signal_without_an_answer_is_not_sent_again_while_it_may_lie_with_an_engine(world: World) -> None:
    stack = adopted(world, SIGNAL, take_up_seconds=20)
    world.heat.faults = [Fault.ANSWER_LOST]
    want(world, desired_capacity=3)
    settle(world)
    assert stack.signals == ["up"]


def test_a_signal_that_was_dropped_is_sent_again(world: World) -> None:
    stack = adopted(world, SIGNAL)
    stack._work = (world.clock.now, world.clock.now, "up", 2, False)
    want(world, desired_capacity=3)
    settle(world)
    assert len(stack.members) == 3


def test_steps_that_do_not_lead_there_go_as_near_as_they_can_and_say_so(world: World) -> None:
    target = a_heat_target(SIGNAL)
    stack = world.heat.add(size=1)
    only_five = replace(target, policies=target.policies[2:])
    world.with_group(heat=only_five, desired_capacity=8, min_size=0, max_size=20)
    pass_minutes(world, 10)
    assert len(stack.members) == 6
    state, reason = status(world)
    assert state is GroupStatus.ERROR
    assert reason
    assert reason.startswith("6 members are as near to 8 as signals of +5 come")
    want(world, desired_capacity=11)
    settle(world)
    assert stack.signals == ["up5", "up5"]


def test_heats_cooldown_is_waited_for_and_said(world: World) -> None:
    stack = adopted(world, SIGNAL, cooldown=timedelta(seconds=60))
    want(world, desired_capacity=4)
    pass_minutes(world, 1)
    assert status(world) == (GroupStatus.CONVERGING, "A cooldown of Heat's own holds signals.")
    settle(world)
    assert stack.signals == ["up", "up"]


@WAYS
def test_what_somebody_else_does_to_the_stack_is_waited_for_then_set_back(
    world: World, adjust: Adjust
) -> None:
    stack = adopted(world, adjust)
    stack.meddle(5)
    settle_after(world)
    assert len(stack.members) == 2
    assert "Somebody else resized asg of the stack shop to 5; it is set back to 2." in told(world)


def settle_after(world: World) -> None:
    """Let the routine look come, and what follows of it."""
    pass_minutes(world, 6)
    settle(world)


def test_a_stack_that_is_busy_for_an_hour_is_looked_at_less_and_less_and_then_done(world: World) -> None:
    stack = adopted(world)
    stack.work_seconds = 3600
    stack.patch(2)
    want(world, desired_capacity=4)
    looks = 0
    for _ in range(59 * 60):
        looks += len(world.queue.rounds) > 0 and world.queue.rounds[0][2] <= 0
        run_due(world)
        world.clock.pass_(1)
    assert looks < 30
    assert status(world)[0] is GroupStatus.CONVERGING
    assert "UPDATE_IN_PROGRESS" in str(status(world)[1])
    stack.work_seconds = 4
    settle(world, 1200)
    assert (len(stack.members), stack.overlaps) == (4, 0)


@WAYS
def test_a_failure_is_said_in_heats_words_and_tried_again_ever_later(world: World, adjust: Adjust) -> None:
    stack = adopted(world, adjust)
    stack.fails = 3
    want(world, desired_capacity=3)
    pass_minutes(world, 1)
    asked = len(stack.patches) + len(stack.signals)
    assert asked <= 4
    settle(world)
    assert len(stack.patches) + len(stack.signals) == 4
    assert "group_troubled: UPDATE_FAILED: No valid host was found." in told(world)
    assert "group_recovered" in told(world)
    assert len(stack.members) == 3


def test_while_the_stack_failed_the_group_is_in_error_and_any_change_arms_it(world: World) -> None:
    stack = adopted(world)
    stack.fails = 1000
    want(world, desired_capacity=3)
    pass_minutes(world, 30)
    assert status(world) == (GroupStatus.ERROR, "UPDATE_FAILED: No valid host was found.")
    assert not world.group().settled
    before = len(stack.patches)
    assert before < 15
    stack.fails = 0
    groups.converge_now(world.services, CALLER, factories.GROUP, "req-3")
    pass_minutes(world, 1)
    assert world.group().settled
    assert len(stack.patches) == before + 1


def test_what_heat_refuses_is_said_and_waits_for_a_change(world: World) -> None:
    stack = adopted(world, max_size=10)
    want(world, desired_capacity=12)
    pass_minutes(world, 10)
    assert status(world) == (GroupStatus.ERROR, "DesiredCapacity must be between MinSize and MaxSize")
    assert stack.patches == [12]
    want(world, desired_capacity=4)
    settle(world)
    assert len(stack.members) == 4


@WAYS
@pytest.mark.parametrize("fault", [Fault.TURNED_AWAY, Fault.BROKEN, Fault.ANSWER_LOST])
def test_lost_answers_and_refusals_for_now_are_made_good(world: World, adjust: Adjust, fault: Fault) -> None:
    stack = adopted(world, adjust)
    world.heat.faults = [fault]
    want(world, desired_capacity=3)
    settle(world)
    assert stack.overlaps == 0
    assert len(stack.members) == 3
    assert len(stack.changes) == 1


def test_a_heat_that_is_down_is_said_and_waited_for(world: World) -> None:
    stack = adopted(world)
    world.heat.unreachable = True
    want(world, desired_capacity=3)
    pass_minutes(world, 3)
    assert status(world) == (GroupStatus.CONVERGING, "503 Service Unavailable")
    world.heat.unreachable = False
    settle(world)
    assert stack.patches == [3]


def test_a_heat_that_answers_again_is_asked_by_a_round_that_comes_early(world: World) -> None:
    stack = adopted(world)
    world.heat.unreachable = True
    want(world, desired_capacity=3)
    pass_minutes(world, 3)
    world.heat.unreachable = False
    trouble = world.group().trouble
    assert trouble
    assert trouble.retry_at
    assert trouble.retry_at > world.clock.now
    world.round()
    assert stack.patches == [3]


def test_a_member_is_shown_as_far_as_heat_and_nova_say_that_it_is(world: World) -> None:
    stack = adopted(world)
    oldest, newest = stack.members
    for word, state in (
        ("CREATE_IN_PROGRESS", MemberState.BUILDING),
        ("CREATE_COMPLETE", MemberState.IN_SERVICE),
        ("DELETE_IN_PROGRESS", MemberState.DELETING),
    ):
        stack.members = [oldest, replace(newest, status=HeatStatus(word=word))]
        world.round()
        assert {m.resource_id: m.state for m in world.members()}[newest.servers[0]] is state
    assert world.group().observed.in_service == 1


def test_a_credential_that_broke_is_said_and_members_stay_known(world: World) -> None:
    adopted(world)
    world.heat.broken = CredentialBroken("the trust is gone", for_good=True)
    want(world, desired_capacity=3)
    pass_minutes(world, 1)
    assert status(world) == (GroupStatus.CREDENTIAL_ERROR, "the trust is gone")
    assert len(world.members()) == 2


def test_a_stack_that_is_gone_is_said_and_its_members_go(world: World) -> None:
    stack = adopted(world)
    stack.gone = True
    pass_minutes(world, 6)
    assert status(world) == (GroupStatus.ERROR, "The stack shop (stack-1) or its asg is gone.")
    assert world.members() == []


def test_a_frozen_group_is_watched_and_not_touched(world: World) -> None:
    stack = adopted(world)
    want(world, freeze=Freeze(reason="maintenance", until=None), desired_capacity=5)
    stack.meddle(3)
    pass_minutes(world, 10)
    assert (stack.patches, len(world.members())) == ([], 3)
    assert status(world)[0] is GroupStatus.FROZEN


def test_success_is_not_claimed_before_nova_agrees(world: World) -> None:
    stack = adopted(world)
    stack.hides_servers = 1
    want(world, desired_capacity=3)
    pass_minutes(world, 3)
    assert len(stack.members) == 3
    assert "Nova has none" in str(status(world)[1])
    stack.hides_servers = 0
    groups.converge_now(world.services, CALLER, factories.GROUP, "req-3")
    settle(world)


@WAYS
def test_a_deleted_group_lets_go_of_the_stack_and_asks_nobody(world: World, adjust: Adjust) -> None:
    stack = adopted(world, adjust)
    world.heat.broken = CredentialBroken("the trust is gone", for_good=True)
    world.round()
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-2")
    assert "The stack shop and its members stay as they are." in told(world)
    world.round()
    with pytest.raises(NotFound):
        world.group()
    assert world.memory.members == {}
    assert (len(stack.members), stack.patches, stack.signals) == (2, [], [])
    kept = world.services.credentials.get(factories.PROJECT, factories.CREDENTIAL)
    assert kept.status == "broken", "nobody asked whether it works"
    world.services.credentials.delete(factories.PROJECT, factories.CREDENTIAL)


def test_members_cannot_be_singled_out(world: World) -> None:
    adopted(world)
    id_ = world.members()[0].id
    with pytest.raises(Conflict, match="Heat's") as dismissed:
        groups.dismiss(world.services, CALLER, key(), id_, replaced=True, request_id="req-2")
    assert dismissed.value.code == "autoscaling.member.in_heat"
    with pytest.raises(Conflict, match="Heat's"):
        groups.protect(world.services, CALLER, key(), id_, protected=True, request_id="req-2")


def test_a_min_size_of_0_is_refused_where_heat_ignores_0(world: World) -> None:
    adopted(world)
    with pytest.raises(Invalid, match="min_size must be 1") as refused:
        want(world, bounds=replace(world.group().bounds, min_size=0))
    assert refused.value.code == "autoscaling.group.heat_zero"


def test_samples_find_the_members_of_a_stack(world: World) -> None:
    adopted(world)
    found = world.services.roster.find(key(), ["heat-server-1", "shop-heat-server-2", "stranger"])
    assert set(found) == {"heat-server-1", "shop-heat-server-2"}


def test_a_member_that_heat_replaces_in_place_is_another_member(world: World) -> None:
    stack = adopted(world)
    before = {m.id for m in world.members()}
    replaced = replace(stack.members[0], physical_id="new", servers=(ResourceId("new"),))
    stack.members = [replaced, stack.members[1]]
    pass_minutes(world, 5)
    after = {m.id for m in world.members()}
    assert len(before & after) == 1
    assert len(after) == 2


def test_a_round_that_slept_past_its_lease_asks_for_nothing(world: World) -> None:
    stack = adopted(world)
    want(world, desired_capacity=3)
    real = world.heat.scene

    def slow(target: Any) -> Any:
        seen = real(target)
        world.clock.pass_(100)
        until = world.clock.now + timedelta(seconds=75)
        assert world.services.groups.lease(key(), "another round", world.clock.now, until)
        return seen

    world.heat.scene = slow  # type: ignore[method-assign]
    world.round()
    assert stack.patches == []


@pytest.mark.parametrize(
    ("other", "held_back"),
    [
        ({}, True),
        ({"adjust": SIGNAL, "resource": "workers"}, True),
        ({"resource": "workers"}, False),
        ({"stack_id": "stack-2"}, False),
        ({"deleting": True}, False),
    ],
)
def test_of_two_definitions_made_in_the_same_instant_the_later_is_never_acted_upon(
    world: World, other: dict[str, Any], *, held_back: bool
) -> None:
    stack = adopted(world)
    mine = world.memory.groups[factories.PROJECT, factories.GROUP].group
    way = other.pop("adjust", Adjust.PARAMETER)
    deleting = other.pop("deleting", False)
    older = replace(mine, id=GroupId("group-0"), heat=a_heat_target(way, **other), deleting=deleting)
    world.memory.groups[factories.PROJECT, older.id] = Held(older, world.clock.now + timedelta(days=1))
    want(world, desired_capacity=4)
    pass_minutes(world, 2)
    assert stack.patches == ([] if held_back else [4])
    if held_back:
        assert status(world)[0] is GroupStatus.ERROR
        assert "group-0 was defined first" in str(status(world)[1])
        del world.memory.groups[factories.PROJECT, older.id]
        groups.converge_now(world.services, CALLER, factories.GROUP, "req-3")
        settle(world)
        assert stack.patches == [4]
