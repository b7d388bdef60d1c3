from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.ids import GroupId, MemberId, PoolId
from chalicelib.core.member import Member, MemberState, Resource, compare
from chalicelib.core.plan import Plan, plan
from chalicelib.core.plan_steps import (
    Create,
    DeletePoolMember,
    Drain,
    Note,
    PutPoolMembers,
    Record,
    Remove,
    Strike,
    Why,
)
from chalicelib.core.pool import (
    OVERDUE_AFTER,
    GroupPools,
    Pool,
    PoolMember,
    PoolUnseen,
    PoolView,
    Readiness,
    Unseen,
    pool_name,
)
from chalicelib.core.target import Target
from tests.core.factories import (
    GROUP,
    NOW,
    a_member,
    a_pool,
    a_pool_member,
    a_pool_sight,
    a_server,
    a_target,
    an_address,
    seconds,
)
from tests.fakes.balancing import FakeBalancers

ONE = (a_pool(),)


def pools(*wanted: Pool, **changes: object) -> GroupPools:
    return replace(GroupPools(group_id=GROUP, wanted=wanted), **changes)  # type: ignore[arg-type]


def reached(*numbers: int) -> list[Resource]:
    """Return ACTIVE servers that have an address."""
    return [a_server(number, addresses=(an_address(number),)) for number in numbers]


def serving(*numbers: int, **changes: object) -> list[Member]:
    return [a_member(number, **changes) for number in numbers]


def draining(number: int, since: datetime = NOW, **changes: object) -> Member:
    return a_member(
        number,
        state=MemberState.DRAINING,
        draining_since=since,
        deleting_because="surplus",
        **changes,
    )


def plan_for(
    members: Iterable[Member],
    servers: Iterable[Resource],
    *views: PoolView,
    wanted: GroupPools | None = None,
    capacity: int | None = None,
    **target: object,
) -> Plan:
    """Return the plan of a group that wants what it has, with one pool."""
    members = list(members)
    staying = sum(member.state not in (MemberState.DRAINING, MemberState.DELETING) for member in members)
    size = staying if capacity is None else capacity
    scene = replace(compare(members, servers), pools=views)
    return plan(a_target(size, pools=wanted or pools(*ONE), **target), scene, NOW)


def entered(done: Plan) -> dict[str, int]:
    """Return who is to be made or changed, by address, with what weight."""
    return {e.address: e.weight for s in done.steps if isinstance(s, PutPoolMembers) for e in s.entries}


def taken_out(done: Plan) -> list[str]:
    return [step.member.address for step in done.steps if isinstance(step, DeletePoolMember)]


def removed(done: Plan) -> list[str]:
    return [step.member.name for step in done.steps if isinstance(step, Remove)]


# --- entering


def test_members_in_service_enter_in_one_request() -> None:
    done = plan_for(serving(*range(1, 51)), reached(*range(1, 51)), a_pool_sight())
    (step,) = (step for step in done.steps if isinstance(step, PutPoolMembers))
    assert [entry.name for entry in step.entries] == [
        pool_name(GROUP, MemberId(f"member-{number}")) for number in range(1, 51)
    ]
    assert {entry.weight for entry in step.entries} == {1}
    assert not done.settled


def test_one_that_does_not_serve_yet_stays_out() -> None:
    building = a_member(1, state=MemberState.BUILDING)
    done = plan_for([building], [a_server(1, status="BUILD", addresses=(an_address(1),))], a_pool_sight())
    assert entered(done) == {}


def test_a_group_whose_members_stand_where_they_should_is_settled() -> None:
    done = plan_for(serving(1, 2), reached(1, 2), a_pool_sight(a_pool_member(1), a_pool_member(2)))
    assert done.steps == ()
    assert done.settled


