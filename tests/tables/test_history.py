"""Executions and activities: newest first, and gone after a while."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest

from chalicelib.core.activity import ActivityKind
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.ids import ActivityId, ExecutionId, GroupId, MemberId, PolicyId
from chalicelib.tables.activities import ActivityTable
from chalicelib.tables.database import Database
from tests.core.factories import NOW, seconds
from tests.tables.storage import KEEP_DAYS, Storage, an_execution, key_of


def test_executions_are_listed_newest_first_page_by_page(storage: Storage) -> None:
    group = storage.a_stored_group()
    ages = {"b": 1, "c": 2.5, "a": 2.5, "d": 0}
    for id_, age in ages.items():
        storage.groups.decide(group, group, an_execution(group, id_, created_at=NOW - seconds(age)))
    first = storage.executions.of_group(group.project_id, group.id, 2, None)
    assert ([each.id for each in first.items], first.marker) == (["d", "b"], "b")
    second = storage.executions.of_group(group.project_id, group.id, 2, ExecutionId("b"))
    assert ([each.id for each in second.items], second.marker) == (["c", "a"], None)
    of_policy = storage.executions.of_policy(group.project_id, PolicyId("policy-1"), 3, None)
    assert ([each.id for each in of_policy.items], of_policy.marker) == (["d", "b", "c"], "c")
    assert first.items[0] == storage.executions.get(group.project_id, ExecutionId("d"))


def test_executions_of_others_are_not_listed(storage: Storage) -> None:
    group = storage.a_stored_group()
    storage.groups.decide(group, group, an_execution(group))
    assert storage.executions.of_group(group.project_id, GroupId("other"), 9, None).items == ()
    assert storage.executions.of_policy(group.project_id, PolicyId("other"), 9, None).items == ()


def test_an_unknown_execution_is_no_marker(storage: Storage) -> None:
    group = storage.a_stored_group()
    unknown = ExecutionId("unknown")
    with pytest.raises(Invalid):
        storage.executions.of_group(group.project_id, group.id, 2, unknown)
    with pytest.raises(NotFound):
        storage.executions.get(group.project_id, unknown)


def test_activities_are_listed_newest_first_and_written_once(storage: Storage) -> None:
    activities = [
        storage.an_activity(
            id=ActivityId(f"{number:03}"), kind=ActivityKind.MEMBER_GONE, members=(MemberId("m"),)
        )
        for number in range(30)
    ]
    storage.activities.add(activities)
    storage.activities.add(activities[:1])
    storage.activities.add([])
    first = storage.activities.of_group(storage.project, activities[0].group_id, 20, None)
    assert list(first.items) == activities[:9:-1]
    rest = storage.activities.of_group(storage.project, activities[0].group_id, 20, ActivityId("010"))
    assert (first.marker, list(rest.items), rest.marker) == ("010", activities[9::-1], None)


def test_history_expires_after_the_days_it_is_kept(dynamodb: Storage, database: Database) -> None:
    activity = dynamodb.an_activity(detail="")
    ActivityTable(database).add([activity])
    raw = boto3.client("dynamodb").get_item(
        TableName="thermostat-shared-activities",
        Key={
            "group_key": {"S": f"{activity.project_id}#{activity.group_id}"},
            "id": {"S": activity.id},
        },
    )["Item"]
    assert int(raw["expires_at"]["N"]) == (NOW + timedelta(days=KEEP_DAYS)).timestamp()


def test_the_tables_are_reachable(storage: Storage) -> None:
    assert storage.usage.reachable()
    assert storage.members.of_group(key_of(storage.a_stored_group())) == []


def test_an_execution_without_a_policy_is_its_groups(storage: Storage) -> None:
    group = storage.a_stored_group()
    execution = an_execution(group, policy_id=None, source="schedule:1")
    storage.groups.decide(group, group, execution)
    assert storage.executions.get(group.project_id, execution.id) == execution
    assert storage.executions.of_group(group.project_id, group.id, 9, None).items == (execution,)
    assert storage.executions.of_policy(group.project_id, PolicyId("None"), 9, None).items == ()
