from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.group import RemovalOrder
from chalicelib.core.ids import LaunchConfigurationId, MemberId, ResourceId
from chalicelib.core.member import Fate, Member, MemberState, Resource, compare, fate
from chalicelib.core.plan import Plan, plan
from chalicelib.core.plan_steps import Create, Label, Record, Remove, RemoveStray, Step, Strike, Why
from chalicelib.core.target import Target
from tests.core.factories import (
    CONFIGURATION,
    LONG_AGO,
    NOW,
    PATIENCE,
    a_member,
    a_planned_member,
    a_server,
    a_target,
    seconds,
)

thorough = settings(max_examples=200, derandomize=True, deadline=None)

OLD = LaunchConfigurationId("configuration-0")


def plan_for(
    target: Target, members: Iterable[Member] = (), servers: Iterable[Resource] = (), now: datetime = NOW
) -> Plan:
    return plan(target, compare(members, servers), now)


def pairs(*numbers: int) -> tuple[list[Member], list[Resource]]:
    """Return members in service with their servers."""
    return [a_member(number) for number in numbers], [a_server(number) for number in numbers]


def removed(steps: Iterable[Step], why: Why | None = None) -> list[str]:
    """Return whom the steps remove, in order, by the numbers of the factories."""
    return [
        step.member.id.removeprefix("member-")
        for step in steps
        if isinstance(step, Remove) and (why is None or step.why is why)
    ]


def created(steps: Iterable[Step]) -> int:
    return sum(step.count for step in steps if isinstance(step, Create))


# --- an obedient cloud


@dataclass(slots=True)
class World:
    """Members as written down, servers as listed, and servers that Nova has but does not list yet."""

    members: list[Member]
    servers: list[Resource]
    late: list[Resource]
    now: datetime = NOW
    numbers: Iterator[int] = field(default_factory=lambda: count(100))

    def paid_for(self) -> int:
        """Return how many servers cost money.

        One that is going is as good as gone; one that is not listed yet and whose member leaves cannot be
        deleted before it shows itself, and nobody waits for that.
        """
        leaving = {member.name for member in self.members if member.state is MemberState.DELETING}
        late = [server for server in self.late if server.name not in leaving]
        return sum(server.task != "deleting" for server in [*self.servers, *late])

    def to_be_deleted(self) -> int:
        """Return how many servers, listed or not, serve nobody and have not been told to go."""
        scene = compare(self.members, [*self.servers, *self.late])
        useless = [
            sight.resource
            for sight in scene.sights
            if fate(sight, PATIENCE, self.now) in (Fate.BROKEN, Fate.LEAVES)
        ]
        return sum(server is not None and server.task != "deleting" for server in [*scene.strays, *useless])


def obey(steps: Sequence[Step], world: World) -> None:
    """Do at once what the steps say."""
    members = {member.id: member for member in world.members}
    servers = {server.id: server for server in world.servers}
    for step in steps:
        match step:
            case Record(member=member):
                members[member.id] = member
            case Label(member=member):
                members[member.id] = replace(members[member.id], labelled=True)
            case Strike(member=member):
                del members[member.id]
            case Remove(member=member, resource=server):
                members[member.id] = replace(members[member.id], state=MemberState.DELETING)
                if server is not None:
                    del servers[server.id]
            case RemoveStray(resource=server):
                del servers[server.id]
            case Create(count=number, availability_zone=zone):
                for _ in range(number):
                    new = next(world.numbers)
                    member = a_planned_member(
                        new, availability_zone=zone, requested_at=world.now, created_at=world.now
                    )
                    members[member.id] = member
                    servers[ResourceId(f"server-{new}")] = a_server(new, status="BUILD", created_at=world.now)
    world.members, world.servers = list(members.values()), list(servers.values())


def time_passes(world: World) -> None:
    """Let 20 s pass: builds end, deletions end, and what was late is listed."""
    world.now += timedelta(seconds=20)
    world.servers = [
        replace(server, status="ACTIVE") if server.status == "BUILD" else server
        for server in [*world.servers, *world.late]
        if server.task != "deleting"
    ]
    world.late = []