def test_an_entry_says_from_which_subnet_and_with_which_weight() -> None:
    subnet = "11111111-1111-4111-8111-111111111111"
    pool = a_pool(subnet_id=subnet, weight=7, protocol_port=8080)
    done = plan_for(serving(1), reached(1), a_pool_sight(), wanted=pools(pool))
    (step,) = (step for step in done.steps if isinstance(step, PutPoolMembers))
    (entry,) = step.entries
    assert (entry.subnet_id, entry.weight, entry.protocol_port) == (subnet, 7, 8080)


def test_a_weight_that_is_not_the_pools_is_set_and_nothing_else() -> None:
    stands = a_pool_member(1, weight=3)
    done = plan_for(serving(1), reached(1), a_pool_sight(stands))
    (step,) = (step for step in done.steps if isinstance(step, PutPoolMembers))
    (entry,) = step.entries
    assert (entry.place, entry.name, entry.weight, entry.subnet_id) == (stands.place, stands.name, 1, None)


@pytest.mark.parametrize(
    ("network", "shown", "expected"),
    [
        (None, [("a", "10.0.0.1", 4, True), ("b", "10.1.0.1", 4, True)], "10.0.0.1"),
        (None, [("a", "2001:db8::1", 6, True), ("b", "10.1.0.1", 4, True)], "10.1.0.1"),
        (None, [("a", "2001:db8::1", 6, True)], "2001:db8::1"),
        (None, [("a", "203.0.113.1", 4, False), ("a", "10.0.0.1", 4, True)], "10.0.0.1"),
        ("b", [("a", "10.0.0.1", 4, True), ("b", "2001:db8::1", 6, True)], "2001:db8::1"),
        ("c", [("a", "10.0.0.1", 4, True)], None),
        (None, [("a", "203.0.113.1", 4, False)], None),
        (None, [], None),
    ],
)
def test_the_first_fixed_address_of_the_network_is_taken_ipv4_before_6(
    network: str | None, shown: list[tuple[str, str, int, bool]], expected: str | None
) -> None:
    addresses = tuple(
        an_address(network=name, address=address, version=version, fixed=fixed)
        for name, address, version, fixed in shown
    )
    server = a_server(1, addresses=addresses)
    done = plan_for(serving(1), [server], a_pool_sight(), wanted=pools(a_pool(network=network)))
    assert list(entered(done)) == ([] if expected is None else [expected])
    assert bool(done.pools.troubles) == (expected is None)
    if expected is None:
        assert "web-1 has no fixed address" in done.pools.troubles[0]
        assert not done.settled


def test_a_server_whose_addresses_are_not_shown_at_the_moment_stays_in() -> None:
    done = plan_for(serving(1), [a_server(1)], a_pool_sight(a_pool_member(1)))
    assert done.steps == ()


def test_a_member_on_another_port_or_address_is_let_in_anew_and_the_old_place_is_given_up() -> None:
    sight = a_pool_sight(a_pool_member(1, address="10.0.0.99"))
    first = plan_for(serving(1), reached(1), sight)
    assert (entered(first), taken_out(first)) == ({"10.0.0.1": 1}, [])
    moved = a_pool_sight(a_pool_member(1, address="10.0.0.99"), a_pool_member(1))
    assert taken_out(plan_for(serving(1), reached(1), moved)) == ["10.0.0.99"]


def test_what_is_not_ours_is_left_alone_whatever_it_is() -> None:
    foreign = [
        a_pool_member(7, name="theirs", weight=0),
        a_pool_member(8, name=pool_name(GroupId("another"), MemberId("member-8"))),
        a_pool_member(9, name=""),
    ]
    done = plan_for(serving(1), reached(1), a_pool_sight(a_pool_member(1), *foreign))
    assert done.settled


def test_one_whose_address_and_port_somebody_else_put_in_is_served_by_that() -> None:
    done = plan_for(serving(1), reached(1), a_pool_sight(a_pool_member(1, name="theirs")))
    assert done.settled


