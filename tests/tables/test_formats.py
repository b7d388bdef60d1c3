"""Rows across releases: what an earlier one wrote is read, what a later one wrote is not misread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import boto3
import pytest

from chalicelib.core.errors import Unavailable
from chalicelib.core.fold import Reading, folded
from chalicelib.core.group import Group
from chalicelib.core.ids import AlarmId, GroupId, MemberId, PolicyId, WebhookId
from chalicelib.core.sample import one
from chalicelib.core.series import Series
from chalicelib.core.source import Source
from chalicelib.core.tracking import TargetTracking
from chalicelib.tables.database import Database
from chalicelib.tables.folds import series_key
from chalicelib.tables.group_rows import GroupRow
from chalicelib.tables.rows import FORMAT, NewerRelease
from tests.core.factories import NOW, a_policy, a_webhook, seconds
from tests.tables.storage import QUOTA, Storage

TABLE = "thermostat-shared-groups"


def stored(group: Group) -> Mapping[str, Any]:
    """Return a group's row as DynamoDB has it."""
    key: dict[str, Any] = {"project_id": {"S": group.project_id}, "id": {"S": group.id}}
    return boto3.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"]


def items(table: str, key: str, value: str) -> list[dict[str, Any]]:
    """Return what a table has behind this hash key, as DynamoDB has it."""
    found = boto3.client("dynamodb").query(
        TableName=f"thermostat-shared-{table}",
        KeyConditionExpression=f"{key} = :value",
        ExpressionAttributeValues={":value": {"S": value}},
    )
    return [dict(item) for item in found["Items"]]


def of_a_later_release(table: str, **key: Any) -> None:
    """Have a row be one that a later release wrote in its own format."""
    boto3.client("dynamodb").update_item(
        TableName=f"thermostat-shared-{table}",
        Key=key,
        UpdateExpression="SET v = :later",
        ExpressionAttributeValues={":later": {"N": str(FORMAT + 1)}},
    )


def rewritten(group: Group, attribute: str, value: dict[str, Any] | None) -> None:
    """Have another release's row in the place of a group's: with an attribute set, or without it."""
    dynamodb = boto3.client("dynamodb")
    row: dict[str, Any] = dict(stored(group))
    row.pop(attribute, None)
    dynamodb.put_item(TableName=TABLE, Item={**row, **({attribute: value} if value else {})})


def test_a_row_says_what_it_was_written_as(dynamodb: Storage) -> None:
    group = dynamodb.a_stored_group()
    assert stored(group)["v"] == {"N": str(FORMAT)}


def test_a_row_of_before_there_were_formats_is_read(dynamodb: Storage) -> None:
    group = dynamodb.a_stored_group()
    rewritten(group, "v", None)
    assert dynamodb.groups.get(group.project_id, group.id) == group


def test_what_an_earlier_release_did_not_write_has_its_default(dynamodb: Storage) -> None:
    group = dynamodb.a_stored_group()
    rewritten(group, "changes", None)
    assert dynamodb.groups.get(group.project_id, group.id).changes == ()


def test_what_a_later_release_added_is_passed_over(dynamodb: Storage) -> None:
    group = dynamodb.a_stored_group()
    rewritten(group, "of_tomorrow", {"S": "x"})
    assert dynamodb.groups.get(group.project_id, group.id) == group


def test_what_a_later_release_wrote_differently_is_refused_and_stays_as_it_is(dynamodb: Storage) -> None:
    """Neither read, nor listed, nor worked on in a round; the release that wrote it finds all of it."""
    group = dynamodb.a_stored_group()
    rewritten(group, "v", {"N": str(FORMAT + 1)})
    groups = dynamodb.groups
    for call in (
        lambda: groups.get(group.project_id, group.id),
        lambda: groups.page(group.project_id, 10, None),
        lambda: groups.create(group, QUOTA, dynamodb.an_activity()),
        lambda: dynamodb.leased(group),
    ):
        with pytest.raises(Unavailable) as caught:
            call()
        assert caught.value.code == "autoscaling.storage.newer_release"
    rewritten(group, "v", {"N": str(FORMAT)})
    assert groups.get(group.project_id, group.id) == group


def test_an_item_is_taken_apart_as_its_row_is(dynamodb: Storage, database: Database) -> None:
    """The short way, which each minute's watch takes, comes to the same, also for an earlier release's."""
    group = dynamodb.a_stored_group()
    model = database.bind(GroupRow)
    whole = dict(stored(group))
    for absent in (None, "changes", "heat", "load_balancers", "v"):
        item = {name: value for name, value in whole.items() if name != absent}
        assert model.held(item, Group) == model.from_raw_data(dict(item)).to(Group)
    with pytest.raises(Unavailable):
        model.held({**whole, "v": {"N": str(FORMAT + 1)}}, Group)


def test_what_is_changed_says_anew_what_it_was_written_as(dynamodb: Storage) -> None:
    """Else an earlier release would misread it, which reads what it itself once made."""
    group = dynamodb.a_stored_group()
    rewritten(group, "v", None)
    dynamodb.groups.change(group, replace(group, name="other"), QUOTA, dynamodb.an_activity())
    assert stored(group)["v"] == {"N": str(FORMAT)}


def test_folds_of_a_later_release_are_not_misread(dynamodb: Storage) -> None:
    series = Series(project_id=dynamodb.project, group_id=GroupId("group-1"), metric="cpu")
    reading = Reading(series=series, member=MemberId("a"), at=NOW, measure=one(1.5))
    dynamodb.folds.add(folded([reading], b"a batch.", frozenset()))
    [item] = items("folds", "series_key", series_key(series))
    of_a_later_release("folds", series_key=item["series_key"], place=item["place"])
    with pytest.raises(NewerRelease):
        dynamodb.folds.read(series, NOW, NOW + seconds(60))


def test_what_a_later_release_wrote_keeps_no_other_from_being_judged(dynamodb: Storage) -> None:
    """A shard has what belongs to many projects: their alarms, what looks at metrics, silent senders."""
    dynamodb.a_stored_group()
    dynamodb.a_stored_policy()
    source = Source(expected_every_seconds=60, watched_since=NOW)
    for name in ("later", "known"):
        dynamodb.a_stored_alarm(id=AlarmId(name))
        policy = a_policy(
            TargetTracking(metric="cpu", target=60), project_id=dynamodb.project, id=PolicyId(name)
        )
        dynamodb.policies.create(policy, QUOTA)
        dynamodb.webhooks.create(
            a_webhook(project_id=dynamodb.project, id=WebhookId(name), source=source), QUOTA
        )
    for table in ("alarms", "policies", "webhooks"):
        of_a_later_release(table, project_id={"S": dynamodb.project}, id={"S": "later"})
    late = NOW + seconds(90)
    for found in (
        [each for shard in range(8) for each in dynamodb.alarms.watched(shard, None, 1000).items],
        [each for shard in range(8) for each in dynamodb.policies.watched(shard, None, 1000).items],
        [each for shard in range(8) for each in dynamodb.webhooks.overdue(shard, late, 1000)],
    ):
        assert [each.id for each in found if each.project_id == dynamodb.project] == ["known"]