STATUSES = ["ACTIVE", "ACTIVE", "BUILD", "ERROR", "SHUTOFF", "RESCUE", "UNKNOWN", "DELETED", "SOFT_DELETED"]
AGES = [0, 30, 59, 60, 300, 599, 600, 90000]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw anything that a round may come upon."""
    members, servers, late = [], [], []
    for number in range(1, draw(st.integers(0, 8)) + 1):
        state = draw(st.sampled_from(MemberState))
        age = draw(st.sampled_from(AGES))
        seen = draw(st.sampled_from(["listed", "listed", "listed", "late", "gone"]))
        known = state is MemberState.IN_SERVICE or draw(st.booleans())
        member = a_member(
            number,
            state=state,
            resource_id=ResourceId(f"server-{number}") if known else None,
            requested_at=NOW - seconds(age),
            created_at=NOW - seconds(age),
            labelled=draw(st.booleans()),
            protected=draw(st.sampled_from([False, False, False, True])),
            availability_zone=draw(st.sampled_from([None, "a", "b"])),
            launch_configuration_id=draw(st.sampled_from([CONFIGURATION, OLD])),
        )
        members.append(member)
        server = a_server(
            number,
            status=draw(st.sampled_from(STATUSES)),
            task=draw(st.sampled_from([None, None, None, "spawning", "deleting"])),
            created_at=NOW - seconds(age),
        )
        on_its_way = state in (MemberState.PLANNED, MemberState.DELETING) and not known and age <= 30
        if seen == "listed":
            servers.append(server)
        elif seen == "late" and on_its_way:
            late.append(replace(server, status="BUILD", task=None))
    for number in range(20, 20 + draw(st.integers(0, 3))):  # strays, some under a member's name
        name = f"web-{draw(st.integers(1, 20))}"
        task = draw(st.sampled_from([None, "deleting"]))
        servers.append(a_server(number, name=name, status=draw(st.sampled_from(STATUSES)), task=task))
    draw(st.randoms(use_true_random=False)).shuffle(servers)
    return World(members=members, servers=servers, late=late)


targets = st.builds(
    a_target,
    st.integers(0, 8),
    steps_max=st.sampled_from([1, 2, 3, 50]),
    removal_order=st.sampled_from(RemovalOrder),
    availability_zones=st.sampled_from([(), ("a",), ("a", "b"), ("b", "c", "a")]),
)


def require_bounded(steps: Sequence[Step], target: Target) -> None:
    """Require that no more is deleted, created or labelled at once than is allowed."""
    assert sum(isinstance(step, Remove | RemoveStray) for step in steps) <= target.steps_max
    assert created(steps) <= target.steps_max
    assert sum(isinstance(step, Label) for step in steps) <= target.steps_max


@thorough
@given(targets, worlds())
def test_obeying_each_plan_in_turn_settles_at_the_wanted_capacity(target: Target, world: World) -> None:
    """Whatever is observed first; and on the way no round overshoots or touches too many servers.

    What is to go beyond ``steps_max`` waits for its turn, on top of what is wanted.
    """
    for _ in range(60):
        done = plan_for(target, world.members, world.servers, world.now)
        if done.settled:
            break
        assert done.moves
        require_bounded(done.steps, target)
        before = world.paid_for()
        obey(done.steps, world)
        assert world.paid_for() <= max(before, target.capacity + world.to_be_deleted())
        time_passes(world)
    else:
        pytest.fail("the planner argues with itself")

    assert done.steps == ()
    assert done.current_size == len(world.members) == len(world.servers)
    protected = sum(member.protected for member in world.members)
    assert len(world.members) == max(target.capacity, protected)
    assert {member.resource_id for member in world.members} == {server.id for server in world.servers}
    assert {server.status for server in world.servers} <= {"ACTIVE", "RESCUE", "UNKNOWN"}
    assert done.in_service == sum(server.status == "ACTIVE" for server in world.servers)
    for sight in compare(world.members, world.servers).sights:
        assert sight.resource is not None
        if sight.resource.status == "ACTIVE":
            assert (sight.member.state, sight.member.labelled) == (MemberState.IN_SERVICE, True)


@thorough
@given(targets, worlds())
def test_a_round_that_dies_at_any_step_leaves_nothing_to_repair(target: Target, world: World) -> None:
    """Only the first step of each round is done, and the group still settles."""
    for _ in range(150):
        done = plan_for(target, world.members, world.servers, world.now)
        if done.settled:
            break
        obey(done.steps[:1], world)
        time_passes(world)
    else:
        pytest.fail("the planner argues with itself")
    assert len(world.members) == len(world.servers) >= target.capacity


@thorough
@given(targets, worlds(), st.randoms(use_true_random=False))
def test_the_order_in_which_servers_and_members_are_listed_is_irrelevant(
    target: Target, world: World, random: Random
) -> None:
    one = plan_for(target, world.members, world.servers)
    random.shuffle(world.members)
    random.shuffle(world.servers)
    other = plan_for(target, world.members, world.servers)
    assert [s for s in one.steps if not isinstance(s, Record)] == [
        s for s in other.steps if not isinstance(s, Record)
    ]
    assert sorted(map(repr, one.steps)) == sorted(map(repr, other.steps))
    assert replace(one, steps=()) == replace(other, steps=())


@thorough
@given(targets, worlds())
def test_a_frozen_plan_only_writes_down_what_is_seen(target: Target, world: World) -> None:
    frozen = plan_for(replace(target, may_act=False), world.members, world.servers)
    free = plan_for(target, world.members, world.servers)
    assert all(isinstance(step, Record | Strike) for step in frozen.steps)
    assert list(frozen.steps) == [step for step in free.steps if isinstance(step, Record | Strike)]
    assert frozen.settled == free.settled
    assert frozen.failed_builds == ()


@thorough
@given(targets, worlds())
def test_a_group_in_trouble_removes_what_it_would_and_creates_nothing(target: Target, world: World) -> None:
    troubled = plan_for(replace(target, may_create=False), world.members, world.servers)
    free = plan_for(target, world.members, world.servers)
    assert list(troubled.steps) == [step for step in free.steps if not isinstance(step, Create)]
    assert troubled.settled == free.settled


@thorough
@given(targets, worlds())
def test_no_plan_does_two_things_to_one_server_or_removes_what_is_protected(
    target: Target, world: World
) -> None:
    steps = plan_for(target, world.members, world.servers).steps
    gone = [s.member.id for s in steps if isinstance(s, Remove)]
    struck = [s.member.id for s in steps if isinstance(s, Strike)]
    labelled = [s.member.id for s in steps if isinstance(s, Label)]
    assert len(set(gone)) == len(gone)
    assert len(set(struck)) == len(struck)
    assert not set(gone) & set(struck)
    assert not set(labelled) & set(struck)
    adopted = [s.member.resource_id for s in steps if isinstance(s, Record)]
    assert len(set(adopted)) == len(adopted)
    assert not any(s.member.protected for s in steps if isinstance(s, Remove) and s.why is Why.SURPLUS)


@thorough
@given(targets, worlds())
def test_strays_go_whatever_the_group_wants(target: Target, world: World) -> None:
    scene = compare(world.members, world.servers)
    done = plan(replace(target, steps_max=50), scene, NOW)
    going = [step.resource for step in done.steps if isinstance(step, RemoveStray)]
    assert going == [stray for stray in scene.strays if stray.task != "deleting"]


# --- settled


@pytest.mark.parametrize("zones", [(), ("a", "b")])
@pytest.mark.parametrize("order", RemovalOrder)
def test_the_plan_for_a_settled_group_is_empty(order: RemovalOrder, zones: tuple[str, ...]) -> None:
    members, servers = pairs(1, 2, 3)
    target = a_target(3, removal_order=order, availability_zones=zones)
    assert plan_for(target, members, servers) == Plan(
        steps=(),
        settled=True,
        moves=False,
        current_size=3,
        in_service=3,
        failed_builds=(),
        asked_at=max(member.requested_at for member in members),
    )


def test_a_group_that_wants_nobody_and_has_nobody_is_settled() -> None:
    assert plan_for(a_target(0)).settled


def test_held_servers_count_and_do_not_keep_a_group_from_settling() -> None:
    members, servers = pairs(1, 2)
    done = plan_for(a_target(2), members, [servers[0], replace(servers[1], status="RESCUE")])
    assert (done.steps, done.settled, done.current_size, done.in_service) == ((), True, 2, 1)


@pytest.mark.parametrize(
    ("members", "servers", "target"),
    [
        pytest.param([a_member(1)], [a_server(1, task="deleting")], a_target(0), id="leaving"),
        pytest.param(
            [a_member(1, state=MemberState.DELETING)],
            [a_server(1, task="deleting")],
            a_target(0),
            id="told to leave",
        ),
        pytest.param(
            [a_member(1, state=MemberState.BUILDING, requested_at=NOW)],
            [a_server(1, status="BUILD")],
            a_target(1),
            id="building",
        ),
        pytest.param([a_planned_member(1)], [], a_target(1), id="asked for"),
        pytest.param([], [a_server(9, task="deleting")], a_target(0), id="a stray that is going"),
    ],
)
def test_a_group_that_waits_is_not_settled_and_moves(
    members: list[Member], servers: list[Resource], target: Target
) -> None:
    done = plan_for(target, members, servers)
    assert not done.settled
    assert done.moves


def test_what_moves_is_as_old_as_the_latest_request_for_members() -> None:
    """The group's latest change may be long ago, when one takes the place of another."""
    members, servers = pairs(1)
    old, late = a_planned_member(2, requested_at=NOW - seconds(50)), a_planned_member(3)
    assert plan_for(a_target(0)).asked_at is None
    assert plan_for(a_target(1), members, servers).asked_at == members[0].requested_at
    assert plan_for(a_target(3), [*members, old, late], servers).asked_at == late.requested_at
    assert plan_for(a_target(4), [*members, old, late], servers).asked_at == NOW


