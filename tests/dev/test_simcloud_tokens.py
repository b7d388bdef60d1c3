"""The simulated Keystone's tokens are as Keystone 30's were seen to be."""

from __future__ import annotations

import pytest
import requests

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import (
    DEMO,
    DEMO_PROJECT,
    Caller,
    by_password,
    by_token,
    error_of,
    sign_in,
)

UNAUTHENTICATED = "The request you have made requires authentication."
FORBIDDEN = "You are not authorized to perform the requested action"


def test_a_password_gives_a_project_token_with_a_catalog(cloud: SimCloud) -> None:
    scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
    response = sign_in(cloud, by_password("demo"), scope)
    token = response.json()["token"]
    assert response.status_code == 201
    assert token["user"]["id"] == DEMO
    assert token["project"]["id"] == DEMO_PROJECT
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert {
        (service["type"], endpoint["interface"], endpoint["region_id"], endpoint["url"])
        for service in token["catalog"]
        for endpoint in service["endpoints"]
        if service["type"] == "compute"
    } == {
        ("compute", interface, "RegionOne", f"{cloud.url}/compute/v2.1")
        for interface in ("public", "internal", "admin")
    }


def test_instants_have_microseconds_that_are_zero(cloud: SimCloud, clock: ManualClock) -> None:
    clock.advance(0.25)
    token = sign_in(cloud, by_password("demo")).json()["token"]
    assert token["issued_at"] == "2026-01-01T00:00:00.000000Z"
    assert token["expires_at"] == "2026-01-01T01:00:00.000000Z"


def test_an_unscoped_token_has_neither_project_nor_catalog(cloud: SimCloud) -> None:
    token = sign_in(cloud, by_password("demo")).json()["token"]
    assert {"project", "roles", "catalog"}.isdisjoint(token)


@pytest.mark.parametrize(
    ("user", "password", "project"),
    [
        ("demo", "wrong", "demo"),
        ("nobody", "simulated", "demo"),
        ("demo", "simulated", "demo2"),
        ("demo", "simulated", "nowhere"),
    ],
)
def test_every_failed_sign_in_is_told_in_the_same_words(
    cloud: SimCloud, user: str, password: str, project: str
) -> None:
    scope = {"project": {"name": project, "domain": {"name": "Default"}}}
    response = sign_in(cloud, by_password(user, password), scope)
    assert (response.status_code, response.json()) == (
        401,
        {"error": {"code": 401, "message": UNAUTHENTICATED, "title": "Unauthorized"}},
    )


def test_a_token_made_from_a_token_ends_when_that_one_does(
    cloud: SimCloud, demo: Caller, clock: ManualClock
) -> None:
    clock.advance(600)
    token = sign_in(cloud, by_token(demo.token), {"project": {"id": DEMO_PROJECT}}).json()["token"]
    assert token["methods"] == ["password", "token"]
    assert token["expires_at"] == "2026-01-01T01:00:00.000000Z"


def test_an_expired_token_is_refused(demo: Caller, clock: ManualClock) -> None:
    clock.advance(3600)
    assert demo.keystone("GET", "/auth/projects").status_code == 401
    assert demo.nova("GET", "/servers").status_code == 401


def test_a_service_validates_anybodys_token(thermostat: Caller, demo: Caller) -> None:
    response = thermostat.keystone("GET", "/auth/tokens", X_Subject_Token=demo.token)
    assert response.status_code == 200
    assert response.headers["X-Subject-Token"] == demo.token
    assert response.json()["token"]["user"]["id"] == DEMO


def test_a_user_validates_their_own_token_and_no_others(cloud: SimCloud, demo: Caller) -> None:
    other = cloud.token("demo2", "demo2")
    assert demo.keystone("GET", "/auth/tokens", X_Subject_Token=demo.token).status_code == 200
    refused = demo.keystone("GET", "/auth/tokens", X_Subject_Token=other)
    assert (refused.status_code, error_of(refused)) == (403, f"{FORBIDDEN}: identity:validate_token.")


def test_head_validates_without_a_body(thermostat: Caller, demo: Caller) -> None:
    response = thermostat.keystone("HEAD", "/auth/tokens", X_Subject_Token=demo.token)
    assert (response.status_code, response.content) == (200, b"")


def test_validating_an_unknown_token_is_a_404(thermostat: Caller) -> None:
    response = thermostat.keystone("GET", "/auth/tokens", X_Subject_Token="nope")
    assert (response.status_code, error_of(response)) == (404, "Could not recognize Fernet token")


def test_validating_takes_a_valid_token(cloud: SimCloud, demo: Caller) -> None:
    response = Caller(cloud, "nope").keystone("GET", "/auth/tokens", X_Subject_Token=demo.token)
    assert response.status_code == 401


def test_a_revoked_token_is_gone(thermostat: Caller, demo: Caller) -> None:
    assert demo.keystone("DELETE", "/auth/tokens", X_Subject_Token=demo.token).status_code == 204
    response = thermostat.keystone("GET", "/auth/tokens", X_Subject_Token=demo.token)
    assert (response.status_code, error_of(response)) == (404, "Failed to validate token")
    assert demo.nova("GET", "/servers").status_code == 401


def test_the_catalog_may_be_left_out(thermostat: Caller, demo: Caller) -> None:
    response = thermostat.keystone("GET", "/auth/tokens?nocatalog", X_Subject_Token=demo.token)
    assert "catalog" not in response.json()["token"]


def test_a_disabled_users_tokens_are_revoked(cloud: SimCloud, demo: Caller) -> None:
    cloud.backstage.disable_user("demo")
    assert demo.nova("GET", "/servers").status_code == 401
    assert sign_in(cloud, by_password("demo")).status_code == 401
    cloud.backstage.enable_user("demo")
    assert demo.nova("GET", "/servers").status_code == 401
    assert sign_in(cloud, by_password("demo")).status_code == 201


def test_what_is_no_json_is_told_so(cloud: SimCloud) -> None:
    response = requests.post(f"{cloud.auth_url}/auth/tokens", data="nope", timeout=10)
    assert response.status_code == 400
    assert error_of(response).startswith("Expecting to find valid JSON in request body.")
