from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.ids import GroupId, ResourceId
from chalicelib.core.member import (
    Fate,
    Member,
    MemberState,
    Resource,
    Sight,
    base_name,
    compare,
    fate,
    group_metadata,
    group_tag,
    names_of_batch,
)
from tests.core.factories import (
    LONG_AGO,
    NOW,
    PATIENCE,
    a_member,
    a_planned_member,
    a_server,
    seconds,
)

thorough = settings(max_examples=200, derandomize=True, deadline=None)

HELD_STATES = [
    "HARD_REBOOT",
    "REBOOT",
    "MIGRATING",
    "PASSWORD",
    "REBUILD",
    "RESIZE",
    "REVERT_RESIZE",
    "RESCUE",
    "VERIFY_RESIZE",
    "SUSPENDED",
    "PAUSED",
    "SHELVED",
    "SHELVED_OFFLOADED",
    "UNKNOWN",
    "ONE_YET_TO_BE_INVENTED",
]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("ACTIVE", Fate.SERVES),
        ("BUILD", Fate.BUILDS),
        ("ERROR", Fate.BROKEN),
        ("SHUTOFF", Fate.BROKEN),
        ("DELETED", Fate.LOST),
        ("SOFT_DELETED", Fate.LOST),
        *((status, Fate.HELD) for status in HELD_STATES),
    ],
)
@pytest.mark.parametrize("state", [MemberState.PLANNED, MemberState.BUILDING, MemberState.IN_SERVICE])
def test_novas_word_decides_a_members_fate(state: MemberState, status: str, expected: Fate) -> None:
    """Otter's table; unlike Otter, what Nova does not know (UNKNOWN) is left alone, not replaced."""
    sight = Sight(member=a_member(state=state, requested_at=NOW), resource=a_server(status=status))
    assert fate(sight, PATIENCE, NOW) is expected


@pytest.mark.parametrize(
    ("waited", "expected"), [(0, Fate.BUILDS), (599, Fate.BUILDS), (600, Fate.BROKEN), (9999, Fate.BROKEN)]
)
def test_a_server_that_builds_too_long_is_broken(waited: int, expected: Fate) -> None:
    member = a_member(state=MemberState.BUILDING, requested_at=NOW - seconds(waited))
    assert fate(Sight(member=member, resource=a_server(status="BUILD")), PATIENCE, NOW) is expected


@pytest.mark.parametrize("status", ["ACTIVE", "MIGRATING"])
def test_only_building_has_a_timeout(status: str) -> None:
    member = a_member(state=MemberState.BUILDING, requested_at=LONG_AGO)
    assert fate(Sight(member=member, resource=a_server(status=status)), PATIENCE, NOW) in (
        Fate.SERVES,
        Fate.HELD,
    )


@pytest.mark.parametrize(
    ("state", "waited", "expected"),
    [
        (MemberState.PLANNED, 0, Fate.BUILDS),
        (MemberState.PLANNED, 59, Fate.BUILDS),
        (MemberState.PLANNED, 60, Fate.LOST),
        (MemberState.BUILDING, 59, Fate.BUILDS),
        (MemberState.BUILDING, 60, Fate.LOST),
        (MemberState.IN_SERVICE, 0, Fate.LOST),  # it was seen serving: no answer is on its way any more
        (MemberState.IN_SERVICE, 9999, Fate.LOST),
        (MemberState.DELETING, 0, Fate.LEAVES),
        (MemberState.DELETING, 9999, Fate.LEAVES),
    ],
)
def test_a_member_without_a_server_is_waited_for_while_its_answer_may_be_on_its_way(
    state: MemberState, waited: int, expected: Fate
) -> None:
    member = a_member(state=state, requested_at=NOW - seconds(waited))
    assert fate(Sight(member=member, resource=None), PATIENCE, NOW) is expected


@pytest.mark.parametrize("status", ["ACTIVE", "BUILD", "ERROR", "RESCUE"])
def test_a_member_that_is_to_go_goes_whatever_its_server_does(status: str) -> None:
    member = a_member(state=MemberState.DELETING)
    assert fate(Sight(member=member, resource=a_server(status=status)), PATIENCE, NOW) is Fate.LEAVES


@pytest.mark.parametrize("status", ["ACTIVE", "BUILD", "ERROR", "RESCUE"])
def test_a_server_that_somebody_else_deletes_leaves(status: str) -> None:
    sight = Sight(member=a_member(), resource=a_server(status=status, task="deleting"))
    assert fate(sight, PATIENCE, NOW) is Fate.LEAVES


@pytest.mark.parametrize("task", ["spawning", "powering-off", None])
def test_other_tasks_of_nova_do_not_matter(task: str | None) -> None:
    assert fate(Sight(member=a_member(), resource=a_server(task=task)), PATIENCE, NOW) is Fate.SERVES


# --- members beside servers


def test_a_known_server_is_found_by_its_id_even_under_another_name() -> None:
    scene = compare([a_member(1)], [a_server(1, name="renamed")])
    assert scene.sights == (Sight(member=a_member(1), resource=a_server(1, name="renamed")),)
    assert scene.strays == ()