def test_a_group_that_may_not_create_what_it_misses_neither_moves_nor_is_settled() -> None:
    done = plan_for(a_target(2, may_create=False))
    assert (done.steps, done.moves, done.settled) == ((), False, False)


def test_a_frozen_group_that_would_act_neither_moves_nor_is_settled() -> None:
    members, servers = pairs(1, 2)
    done = plan_for(a_target(1, may_act=False), members, servers)
    assert (done.steps, done.moves, done.settled) == ((), False, False)


# --- what is seen is written down


def test_a_server_that_builds_is_adopted() -> None:
    member = a_planned_member(1)
    done = plan_for(a_target(1), [member], [a_server(1, status="BUILD")])
    adopted = replace(member, resource_id=ResourceId("server-1"), state=MemberState.BUILDING)
    assert done.steps == (Record(member=adopted),)
    assert (done.current_size, done.in_service) == (1, 0)


def test_a_server_that_serves_is_recorded_and_labelled_in_one_round() -> None:
    member = a_planned_member(1)
    done = plan_for(a_target(1), [member], [a_server(1)])
    serving = replace(member, resource_id=ResourceId("server-1"), state=MemberState.IN_SERVICE)
    assert done.steps == (Record(member=serving), Label(member=serving, resource=a_server(1)))
    assert done.in_service == 1