def test_an_address_that_is_used_again_is_taken_over_from_a_member_that_is_gone() -> None:
    old = a_pool_member(1, name=pool_name(GROUP, MemberId("long-gone")))
    done = plan_for(serving(1), reached(1), a_pool_sight(old))
    (step,) = (step for step in done.steps if isinstance(step, PutPoolMembers))
    assert [entry.name for entry in step.entries] == [pool_name(GROUP, MemberId("member-1"))]
    assert taken_out(done) == []


# --- leaving


def test_one_that_is_too_many_drains_first_and_counts_no_more() -> None:
    sight = a_pool_sight(a_pool_member(1), a_pool_member(2))
    done = plan_for(serving(1, 2), reached(1, 2), sight, capacity=1)
    (step,) = (step for step in done.steps if isinstance(step, Drain))
    assert (step.member.name, step.why, step.member.draining_since) == ("web-1", Why.SURPLUS, NOW)
    assert (step.member.state, step.member.deleting_because) == (MemberState.DRAINING, "surplus")
    assert (removed(done), entered(done), taken_out(done)) == ([], {}, [])
    later = plan_for([draining(1), *serving(2)], reached(1, 2), sight)
    assert (later.current_size, later.in_service) == (1, 1)
    assert entered(later) == {"10.0.0.1": 0}
    assert removed(later) == []


def test_a_drain_begins_when_the_weight_is_in_force() -> None:
    silent = a_pool_member(1, weight=0)
    busy = a_pool_sight(silent, readiness=Readiness.BUSY, status="PENDING_UPDATE")
    assert not any(isinstance(s, Note) for s in plan_for([draining(1)], reached(1), busy).steps)
    done = plan_for([draining(1)], reached(1), a_pool_sight(silent))
    (note,) = (step for step in done.steps if isinstance(step, Note))
    assert note.member.quiet_since == NOW
    assert taken_out(done) == []


@pytest.mark.parametrize(("age", "out"), [(0, False), (59, False), (60, True), (500, True)])
def test_one_leaves_its_pool_when_its_drain_is_over(age: float, out: bool) -> None:
    member = draining(1, quiet_since=NOW - seconds(age))
    done = plan_for([member], reached(1), a_pool_sight(a_pool_member(1, weight=0)))
    assert taken_out(done) == (["10.0.0.1"] if out else [])
    assert done.pools.drained_at == (None if out else NOW + seconds(60 - age))
    assert removed(done) == []
    assert not done.settled


def test_a_server_goes_when_no_pool_has_its_member_any_more() -> None:
    member = draining(1, quiet_since=NOW - seconds(60))
    assert removed(plan_for([member], reached(1), a_pool_sight())) == ["web-1"]
    two = pools(a_pool(1), a_pool(2))
    sights = [a_pool_sight(number=1), a_pool_sight(a_pool_member(1, weight=0), number=2)]
    assert removed(plan_for([member], reached(1), *sights, wanted=two)) == []


def test_without_a_drain_one_leaves_at_once() -> None:
    done = plan_for(
        [draining(1)], reached(1), a_pool_sight(a_pool_member(1)), wanted=pools(a_pool(drain_seconds=0))
    )
    assert taken_out(done) == ["10.0.0.1"]


def test_somebody_who_turns_a_draining_member_up_again_has_it_drained_again() -> None:
    member = draining(1, quiet_since=NOW - seconds(300))
    done = plan_for([member], reached(1), a_pool_sight(a_pool_member(1, weight=9)))
    assert entered(done) == {"10.0.0.1": 0}
    (note,) = (step for step in done.steps if isinstance(step, Note))
    assert note.member.quiet_since is None


@pytest.mark.parametrize("status", ["ERROR", "SHUTOFF"])
def test_a_broken_server_goes_at_once_and_so_does_its_entry(status: str) -> None:
    server = a_server(1, status=status, addresses=(an_address(1),))
    done = plan_for(serving(1), [server], a_pool_sight(a_pool_member(1)))
    assert removed(done) == ["web-1"]
    assert taken_out(done) == ["10.0.0.1"]
    assert removed(plan_for([draining(1)], [server], a_pool_sight(a_pool_member(1)))) == ["web-1"]