def test_a_lost_answer_is_found_by_its_name() -> None:
    """The member was written down under a name before the server was asked for (Otter issue 1629)."""
    scene = compare([a_planned_member(1)], [a_server(1)])
    assert scene.sights[0].resource == a_server(1)
    assert scene.strays == ()


def test_of_two_servers_under_one_unclaimed_name_the_older_is_the_members() -> None:
    older = a_server(2, name="web-1", created_at=LONG_AGO)
    newer = a_server(1, name="web-1", created_at=LONG_AGO + seconds(1))
    for listed in ([older, newer], [newer, older]):
        scene = compare([a_planned_member(1)], listed)
        assert scene.sights[0].resource == older
        assert scene.strays == (newer,)


def test_of_two_servers_of_one_moment_the_lower_id_is_the_members() -> None:
    one = a_server(1, name="web-1", created_at=LONG_AGO)
    two = a_server(2, name="web-1", created_at=LONG_AGO)
    for listed in ([one, two], [two, one]):
        assert compare([a_planned_member(1)], listed).strays == (two,)


def test_a_second_server_under_a_known_members_name_is_a_stray() -> None:
    double = a_server(9, name="web-1", created_at=LONG_AGO)
    scene = compare([a_member(1)], [double, a_server(1)])
    assert scene.sights[0].resource == a_server(1)
    assert scene.strays == (double,)


def test_a_member_whose_server_is_known_by_id_is_not_given_another_by_its_name() -> None:
    scene = compare([a_member(1)], [a_server(9, name="web-1")])
    assert scene.sights[0].resource is None
    assert [stray.id for stray in scene.strays] == ["server-9"]


def test_a_server_of_one_member_is_never_adopted_by_another_whatever_it_was_renamed_to() -> None:
    renamed = a_server(1, name="web-2")
    scene = compare([a_member(1), a_planned_member(2)], [renamed])
    assert [sight.resource for sight in scene.sights] == [renamed, None]


def test_a_server_listed_twice_counts_once() -> None:
    """Nova's pages may overlap."""
    scene = compare([a_member(1)], [a_server(1), a_server(1), a_server(9), a_server(9)])
    assert len(scene.sights) == 1
    assert scene.strays == (a_server(9),)


def test_nothing_is_made_of_nothing() -> None:
    scene = compare([], [])
    assert (scene.sights, scene.strays) == ((), ())


def test_members_may_come_as_an_iterator() -> None:
    assert compare(iter([a_member(1)]), iter([a_server(1)])).strays == ()


servers_anyhow = st.lists(
    st.builds(
        a_server,
        st.integers(1, 9),
        name=st.sampled_from(["web-1", "web-2", "web-3", "other"]),
        created_at=st.integers(0, 3).map(lambda s: LONG_AGO + seconds(s)),
    ),
    max_size=8,
    unique_by=lambda server: server.id,
)
members_anyhow = st.lists(
    st.integers(1, 4).flatmap(
        lambda number: st.builds(
            a_member,
            st.just(number),
            state=st.sampled_from(MemberState),
            resource_id=st.sampled_from([None, ResourceId(f"server-{number}")]),
        )
    ),
    max_size=4,
    unique_by=lambda member: member.id,
)


@thorough
@given(members_anyhow, servers_anyhow)
def test_every_server_is_one_members_or_a_stray(members: list[Member], servers: list[Resource]) -> None:
    scene = compare(members, servers)
    assert [sight.member for sight in scene.sights] == members
    seen = [sight.resource.id for sight in scene.sights if sight.resource] + [s.id for s in scene.strays]
    assert sorted(seen) == sorted(server.id for server in servers)


@thorough
@given(members_anyhow, servers_anyhow, st.randoms(use_true_random=False))
def test_the_order_in_which_nova_lists_servers_is_irrelevant_for_who_stands_for_whom(
    members: list[Member], servers: list[Resource], random: Random
) -> None:
    scene = compare(members, servers)
    shuffled = list(servers)
    random.shuffle(shuffled)
    assert compare(members, shuffled) == scene


# --- names and marks


@pytest.mark.parametrize(
    ("group_name", "expected"),
    [
        ("web", "web-b1"),
        ("Web Front (blue)", "web-front-blue-b1"),
        ("--x--", "x-b1"),
        ("žaba", "aba-b1"),
        ("", "group-b1"),
        ("!!!", "group-b1"),
        ("a" * 80, "a" * 40 + "-b1"),
        ("a" * 39 + " b", "a" * 39 + "-b1"),  # no double hyphen where the name is cut
    ],
)
def test_a_servers_name_is_readable_and_a_hostname(group_name: str, expected: str) -> None:
    assert base_name(group_name, "b1") == expected


def test_the_servers_of_one_request_are_named_as_nova_names_them() -> None:
    assert names_of_batch("web-b1", 1) == ("web-b1",)
    assert names_of_batch("web-b1", 3) == ("web-b1-1", "web-b1-2", "web-b1-3")


def test_a_groups_servers_carry_its_mark() -> None:
    assert group_tag(GroupId("g")) == "thermostat:group:g"
    assert group_metadata(GroupId("g")) == {"thermostat:group": "g", "metering.server_group": "g"}