def test_a_server_is_labelled_only_once_it_serves_and_only_once() -> None:
    building = a_member(1, state=MemberState.BUILDING, labelled=False, requested_at=NOW)
    assert plan_for(a_target(1), [building], [a_server(1, status="BUILD")]).steps == ()
    labelled = a_member(1, labelled=True)
    assert plan_for(a_target(1), [labelled], [a_server(1)]).steps == ()


def test_no_server_is_labelled_while_another_builds() -> None:
    members = [a_member(1, labelled=False), a_member(2, state=MemberState.BUILDING, requested_at=NOW)]
    servers = [a_server(1), a_server(2, status="BUILD")]
    assert plan_for(a_target(2), members, servers).steps == ()
    servers = [a_server(1), a_server(2)]
    done = plan_for(a_target(2), members, servers)
    assert Label(member=members[0], resource=servers[0]) in done.steps


def test_no_more_servers_are_labelled_at_once_than_allowed() -> None:
    members = [a_member(number, labelled=False) for number in (1, 2, 3)]
    servers = [a_server(number) for number in (1, 2, 3)]
    done = plan_for(a_target(3, steps_max=2), members, servers)
    assert [step.member.id for step in done.steps if isinstance(step, Label)] == ["member-1", "member-2"]
    assert not done.settled