def test_of_a_server_that_vanished_the_entry_goes() -> None:
    done = plan_for(serving(1), [], a_pool_sight(a_pool_member(1)), capacity=0)
    assert [type(step) for step in done.steps] == [Strike, DeletePoolMember]
    orphan = plan_for([], [], a_pool_sight(a_pool_member(1)))
    assert taken_out(orphan) == ["10.0.0.1"]
    assert not orphan.settled


def test_several_that_are_gone_get_weight_0_together_and_then_go_one_by_one() -> None:
    first = plan_for([], [], a_pool_sight(*(a_pool_member(number) for number in (1, 2, 3))))
    assert (entered(first), taken_out(first)) == ({f"10.0.0.{n}": 0 for n in (1, 2, 3)}, [])
    then = plan_for([], [], a_pool_sight(*(a_pool_member(number, weight=0) for number in (1, 2, 3))))
    assert taken_out(then) == ["10.0.0.1"]


def test_one_that_is_held_stays_where_it_is_and_drains_when_it_is_too_many() -> None:
    rescued = [a_server(1, status="RESCUE", addresses=(an_address(1),))]
    sight = a_pool_sight(a_pool_member(1, weight=4))
    assert plan_for(serving(1), rescued, sight).settled
    assert [type(step) for step in plan_for(serving(1), rescued, sight, capacity=0).steps] == [Drain]


def test_one_that_never_served_does_not_drain() -> None:
    building = a_member(1, state=MemberState.BUILDING, requested_at=NOW)
    done = plan_for([building], [a_server(1, status="BUILD")], a_pool_sight(), capacity=0)
    assert removed(done) == ["web-1"]


def test_drains_are_bounded_like_removals() -> None:
    numbers = range(1, 6)
    sight = a_pool_sight(*(a_pool_member(number) for number in numbers))
    done = plan_for(serving(*numbers), reached(*numbers), sight, capacity=0, steps_max=2)
    assert sum(isinstance(step, Drain) for step in done.steps) == 2


# --- load balancers that are busy, broken, gone or out of reach


@pytest.mark.parametrize("readiness", [Readiness.BUSY, Readiness.BROKEN])
def test_a_load_balancer_that_is_not_ready_is_asked_for_nothing(readiness: Readiness) -> None:
    sight = a_pool_sight(readiness=readiness, status="X")
    done = plan_for(serving(1), reached(1), sight)
    assert not any(isinstance(step, PutPoolMembers | DeletePoolMember) for step in done.steps)
    assert bool(done.pools.busy) == (readiness is Readiness.BUSY)
    assert bool(done.pools.troubles) == (readiness is Readiness.BROKEN)
    assert not done.settled


def test_a_broken_load_balancer_is_no_trouble_while_nothing_is_due() -> None:
    sight = a_pool_sight(a_pool_member(1), readiness=Readiness.BROKEN, status="ERROR")
    assert plan_for(serving(1), reached(1), sight).settled


def test_one_load_balancer_is_changed_once_a_round_and_two_at_the_same_time() -> None:
    three = pools(a_pool(1), a_pool(2), a_pool(3))
    sights = [
        a_pool_sight(number=1),
        a_pool_sight(number=2, load_balancer_id="lb-1"),
        a_pool_sight(number=3),
    ]
    done = plan_for(serving(1), reached(1), *sights, wanted=three)
    assert [step.pool_id for step in done.steps if isinstance(step, PutPoolMembers)] == ["pool-1", "pool-3"]


