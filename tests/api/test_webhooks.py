from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from chalicelib.core.errors import Stale
from chalicelib.core.ids import ProjectId, WebhookId
from tests.api.caller import NO_SUCH_ID, Api, Estate, token_in

OF_POLICY, WEBHOOK = "/v1/policies/{policy_id}/webhooks", "/v1/webhooks/{webhook_id}"


def outcome(api: Api, token: str) -> str:
    """Call a hook; return what came of it, or the code of the error."""
    answer = api.post(f"/v1/hooks/{token}", token=None)
    return str(answer.document["outcome"]) if answer.status == 202 else answer.code


def test_the_url_is_shown_this_once_and_kept_only_as_a_hash(api: Api, estate: Estate) -> None:
    webhook = api.webhook(estate.policy_id, name="alertmanager")
    token = token_in(webhook["url"])
    assert webhook["url"] == f"http://scale.example/v1/hooks/{token}"
    shown = api.get(f"/v1/webhooks/{webhook['id']}").document
    assert shown == {**webhook, "url": None}
    listed = api.get(estate.path(OF_POLICY)).document["webhooks"]
    assert {w["url"] for w in listed} == {None}
    assert token not in repr(api.snapshot())
    assert hashlib.sha256(token.encode()).hexdigest() in repr(api.snapshot())


def test_a_webhook_is_created(api: Api, estate: Estate) -> None:
    answer = api.post(estate.path(OF_POLICY), {"name": "aodh"})
    api.secrets.add(token_in(answer.document["url"]))
    assert answer.status == 201
    assert answer.headers["location"] == f"http://scale.example/v1/webhooks/{answer.document['id']}"
    assert (answer.document["policy_id"], answer.document["group_id"]) == (estate.policy_id, estate.group_id)
    assert (answer.document["direction"], answer.document["expires_at"]) == ("any", None)
    assert [t["expires_at"] for t in answer.document["tokens"]] == [None]


def test_a_rotation_leaves_the_old_url_live_for_a_while(api: Api, estate: Estate) -> None:
    rotated = api.post(estate.path(f"{WEBHOOK}/rotations"), {"keep_previous": 60})
    api.secrets.add(new := token_in(rotated.document["url"]))
    assert rotated.status == 201
    assert len(rotated.document["tokens"]) == 2
    assert outcome(api, estate.token) == "executed"
    assert outcome(api, new) == "in_cooldown"
    api.world.clock.pass_(60)
    assert outcome(api, estate.token) == "webhook.unknown"
    assert outcome(api, new) != "webhook.unknown"


def test_a_rotation_may_end_the_old_url_at_once(api: Api, estate: Estate) -> None:
    rotated = api.post(estate.path(f"{WEBHOOK}/rotations"), {"keep_previous": 0})
    api.secrets.add(new := token_in(rotated.document["url"]))
    assert outcome(api, estate.token) == "webhook.unknown"
    assert outcome(api, new) == "executed"


def test_a_rotation_that_is_asked_for_again_leaves_the_url_that_senders_use(api: Api, estate: Estate) -> None:
    """The answer was lost, and with it a URL that nobody got; another rotation goes on as ever."""
    tokens = [estate.token]
    for body in ({"client_token": "a", "keep_previous": 60},) * 2 + ({"client_token": "b"},):
        rotated = api.post(estate.path(f"{WEBHOOK}/rotations"), body)
        assert len(rotated.document["tokens"]) == 2
        tokens.append(token_in(rotated.document["url"]))
        api.secrets.add(tokens[-1])
        if len(tokens) == 3:
            assert [outcome(api, t) for t in tokens] == ["executed", "webhook.unknown", "in_cooldown"]
    assert [outcome(api, t) for t in tokens[:2]] == ["webhook.unknown"] * 2
    assert "webhook.unknown" not in [outcome(api, t) for t in tokens[2:]]


def test_two_urls_at_most_are_live(api: Api, estate: Estate) -> None:
    tokens = [estate.token]
    for _ in range(2):
        rotated = api.post(estate.path(f"{WEBHOOK}/rotations"))
        tokens.append(token_in(rotated.document["url"]))
    api.secrets |= set(tokens)
    assert len(rotated.document["tokens"]) == 2
    assert [outcome(api, token) for token in tokens] == ["webhook.unknown", "executed", "in_cooldown"]


def test_a_webhook_ends_when_it_was_said_to(api: Api, estate: Estate) -> None:
    ends = (api.world.clock.now + timedelta(hours=1)).isoformat()
    webhook = api.webhook(estate.policy_id, expires_at=ends)
    token = token_in(webhook["url"])
    assert outcome(api, token) == "executed"
    api.world.clock.pass_(3600)
    with api.unchanged():
        assert outcome(api, token) == "webhook.unknown"
    api.patch(f"/v1/webhooks/{webhook['id']}", {"expires_at": None})
    assert outcome(api, token) != "webhook.unknown"