def test_a_member_that_was_told_to_go_is_still_matched_with_its_server() -> None:
    member = a_planned_member(1, state=MemberState.DELETING)
    done = plan_for(a_target(0), [member], [a_server(1)])
    known = replace(member, resource_id=ResourceId("server-1"))
    assert done.steps == (
        Record(member=known),
        Remove(member=known, resource=a_server(1), why=Why.REQUESTED),
    )


# --- lost answers and vanished servers


def test_a_member_that_was_asked_for_and_is_not_seen_yet_is_waited_for() -> None:
    """Never created twice (Otter issue 1629: 31 servers too many)."""
    late = a_planned_member(1, requested_at=NOW - seconds(59))
    done = plan_for(a_target(1), [late])
    assert (done.steps, done.moves, done.current_size) == ((), True, 1)


def test_past_the_window_of_adoption_it_is_struck_off_and_counts_as_a_failed_build() -> None:
    """Were it replaced at once, a cloud that does not list what it makes would fill up."""
    lost = a_planned_member(1, requested_at=NOW - seconds(60))
    done = plan_for(a_target(1), [lost])
    assert done.steps == (Strike(member=lost, why=Why.NEVER_APPEARED),)
    assert done.failed_builds == (f"{lost.name} never appeared",)


def test_protected_members_go_with_their_group() -> None:
    target = replace(a_target(0), spares_protected=False)
    done = plan_for(target, [a_member(1, protected=True)], [a_server(1)])
    assert removed(done.steps, Why.SURPLUS) == ["1"]


def test_a_server_that_comes_after_all_is_a_stray_and_goes() -> None:
    members, servers = pairs(1)
    late = a_server(2, name="web-9")
    done = plan_for(a_target(1), members, [*servers, late])
    assert done.steps == (RemoveStray(resource=late),)


@pytest.mark.parametrize("servers", [[], [a_server(1, status="DELETED")]], ids=["unlisted", "deleted"])
def test_a_server_that_vanished_in_service_is_struck_off_and_replaced(servers: list[Resource]) -> None:
    done = plan_for(a_target(1), [a_member(1)], servers)
    assert done.steps[0] == Strike(member=a_member(1), why=Why.VANISHED)
    assert created(done.steps) == 1


@pytest.mark.parametrize(
    ("waited", "resource_id", "struck"),
    [
        (59, None, False),  # its request may still be on its way: the server would belong to nobody
        (60, None, True),
        (0, "server-1", True),  # it was known, and is gone
    ],
)
def test_a_leaving_member_whose_server_was_never_seen_is_kept_for_the_window_of_adoption(
    waited: int, resource_id: ResourceId | None, struck: bool
) -> None:
    member = a_planned_member(
        1, state=MemberState.DELETING, resource_id=resource_id, requested_at=NOW - seconds(waited)
    )
    done = plan_for(a_target(0), [member])
    assert done.steps == ((Strike(member=member, why=Why.DELETED),) if struck else ())
    assert not done.settled


# --- broken servers


