from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from chalicelib.core.errors import Conflict, Invalid, NotFound, Stale
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, LaunchConfigurationId, ProjectId, RefreshId
from chalicelib.core.refresh import Refresh, RefreshStatus
from chalicelib.ports.storage import Lease, LeaseLost
from tests.core.factories import NOW, REFRESH, a_refresh, seconds
from tests.tables.storage import KEEP_DAYS, Storage, key_of

LATER = NOW + seconds(5)


def begun(storage: Storage, **changes: object) -> tuple[Refresh, Group]:
    """Return a stored refresh, and its group as it is then."""
    was = storage.a_stored_group()
    refresh = replace(a_refresh(was), **changes)  # type: ignore[arg-type]
    group = replace(was, refresh_id=refresh.id, updated_at=NOW)
    stored = storage.refreshes.begin(refresh, was, group, storage.an_activity())
    return stored, storage.groups.get(was.project_id, was.id)


def full(refresh: Refresh) -> Refresh:
    """Return the refresh with progress in every field."""
    return replace(
        refresh,
        status_reason="It waits.",
        launch_configuration_id=LaunchConfigurationId("configuration-9"),
        replaced=1,
        remaining=2,
        spared=3,
        batches=4,
        batch_began_at=NOW,
        rested_at=LATER,
        attempts=5,
        updated_at=LATER,
    )


def test_a_refresh_begins_with_its_group(storage: Storage) -> None:
    refresh, group = begun(storage, min_in_service=2, replace_all=True, fingerprint="f")
    key = key_of(group)
    assert storage.refreshes.get(key, refresh.id) == storage.refreshes.find(key, refresh.id) == refresh
    assert (group.refresh_id, group.generation) == (REFRESH, 2)
    assert storage.activities.of_group(storage.project, group.id, 9, None).items != ()


def test_it_does_not_begin_on_a_group_that_was_written_since(storage: Storage) -> None:
    _, group = begun(storage)
    other = a_refresh(group, id=RefreshId("refresh-2"))
    old = replace(group, generation=1)
    with pytest.raises(Stale):
        storage.refreshes.begin(other, old, replace(old, refresh_id=other.id), storage.an_activity())
    assert storage.refreshes.find(key_of(group), other.id) is None
    assert storage.groups.get(group.project_id, group.id) == group


def test_the_same_request_finds_what_it_began_and_another_is_refused(storage: Storage) -> None:
    refresh, group = begun(storage, fingerprint="f")
    again = replace(refresh, created_at=LATER)
    line = storage.an_activity()
    for was in (group, replace(group, generation=1)):
        assert storage.refreshes.begin(again, was, was, line) == refresh
        with pytest.raises(Conflict, match="client_token"):
            storage.refreshes.begin(replace(again, fingerprint="g"), was, was, line)
    assert storage.groups.get(group.project_id, group.id) == group


def test_a_change_writes_the_status_and_keeps_the_progress(storage: Storage) -> None:
    refresh, group = begun(storage)
    noted = full(refresh)
    storage.refreshes.note(storage.leased(group), refresh, noted)
    wanted = replace(refresh, status=RefreshStatus.PAUSED, status_reason="paused", updated_at=LATER)
    line = storage.an_activity()
    written = storage.refreshes.change(refresh, wanted, group, replace(group, updated_at=LATER), line)
    assert written == replace(wanted, generation=2)
    stored = storage.refreshes.get(key_of(group), refresh.id)
    assert stored == replace(noted, status=RefreshStatus.PAUSED, status_reason="paused", generation=2)
    assert storage.groups.get(group.project_id, group.id).generation == group.generation + 1


@pytest.mark.parametrize("stale", ["refresh", "group"])
def test_a_change_of_what_was_written_since_is_refused(storage: Storage, stale: str) -> None:
    refresh, group = begun(storage)
    old = replace(refresh, generation=7) if stale == "refresh" else refresh
    was = replace(group, generation=7) if stale == "group" else group
    paused = replace(old, status=RefreshStatus.PAUSED)
    with pytest.raises(Stale):
        storage.refreshes.change(old, paused, was, was, storage.an_activity())
    assert storage.refreshes.get(key_of(group), refresh.id) == refresh
    assert storage.groups.get(group.project_id, group.id) == group


