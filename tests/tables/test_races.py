"""What only an engine with real conditional writes can show: many at once, and exactly one wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from chalicelib.core.errors import Conflict, Forbidden, Invalid, Stale, ThermostatError
from chalicelib.core.execution import Execution
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, LaunchConfigurationId, RefreshId
from chalicelib.core.member import MemberState
from chalicelib.core.refresh import Refresh
from chalicelib.ports.storage import AlreadyDecided
from tests.at_once import at_once
from tests.core.factories import (
    NOW,
    a_credential,
    a_group,
    a_launch_configuration,
    a_planned_member,
    a_refresh,
    seconds,
)
from tests.tables.storage import QUOTA, Storage, an_execution, key_of


def raced(racers: int, run: Callable[[int], object]) -> list[object]:
    """Run all racers at once; return what each returned or raised."""

    def tried(number: int) -> object:
        try:
            return run(number)
        except (ThermostatError, AlreadyDecided) as error:
            return error

    return at_once(racers, tried)


def kinds(results: list[object]) -> Counter[type]:
    """Count the results by their type."""
    return Counter(map(type, results))


def decide(storage: Storage, was: Group, new: Group, event: Execution, _racer: int) -> Group:
    return storage.groups.decide(was, new, event)


def take_lease(storage: Storage, group: Group, now: datetime, racer: int) -> Group | None:
    return storage.groups.lease(key_of(group), f"round-{racer}", now, now + seconds(60))


def begin_refresh(storage: Storage, was: Group, racer: int) -> Refresh:
    refresh = a_refresh(was, id=RefreshId(f"refresh-{racer}"))
    group = replace(was, refresh_id=refresh.id)
    return storage.refreshes.begin(refresh, was, group, storage.an_activity())


def delete_or_create(storage: Storage, group: Group, racer: int) -> Group | None:
    """The first racer deletes the launch configuration that the second one's group uses."""
    if racer:
        return storage.groups.create(group, QUOTA, storage.an_activity())
    storage.launch_configurations.delete(group.project_id, group.owned_configuration_id)
    return None


def test_one_event_delivered_32_times_scales_once(dynamodb: Storage) -> None:
    for number in range(5):
        was = dynamodb.a_stored_group(id=GroupId(f"g{number}"), fingerprint="same")
        bigger = replace(was, desired_capacity=3)
        event = an_execution(was, f"event-{number}")
        results = raced(32, partial(decide, dynamodb, was, bigger, event))
        won = [result for result in results if result == replace(bigger, generation=2)]
        lost = [result for result in results if isinstance(result, AlreadyDecided | Stale)]
        assert (len(won), len(lost)) == (1, 31)
        assert dynamodb.groups.get(was.project_id, was.id) == won[0]


def test_32_different_events_at_one_generation_scale_once(dynamodb: Storage) -> None:
    was = dynamodb.a_stored_group()
    bigger = replace(was, desired_capacity=3)
    results = raced(
        32, lambda number: dynamodb.groups.decide(was, bigger, an_execution(was, f"event-{number}"))
    )
    assert kinds(results) == {type(was): 1, Stale: 31}
    assert len(dynamodb.executions.of_group(was.project_id, was.id, 50, None).items) == 1


def test_of_16_racers_one_gets_the_lease(dynamodb: Storage) -> None:
    group = dynamodb.a_stored_group()
    for turn in range(5):
        now = NOW + seconds(60 * turn)
        results = raced(16, partial(take_lease, dynamodb, group, now))
        assert sum(result is not None for result in results) == 1


def test_a_group_never_uses_a_launch_configuration_that_is_gone(dynamodb: Storage) -> None:
    dynamodb.credentials.create(a_credential(project_id=dynamodb.project), QUOTA)
    for turn in range(10):
        configuration = a_launch_configuration(
            project_id=dynamodb.project, id=LaunchConfigurationId(f"c{turn}")
        )
        dynamodb.launch_configurations.create(configuration, QUOTA)
        group = a_group(
            project_id=dynamodb.project,
            id=GroupId(f"g{turn}"),
            launch_configuration_id=configuration.id,
        )
        deleted, created = raced(2, partial(delete_or_create, dynamodb, group))
        assert (type(created), deleted) == (Invalid, None) or (created, type(deleted)) == (group, Conflict)
        if created == group:
            dynamodb.groups.remove(dynamodb.leased(group), group)
            dynamodb.launch_configurations.delete(group.project_id, configuration.id)
    used = dynamodb.usage.of_project(dynamodb.project)
    assert (used.groups, used.launch_configurations) == (0, 0)


def test_16_concurrent_creations_never_exceed_the_quota(dynamodb: Storage) -> None:
    first = dynamodb.a_stored_group(max_size=1)
    results = raced(
        16,
        lambda n: dynamodb.groups.create(replace(first, id=GroupId(f"g{n}")), QUOTA, dynamodb.an_activity()),
    )
    assert kinds(results) == {type(first): QUOTA.groups - 1, Forbidden: 16 - QUOTA.groups + 1}
    used = dynamodb.usage.of_project(dynamodb.project)
    assert (used.groups, used.members) == (QUOTA.groups, QUOTA.groups)


def test_two_that_create_the_same_thing_get_the_same_thing(dynamodb: Storage) -> None:
    new = a_credential(project_id=dynamodb.project, fingerprint="same")
    assert raced(8, lambda _: dynamodb.credentials.create(new, QUOTA)) == [new] * 8
    assert dynamodb.usage.of_project(dynamodb.project).credentials == 1


def test_a_dismissal_counts_once(dynamodb: Storage) -> None:
    was = dynamodb.a_stored_group()
    member = a_planned_member(project_id=dynamodb.project)
    dynamodb.members.plan(dynamodb.leased(was), [member])
    smaller = replace(was, desired_capacity=1)
    going = replace(member, state=MemberState.DELETING)
    results = raced(
        8,
        lambda _: dynamodb.members.dismiss(was, smaller, going, dynamodb.an_activity()),
    )
    assert kinds(results) == {type(was): 1, Stale: 7}
    assert dynamodb.members.get(key_of(was), member.id).state is MemberState.DELETING


def test_of_32_refreshes_that_are_begun_at_once_one_is(dynamodb: Storage) -> None:
    was = dynamodb.a_stored_group()
    results = raced(32, partial(begin_refresh, dynamodb, was))
    (won,) = [result for result in results if isinstance(result, Refresh)]
    assert kinds(results) == {Refresh: 1, Stale: 31}
    assert dynamodb.groups.get(was.project_id, was.id).refresh_id == won.id
    assert dynamodb.refreshes.of_group(key_of(was), 9, None).items == (won,)
