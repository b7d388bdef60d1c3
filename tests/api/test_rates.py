"""Who calls too often: refused with 429 and when to come again, each kind of caller by a count of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.rates import Rates
from tests.api.caller import OUTSIDER, Api, Estate, token_in
from tests.intake.bodies import ALARM
from tests.world import LIMITS, UNLIMITED

HOOK = "/v1/hooks/{token}"


def limit(api: Api, **rates: int) -> None:
    """Have these limits hold from now on, and no others, from the beginning of a minute."""
    api.world.services = replace(
        api.world.services, limits=replace(LIMITS, rates=replace(UNLIMITED, **rates))
    )
    api.world.clock.pass_(60 - api.world.clock.now.timestamp() % 60)


def test_a_webhook_that_is_called_too_often_is_refused_until_the_minute_is_over(
    api: Api, estate: Estate
) -> None:
    limit(api, webhook=3)
    hook = estate.path(HOOK)
    assert [api.post(hook, token=None).status for _ in range(3)] == [202] * 3
    api.world.clock.pass_(18)
    with api.unchanged():
        refused = api.post(hook, token=None)
    assert (refused.status, refused.code) == (429, "rate.webhook_exceeded")
    assert refused.headers["retry-after"] == "42"
    assert "3 calls a minute" in refused.detail
    api.world.clock.pass_(42)
    assert api.post(hook, token=None).status == 202


def test_the_handshake_of_cloudevents_counts_as_a_call(api: Api, estate: Estate) -> None:
    limit(api, webhook=2)
    hook, asked = estate.path(HOOK), {"WebHook-Request-Origin": "eventgrid.azure.net"}
    greeted = api.request("OPTIONS", hook, token=None, headers=asked)
    assert (greeted.status, greeted.headers["webhook-allowed-rate"]) == (200, "2")
    assert api.post(hook, token=None).status == 202
    assert api.request("OPTIONS", hook, token=None, headers=asked).status == 429


def test_a_refused_delivery_comes_again_and_is_then_decided_once(api: Api, estate: Estate) -> None:
    limit(api, webhook=1)
    hook, named = estate.path(HOOK), {"Idempotency-Key": "e-1"}
    assert api.post(hook, token=None).document["outcome"] == "executed"
    assert api.post(hook, token=None, headers=named).status == 429
    api.world.clock.pass_(3600)
    assert api.post(hook, token=None, headers=named).document["outcome"] == "executed"


def test_a_stolen_token_that_was_rotated_away_takes_nothing_from_the_new_one(
    api: Api, estate: Estate
) -> None:
    limit(api, webhook=2)
    url = api.post(f"/v1/webhooks/{estate.webhook_id}/rotations").document["url"]
    api.secrets.add(token_in(url))
    for _ in range(5):
        last = api.post(estate.path(HOOK), token=None)
    assert last.status == 429
    assert api.post(f"/v1/hooks/{token_in(url)}", token=None).status == 202


def test_the_refusal_is_told_where_its_source_is_watched(api: Api, estate: Estate) -> None:
    limit(api, webhook=1)
    api.patch(f"/v1/webhooks/{estate.webhook_id}", {"expected_every": 60})
    for _ in range(2):
        api.post(estate.path(HOOK), token=None)
    source = api.get(f"/v1/webhooks/{estate.webhook_id}").document["source"]
    assert source["cause"].endswith("as autoscaling.rate.webhook_exceeded")


def test_a_project_s_webhooks_have_a_limit_together_and_other_projects_have_theirs(
    api: Api, estate: Estate
) -> None:
    theirs = api.webhook(api.policy(api.group(token=OUTSIDER)["id"], token=OUTSIDER)["id"], token=OUTSIDER)
    more = [token_in(api.webhook(estate.policy_id)["url"]) for _ in range(2)]
    limit(api, project_webhooks=2)
    for token in more:
        assert api.post(f"/v1/hooks/{token}", token=None).status == 202
    refused = api.post(estate.path(HOOK), token=None)
    assert (refused.status, refused.code) == (429, "rate.project_webhooks_exceeded")
    refused = api.post(f"/v1/policies/{estate.policy_id}/notifications", ALARM)
    assert (refused.status, refused.code) == (429, "rate.project_webhooks_exceeded")
    assert api.post(f"/v1/hooks/{token_in(theirs['url'])}", token=None).status == 202


def test_an_unknown_token_is_unknown_however_often_it_is_tried(api: Api, estate: Estate) -> None:
    limit(api, webhook=1, intake=1)
    for path in ("/v1/hooks/" + "n" * 43, "/v1/intake/" + "n" * 43 + "/samples"):
        assert {api.post(path, {}, token=None).status for _ in range(4)} == {404}
    assert api.world.tallies.writes == 0, "only what exists is counted"


SAMPLES: dict[str, Any] = {"samples": [{"metric": "cpu", "value": 1}]}


@pytest.mark.parametrize(
    ("path", "raw", "kind"),
    [
        ("samples", b'{"samples": []}', "application/json"),
        ("v1/metrics", b"{}", "application/json"),
        ("write", b"cpu value=1", "text/plain"),
        ("api/v2/write", b"cpu value=1", "text/plain"),
        ("v1/batch/metrics/measures", b"{}", "application/json"),
        ("v1/batch/resources/metrics/measures", b"{}", "application/json"),
    ],
)
def test_an_intake_that_is_called_too_often_says_so_in_every_protocol(
    api: Api, estate: Estate, path: str, raw: bytes, kind: str
) -> None:
    limit(api, intake=1)
    url, how = f"/v1/intake/{estate.intake_token}/{path}", {"content-type": kind}
    assert api.post(url, raw=raw, token=None, headers=how).status < 300
    with api.unchanged():
        refused = api.post(url, raw=raw, token=None, headers=how)
    assert refused.status == 429
    assert refused.headers["retry-after"] == "60"


def test_the_samples_of_a_project_have_a_limit_whichever_way_they_come(api: Api, estate: Estate) -> None:
    limit(api, project_samples=1)
    assert api.post(f"/v1/intake/{estate.intake_token}/samples", SAMPLES, token=None).status == 202
    refused = api.post("/v1/samples", {"group_id": estate.group_id, **SAMPLES})
    assert (refused.status, refused.code) == (429, "rate.project_samples_exceeded")


def test_a_project_s_calls_have_a_limit_and_who_may_not_call_is_not_counted(api: Api, estate: Estate) -> None:
    limit(api, project_calls=2)
    for token in (None, "nobody's", "token-without-a-role"):
        for _ in range(3):
            assert api.get("/v1/groups", token=token).status in (401, 403)
    assert [api.get("/v1/groups").status for _ in range(3)] == [200, 200, 429]
    assert api.get("/v1/groups", token=OUTSIDER).status == 200
    assert api.post(estate.path(HOOK), token=None).status == 202, "alarms go on"


def test_the_limits_are_shown(api: Api) -> None:
    limit(api, webhook=120, intake=7)
    shown = api.get("/v1/limits").document["rates"]
    assert (shown["webhook"], shown["intake"]) == (120, 7)
    assert shown.keys() == set(Rates.__dataclass_fields__)