def test_progress_is_noted_under_the_lease_and_moves_no_generation(storage: Storage) -> None:
    refresh, group = begun(storage)
    lease = storage.leased(group)
    storage.refreshes.note(lease, refresh, full(refresh))
    assert storage.refreshes.get(key_of(group), refresh.id) == full(refresh)
    back = replace(full(refresh), batch_began_at=None, rested_at=None, status_reason=None)
    storage.refreshes.note(lease, refresh, replace(back, status=RefreshStatus.FAILED, generation=9))
    assert storage.refreshes.get(key_of(group), refresh.id) == back


def test_without_the_lease_no_progress_is_noted(storage: Storage) -> None:
    refresh, group = begun(storage)
    storage.leased(group)
    with pytest.raises(LeaseLost):
        storage.refreshes.note(Lease(key=key_of(group), owner="round-2"), refresh, full(refresh))
    assert storage.refreshes.get(key_of(group), refresh.id) == refresh


def test_progress_of_what_somebody_has_changed_is_dropped(storage: Storage) -> None:
    refresh, group = begun(storage)
    aborted = replace(refresh, status=RefreshStatus.ABORTED)
    storage.refreshes.change(refresh, aborted, group, group, storage.an_activity())
    storage.refreshes.note(storage.leased(group), refresh, full(refresh))
    assert storage.refreshes.get(key_of(group), refresh.id) == replace(aborted, generation=2)


def test_they_are_listed_newest_first_page_by_page(storage: Storage) -> None:
    _, group = begun(storage, id=RefreshId("c"))
    for id_, age in (("b", 9), ("d", 3), ("a", 3)):
        was = storage.groups.get(group.project_id, group.id)
        refresh = a_refresh(was, id=RefreshId(id_), created_at=NOW - seconds(age))
        storage.refreshes.begin(refresh, was, was, storage.an_activity())
    key = key_of(group)
    first = storage.refreshes.of_group(key, 2, None)
    assert ([each.id for each in first.items], first.marker) == (["c", "d"], "d")
    rest = storage.refreshes.of_group(key, 2, RefreshId("d"))
    assert ([each.id for each in rest.items], rest.marker) == (["a", "b"], None)
    with pytest.raises(Invalid):
        storage.refreshes.of_group(key, 2, RefreshId("unknown"))


def test_those_of_others_are_not_there(storage: Storage) -> None:
    refresh, group = begun(storage)
    for key in (
        replace(key_of(group), group_id=GroupId(f"{group.id}x")),
        replace(key_of(group), project_id=ProjectId(f"{group.project_id}x")),
    ):
        assert storage.refreshes.find(key, refresh.id) is None
        assert storage.refreshes.of_group(key, 9, None).items == ()
        with pytest.raises(NotFound):
            storage.refreshes.get(key, refresh.id)


def test_one_that_is_over_expires_and_no_other(dynamodb: Storage) -> None:
    refresh, group = begun(dynamodb)
    assert _expiry(group) is None
    ended = replace(refresh, status=RefreshStatus.ABORTED, updated_at=LATER)
    dynamodb.refreshes.change(refresh, ended, group, group, dynamodb.an_activity())
    assert _expiry(group) == (LATER + timedelta(days=KEEP_DAYS)).timestamp()


def _expiry(group: Group) -> int | None:
    """Return when the engine drops the group's refresh."""
    item = boto3.client("dynamodb").get_item(
        TableName="thermostat-shared-refreshes",
        Key={"group_key": {"S": f"{group.project_id}#{group.id}"}, "id": {"S": REFRESH}},
    )["Item"]
    return int(item["expires_at"]["N"]) if "expires_at" in item else None
