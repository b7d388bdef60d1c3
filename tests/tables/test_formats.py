"""Rows across releases: what an earlier one wrote is read, what a later one wrote is not misread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from chalicelib.core.errors import Unavailable
from chalicelib.core.group import Group
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import GroupRow
from chalicelib.tables.rows import FORMAT
from tests.tables.storage import QUOTA, Storage

TABLE = "thermostat-shared-groups"


def stored(group: Group) -> Mapping[str, Any]:
    """Return a group's row as DynamoDB has it."""
    key: dict[str, Any] = {"project_id": {"S": group.project_id}, "id": {"S": group.id}}
    return boto3.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"]


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
