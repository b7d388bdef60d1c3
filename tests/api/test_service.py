from __future__ import annotations

import dataclasses

import pytest
from chalice.app import Request

from app import app
from chalicelib import wiring
from chalicelib.api import openapi
from chalicelib.api.context import base_of, came_over_tls
from chalicelib.api.operation import OPERATIONS
from chalicelib.core.errors import Unavailable
from tests.api.caller import Api, Estate
from tests.api.conftest import SETTINGS
from tests.logged import logged, metrics_of


def test_the_versions(api: Api) -> None:
    (version,) = api.get("/", token=None).document["versions"]
    assert (version["id"], version["status"]) == ("v1", "CURRENT")
    assert {link["rel"]: link["href"] for link in version["links"]} == {
        "self": "http://scale.example/v1/",
        "describedby": "http://scale.example/v1/openapi.json",
    }


def test_health(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("/healthcheck", token=None).document == {"status": "ok"}
    monkeypatch.setattr(api.world.services.usage, "reachable", lambda: False)
    answer = api.get("/healthcheck", token=None)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "tables.unavailable", "5")


def test_limits_tell_what_may_be_and_what_is(api: Api, estate: Estate) -> None:
    answer = api.get("/v1/limits").document
    assert answer["limits"] == dataclasses.asdict(api.world.limits.quota)
    assert answer["used"] == {
        "groups": 1,
        "members": 5,
        "policies": 1,
        "webhooks": 1,
        "launch_configurations": 1,
        "credentials": 1,
        "alarms": 1,
        "schedules": 1,
    }
    api.delete(estate.path("/v1/webhooks/{webhook_id}"))
    assert api.get("/v1/limits").document["used"]["webhooks"] == 0


def test_the_document_is_served_with_where_it_is_served(api: Api) -> None:
    served = api.get("/v1/openapi.json", token=None).document
    assert served == openapi.document(OPERATIONS, "http://scale.example")


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"host": "scale.example:8443", "x-forwarded-proto": "https"}, "https://scale.example:8443"),
        ({"host": "[::1]:8000"}, "http://[::1]:8000"),
        ({"host": "evil.example/path?"}, "http://localhost"),
        ({"host": 'a"b'}, "http://localhost"),
        ({"host": ""}, "http://localhost"),
        ({"host": "x" * 256}, "http://localhost"),
        ({"host": "scale.example", "x-forwarded-proto": "javascript"}, "http://scale.example"),
    ],
)
def test_links_lead_back_the_way_the_caller_came(api: Api, headers: dict[str, str], base: str) -> None:
    (version,) = api.get("/", token=None, headers=headers).document["versions"]
    assert version["links"][0]["href"] == f"{base}/v1/"


def test_api_gateway_knows_better_than_a_header_where_it_is() -> None:
    """A header is the caller's to write, and a URL made of it would be handed to the group's servers."""
    request = Request(
        {
            "requestContext": {
                "httpMethod": "GET",
                "resourcePath": "/",
                "path": "/api/",
                "domainName": "a1b2.execute-api.eu-central-1.amazonaws.com",
            },
            "headers": {"host": "evil.example", "x-forwarded-proto": "http"},
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "stageVariables": None,
            "body": None,
            "isBase64Encoded": False,
        }
    )
    assert base_of(request, None) == "https://a1b2.execute-api.eu-central-1.amazonaws.com/api"
    assert came_over_tls(request)


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("path", ["/", "/v1/groups", "/v1/groups?x=1"])
def test_who_came_over_tls_is_told_to_come_back_so_and_nobody_else(api: Api, method: str, path: str) -> None:
    for scheme, told in (("https", "max-age=31536000"), ("http", None)):
        answer = api.request(method, path, headers={"x-forwarded-proto": scheme})
        assert answer.headers.get("strict-transport-security") == told


def test_links_lead_where_the_operator_says(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dataclasses.replace(SETTINGS, public_url="https://thermostat.example/scaling/")
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    answer = api.post("/v1/credentials", {"name": "mine", "type": "trust"})
    path = f"/v1/credentials/{answer.document['id']}"
    assert answer.headers["location"] == f"https://thermostat.example/scaling{path}"


@pytest.mark.parametrize("stage", ["", "/prod", "/scaling/v0"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_links_hold_the_stage_that_stands_before_our_paths(
    api: Api, estate: Estate, stage: str, slash: str
) -> None:
    """As API Gateway tells it: ``path`` in the request's context is whole, the resource is a pattern."""
    for pattern in ("/", "/v1/groups/{group_id}", "/v1/groups/{group_id}/members/{member_id}"):
        event = {
            "requestContext": {
                "httpMethod": "GET",
                "resourcePath": pattern,
                "path": stage + estate.path(pattern).rstrip("/") + slash,
            },
            "headers": {"host": "scale.example", "x-auth-token": "token-of-a-member"},
            "multiValueQueryStringParameters": None,
            "pathParameters": dataclasses.asdict(estate),
            "stageVariables": None,
            "body": None,
        }
        body = app(event, None)["body"]
        assert f'"http://scale.example{stage}{estate.path(pattern).rstrip("/")}' in body


def test_the_request_id_of_an_error_finds_it_in_the_log(api: Api) -> None:
    with logged() as lines:
        answer = api.get("/v1/groups?x=1")
    (line,) = lines
    assert line["request_id"] == answer.headers["x-openstack-request-id"]
    assert (line["code"], line["operation"]) == ("autoscaling.request.query", "list_groups")
    assert "_aws" not in line, "a caller's mistake is no error of the service"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (Unavailable("tables.unavailable", "no", retry_after_seconds=1), "unavailable", 503),
        (KeyError("x"), "internal", 500),
    ],
)
def test_what_keeps_us_from_serving_is_an_error_by_kind(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str, status: int
) -> None:
    def fails() -> bool:
        raise error

    monkeypatch.setattr(api.world.services.usage, "reachable", fails)
    with logged() as lines:
        assert api.get("/healthcheck").status == status
    (line,) = lines
    assert metrics_of(line) == {"Errors": ({"stage": "of-the-test", "kind": kind}, 1)}
    assert ("exception" in line) is (kind == "internal")


def test_every_request_has_an_id_of_its_own(api: Api) -> None:
    own = {"x-openstack-request-id": "req-of-the-caller"}
    answers = [api.get("/", headers=own), api.get("/"), api.put("/"), api.get("/v1/groups?x=1")]
    assert len({answer.headers["x-openstack-request-id"] for answer in answers}) == 4
