from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import boto3
import pytest

from chalicelib.core.errors import Conflict, Forbidden, NotFound, Stale
from chalicelib.core.ids import WebhookId
from chalicelib.core.policy import DirectionLimit, Webhook
from chalicelib.core.signature import SignatureRule, SignatureType
from chalicelib.core.source import Refusal, Source
from chalicelib.core.token import TokenHash
from tests.core.factories import LONG_AGO, NOW, a_webhook, seconds
from tests.tables.storage import QUOTA, Storage


def a_token(**changes: Any) -> TokenHash:
    """Return a token that no other test has."""
    token = TokenHash(sha256=uuid.uuid4().hex, issued_at=LONG_AGO, expires_at=None)
    return replace(token, **changes)


def a_stored_webhook(storage: Storage, **changes: Any) -> Webhook:
    """Return a webhook that is stored, with its group and its policy."""
    storage.a_stored_group(fingerprint="same")
    storage.a_stored_policy(fingerprint="same")
    new = replace(a_webhook(project_id=storage.project, tokens=(a_token(),)), **changes)
    webhook, made = storage.webhooks.create(new, QUOTA)
    assert made
    return webhook


def test_a_webhook_comes_back_by_id_and_by_token(storage: Storage) -> None:
    webhook = a_stored_webhook(
        storage,
        direction=DirectionLimit.OUT,
        tokens=(a_token(), a_token(expires_at=NOW)),
        expires_at=NOW,
    )
    assert storage.webhooks.get(storage.project, webhook.id) == webhook
    assert [storage.webhooks.by_token(token.sha256) for token in webhook.tokens] == [webhook, webhook]
    assert storage.webhooks.by_token("unknown") is None


def test_a_webhook_needs_its_policy(storage: Storage) -> None:
    orphan = a_webhook(project_id=storage.project, tokens=(a_token(),))
    with pytest.raises(NotFound):
        storage.webhooks.create(orphan, QUOTA)
    assert storage.webhooks.by_token(orphan.tokens[0].sha256) is None
    assert storage.usage.of_project(storage.project).webhooks == 0


def test_the_same_request_makes_one_webhook(storage: Storage) -> None:
    webhook = a_stored_webhook(storage, fingerprint="same")
    again = replace(webhook, tokens=(a_token(),))
    assert storage.webhooks.create(again, QUOTA) == (webhook, False)
    assert storage.webhooks.by_token(again.tokens[0].sha256) is None
    with pytest.raises(Conflict):
        storage.webhooks.create(replace(webhook, fingerprint="other"), QUOTA)


def test_webhooks_are_counted(storage: Storage) -> None:
    webhook = a_stored_webhook(storage)
    more = replace(webhook, id=WebhookId("2"), tokens=(a_token(),))
    with pytest.raises(Forbidden):
        storage.webhooks.create(more, replace(QUOTA, webhooks=1))
    assert storage.usage.of_project(storage.project).webhooks == 1


def test_a_rotation_moves_the_index_with_the_tokens(storage: Storage) -> None:
    old, older = a_token(), a_token()
    was = a_stored_webhook(storage, tokens=(old, older))
    young = a_token()
    new = storage.webhooks.change(was, replace(was, tokens=(young, replace(old, expires_at=NOW))))
    assert new.generation == 2
    assert storage.webhooks.by_token(young.sha256) == new
    assert storage.webhooks.by_token(old.sha256) == new
    assert storage.webhooks.by_token(older.sha256) is None


def test_a_stale_rotation_issues_no_token(storage: Storage) -> None:
    was = a_stored_webhook(storage)
    storage.webhooks.change(was, replace(was, name="new"))
    late = a_token()
    with pytest.raises(Stale):
        storage.webhooks.change(was, replace(was, tokens=(late,)))
    assert storage.webhooks.by_token(late.sha256) is None


def test_deleting_takes_the_tokens_along(storage: Storage) -> None:
    webhook = a_stored_webhook(storage)
    storage.webhooks.delete(storage.project, webhook.id)
    assert storage.webhooks.by_token(webhook.tokens[0].sha256) is None
    for gone in (storage.webhooks.delete, storage.webhooks.get):
        with pytest.raises(NotFound):
            gone(storage.project, webhook.id)
    assert storage.usage.of_project(storage.project).webhooks == 0


def test_no_row_of_a_token_outlives_it(dynamodb: Storage) -> None:
    old, young = a_token(), a_token(expires_at=NOW)
    was = a_stored_webhook(dynamodb, tokens=(old,))
    assert rows_of(old) == [None]
    new = dynamodb.webhooks.change(was, replace(was, tokens=(young,)))
    assert (rows_of(old), rows_of(young)) == ([], [str(int(NOW.timestamp()))])
    dynamodb.webhooks.delete(new.project_id, new.id)
    assert rows_of(young) == []


def rows_of(token: TokenHash) -> list[str | None]:
    """Return when the rows of a token expire."""
    answer = boto3.client("dynamodb").get_item(
        TableName="thermostat-shared-tokens", Key={"sha256": {"S": token.sha256}}
    )
    return [answer["Item"].get("expires_at", {}).get("N")] if "Item" in answer else []


