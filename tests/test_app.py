"""The queue's messages, as Lambda hands them over: what fails is named, and the rest of the batch is done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from app import work
from chalicelib import wiring
from chalicelib.core.errors import Unavailable
from tests.core import factories
from tests.logged import logged, metrics_of
from tests.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(wiring, "services", lambda: world.services)
    return world


def batch(*bodies: str) -> dict[str, Any]:
    records = [
        {"messageId": f"message-{number}", "receiptHandle": "r", "body": body}
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def failed(answer: dict[str, Any]) -> Sequence[str]:
    """Return which messages of a batch Lambda is to give back to the queue."""
    assert set(answer) == {"batchItemFailures"}
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def round_of(group_id: str, request_id: str) -> str:
    asked = {"kind": "converge", "project_id": factories.PROJECT, "group_id": group_id}
    return json.dumps({**asked, "request_id": request_id})


SWEEP = json.dumps({"kind": "sweep", "shard": 0})


def test_what_is_done_is_not_given_back(world: World) -> None:
    world.with_group(desired_capacity=1)
    assert failed(work(batch(round_of(factories.GROUP, "req-7"), SWEEP), None)) == []
    assert len(world.cloud.machines) == 1


def test_only_what_fails_comes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_: object) -> None:
        raise Unavailable("tables.unavailable", "The tables do not answer.")

    world.with_group(desired_capacity=1)
    monkeypatch.setattr(world.services.groups, "due", unavailable)
    with logged() as lines:
        answer = work(batch(SWEEP, "no work of ours", round_of(factories.GROUP, "req-7")), None)
    assert failed(answer) == ["message-0", "message-1"]
    assert len(world.cloud.machines) == 1
    errors = [(metrics_of(line)["Errors"], line) for line in lines.measured("Errors")]
    assert [values["kind"] for (values, _), _ in errors] == ["unavailable", "internal"]
    assert errors[0][1]["code"] == "autoscaling.tables.unavailable"
    assert errors[0][1]["request_id"].startswith("req-")
    (told,) = lines.said("round")
    assert told["request_id"] == "req-7"


def test_what_goes_wrong_in_a_round_is_found_by_the_request_that_asked_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.services.groups, "lease", broken)
    with logged() as lines:
        assert failed(work(batch(round_of("a-group", "req-7")), None)) == ["message-0"]
    (line,) = lines
    assert line["request_id"] == "req-7"
    assert "ZeroDivisionError" in line["exception"]
    assert metrics_of(line)["Errors"][0]["kind"] == "internal"
