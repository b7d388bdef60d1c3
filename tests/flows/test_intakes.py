"""Intakes: their tokens, and how servers come by them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.core.activity import ActivityKind
from chalicelib.core.errors import Invalid, NotFound, Unavailable
from chalicelib.core.group import Group
from chalicelib.core.intake import INTAKE_KEY
from chalicelib.core.launch import ServerTemplate
from chalicelib.flows import groups, intakes
from chalicelib.flows.bury import bury
from chalicelib.ports.storage import Lease
from tests.core.factories import GROUP, PROJECT, a_template
from tests.simulation.crash import Died, Executioner, mortal
from tests.world import CALLER, World, key

BASE = "https://scale.example"


def world_of(template: ServerTemplate | None = None, size: int = 1) -> World:
    world = World()
    world.with_group(template, desired_capacity=size, min_size=0, max_size=10)
    return world


def made(world: World) -> str:
    """Return the token of the group's new intake."""
    issued = intakes.ensure(world.services, PROJECT, GROUP, BASE)
    assert issued.token is not None
    return issued.token


def rotated(world: World, keep: timedelta | None) -> str:
    issued = intakes.rotate(world.services, PROJECT, GROUP, BASE, keep_previous=keep)
    assert issued.token is not None
    return issued.token


def is_live(world: World, token: str) -> bool:
    try:
        return intakes.group_of_token(world.services, token) == key()
    except NotFound:
        return False


def test_an_intake_is_made_once_and_its_token_shown_once() -> None:
    world = world_of()
    token = made(world)
    assert is_live(world, token)
    assert not is_live(world, "unknown")
    again = intakes.ensure(world.services, PROJECT, GROUP, BASE)
    assert again.token is None
    assert is_live(world, token)


def test_the_token_itself_is_stored_nowhere_in_the_clear() -> None:
    world = world_of()
    token = made(world)
    assert token not in repr(world.memory.intakes)


def test_a_rotation_that_is_asked_for_again_leaves_the_token_that_servers_have() -> None:
    world = world_of()
    tokens = [made(world)]
    for _ in range(2):
        issued = intakes.rotate(world.services, PROJECT, GROUP, BASE, keep_previous=None, rotation="a")
        assert issued.token is not None
        tokens.append(issued.token)
    assert [is_live(world, token) for token in tokens] == [True, False, True]


@pytest.mark.parametrize("keep", [None, timedelta(hours=1)])
def test_after_a_rotation_both_are_live_and_an_older_one_is_not(keep: timedelta | None) -> None:
    world = world_of()
    oldest, middle = made(world), rotated(world, timedelta(hours=1))
    newest = rotated(world, keep)
    assert [is_live(world, token) for token in (oldest, middle, newest)] == [False, True, True]
    world.clock.pass_(3600)
    assert is_live(world, middle) is (keep is None)
    assert is_live(world, newest)


def test_a_rotation_may_end_the_previous_token_at_once() -> None:
    world = world_of()
    old, new = made(world), rotated(world, timedelta(0))
    assert (is_live(world, old), is_live(world, new)) == (False, True)


def test_a_revoked_token_is_unknown_at_once() -> None:
    world = world_of()
    token = made(world)
    intakes.revoke(world.services, PROJECT, GROUP)
    assert not is_live(world, token)
    with pytest.raises(NotFound):
        intakes.revoke(world.services, PROJECT, GROUP)


def test_a_url_that_no_server_could_be_given_is_refused() -> None:
    world = world_of()
    with pytest.raises(Invalid, match="255"):
        intakes.ensure(world.services, PROJECT, GROUP, "https://" + "x" * 250)
    assert not world.memory.intakes


def servers_metadata(world: World) -> list[str | None]:
    return [machine.metadata.get(INTAKE_KEY) for machine in world.cloud.machines.values()]


def test_new_servers_are_told_where_to_post_their_samples() -> None:
    world = world_of(size=3)
    token = made(world)
    world.settle()
    assert servers_metadata(world) == [f"{BASE}/v1/intake/{token}"] * 3


def test_servers_of_a_group_without_an_intake_are_told_nothing() -> None:
    world = world_of(size=2)
    world.settle()
    assert servers_metadata(world) == [None, None]


