"""Walks through the API: any operation after any other, with ids that were there once, by two projects.

Where ``test_fuzz`` puts everything back before each request, here each one meets what those before have left:
deleted groups with live webhooks, frozen ones, policies of several kinds, rounds and minutes in between.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app
from chalicelib import wiring
from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from tests.api import test_bad_input as bodies
from tests.api.caller import ADMIN, MEMBER, NO_SUCH_ID, OTHER_PROJECT, OUTSIDER, READER, Api, token_in
from tests.api.conftest import SETTINGS
from tests.api.contract import Answer, Contract, Described, operations
from tests.core.factories import PROJECT
from tests.world import World

ALL = [
    each for each in operations(openapi.document(OPERATIONS, "http://scale.example")) if not each.is_foreign
]
STEPS_MAX = 25
SUCCEED_AT_LEAST = 25
"""Of the operations: else walks would meet refusals only, and prove little."""
PROJECTS = {MEMBER: PROJECT, ADMIN: PROJECT, READER: PROJECT, OUTSIDER: OTHER_PROJECT}

BODIES: dict[str, list[Any]] = {
    **{operation: [body] for operation, body in bodies.NEW.items()},
    "POST /v1/policies": [bodies.POLICY, bodies.STEPS, bodies.TRACKING, bodies.PREDICTIVE],
    "POST /v1/credentials": [bodies.TRUST, bodies.HANDED],
    "PATCH /v1/groups/{group_id}": [
        {"desired_capacity": 4},
        {"min_size": 0, "max_size": 0},
        {"launch_configuration_id": "{launch_configuration_id}"},
        {"credential_id": "{credential_id}", "cooldown": 0},
    ],
    "PATCH /v1/policies/{policy_id}": [
        {"adjustment": -3},
        {"mode": "shadow"},
        {"target": 1},
        {"cooldown": 0},
    ],
    "PATCH /v1/webhooks/{webhook_id}": [{"expected_every": 60}, {"direction": "in"}, {"signature": None}],
    "PATCH /v1/alarms/{alarm_id}": [{"alarm_actions": ["{policy_id}"]}, {"enabled": False}],
    "PATCH /v1/schedules/{schedule_id}": [{"policy_id": "{policy_id}"}, {"enabled": False}, {"max_size": 1}],
    "PUT /v1/alarms/{alarm_id}/state": [{"state": "alarm"}, {"state": "insufficient_data"}],
    "POST /v1/samples": [
        {"group_id": "{group_id}", "samples": [{"metric": "cpu", "value": value}]} for value in (0, 95)
    ],
}
WAITS = (0, 1, 59, 60, 3600, 86_400)


class Walk:
    """One service, its two projects, and every id that either has ever seen.

    Attributes:
        succeeded: the operations that were answered with a success, in this walk and those before.
    """

    def __init__(self, api: Api, succeeded: set[str]) -> None:
        self.api = api
        self.succeeded = succeeded
        self.ids: dict[str, list[str]] = {}
        for token in (MEMBER, OUTSIDER):
            group = api.group(token=token)
            policy = api.policy(group["id"], token=token)
            made = {
                "launch_configuration_id": group["launch_configuration_id"],
                "credential_id": group["credential_id"],
                "group_id": group["id"],
                "policy_id": policy["id"],
                "alarm_id": api.alarm(group["id"], token=token)["id"],
                "token": token_in(api.webhook(policy["id"], token=token)["url"]),
            }
            for name, id_ in made.items():
                self.ids.setdefault(name, []).append(id_)

    def step(self, described: Described, token: str, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        """Ask once; whatever comes of it keeps to the document, and shows nothing of the other project."""

        def known(match: re.Match[str]) -> str:
            return str(draw(st.sampled_from([*self.ids.get(match[1], ()), NO_SUCH_ID])))

        key = f"{described.method} {described.path}"
        body = copy.deepcopy(draw(st.sampled_from(BODIES.get(key, [{}]))))
        path = re.sub(r"\{(\w+)\}", known, described.path)
        if "group_id" in [
            each["name"] for each in described.description["parameters"] if each["in"] == "query"
        ]:
            path += f"?group_id={known(re.match('(group_id)', 'group_id'))}"  # type: ignore[arg-type]
        filled = None
        if described.method not in ("GET", "DELETE"):
            filled = json.loads(re.sub(r"\{(\w+_id)\}", known, json.dumps(body)))
        answer = self.api.request(described.method, path, filled, token=token)
        assert answer.status < 500, (key, filled, answer.document)
        if answer.status < 300:
            self.succeeded.add(described.id)
        if not described.is_open:
            self._keep_apart(answer, token)
        self._learn(answer.document)

    def _keep_apart(self, answer: Answer, token: str) -> None:
        others = ({PROJECT, OTHER_PROJECT} - {PROJECTS[token]}).pop()
        assert f'"{others}"' not in json.dumps(answer.document)

    def _learn(self, document: Any) -> None:
        """Remember the ids that an answer shows, by what the paths call them."""
        if not isinstance(document, dict):
            return
        for noun, listed in document.items():
            if isinstance(listed, list) and listed and isinstance(listed[0], dict) and "id" in listed[0]:
                self._remember(f"{noun.removesuffix('s')}_id".replace("policie_", "policy_"), listed[0]["id"])
        for link in document.get("links", []):
            found = re.fullmatch(r".*/v1/([a-z-]+)/([0-9a-f-]{36})", link.get("href", ""))
            if found and link.get("rel") == "self":
                noun = found[1].removesuffix("s").replace("-", "_").replace("policie", "policy")
                self._remember(f"{noun}_id", found[2])
        if isinstance(document.get("url"), str):
            self._remember(
                "intake_token" if "/intake/" in document["url"] else "token", token_in(document["url"])
            )

    def _remember(self, name: str, id_: str) -> None:
        if id_ not in self.ids.setdefault(name, []):
            self.ids[name].append(id_)


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what begins a walk in a service of its own."""
    succeeded: set[str] = set()
    nowhere = tmp_path_factory.mktemp("no-project")
    contract = Contract(openapi.document(OPERATIONS, "http://scale.example"))
    with pytest.MonkeyPatch.context() as patch:

        def walk() -> Walk:
            world = World()
            patch.setattr(wiring, "services", lambda: world.services)
            patch.setattr(wiring, "settings", lambda: SETTINGS)
            client = Client(app, project_dir=str(nowhere))
            return Walk(Api(world=world, client=client, contract=contract), succeeded)

        yield walk
    assert len(succeeded) >= SUCCEED_AT_LEAST, sorted(succeeded)


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_wherever_a_walk_leads_the_promises_hold(begin: Callable[[], Walk], data: st.DataObject) -> None:
    walk = begin()
    for _ in range(data.draw(st.integers(1, STEPS_MAX))):
        described = data.draw(st.sampled_from(ALL))
        walk.step(described, data.draw(st.sampled_from(sorted(PROJECTS))), data.draw)
        walk.api.world.clock.pass_(data.draw(st.sampled_from(WAITS)))
        if data.draw(st.booleans()):
            walk.api.world.tick()
    for described in ALL:
        if described.method == "GET" and not described.parameters:
            for token in (MEMBER, OUTSIDER):
                walk.step(described, token, data.draw)
