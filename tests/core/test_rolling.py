"""Rolling replacement in rounds: Heat's batches as tables, and laws for any group and any death."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.group import RemovalOrder
from chalicelib.core.ids import LaunchConfigurationId, ResourceId
from chalicelib.core.member import Member, MemberState, Resource, compare
from chalicelib.core.plan import Plan, plan
from chalicelib.core.plan_steps import Create, Label, Record, Remove, RemoveStray, Step, Strike, Why
from chalicelib.core.rolling import Rolling, least_in_service
from tests.core.factories import CONFIGURATION, LONG_AGO, NOW, a_member, a_server, a_target, seconds

thorough = settings(max_examples=300, derandomize=True, deadline=None)

OLD = LaunchConfigurationId("configuration-0")


def a_rolling(batch_size: int = 1, min_in_service: int | None = None, **changes: object) -> Rolling:
    """Return how a refresh that began at NOW replaces members."""
    rolling = Rolling(batch_size=batch_size, min_in_service=min_in_service, began_at=NOW)
    return replace(rolling, **changes)  # type: ignore[arg-type]


@dataclass(slots=True)
class Fleet:
    """Members, their servers, and an obedient cloud that needs a moment for everything.

    Attributes:
        dies_after: how many steps of the next rounds are done before they die.
    """

    capacity: int
    rolling: Rolling
    members: list[Member]
    servers: list[Resource]
    removal_order: RemovalOrder = RemovalOrder.OLDEST
    zones: tuple[str, ...] = ()
    now: datetime = NOW
    dies_after: list[int] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(100))

    def round(self) -> Plan:
        """Plan, note what begins or is complete as a flow does, obey, and let time pass."""
        target = a_target(
            self.capacity,
            rolling=self.rolling,
            removal_order=self.removal_order,
            availability_zones=self.zones,
        )
        done = plan(target, compare(self.members, self.servers), self.now)
        assert done.turn is not None
        if done.turn.begins:
            self.rolling = replace(self.rolling, under_way=True)
        steps = done.steps[: self.dies_after.pop(0)] if self.dies_after else done.steps
        self.obey(steps)
        if done.turn.at_rest and not done.turn.begins:
            self.rolling = replace(self.rolling, under_way=False)
        return done

    def obey(self, steps: tuple[Step, ...]) -> None:
        members = {member.id: member for member in self.members}
        servers = {server.id: server for server in self.servers}
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
                        servers[server.id] = replace(server, task="deleting")
                case RemoveStray(resource=server):
                    del servers[server.id]
                case Create(count=number, availability_zone=zone):
                    for _ in range(number):
                        new = next(self.numbers)
                        member = a_member(
                            new,
                            state=MemberState.PLANNED,
                            resource_id=None,
                            labelled=False,
                            availability_zone=zone,
                            requested_at=self.now,
                            created_at=self.now,
                        )
                        members[member.id] = member
                        servers[ResourceId(f"server-{new}")] = a_server(
                            new, status="BUILD", created_at=self.now
                        )
        self.members, self.servers = list(members.values()), list(servers.values())

    def time_passes(self) -> None:
        """Let what is going be gone, and what builds be built."""
        self.now += seconds(20)
        self.servers = [
            replace(server, status="ACTIVE") if server.status == "BUILD" else server
            for server in self.servers
            if server.task != "deleting"
        ]

    def serving(self) -> int:
        """Return how many serve and are not going."""
        leaving = {m.resource_id for m in self.members if m.state is MemberState.DELETING}
        return sum(s.status == "ACTIVE" and s.id not in leaving for s in self.servers)

    def size(self) -> int:
        """Return how many servers there are, also those that are going."""
        return len(self.servers)


def a_fleet(capacity: int, now: int, rolling: Rolling, **changes: object) -> Fleet:
    """Return ``now`` old members of which ``capacity`` are wanted."""
    members = [a_member(number, launch_configuration_id=OLD) for number in range(1, now + 1)]
    servers = [a_server(number) for number in range(1, now + 1)]
    fleet = Fleet(capacity=capacity, rolling=rolling, members=members, servers=servers)
    for name, value in changes.items():
        setattr(fleet, name, value)
    return fleet


# --- Heat's batches


@pytest.mark.parametrize(
    ("capacity", "batch_size", "min_in_service", "batches"),
    [
        (3, 1, 0, [(3, 1), (3, 1), (3, 1)]),
        (3, 1, 2, [(3, 1), (3, 1), (3, 1)]),
        (3, 1, 3, [(4, 1), (4, 1), (4, 1), (3, 0)]),
        (3, 2, 2, [(4, 2), (3, 1)]),
        (4, 2, 4, [(6, 2), (6, 2), (4, 0)]),
        (5, 2, 4, [(6, 2), (6, 2), (5, 1)]),
        (10, 3, 8, [(11, 3), (11, 3), (11, 3), (10, 1)]),
    ],
)
def test_the_batches_are_heats(
    capacity: int, batch_size: int, min_in_service: int, batches: list[tuple[int, int]]
) -> None:
    """Each is the size of the group with the batch complete, and how many new members it brings.

    Source: openstack/heat, heat/scaling/rolling_update.py and its tests.
    """
    fleet = a_fleet(capacity, capacity, a_rolling(batch_size, min_in_service))
    seen: list[tuple[int, int]] = []
    new_before = 0
    for _ in range(60):
        under_way = fleet.rolling.under_way
        done = fleet.round()
        assert done.turn is not None
        if under_way and done.turn.at_rest:
            seen.append((done.current_size, done.turn.replaced - new_before))
            new_before = done.turn.replaced
        if done.settled and not done.turn.remaining:
            break
        fleet.time_passes()
    assert seen == batches


# --- the laws


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Draw a group of servers that serve, some of them of the right configuration already."""
    members, servers = [], []
    for number in range(1, draw(st.integers(0, 9)) + 1):
        members.append(
            a_member(
                number,
                launch_configuration_id=draw(st.sampled_from([OLD, OLD, CONFIGURATION])),
                protected=draw(st.sampled_from([False] * 5 + [True])),
                availability_zone=draw(st.sampled_from([None, "a", "b"])),
            )
        )
        servers.append(a_server(number))
    rolling = a_rolling(
        draw(st.integers(1, 5)),
        draw(st.none() | st.integers(0, 10)),
        replace_all=draw(st.booleans()),
    )
    return Fleet(
        capacity=draw(st.integers(0, 9)),
        rolling=rolling,
        members=members,
        servers=servers,
        removal_order=draw(st.sampled_from(RemovalOrder)),
        zones=draw(st.sampled_from([(), ("a", "b")])),
        dies_after=draw(st.lists(st.integers(0, 6), max_size=8)),
    )