def wanting(world: World, size: int) -> None:
    def edit(group: Group) -> Group:
        return replace(group, desired_capacity=size)

    groups.change(world.services, CALLER, GROUP, edit, generation=None, request_id="req-1")


def test_after_a_rotation_new_servers_get_the_new_url() -> None:
    world = world_of(size=1)
    old = made(world)
    world.settle()
    new = rotated(world, None)
    wanting(world, 2)
    world.settle()
    assert servers_metadata(world) == [f"{BASE}/v1/intake/{token}" for token in (old, new)]


USER_DATA = b"#!/bin/sh\nurl=${THERMOSTAT_INTAKE_URL}\necho ${THERMOSTAT_INTAKE_URL}\n\xff"


@pytest.mark.parametrize("wanted", [True, False])
def test_the_url_is_written_into_user_data_where_that_is_wanted(wanted: bool) -> None:
    encoded = base64.b64encode(USER_DATA).decode()
    template = a_template(user_data=encoded, intake_in_user_data=wanted).given_intake("https://u")
    assert template.user_data is not None
    expected = USER_DATA.replace(b"${THERMOSTAT_INTAKE_URL}", b"https://u") if wanted else USER_DATA
    assert base64.b64decode(template.user_data) == expected
    assert template.metadata[INTAKE_KEY] == "https://u"


def test_servers_are_made_even_when_the_token_cannot_be_opened() -> None:
    world = world_of(size=1)
    made(world)
    intake = world.memory.intakes[PROJECT, GROUP]
    world.memory.intakes[PROJECT, GROUP] = replace(intake, sealed_token="sealed by somebody else")
    world.settle()
    assert servers_metadata(world) == [None]
    told = [a for a in world.memory.activities.values() if a.kind is ActivityKind.GROUP_TROUBLED]
    assert "rotate the intake" in told[0].detail


class Shut:
    """A vault that does not answer."""

    def seal(self, *args: str) -> str:
        raise AssertionError(args)

    def open(self, *args: str) -> str:
        raise Unavailable("vault.unavailable", "Secrets cannot be opened now.", retry_after_seconds=1)


def test_a_token_that_cannot_be_opened_now_keeps_no_broken_server_from_going() -> None:
    world = world_of(size=2)
    made(world)
    world.settle()
    broken, kept = world.cloud.machines.values()
    broken.forced_status = "ERROR"
    wanting(world, 3)
    world.services = replace(world.services, vault=Shut())
    with pytest.raises(Unavailable):
        world.round()
    assert [m.id for m in world.cloud.machines.values()] == [kept.id]


def test_the_token_is_opened_once_a_round() -> None:
    world = world_of(a_template(scheduler_hints={"group": "one-by-one"}), size=5)
    made(world)
    opened: list[str] = []
    vault = world.services.vault

    class Watched:
        def seal(self, *args: str) -> str:
            raise AssertionError(args)

        def open(self, project_id: object, id_: str, sealed: str) -> str:
            opened.append(id_)
            return vault.open(PROJECT, id_, sealed)

    world.services = replace(world.services, vault=Watched())
    world.round()
    assert len(world.cloud.machines) == 5
    assert opened == [f"intake/{GROUP}"]


def test_deleting_a_group_takes_its_intake_and_meters_along() -> None:
    world = world_of(size=0)
    token = made(world)
    world.services.meters.admit(key(), {("cpu", ())}, world.clock.now)
    groups.delete(world.services, CALLER, GROUP, generation=None, request_id="req-1")
    world.settle()
    assert not is_live(world, token)
    assert not world.memory.meters
    assert not world.memory.intakes


def test_a_burial_may_die_anywhere() -> None:
    for calls in range(8):
        world = world_of(size=0)
        made(world)
        lease = _leased(world)
        doomed = mortal(world.services, Executioner(calls_left=calls))
        try:
            bury(doomed, lease, world.group())
        except Died:
            bury(world.services, lease, world.group())
        assert (world.memory.intakes, world.memory.groups) == ({}, {})


def _leased(world: World) -> Lease:
    lease = Lease(key=key(), owner="round-1")
    until = world.clock.now + timedelta(minutes=1)
    assert world.services.groups.lease(key(), lease.owner, world.clock.now, until)
    return lease