@pytest.mark.parametrize(
    ("view", "held", "troubled"),
    [
        (PoolUnseen(id=PoolId("pool-1"), why=Unseen.UNREACHABLE, reason="r"), True, True),
        (PoolUnseen(id=PoolId("pool-1"), why=Unseen.REFUSED, reason="r"), True, True),
        (PoolUnseen(id=PoolId("pool-1"), why=Unseen.LEFT_IN_PEACE, reason="r"), True, False),
        (PoolUnseen(id=PoolId("pool-1"), why=Unseen.GONE, reason="r"), False, True),
    ],
)
def test_what_is_not_known_of_a_pool_holds_who_may_stand_in_it(
    view: PoolUnseen, held: bool, troubled: bool
) -> None:
    done = plan_for([draining(1), *serving(2)], reached(1, 2), view)
    assert removed(done) == ([] if held else ["web-1"])
    assert bool(done.pools.troubles) == troubled
    assert not done.settled


@pytest.mark.parametrize(
    "view",
    [
        PoolUnseen(id=PoolId("pool-1"), why=Unseen.UNREACHABLE, reason="r"),
        a_pool_sight(a_pool_member(1), readiness=Readiness.BROKEN, status="ERROR"),
    ],
)
def test_nobody_is_held_for_ever(view: PoolView) -> None:
    """Past the bound the server goes; what it leaves in the pool goes when that is possible again."""
    bound = timedelta(seconds=60) + OVERDUE_AFTER
    just_before = draining(1, since=NOW - bound + seconds(1))
    assert removed(plan_for([just_before], reached(1), view)) == []
    assert removed(plan_for([draining(1, since=NOW - bound)], reached(1), view)) == ["web-1"]
    mended = plan_for([], [], a_pool_sight(a_pool_member(1)))
    assert taken_out(mended) == ["10.0.0.1"]


def test_servers_are_made_whatever_is_wrong_with_the_pools() -> None:
    view = PoolUnseen(id=PoolId("pool-1"), why=Unseen.UNREACHABLE, reason="r")
    done = plan_for(serving(1), reached(1), view, capacity=3)
    assert [step.count for step in done.steps if isinstance(step, Create)] == [2]


def test_a_group_that_waited_for_its_pools_for_too_long_ends_without_them() -> None:
    view = a_pool_sight(a_pool_member(1), readiness=Readiness.BROKEN, status="ERROR")
    assert not plan_for([], [], view).settled
    assert plan_for([], [], view, wanted=pools(*ONE, given_up=True)).settled


# --- who is missing where


def test_one_that_begins_to_serve_is_missing_from_its_pools_until_it_is_seen_there() -> None:
    building = a_member(1, state=MemberState.BUILDING)
    done = plan_for([building], reached(1), a_pool_sight())
    (record,) = (step for step in done.steps if isinstance(step, Record))
    assert record.member.missing_from == ("pool-1",)
    member = record.member
    (note,) = plan_for([member], reached(1), a_pool_sight(a_pool_member(1))).steps
    assert isinstance(note, Note)
    assert note.member.missing_from == ()
    unseen = PoolUnseen(id=PoolId("pool-1"), why=Unseen.UNREACHABLE, reason="r")
    assert not any(isinstance(step, Note) for step in plan_for([member], reached(1), unseen).steps)


# --- pools that are not wanted any more


def test_a_former_pool_is_left_by_everybody_and_then_forgotten() -> None:
    former = GroupPools(group_id=GROUP, former=(PoolId("pool-1"),))
    sight = a_pool_sight(a_pool_member(1), a_pool_member(9, name="theirs"))
    done = plan_for(serving(1), reached(1), sight, wanted=former)
    assert (taken_out(done), done.pools.left) == (["10.0.0.1"], ())
    assert not done.settled
    after = plan_for(serving(1), reached(1), a_pool_sight(a_pool_member(9, name="theirs")), wanted=former)
    assert (after.settled, after.pools.left) == (True, ("pool-1",))
    gone = PoolUnseen(id=PoolId("pool-1"), why=Unseen.GONE, reason="r")
    assert plan_for(serving(1), reached(1), gone, wanted=former).pools.left == ("pool-1",)
    assert plan_for(serving(1), reached(1), gone, wanted=former).settled


