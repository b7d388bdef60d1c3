"""The same alarm, delivered by many at once; the fakes are atomic call by call, as the tables are."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from chalicelib.core.execution import Execution, Outcome
from chalicelib.core.ids import GroupId
from chalicelib.flows import webhooks
from chalicelib.intake import notification
from tests.api.caller import Api, Estate
from tests.at_once import at_once
from tests.intake.bodies import ALARM, REMAINING

DELIVERY = {"x-openstack-request-id": "req-1"}
SENDERS = 24


def deliver(api: Api, token: str, headers: dict[str, str]) -> Execution:
    """Do what the hook's view does, without the HTTP around it, which is of one thread here."""
    said = notification.parse(json.dumps(ALARM).encode(), headers)
    webhook = webhooks.of_token(api.world.services, token)
    return webhooks.fire(api.world.services, webhook, said.event, said.event_id, "req-ours")


def named(number: int) -> dict[str, str]:
    """Return the headers of one of several deliveries that are not the same."""
    return {"x-openstack-request-id": f"req-{number}"}


def test_an_alarm_that_is_delivered_twice_scales_once(api: Api, estate: Estate) -> None:
    path = estate.path("/v1/hooks/{token}")
    outcomes = [api.post(path, REMAINING, token=None, headers=DELIVERY).document["outcome"] for _ in range(3)]
    assert outcomes == ["executed", "duplicate", "duplicate"]
    assert api.get(estate.path("/v1/groups/{group_id}")).document["desired_capacity"] == 4


@pytest.mark.parametrize("attempt", range(5))
def test_one_of_many_deliveries_at_once_scales(api: Api, estate: Estate, attempt: int) -> None:
    executions = at_once(SENDERS, lambda _: deliver(api, estate.token, DELIVERY))
    assert Counter(e.outcome for e in executions) == {Outcome.EXECUTED: 1, Outcome.DUPLICATE: SENDERS - 1}
    assert len({e.id for e in executions}) == 1
    assert api.world.group(GroupId(estate.group_id)).desired_capacity == 4


def test_different_alarms_at_once_are_decided_one_after_another(api: Api, estate: Estate) -> None:
    """No change is lost, none is counted twice, and each is explained on the size it was decided on."""
    api.patch(estate.path("/v1/groups/{group_id}"), {"max_size": 500, "cooldown": 0})
    executions = at_once(SENDERS, lambda number: deliver(api, estate.token, named(number)))
    assert {e.outcome for e in executions} == {Outcome.EXECUTED}
    assert sorted((e.capacity_before, e.capacity_after) for e in executions) == [
        (3 + n, 4 + n) for n in range(SENDERS)
    ]


def test_within_a_cooldown_one_of_different_alarms_scales_and_the_rest_are_told_why(
    api: Api, estate: Estate
) -> None:
    executions = at_once(SENDERS, lambda number: deliver(api, estate.token, named(number)))
    assert Counter(e.outcome for e in executions) == {Outcome.EXECUTED: 1, Outcome.IN_COOLDOWN: SENDERS - 1}
    listed = api.get(estate.path("/v1/policies/{policy_id}/executions")).document["executions"]
    assert len(listed) == SENDERS + 1