@pytest.mark.parametrize("status", ["ERROR", "SHUTOFF"])
def test_a_server_that_breaks_in_service_is_replaced_in_the_same_round(status: str) -> None:
    broken = a_server(1, status=status, fault="Disk failed")
    done = plan_for(a_target(1), [a_member(1)], [broken])
    assert done.steps == (
        Remove(
            member=a_member(1), resource=broken, why=Why.BROKEN, detail=f"web-1 is in {status}: Disk failed"
        ),
        Create(count=1, availability_zone=None),
    )
    assert (done.current_size, done.failed_builds) == (0, ())


@pytest.mark.parametrize(
    ("server", "waited", "why", "said"),
    [
        (
            a_server(1, status="ERROR", fault="No valid host"),
            5,
            Why.BUILD_FAILED,
            "web-1 is in ERROR: No valid host",
        ),
        (a_server(1, status="SHUTOFF"), 5, Why.BUILD_FAILED, "web-1 is in SHUTOFF"),
        (a_server(1, status="BUILD"), 600, Why.BUILD_TIMEOUT, "web-1 is in BUILD"),
    ],
)
def test_a_server_that_fails_to_build_is_removed_and_not_replaced_in_that_round(
    server: Resource, waited: int, why: Why, said: str
) -> None:
    """The cloud just said no; and the other members that are missing wait as well."""
    member = a_member(1, state=MemberState.BUILDING, requested_at=NOW - seconds(waited))
    done = plan_for(a_target(5), [member], [server])
    assert done.steps == (Remove(member=member, resource=server, why=why, detail=said),)
    assert done.failed_builds == (said,)
    assert done.moves


def test_a_build_just_within_its_time_is_waited_for() -> None:
    member = a_member(1, state=MemberState.BUILDING, requested_at=NOW - seconds(599))
    assert plan_for(a_target(1), [member], [a_server(1, status="BUILD")]).steps == ()


def test_once_the_failed_server_is_told_to_go_the_missing_one_is_asked_for() -> None:
    member = a_member(1, state=MemberState.DELETING)
    done = plan_for(a_target(1), [member], [a_server(1, status="ERROR", task="deleting")])
    assert done.steps == (Create(count=1, availability_zone=None),)


def test_a_protected_server_that_breaks_goes_all_the_same() -> None:
    done = plan_for(a_target(1), [a_member(1, protected=True)], [a_server(1, status="ERROR")])
    assert removed(done.steps, Why.BROKEN) == ["1"]


# --- leaving


@pytest.mark.parametrize(
    ("state", "task", "told_because"),
    [
        (MemberState.DELETING, "deleting", None),
        (MemberState.DELETING, None, Why.REQUESTED),  # Nova forgot, or never heard of it
        (MemberState.IN_SERVICE, "deleting", Why.VANISHED),  # somebody else deletes it: that is noted
    ],
)
def test_a_leaving_server_is_told_until_nova_says_that_it_goes(
    state: MemberState, task: str | None, told_because: Why | None
) -> None:
    done = plan_for(a_target(0), [a_member(1, state=state)], [a_server(1, task=task)])
    for why in Why:
        assert removed(done.steps, why) == (["1"] if why is told_because else [])
    assert not done.settled
    assert done.moves


def test_a_leaving_member_does_not_count() -> None:
    members, servers = pairs(1, 2)
    members[0] = replace(members[0], state=MemberState.DELETING)
    done = plan_for(a_target(2), members, servers)
    assert (done.current_size, created(done.steps)) == (1, 1)


# --- too many


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (RemovalOrder.OLDEST, ["1", "2", "3"]),
        (RemovalOrder.NEWEST, ["5", "4", "3"]),
        (RemovalOrder.OLDEST_CONFIGURATION, ["2", "4", "1"]),
    ],
)
def test_who_goes_first_among_those_in_service(order: RemovalOrder, expected: list[str]) -> None:
    members, servers = pairs(1, 2, 3, 4, 5)
    members = [
        replace(member, launch_configuration_id=OLD) if member.id in ("member-2", "member-4") else member
        for member in members
    ]
    done = plan_for(a_target(2, removal_order=order), members, servers)
    assert removed(done.steps, Why.SURPLUS) == expected
    assert all(
        s.resource is not None and s.resource.name == s.member.name
        for s in done.steps
        if isinstance(s, Remove)
    )