# --- an obedient cloud and an obedient Octavia


@dataclass
class Site:
    """Members, servers and pools, and the time; steps are obeyed at once."""

    members: dict[str, Member]
    servers: dict[str, Resource]
    now: datetime = NOW
    numbers: int = 100
    octavia: FakeBalancers = field(init=False)

    def __post_init__(self) -> None:
        self.octavia = FakeBalancers(now=lambda: self.now)

    def look(self, target: Target) -> Plan:
        assert target.pools is not None
        ids = (*(pool.id for pool in target.pools.wanted), *target.pools.former)
        scene = compare(self.members.values(), self.servers.values())
        return plan(target, replace(scene, pools=tuple(map(self.octavia.pool, ids))), self.now)

    def obey(self, done: Plan) -> None:
        for step in done.steps:
            match step:
                case Record(member=member) | Note(member=member) | Drain(member=member):
                    self.members[member.id] = member
                case Strike(member=member):
                    del self.members[member.id]
                case Remove(member=member, resource=resource):
                    self.members[member.id] = replace(member, state=MemberState.DELETING)
                    assert resource is not None
                    del self.servers[resource.id]
                case Create(count=count):
                    for _ in range(count):
                        self.create()
                case PutPoolMembers(pool_id=pool_id, entries=entries):
                    self.octavia.put(pool_id, entries)
                case DeletePoolMember(pool_id=pool_id, member=pool_member):
                    self.octavia.remove(pool_id, pool_member.id)

    def create(self) -> None:
        self.numbers += 1
        number = self.numbers
        member = a_member(number, state=MemberState.BUILDING, requested_at=self.now, created_at=self.now)
        self.members[member.id] = member
        self.servers[f"server-{number}"] = a_server(number, addresses=(an_address(number),))


STANDS = st.sampled_from(["out", "in", "silent", "elsewhere"])


@st.composite
def sites(draw: st.DrawFn) -> tuple[Site, Target]:
    """Return any mixture of members, servers, wanted and former pools, orphans and strangers."""
    count = draw(st.integers(0, 5))
    members: dict[str, Member] = {}
    servers: dict[str, Resource] = {}
    for number in range(1, count + 1):
        since = NOW - seconds(draw(st.sampled_from([0, 30, 1000])))
        member = draw(st.sampled_from([a_member(number), draining(number, since)]))
        members[member.id] = member
        if draw(st.integers(0, 5)):
            status = draw(st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "ERROR", "RESCUE"]))
            servers[f"server-{number}"] = a_server(number, status=status, addresses=(an_address(number),))
    site = Site(members, servers)
    wanted = tuple(
        a_pool(number, drain_seconds=draw(st.sampled_from([0, 60, 300])), weight=draw(st.integers(1, 3)))
        for number in range(1, 1 + draw(st.integers(0, 3)))
    )
    former = tuple(PoolId(f"pool-{number}") for number in range(8, 8 + draw(st.integers(0, 2))))
    for id_ in (*(pool.id for pool in wanted), *former):
        site.octavia.add_pool(id_, draw(st.sampled_from(["lb-1", "lb-2"])))
        for number in range(1, count + 3):  # some stand for nobody
            stands = draw(STANDS)
            address = f"10.0.9.{number}" if stands == "elsewhere" else f"10.0.0.{number}"
            if stands != "out":
                weight = 0 if stands == "silent" else 1
                entry = a_pool_member(number, address=address, weight=weight)
                site.octavia.members[id_][entry.place] = replace(entry, id=type(entry.id)(f"{id_}-{number}"))
        site.octavia.add_foreign(id_, f"10.0.7.{draw(st.integers(1, 3))}")
    group_pools = GroupPools(group_id=GROUP, wanted=wanted, former=former)
    return site, a_target(draw(st.integers(0, 5)), pools=group_pools)


