"""A source that is expected to call, and does not."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.errors import Unavailable
from chalicelib.flows import silence, sweep
from tests.api.caller import Api, Estate, token_in
from tests.intake import bodies


def shown(api: Api, webhook: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/webhooks/{webhook['id']}").document["source"]
    return found


def minutes(api: Api, count: int) -> None:
    for _ in range(count):
        api.world.clock.pass_(60)
        for shard in range(api.world.limits.shards):
            sweep.sweep(api.world.services, shard)


def told(api: Api, estate: Estate) -> list[str]:
    """Return what the group's story says of sources, oldest first."""
    lines = api.get(f"/v1/activities?group_id={estate.group_id}&limit=1000").document["activities"]
    return [line["kind"] for line in reversed(lines) if line["kind"].startswith("source_")]


def call(api: Api, webhook: dict[str, Any], document: Any = bodies.OK) -> int:
    return api.post(f"/v1/hooks/{token_in(webhook['url'])}", document, token=None).status


@pytest.fixture
def webhook(api: Api, estate: Estate) -> dict[str, Any]:
    return api.webhook(estate.policy_id, expected_every=300)


def test_who_is_not_watched_has_no_source(api: Api, estate: Estate) -> None:
    other = api.webhook(estate.policy_id)
    assert (other["expected_every"], other["source"]) == (None, None)
    with api.unchanged(but="executions"):
        assert call(api, other) == 202


def test_a_new_source_is_expected(webhook: dict[str, Any]) -> None:
    assert webhook["expected_every"] == 300
    assert webhook["source"] == {
        "state": "ok",
        "last_received_at": None,
        "silent_since": None,
        "cause": "never heard",
    }


def test_silence_is_told_once_and_the_end_of_it_once(
    api: Api, estate: Estate, webhook: dict[str, Any]
) -> None:
    assert call(api, webhook) == 202
    heard = shown(api, webhook)["last_received_at"]
    minutes(api, 6)
    assert (shown(api, webhook)["state"], told(api, estate)) == ("ok", [])
    minutes(api, 10)
    silent = shown(api, webhook)
    assert (silent["state"], silent["last_received_at"]) == ("source_silent", heard)
    assert silent["cause"].startswith("last heard")
    assert told(api, estate) == ["source_silent"]
    assert call(api, webhook) == 202
    assert call(api, webhook) == 202
    assert (shown(api, webhook)["state"], shown(api, webhook)["silent_since"]) == ("ok", None)
    assert told(api, estate) == ["source_silent", "source_heard"]
    minutes(api, 10)
    assert told(api, estate) == ["source_silent", "source_heard", "source_silent"]


def test_who_was_never_heard_is_silent_too(api: Api, estate: Estate, webhook: dict[str, Any]) -> None:
    minutes(api, 8)
    assert shown(api, webhook)["state"] == "source_silent"
    (line,) = [
        each["detail"]
        for each in api.get(f"/v1/activities?group_id={estate.group_id}").document["activities"]
        if each["kind"] == "source_silent"
    ]
    assert "never heard" in line
    assert "300 s" in line


def test_who_keeps_calling_is_never_silent(api: Api, estate: Estate, webhook: dict[str, Any]) -> None:
    for _ in range(20):
        assert call(api, webhook) == 202
        minutes(api, 5)
    assert told(api, estate) == []


def test_the_last_refusal_is_the_cause(api: Api, estate: Estate) -> None:
    webhook = api.webhook(estate.policy_id, expected_every=60, signature={"type": "standard_webhooks"})
    api.secrets.add(webhook["signature"]["key"])
    assert call(api, webhook) == 403
    cause = shown(api, webhook)["cause"]
    assert cause.startswith("never heard; last refused ")
    assert cause.endswith("autoscaling.hook.signature_missing")
    minutes(api, 3)
    assert shown(api, webhook)["state"] == "source_silent"


def test_a_sender_with_an_old_url_is_the_cause(api: Api, estate: Estate, webhook: dict[str, Any]) -> None:
    rotated = api.post(f"/v1/webhooks/{webhook['id']}/rotations", {"keep_previous": 60}).document
    api.secrets.add(token_in(rotated["url"]))
    api.world.clock.pass_(60)
    assert call(api, webhook) == 404
    assert shown(api, webhook)["cause"].endswith("autoscaling.webhook.ended")


def test_notes_are_few_however_many_deliveries_come(api: Api, webhook: dict[str, Any]) -> None:
    assert call(api, webhook) == 202
    for document, status in ((bodies.OK, 202), ({"status": "made up"}, 400)):
        call(api, webhook, document)
        with api.unchanged(but="executions"):
            for _ in range(5):
                assert call(api, webhook, document) == status


def test_the_owner_changes_the_pace_and_ends_the_watch(
    api: Api, estate: Estate, webhook: dict[str, Any]
) -> None:
    path = f"/v1/webhooks/{webhook['id']}"
    minutes(api, 8)
    assert api.patch(path, {"name": "other"}).document["source"]["state"] == "source_silent"
    assert api.patch(path, {"expected_every": 600}).document["source"]["state"] == "ok"
    minutes(api, 11)
    assert shown(api, webhook)["state"] == "ok"
    assert api.patch(path, {"expected_every": None}).document["source"] is None
    minutes(api, 20)
    assert told(api, estate) == ["source_silent"]


def test_two_sweeps_at_once_tell_it_once(
    api: Api, estate: Estate, webhook: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del webhook
    api.world.clock.pass_(600)
    services = api.world.services
    found = [each for shard in range(2) for each in services.webhooks.overdue(shard, api.world.clock.now, 9)]
    monkeypatch.setattr(services.webhooks, "overdue", lambda *_: found)
    silence.sweep(services, 0)
    silence.sweep(services, 0)
    assert told(api, estate) == ["source_silent"]


def test_a_note_that_cannot_be_written_holds_nobody_up(
    api: Api, webhook: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out(*_: Any) -> bool:
        raise Unavailable("storage.unavailable", "The database is busy.", retry_after_seconds=1)

    monkeypatch.setattr(api.world.services.webhooks, "note", out)
    assert call(api, webhook, bodies.ALARM) == 202
    assert call(api, webhook, {"status": "made up"}) == 400


def test_a_webhook_that_is_deleted_is_not_missed(api: Api, estate: Estate, webhook: dict[str, Any]) -> None:
    api.delete(f"/v1/webhooks/{webhook['id']}")
    minutes(api, 10)
    assert told(api, estate) == []
