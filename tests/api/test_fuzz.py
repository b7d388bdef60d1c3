"""Requests made up from the OpenAPI document, good and bad ones, against the API served over HTTP.

The ids that a request needs are led to things that exist, so that it gets past 404; what it changed is put
back before the next one.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from chalice.config import Config
from chalice.local import LocalChalice, LocalDevServer, create_local_server
from chalice.test import Client
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app import app
from chalicelib import wiring
from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from chalicelib.flows.backends import HOOK_PATH
from dev.functions import Handler
from tests.api.caller import ALARM, MEMBER, Api, Estate
from tests.api.conftest import SETTINGS
from tests.api.contract import Contract
from tests.fakes import Memory
from tests.intake.bodies import ALARM as SAID_BY_AODH
from tests.world import World

EXAMPLES = 12
"""How many requests are made up for each operation, beside those that cover its schema systematically."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/x-protobuf")
def not_quite_protobuf(_context: object, value: Any) -> bytes:
    """Return bytes for what was made up; what protobuf makes of bytes is tests/intake's to try."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


document = openapi.document(OPERATIONS, "http://scale.example")
schema = schemathesis.openapi.from_dict(
    document,
    config=schemathesis.Config.from_dict(
        {
            "seed": 20260301,
            "generation": {
                "deterministic": True,
                "database": "none",
                "with-security-parameters": False,
                "max-examples": EXAMPLES,
            },
            "phases": {
                "examples": {"enabled": False},
                "coverage": {"enabled": True, "unexpected-methods": []},
                "fuzzing": {"enabled": True},
                "stateful": {"enabled": False},
            },
        }
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """The API on a port of its own, with one of everything in it.

    Attributes:
        spare: what no group uses, so that it can be deleted.
        alarm_hook: what stands in the path of an alarm's hook, and Aodh's own id of the alarm.
        answered: the statuses that each operation was answered with.
    """

    url: str
    session: requests.Session
    estate: Estate
    spare: Mapping[str, str]
    alarm_hook: Mapping[str, str]
    world: World
    as_it_was: Memory
    answered: dict[str, set[int]] = dataclasses.field(default_factory=dict)

    def put_back(self) -> None:
        """Undo whatever was done, and forget the trusts."""
        self.world.queue.rounds.clear()
        self.world.identity.trusts.clear()
        memory = self.world.memory
        for field in dataclasses.fields(memory):
            if field.name != "lock":
                setattr(memory, field.name, copy.deepcopy(getattr(self.as_it_was, field.name)))

    def changed(self) -> set[str]:
        """Return which parts of what is stored, queued or delegated are not as they were."""
        now, before = self.world.memory, self.as_it_was
        parts = {field.name for field in dataclasses.fields(Memory)} - {"lock"}
        stored = {part for part in parts if getattr(now, part) != getattr(before, part)}
        queued = {"rounds"} if self.world.queue.rounds else set()
        delegated = {"trusts"} if self.world.identity.trusts else set()
        return stored | queued | delegated

    def end_refreshes(self) -> None:
        """Have no group's members be replaced at present, so that it may begin."""
        groups = self.world.memory.groups
        for held in groups.values():
            held.group = dataclasses.replace(held.group, refresh_id=None)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    world = World()
    with pytest.MonkeyPatch.context() as patch, requests.Session() as session:
        patch.setattr(wiring, "services", lambda: world.services)
        patch.setattr(wiring, "settings", lambda: SETTINGS)
        nowhere: Path = tmp_path_factory.mktemp("no-project")
        api = Api(world=world, client=Client(app, project_dir=str(nowhere)), contract=Contract(document))
        estate = api.estate()
        spare = {
            "credential_id": api.credential()["id"],
            "launch_configuration_id": api.launch_configuration()["id"],
        }
        api.alarm(estate.group_id, backend="aodh", datapoints_to_alarm=3)
        ((external_id, watched),) = world.aodh.watched.items()
        in_path = zip(("project_id", "alarm_id", "token"), watched.hook_url.split("/")[-3:], strict=True)
        as_it_was = Memory(
            **{
                field.name: copy.deepcopy(getattr(world.memory, field.name))
                for field in dataclasses.fields(Memory)
                if field.name != "lock"
            }
        )
        if not isinstance(app, LocalChalice):
            create_local_server(app, Config.create(), "127.0.0.1", 0).server.server_close()
        server = LocalDevServer(app, Config.create(), "127.0.0.1", 0, handler_cls=Handler).server
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        served = Served(
            url=f"http://127.0.0.1:{server.server_address[1]}",
            session=session,
            estate=estate,
            spare=spare,
            alarm_hook={**dict(in_path), "external_id": external_id},
            world=world,
            as_it_was=as_it_was,
        )
        yield served
        server.shutdown()
        server.server_close()
        thread.join()
    aimed_too_low = [name for name, seen in served.answered.items() if not seen & {200, 201, 202, 204}]
    assert not aimed_too_low, "nothing that was made up got through to these"


