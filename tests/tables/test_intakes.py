from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import boto3
import pytest

from chalicelib.core.errors import NotFound, Stale
from chalicelib.core.ids import GroupId
from chalicelib.core.intake import Intake
from chalicelib.core.token import TokenHash
from chalicelib.ports.samples import Admission
from chalicelib.ports.storage import GroupKey
from tests.at_once import at_once
from tests.core.factories import LONG_AGO, NOW
from tests.tables.storage import QUOTA, Storage


def a_token(**changes: Any) -> TokenHash:
    """Return a token that no other test has."""
    token = TokenHash(sha256=uuid.uuid4().hex, issued_at=LONG_AGO, expires_at=None)
    return replace(token, **changes)


def an_intake(storage: Storage, **changes: Any) -> Intake:
    """Return an intake of a group that is stored."""
    group = storage.a_stored_group(fingerprint="same")
    intake = Intake(
        project_id=storage.project,
        group_id=group.id,
        tokens=(a_token(),),
        sealed_token="sealed",
        base="https://scale.example",
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    return replace(intake, **changes)


def a_stored_intake(storage: Storage, **changes: Any) -> Intake:
    intake, made = storage.intakes.create(an_intake(storage, **changes))
    assert made
    return intake


def test_an_intake_comes_back_by_group_and_by_token(storage: Storage) -> None:
    intake = a_stored_intake(storage, tokens=(a_token(), a_token(expires_at=NOW)))
    assert storage.intakes.get(storage.project, intake.group_id) == intake
    assert storage.intakes.find(storage.project, intake.group_id) == intake
    key = GroupKey(project_id=storage.project, group_id=intake.group_id)
    for token in intake.tokens:
        found = storage.intakes.by_token(token.sha256)
        assert found == Admission(key=key, expires_at=token.expires_at)
    assert storage.intakes.by_token("unknown") is None


def test_a_group_has_one_intake(storage: Storage) -> None:
    intake = a_stored_intake(storage)
    other = an_intake(storage)
    assert storage.intakes.create(other) == (intake, False)
    assert storage.intakes.by_token(other.tokens[0].sha256) is None


def test_an_intake_needs_its_group(storage: Storage) -> None:
    orphan = an_intake(storage, group_id=GroupId("gone"))
    with pytest.raises(NotFound):
        storage.intakes.create(orphan)
    assert storage.intakes.by_token(orphan.tokens[0].sha256) is None
    for missing in (storage.intakes.get, storage.intakes.delete):
        with pytest.raises(NotFound):
            missing(storage.project, orphan.group_id)
    assert storage.intakes.find(storage.project, orphan.group_id) is None


def test_a_group_that_is_going_gets_no_intake(storage: Storage) -> None:
    intake = an_intake(storage)
    was = storage.groups.get(storage.project, intake.group_id)
    storage.groups.change(was, replace(was, deleting=True), QUOTA, storage.an_activity())
    with pytest.raises(NotFound):
        storage.intakes.create(intake)


def test_a_rotation_moves_the_index_with_the_tokens(storage: Storage) -> None:
    old, older, young = a_token(), a_token(), a_token()
    was = a_stored_intake(storage, tokens=(old, older))
    ending = replace(old, expires_at=NOW)
    new = storage.intakes.change(was, replace(was, tokens=(young, ending), sealed_token="new"))
    assert new.generation == 2
    assert storage.intakes.get(storage.project, was.group_id) == new
    found = [storage.intakes.by_token(token.sha256) for token in (young, old, older)]
    assert [each and each.expires_at for each in found] == [None, NOW, None]
    assert found[0] is not None
    assert found[2] is None


def test_a_stale_rotation_issues_no_token(storage: Storage) -> None:
    was = a_stored_intake(storage)
    storage.intakes.change(was, replace(was, base="https://other.example"))
    late = a_token()
    with pytest.raises(Stale):
        storage.intakes.change(was, replace(was, tokens=(late,)))
    assert storage.intakes.by_token(late.sha256) is None


def test_deleting_takes_the_tokens_along(storage: Storage) -> None:
    intake = a_stored_intake(storage, tokens=(a_token(), a_token(expires_at=NOW)))
    storage.intakes.delete(storage.project, intake.group_id)
    assert [storage.intakes.by_token(token.sha256) for token in intake.tokens] == [None, None]
    assert storage.intakes.find(storage.project, intake.group_id) is None


def test_who_makes_an_intake_at_once_gets_the_same_one(dynamodb: Storage) -> None:
    wanted = [an_intake(dynamodb) for _ in range(8)]
    results = at_once(8, lambda number: dynamodb.intakes.create(wanted[number]))
    stored = dynamodb.intakes.get(dynamodb.project, wanted[0].group_id)
    assert sorted(results, key=str) == sorted([(stored, True), *[(stored, False)] * 7], key=str)
    live = [dynamodb.intakes.by_token(each.tokens[0].sha256) for each in wanted]
    assert sum(found is not None for found in live) == 1


def test_no_row_of_a_token_outlives_it(dynamodb: Storage) -> None:
    token = a_token(expires_at=NOW)
    a_stored_intake(dynamodb, tokens=(token,))
    row = boto3.client("dynamodb").get_item(
        TableName="thermostat-shared-intake-tokens", Key={"sha256": {"S": token.sha256}}
    )["Item"]
    assert row["expires_at"]["N"] == str(int(NOW.timestamp()))