def foreign(site: Site) -> dict[PoolId, list[PoolMember]]:
    return {
        id_: [member for member in members.values() if member.name == "theirs"]
        for id_, members in site.octavia.members.items()
    }


thorough = settings(max_examples=300, derandomize=True, deadline=None)


@thorough
@given(sites())
def test_a_group_settles_with_exactly_its_serving_members_in_its_pools(drawn: tuple[Site, Target]) -> None:
    """Never two changes of a load balancer at once; what is foreign stays; nobody goes before he drained."""
    site, target = drawn
    assert target.pools is not None
    theirs = foreign(site)
    for _ in range(400):
        done = site.look(target)
        if done.settled:
            break
        changes = [s.pool_id for s in done.steps if isinstance(s, PutPoolMembers | DeletePoolMember)]
        balancers = [site.octavia.pools[pool_id] for pool_id in changes]
        assert len(balancers) == len(set(balancers))
        require_drained(site, target, done)
        site.obey(done)
        assert foreign(site) == theirs
        site.now += seconds(4)
    else:
        pytest.fail("the planner argues with itself")
    assert site.octavia.refusals == 0
    in_service = [m for m in site.members.values() if site.servers[f"server-{m.id[7:]}"].status == "ACTIVE"]
    for pool in target.pools.wanted:
        stands = site.octavia.names(pool.id)
        names = {pool_name(GROUP, member.id) for member in in_service}
        held = {pool_name(GROUP, member.id) for member in site.members.values()}
        assert names | {"theirs"} <= stands.keys() <= held | {"theirs"}
        assert {stands[name] for name in names} <= {pool.weight}
    for id_ in target.pools.former:
        assert site.octavia.names(id_).keys() == {"theirs"}


def require_drained(site: Site, target: Target, done: Plan) -> None:
    """Require that of those who drain only such servers go whom no pool has, or who waited too long."""
    assert target.pools is not None
    longest = max((pool.drain for pool in target.pools.wanted), default=timedelta())
    for step in done.steps:
        if isinstance(step, Remove) and step.member.state is MemberState.DRAINING:
            assert step.resource is not None
            assert step.member.draining_since is not None
            working = step.resource.status in ("ACTIVE", "RESCUE")
            waited = site.now - step.member.draining_since
            name = pool_name(GROUP, step.member.id)
            stands = any(name in site.octavia.names(id_) for id_ in site.octavia.pools)
            assert not (working and stands) or waited >= longest + OVERDUE_AFTER
        if isinstance(step, DeletePoolMember):
            require_drain_over(site, target.pools, step)


def require_drain_over(site: Site, group_pools: GroupPools, step: DeletePoolMember) -> None:
    """Require that who drains, on a server that works, leaves a wanted pool no sooner than it may."""
    named = [m for m in site.members.values() if pool_name(GROUP, m.id) == step.member.name]
    drains = {pool.id: pool.drain for pool in group_pools.wanted}
    for member in named:
        server = site.servers.get(f"server-{member.id[7:]}")
        working = server is not None and server.status in ("ACTIVE", "RESCUE")
        drain = drains.get(step.pool_id)
        if member.state is MemberState.DRAINING and working and drain:
            assert member.quiet_since is not None
            assert site.now - member.quiet_since >= drain


@thorough
@given(sites(), st.lists(st.integers(0, 3), max_size=40))
def test_rounds_that_die_after_any_step_leave_nothing_to_repair(
    drawn: tuple[Site, Target], kept: list[int]
) -> None:
    site, target = drawn
    for number in range(600):
        done = site.look(target)
        if done.settled:
            break
        steps = done.steps if number >= len(kept) else done.steps[: kept[number]]
        site.obey(replace(done, steps=steps))
        site.now += seconds(4)
    else:
        pytest.fail("the planner argues with itself")
    assert site.octavia.refusals == 0
    assert len(site.members) == len(site.servers) == target.capacity