def aimed(values: Any, known: Mapping[str, str]) -> Any:
    """Return the values with ids of things that exist in place of those that were made up."""
    if not isinstance(values, Mapping):
        return values
    return {name: known.get(name, value) for name, value in values.items()}


def bootable(body: Any) -> Any:
    """Return a launch configuration's body of one kind, a server's with something to boot from.

    No schema can ask for either.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("server"), Mapping):
        return body
    kept = {name: value for name, value in body.items() if name not in ("type", "stack")}
    return {**kept, "server": {"image": "image-1", **body["server"], "user_data": None}}


def evaluable(body: Any) -> Any:
    """Return an alarm's body as a rule that fits together, which no schema can ask for."""
    if not isinstance(body, Mapping):
        return body
    apart = {"period", "statistic", "low_samples", "composite", "datapoints_to_alarm", "time_constraints"}
    kept = {name: value for name, value in body.items() if name not in apart and "actions" not in name}
    return {**ALARM, **kept, "evaluation_periods": 3}


def plausible(body: Any) -> Any:
    """Return a schedule's body with times and sizes that go together, which no schema can ask for."""
    if not isinstance(body, Mapping):
        return body
    once, sizes = {"at", "timezone", "start", "end"}, {"policy_id", "honor_cooldown", "max_size"}
    kept = {name: value for name, value in body.items() if name not in once | sizes}
    return {**kept, "cron": "*/5 7 * * 1-5", "min_size": 1, "desired_capacity": 2}


def aim_at_alarm(
    case: schemathesis.Case[Any], made_up_well: set[ParameterLocation], hook: Mapping[str, str]
) -> None:
    """Have what is made up well of a call to an alarm's hook be of the alarm that there is."""
    if ParameterLocation.PATH in made_up_well:
        case.path_parameters = {name: hook[name] for name in ("project_id", "alarm_id", "token")}
    if ParameterLocation.BODY in made_up_well and isinstance(case.body, Mapping):
        case.body = {**case.body, **SAID_BY_AODH, "alarm_id": hook["external_id"]}


def is_bad(case: schemathesis.Case[Any]) -> bool:
    """Return whether a request must be refused, of those that schemathesis calls negative."""
    assert case.meta is not None
    bad = {place for place, component in case.meta.components.items() if component.mode.is_negative}
    described = document["paths"][case.path][case.method.lower()]
    if case.body is NOT_SET and not described.get("requestBody", {}).get("required"):
        bad.discard(ParameterLocation.BODY)  # it may be left out
    if described["operationId"] in ("call_hook", "put_to_hook", "notify_policy", "call_alarm_hook"):
        bad.discard(ParameterLocation.HEADER)  # a hook looks at what a body is, not at what it is called
    return bool(bad)


@schema.parametrize()
def test_no_request_breaks_the_promises_of_the_document(case: schemathesis.Case[Any], served: Served) -> None:
    known = dataclasses.asdict(served.estate)
    assert case.meta is not None
    components, bad = case.meta.components, is_bad(case)  # both change with what is put in below
    made_up_well = {place for place, component in components.items() if component.mode.is_positive}
    if ParameterLocation.PATH in made_up_well:
        case.path_parameters = aimed(case.path_parameters, {**known, **served.spare})
    if ParameterLocation.QUERY in made_up_well:
        case.query = aimed(case.query, known)
    if ParameterLocation.BODY in made_up_well:
        case.body = bootable(aimed(case.body, known))
        if (case.method, case.path) == ("POST", "/v1/alarms"):
            case.body = evaluable(case.body)
        if case.path.startswith("/v1/schedules"):
            case.body = plausible(case.body)
    if case.path.startswith(HOOK_PATH):
        aim_at_alarm(case, made_up_well, served.alarm_hook)

    served.put_back()
    if (case.method, case.path) == ("POST", "/v1/groups/{group_id}/refreshes") and not bad:
        served.end_refreshes()
    response = case.call(base_url=served.url, session=served.session, headers={"X-Auth-Token": MEMBER})
    served.answered.setdefault(str(case.operation.label), set()).add(response.status_code)
    if "x-amzn-ErrorType" in response.headers:
        return  # the gateway's own answer: there is no such path
    if bad and response.status_code >= HTTPStatus.BAD_REQUEST:
        assert not served.changed(), "bad input changes nothing"
    case.validate_response(response, checks=[*CHECKS, negative_data_rejection] if bad else CHECKS)