def test_members_of_one_moment_go_in_the_order_of_their_names() -> None:
    members = [a_member(number, created_at=LONG_AGO) for number in (3, 1, 2)]
    done = plan_for(a_target(1), members, [a_server(number) for number in (1, 2, 3)])
    assert removed(done.steps) == ["1", "2"]


@pytest.mark.parametrize("order", RemovalOrder)
def test_building_and_held_servers_go_before_those_that_serve(order: RemovalOrder) -> None:
    members = [
        a_member(1),
        a_member(2, state=MemberState.BUILDING, requested_at=NOW),
        a_member(3, state=MemberState.BUILDING, requested_at=NOW),
        a_member(4),
    ]
    servers = [
        a_server(1),
        a_server(2, status="BUILD"),
        a_server(3, status="BUILD"),
        a_server(4, status="RESCUE"),
    ]
    done = plan_for(a_target(1, removal_order=order), members, servers)
    assert removed(done.steps, Why.SURPLUS) == ["3", "2", "4"]


def test_a_server_that_was_asked_for_and_is_not_seen_may_be_surplus_too() -> None:
    planned = a_planned_member(1)
    done = plan_for(a_target(0), [planned])
    assert done.steps == (Remove(member=planned, resource=None, why=Why.SURPLUS),)


def test_a_protected_member_stays_and_another_goes() -> None:
    members, servers = pairs(1, 2, 3)
    members[0] = replace(members[0], protected=True)
    assert removed(plan_for(a_target(1), members, servers).steps) == ["2", "3"]


def test_where_all_are_protected_the_group_stays_larger_and_is_settled() -> None:
    members = [a_member(number, protected=True) for number in (1, 2)]
    done = plan_for(a_target(1), members, pairs(1, 2)[1])
    assert (done.steps, done.settled, done.current_size) == ((), True, 2)


def test_broken_servers_go_before_leaving_surplus_and_stray_ones() -> None:
    members, servers = pairs(1, 2, 3)
    members[1] = replace(members[1], state=MemberState.DELETING)
    servers[2] = replace(servers[2], status="ERROR")
    stray = a_server(9)
    steps = plan_for(a_target(0), members, [*servers, stray]).steps
    assert [(s.why, s.member.id) for s in steps if isinstance(s, Remove)] == [
        (Why.BROKEN, "member-3"),
        (Why.REQUESTED, "member-2"),
        (Why.SURPLUS, "member-1"),
    ]
    assert steps[-1] == RemoveStray(resource=stray)
    limited = plan_for(a_target(0, steps_max=2), members, [*servers, stray])
    assert removed(limited.steps) == ["3", "2"]


# --- too few


@pytest.mark.parametrize(
    ("capacity", "have", "steps_max", "expected"),
    [(3, 0, 50, 3), (3, 1, 50, 2), (3, 3, 50, 0), (120, 0, 50, 50), (120, 100, 50, 20)],
)
def test_what_is_missing_is_asked_for_at_most_so_many_at_once(
    capacity: int, have: int, steps_max: int, expected: int
) -> None:
    members, servers = pairs(*range(1, have + 1))
    done = plan_for(a_target(capacity, steps_max=steps_max), members, servers)
    assert created(done.steps) == expected
    assert len(done.steps) == (1 if expected else 0)


