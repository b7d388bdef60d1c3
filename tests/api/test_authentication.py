"""Who is let in: every operation of the API, by what the document says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from chalicelib.api.samples import FORMATS
from chalicelib.core.errors import ThermostatError, Unauthenticated
from tests.api.caller import (
    ADMIN,
    KEYSTONE_IS_OUT,
    MEMBER,
    NO_SUCH_ID,
    NOBODY_SPECIAL,
    NOT_SCOPED,
    READER,
    Api,
    Estate,
)
from tests.api.contract import Answer, Described, operations

ALL = list(operations(openapi.document(OPERATIONS, "http://scale.example")))
CLOSED = [each for each in ALL if not each.is_open]
READS = [each for each in CLOSED if each.method == "GET"]
WRITES = [each for each in CLOSED if each.method != "GET"]

Ask = Callable[[Described, str | None], Answer]


@pytest.fixture
def ask(api: Api, estate: Estate) -> Ask:
    """Ask for an operation on what is there, without a body."""

    def ask(described: Described, token: str | None) -> Answer:
        parameters = described.description["parameters"]
        needed = [p["name"] for p in parameters if p["in"] == "query" and p["required"]]
        query = "?" + "&".join(f"{name}={getattr(estate, name)}" for name in needed)
        return api.request(described.method, estate.path(described.path) + query, token=token)

    return ask


def test_only_what_must_be_open_is_open() -> None:
    assert {str(each) for each in ALL if each.is_open} == {
        "list_versions",
        "check_health",
        "show_openapi",
        "call_hook",
        *(format_.name for format_ in FORMATS),
        "put_to_hook",
        "greet_hook",
        "call_alarm_hook",
    }


@pytest.mark.parametrize("described", CLOSED, ids=str)
def test_without_a_token_that_keystone_knows_nobody_gets_in(api: Api, ask: Ask, described: Described) -> None:
    for token in (None, "", "unknown", "tøken", "a b"):
        with api.unchanged():
            answer = ask(described, token)
        assert (answer.status, answer.code) == (401, "token.invalid" if token else "token.missing")


@pytest.mark.parametrize("described", READS, ids=str)
def test_every_role_may_look(ask: Ask, described: Described) -> None:
    for token in (READER, MEMBER, ADMIN):
        assert ask(described, token).status == 200


@pytest.mark.parametrize("described", WRITES, ids=str)
def test_a_reader_changes_nothing(api: Api, ask: Ask, described: Described) -> None:
    with api.unchanged():
        answer = ask(described, READER)
    assert (answer.status, answer.code) == (403, "token.role")
    assert "admin or member" in answer.detail


@pytest.mark.parametrize("described", WRITES, ids=str)
def test_members_and_admins_get_past_the_door(ask: Ask, described: Described) -> None:
    for token in (MEMBER, ADMIN):
        assert ask(described, token).status not in (401, 403)


@pytest.mark.parametrize("described", CLOSED, ids=str)
def test_a_role_in_the_project_is_needed(api: Api, ask: Ask, described: Described) -> None:
    with api.unchanged():
        answer = ask(described, NOBODY_SPECIAL)
    assert (answer.status, answer.code) == (403, "token.role")


@pytest.mark.parametrize("described", CLOSED, ids=str)
@pytest.mark.parametrize(
    ("said", "status"),
    [
        (KEYSTONE_IS_OUT, 503),
        (NOT_SCOPED, 403),
        (Unauthenticated("token.invalid", "Keystone does not know this token, or it has expired."), 401),
    ],
    ids=["outage", "unscoped", "expired"],
)
def test_what_keystone_says_is_heeded_on_every_operation(
    api: Api, ask: Ask, described: Described, said: ThermostatError, status: int
) -> None:
    api.world.identity.outage = said
    with api.unchanged():
        answer = ask(described, MEMBER)
    assert (answer.status, answer.code) == (status, said.code.removeprefix("autoscaling."))
    assert answer.headers.get("retry-after") == ("5" if status == 503 else None)


def test_what_is_open_needs_no_keystone(api: Api, estate: Estate) -> None:
    api.world.identity.outage = KEYSTONE_IS_OUT
    for path in ("/", "/healthcheck", "/v1/openapi.json"):
        assert api.get(path, token=None).status == 200
    assert api.post(estate.path("/v1/hooks/{token}"), token=None).status == 202


def test_the_role_is_asked_before_the_body_is_read(api: Api) -> None:
    answer = api.post("/v1/groups", token=READER, raw=b"{")
    assert (answer.status, answer.code) == (403, "token.role")


def test_whether_something_exists_is_told_to_nobody_outside(api: Api, estate: Estate) -> None:
    there = api.get(estate.path("/v1/groups/{group_id}"), token="unknown")
    not_there = api.get(f"/v1/groups/{NO_SUCH_ID}", token="unknown")
    assert (there.status, there.code, there.detail) == (not_there.status, not_there.code, not_there.detail)