@thorough
@given(fleets(), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=3))
def test_everybody_is_replaced_while_enough_serve(fleet: Fleet, scalings: list[tuple[int, int]]) -> None:
    """Whatever dies, and however the group is scaled meanwhile.

    In no round does so few serve, by what we do, as must not; no more members are there than are wanted and a
    batch, unless there were more before; and it ends.
    """
    for number in range(300):
        fleet.capacity = dict(scalings).get(number, fleet.capacity)
        serving, size = fleet.serving(), fleet.size()
        least = min(serving, least_in_service(fleet.rolling, fleet.capacity))
        done = fleet.round()
        assert fleet.serving() >= least
        assert fleet.size() <= max(size, fleet.capacity + fleet.rolling.batch_size)
        assert sum(isinstance(s, Remove) and s.why is Why.REPLACED for s in done.steps) <= (
            fleet.rolling.batch_size
        )
        assert done.turn is not None
        if done.settled and not done.turn.remaining and number > 30:
            break
        fleet.time_passes()
    else:
        pytest.fail("the refresh does not end")
    protected = sum(member.protected for member in fleet.members)
    assert len(fleet.members) == len(fleet.servers) == max(fleet.capacity, protected)
    left = [m for m in fleet.members if fleet.rolling.is_old(m, CONFIGURATION)]
    assert all(member.protected for member in left)
    assert done.turn.spared == len(left)