@pytest.mark.parametrize(
    ("have", "missing", "expected"),
    [
        ("", 1, {"a": 1}),
        ("", 3, {"a": 1, "b": 1, "c": 1}),
        ("", 5, {"a": 2, "b": 2, "c": 1}),
        ("aab", 3, {"b": 1, "c": 2}),
        ("aaaa", 2, {"b": 1, "c": 1}),
        ("xxxx", 2, {"a": 1, "b": 1}),  # a zone that the group has left
    ],
)
def test_the_emptiest_zones_fill_first(have: str, missing: int, expected: dict[str, int]) -> None:
    members = [a_member(number, availability_zone=zone) for number, zone in enumerate(have, 1)]
    servers = [a_server(number) for number, _ in enumerate(have, 1)]
    target = a_target(len(have) + missing, availability_zones=("a", "b", "c"))
    steps = plan_for(target, members, servers).steps
    assert {s.availability_zone: s.count for s in steps if isinstance(s, Create)} == expected


@pytest.mark.parametrize(
    ("zones", "surplus", "order", "expected"),
    [
        ("aab", 1, RemovalOrder.OLDEST, ["1"]),
        ("baa", 1, RemovalOrder.OLDEST, ["2"]),  # not the oldest of all: its zone is not the fullest
        ("aab", 1, RemovalOrder.NEWEST, ["2"]),
        ("aaabbc", 3, RemovalOrder.OLDEST, ["1", "2", "4"]),
        ("abab", 2, RemovalOrder.NEWEST, ["4", "3"]),
    ],
)
def test_the_fullest_zone_gives_first(
    zones: str, surplus: int, order: RemovalOrder, expected: list[str]
) -> None:
    members = [a_member(number, availability_zone=zone) for number, zone in enumerate(zones, 1)]
    servers = [a_server(number) for number, _ in enumerate(zones, 1)]
    target = a_target(len(zones) - surplus, availability_zones=("a", "b", "c"), removal_order=order)
    assert removed(plan_for(target, members, servers).steps) == expected


def test_without_zones_of_its_own_a_group_does_not_mind_where_members_are() -> None:
    members = [a_member(1, availability_zone="b"), *(a_member(n, availability_zone="a") for n in (2, 3))]
    assert removed(plan_for(a_target(2), members, pairs(1, 2, 3)[1]).steps) == ["1"]


@thorough
@given(st.integers(0, 12), st.integers(0, 12), st.sampled_from(RemovalOrder))
def test_a_group_spread_evenly_stays_so_when_it_grows_and_shrinks(
    before: int, after: int, order: RemovalOrder
) -> None:
    target = a_target(before, availability_zones=("a", "b", "c"), removal_order=order)
    world = World(members=[], servers=[], late=[])
    for capacity in (before, after):
        for _ in range(6):
            done = plan_for(replace(target, capacity=capacity), world.members, world.servers, world.now)
            obey(done.steps, world)
            time_passes(world)
        sizes = Counter(member.availability_zone for member in world.members)
        spread = [sizes[zone] for zone in ("a", "b", "c")]
        assert sum(spread) == capacity
        assert max(spread) - min(spread) <= 1


# --- the counts


def test_what_counts_is_what_serves_builds_or_is_held() -> None:
    members, servers = pairs(1, 2, 3, 4, 5)
    servers[1] = replace(servers[1], status="RESIZE")
    members[2] = replace(members[2], state=MemberState.BUILDING, requested_at=NOW)
    servers[2] = replace(servers[2], status="BUILD")
    servers[3] = replace(servers[3], status="ERROR")
    members[4] = replace(members[4], state=MemberState.DELETING)
    scene = compare(members, servers)
    done = plan(a_target(3), scene, NOW)
    fates = [fate(sight, PATIENCE, NOW) for sight in scene.sights]
    assert fates == [Fate.SERVES, Fate.HELD, Fate.BUILDS, Fate.BROKEN, Fate.LEAVES]
    assert (done.current_size, done.in_service) == (3, 1)
    assert created(done.steps) == 0


def test_every_kind_of_removal_names_its_member() -> None:
    assert removed([Remove(member=a_member(4), resource=None, why=Why.BROKEN)]) == ["4"]
    assert MemberId("member-4") == a_member(4).id