def test_pages_are_of_one_policy(storage: Storage) -> None:
    webhook = a_stored_webhook(storage, id=WebhookId("b"))
    a_stored_webhook(storage, id=WebhookId("a"))
    first = storage.webhooks.page(storage.project, webhook.policy_id, 1, None)
    second = storage.webhooks.page(storage.project, webhook.policy_id, 1, first.marker)
    assert [each.id for each in (*first.items, *second.items)] == ["a", "b"]
    assert second.marker is None


A_SOURCE = Source(expected_every_seconds=60, watched_since=NOW)
RULE = SignatureRule(type=SignatureType.GRAFANA, sealed_secret="sealed", header="x-s", timestamp_header=None)


def overdue(storage: Storage, at: datetime, shards: int = 1) -> list[str]:
    """Return the ids of this project's webhooks whose call is overdue."""
    found = [each for shard in range(shards) for each in storage.webhooks.overdue(shard, at, 1000)]
    return [each.id for each in found if each.project_id == storage.project]


def test_what_is_asked_of_senders_comes_back(storage: Storage) -> None:
    known = A_SOURCE.heard(NOW).refused(Refusal(code="autoscaling.hook.body", at=NOW)).silenced()
    webhook = a_stored_webhook(storage, signature=RULE, sns_topic_arn="arn:aws:sns:a", source=known)
    assert storage.webhooks.get(storage.project, webhook.id) == webhook
    new = storage.webhooks.change(webhook, replace(webhook, signature=None, sns_topic_arn=None, source=None))
    assert storage.webhooks.get(storage.project, webhook.id) == new
    assert (new.signature, new.sns_topic_arn, new.source) == (None, None, None)


def test_a_note_is_written_on_what_was_read_only(storage: Storage) -> None:
    webhook = a_stored_webhook(storage, source=A_SOURCE)
    heard = A_SOURCE.heard(NOW)
    line = storage.an_activity()
    assert storage.webhooks.note(webhook, heard, line)
    stored = storage.webhooks.get(storage.project, webhook.id)
    assert stored == replace(webhook, source=heard)
    late = storage.an_activity()
    for activity in (late, None):
        assert not storage.webhooks.note(webhook, A_SOURCE.silenced(), activity)
    told = storage.activities.of_group(storage.project, line.group_id, 10, None).items
    assert (line in told, late in told) == (True, False)
    assert storage.webhooks.note(stored, heard.silenced(), None)


def test_a_webhook_that_is_gone_is_not_noted(storage: Storage) -> None:
    webhook = a_stored_webhook(storage, source=A_SOURCE)
    storage.webhooks.delete(storage.project, webhook.id)
    for activity in (storage.an_activity(), None):
        assert not storage.webhooks.note(webhook, A_SOURCE.heard(NOW), activity)
    with pytest.raises(NotFound):
        storage.webhooks.get(storage.project, webhook.id)


def test_a_change_and_a_note_do_not_undo_each_other(storage: Storage) -> None:
    was = a_stored_webhook(storage, source=A_SOURCE)
    heard = A_SOURCE.heard(NOW)
    assert storage.webhooks.note(was, heard, None)
    changed = storage.webhooks.change(was, replace(was, name="new"))
    stored = storage.webhooks.get(storage.project, was.id)
    assert (stored.name, stored.source) == ("new", heard)
    with pytest.raises(Stale):
        storage.webhooks.change(changed, replace(changed, source=A_SOURCE.expected(90, NOW)))
    assert storage.webhooks.note(stored, heard.silenced(), None)


def test_overdue_are_those_whose_silence_is_certain_and_not_noted(empty_storage: Storage) -> None:
    storage = empty_storage
    webhook = a_stored_webhook(storage, source=A_SOURCE)
    a_stored_webhook(storage, id=WebhookId("unwatched"))
    certain = NOW + seconds(90)
    assert overdue(storage, certain - seconds(1)) == []
    assert overdue(storage, certain) == [webhook.id]
    assert storage.webhooks.note(webhook, A_SOURCE.heard(NOW + seconds(60)), None)
    assert overdue(storage, certain) == []
    heard = storage.webhooks.get(storage.project, webhook.id)
    assert heard.source is not None
    assert storage.webhooks.note(heard, heard.source.silenced(), None)
    assert overdue(storage, certain + seconds(10_000)) == []
    silent = storage.webhooks.get(storage.project, webhook.id)
    anew = storage.webhooks.change(silent, replace(silent, source=A_SOURCE.expected(120, certain)))
    assert overdue(storage, certain + seconds(150)) == [webhook.id]
    storage.webhooks.change(anew, replace(anew, source=None))
    assert overdue(storage, certain + seconds(10_000)) == []


def test_the_longest_overdue_come_first(empty_storage: Storage) -> None:
    for name, since in (("b", 10), ("c", 0), ("a", 20)):
        watched = replace(A_SOURCE, watched_since=NOW + seconds(since))
        a_stored_webhook(empty_storage, id=WebhookId(name), source=watched)
    late = NOW + seconds(1000)
    assert [each.id for each in empty_storage.webhooks.overdue(0, late, 2)] == ["c", "b"]