def test_times_are_told_in_utc_in_whatever_zone_they_were_given(api: Api, estate: Estate) -> None:
    webhook = api.webhook(estate.policy_id, expires_at="2030-01-01T00:30:00+01:00")
    assert webhook["expires_at"] == "2029-12-31T23:30:00.000Z"
    changed = api.patch(f"/v1/webhooks/{webhook['id']}", {"expires_at": "2030-01-01T00:30:00-01:00"})
    assert changed.document["expires_at"] == "2030-01-01T01:30:00.000Z"


def test_a_webhook_is_changed_in_part(api: Api, estate: Estate) -> None:
    expected = api.get(estate.path(WEBHOOK)).document
    for change in ({"name": "other"}, {"direction": "in"}, {"expires_at": "2030-01-01T00:00:00.000Z"}, {}):
        answer = api.patch(estate.path(WEBHOOK), change)
        expected |= change
        assert (answer.status, {**answer.document, "updated_at": None}) == (
            200,
            {**expected, "updated_at": None},
        )


def test_a_webhook_scales_only_the_way_it_may(api: Api, estate: Estate) -> None:
    api.patch(estate.path(WEBHOOK), {"direction": "in"})
    assert outcome(api, estate.token) == "direction_refused"
    api.patch(estate.path(WEBHOOK), {"direction": "out"})
    assert outcome(api, estate.token) == "executed"


def test_the_same_client_token_makes_one_webhook_with_a_new_url(api: Api, estate: Estate) -> None:
    """The answer with the first URL was lost; it stays live for a day, for it may have arrived after all."""
    first = api.webhook(estate.policy_id, client_token="once")
    again = api.webhook(estate.policy_id, client_token="once")
    assert again["id"] == first["id"]
    assert again["url"] != first["url"]
    assert outcome(api, token_in(first["url"])) == "executed"
    assert outcome(api, token_in(again["url"])) == "in_cooldown"
    api.world.clock.pass_(86_400)
    assert outcome(api, token_in(first["url"])) == "webhook.unknown"
    with api.unchanged():
        other = api.post(estate.path(OF_POLICY), {"name": "other", "client_token": "once"})
    assert (other.status, other.code) == (409, "client_token.reused")


def test_a_client_token_never_gives_the_webhook_of_another_policy(api: Api, estate: Estate) -> None:
    other = api.policy(estate.group_id, name="in", adjustment=-1)["id"]
    ours = api.webhook(estate.policy_id, client_token="once")
    theirs = api.webhook(other, client_token="once")
    assert theirs["policy_id"] == other
    assert theirs["id"] != ours["id"]
    assert len(api.get(f"/v1/webhooks/{ours['id']}").document["tokens"]) == 1


def test_webhooks_come_in_pages(api: Api, estate: Estate) -> None:
    made = sorted([estate.webhook_id, *(api.webhook(estate.policy_id)["id"] for _ in range(2))])
    page = api.get(estate.path(f"{OF_POLICY}?limit=2")).document
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert [w["id"] for w in page["webhooks"] + rest["webhooks"]] == made
    assert rest["links"] == []


def test_a_revoked_webhook_is_unknown_at_once(api: Api, estate: Estate) -> None:
    assert api.delete(estate.path(WEBHOOK)).status == 204
    with api.unchanged():
        assert outcome(api, estate.token) == "webhook.unknown"
        assert api.get(estate.path(WEBHOOK)).code == "webhook.not_found"
        assert api.delete(estate.path(WEBHOOK)).code == "webhook.not_found"


@pytest.mark.parametrize("path", [WEBHOOK, "/v1/policies/{policy_id}", "/v1/groups/{group_id}"])
def test_a_deletion_is_not_lost_to_a_change_at_the_same_time(
    api: Api, estate: Estate, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    webhooks = api.world.services.webhooks
    delete = webhooks.delete
    raced: list[WebhookId] = []

    def delete_after_a_race(project_id: ProjectId, webhook_id: WebhookId) -> None:
        if not raced:
            raced.append(webhook_id)
            raise Stale("webhook.stale", "The webhook was changed meanwhile; read it again.")
        delete(project_id, webhook_id)

    monkeypatch.setattr(webhooks, "delete", delete_after_a_race)
    assert api.delete(estate.path(path)).status == 204
    for _ in range(5):
        api.world.clock.pass_(60)
        api.world.tick()
    assert raced
    assert api.get(estate.path(WEBHOOK)).status == 404


def test_a_webhook_needs_its_policy(api: Api) -> None:
    answer = api.post(f"/v1/policies/{NO_SUCH_ID}/webhooks", {"name": "aodh"})
    assert (answer.status, answer.code) == (404, "policy.not_found")


def test_the_quota_of_webhooks(api: Api, estate: Estate) -> None:
    for _ in range(49):
        api.webhook(estate.policy_id)
    with api.unchanged():
        answer = api.post(estate.path(OF_POLICY), {"name": "one too many"})
    assert (answer.status, answer.code) == (403, "quota.webhooks_exceeded")