@thorough
@given(fleets())
def test_what_may_not_begin_replaces_nobody(fleet: Fleet) -> None:
    fleet.rolling = replace(fleet.rolling, may_begin=False)
    for _ in range(40):
        done = fleet.round()
        assert not [s for s in done.steps if isinstance(s, Remove) and s.why is Why.REPLACED]
        fleet.time_passes()
    assert done.settled
    assert done.turn is not None
    assert not done.turn.stuck


@thorough
@given(fleets())
def test_without_a_refresh_nobody_is_replaced(fleet: Fleet) -> None:
    target = a_target(fleet.capacity, removal_order=fleet.removal_order, availability_zones=fleet.zones)
    done = plan(target, compare(fleet.members, fleet.servers), NOW)
    assert done.turn is None
    assert not [s for s in done.steps if isinstance(s, Remove) and s.why is not Why.SURPLUS]
    assert done.outdated == sum(m.launch_configuration_id == OLD for m in fleet.members)


# --- details


def test_who_serves_nobody_is_replaced_first() -> None:
    fleet = a_fleet(3, 3, a_rolling())
    fleet.servers[2] = replace(fleet.servers[2], status="RESCUE")
    (gone,) = (step for step in fleet.round().steps if isinstance(step, Remove))
    assert gone.member.id == "member-3"


def test_nobody_takes_the_place_of_a_member_that_is_not_gone_yet() -> None:
    fleet = a_fleet(2, 2, a_rolling())
    fleet.round()
    assert not [step for step in fleet.round().steps if isinstance(step, Create)]
    fleet.time_passes()
    assert [step.count for step in fleet.round().steps if isinstance(step, Create)] == [1]


def test_a_broken_member_is_replaced_before_a_batch_begins() -> None:
    fleet = a_fleet(3, 3, a_rolling())
    fleet.servers[0] = replace(fleet.servers[0], status="ERROR")
    done = fleet.round()
    assert [step.why for step in done.steps if isinstance(step, Remove)] == [Why.BROKEN]
    assert done.turn is not None
    assert not done.turn.begins


def test_one_of_the_right_configuration_is_old_only_if_all_are_to_be_replaced() -> None:
    before, after = a_member(requested_at=LONG_AGO), a_member(requested_at=NOW)
    assert not a_rolling().is_old(before, CONFIGURATION)
    assert a_rolling(replace_all=True).is_old(before, CONFIGURATION)
    assert not a_rolling(replace_all=True).is_old(after, CONFIGURATION)
    assert a_rolling().is_old(after, OLD)


@pytest.mark.parametrize(
    ("batch_size", "min_in_service", "capacity", "least"),
    [(1, None, 3, 2), (5, None, 3, 0), (1, 3, 3, 3), (1, 9, 3, 3), (1, 0, 3, 0)],
)
def test_never_more_have_to_serve_than_are_wanted(
    batch_size: int, min_in_service: int | None, capacity: int, least: int
) -> None:
    assert least_in_service(a_rolling(batch_size, min_in_service), capacity) == least


def test_where_nobody_may_go_it_is_stuck_and_says_so() -> None:
    fleet = a_fleet(3, 4, a_rolling(1, 3))
    fleet.members[0] = replace(fleet.members[0], launch_configuration_id=CONFIGURATION)
    fleet.servers[0] = replace(fleet.servers[0], status="RESCUE")
    done = fleet.round()
    assert (done.steps, done.settled) == ((), True)
    assert done.turn is not None
    assert done.turn.stuck
