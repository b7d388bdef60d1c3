"""The simulated Keystone's trusts are as Keystone 30's were seen to be."""

from __future__ import annotations

import pytest
import requests

from dev.simcloud import ManualClock, SimCloud, stable_id
from tests.dev.caller import (
    DEMO,
    DEMO_PROJECT,
    THERMOSTAT,
    Caller,
    Document,
    ask_credential,
    ask_trust,
    by_password,
    by_token,
    error_of,
    of_trust,
    sign_in,
)

UNAUTHENTICATED = "The request you have made requires authentication."
FORBIDDEN = "You are not authorized to perform the requested action"


@pytest.fixture
def trust_id(demo: Caller) -> str:
    response = ask_trust(demo)
    assert response.status_code == 201
    return str(response.json()["trust"]["id"])


def trust_token(caller: Caller, trust_id: str) -> requests.Response:
    return sign_in(caller.cloud, by_token(caller.token), of_trust(trust_id))


def trusted(caller: Caller, trust_id: str) -> Caller:
    response = trust_token(caller, trust_id)
    assert response.status_code == 201, response.text
    return Caller(caller.cloud, response.headers["X-Subject-Token"])


def test_a_trust_is_shown_with_its_roles(demo: Caller, trust_id: str) -> None:
    trust = demo.keystone("GET", f"/OS-TRUST/trusts/{trust_id}").json()["trust"]
    assert (trust["trustor_user_id"], trust["trustee_user_id"]) == (DEMO, THERMOSTAT)
    assert [role["name"] for role in trust["roles"]] == ["member"]
    assert trust["expires_at"] is None
    assert trust["remaining_uses"] is None


def test_its_token_speaks_for_the_trustor(thermostat: Caller, trust_id: str) -> None:
    token = trust_token(thermostat, trust_id).json()["token"]
    assert token["user"]["name"] == "demo"
    assert token["project"]["name"] == "demo"
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert token["OS-TRUST:trust"] == {
        "id": trust_id,
        "trustor_user": {"id": DEMO},
        "trustee_user": {"id": THERMOSTAT},
        "impersonation": True,
    }


def test_servers_made_with_it_are_the_trustors(demo: Caller, thermostat: Caller, trust_id: str) -> None:
    server_id = trusted(thermostat, trust_id).created()
    assert demo.shown(server_id)["user_id"] == DEMO


def test_a_password_serves_as_well_as_a_token(cloud: SimCloud, trust_id: str) -> None:
    assert sign_in(cloud, by_password("thermostat"), of_trust(trust_id)).status_code == 201


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"roles": []}, 403, f"{FORBIDDEN}: At least one role should be specified."),
        ({"roles": [{"name": "admin"}]}, 404, f"Could not find role: {stable_id('role', 'admin')}."),
        ({"roles": [{"name": "nope"}]}, 404, "Role nope is not defined"),
        ({"trustee_user_id": "nope"}, 404, "Could not find user: nope."),
    ],
)
def test_a_trust_may_be_refused(demo: Caller, fields: Document, status: int, message: str) -> None:
    response = ask_trust(demo, **fields)
    assert (response.status_code, error_of(response)) == (status, message)


def test_a_trust_cannot_have_expired_already(demo: Caller) -> None:
    response = ask_trust(demo, expires_at="2020-01-01T00:00:00Z")
    assert response.status_code == 400
    assert error_of(response).startswith("The 'expires_at' must not be before now.")


def test_trustor_and_trustee_may_be_one(demo: Caller) -> None:
    assert ask_trust(demo, trustee_user_id=DEMO).status_code == 201


def test_nobody_makes_a_trust_for_another(thermostat: Caller, admin: Caller) -> None:
    for caller in (thermostat, admin):
        response = ask_trust(caller)
        assert (response.status_code, error_of(response)) == (403, f"{FORBIDDEN}: identity:create_trust.")


def test_only_the_trustee_gets_a_token(demo: Caller, trust_id: str) -> None:
    response = trust_token(demo, trust_id)
    assert (response.status_code, error_of(response)) == (403, f"{FORBIDDEN}.")


def test_the_trustee_lists_those_to_itself_only(thermostat: Caller, trust_id: str) -> None:
    unfiltered = thermostat.keystone("GET", "/OS-TRUST/trusts")
    assert (unfiltered.status_code, error_of(unfiltered)) == (403, f"{FORBIDDEN}: identity:list_trusts.")
    own = thermostat.keystone("GET", f"/OS-TRUST/trusts?trustee_user_id={THERMOSTAT}")
    (listed,) = own.json()["trusts"]
    assert listed["id"] == trust_id
    assert "roles" not in listed


def test_the_trustee_shows_and_cannot_delete(demo: Caller, thermostat: Caller, trust_id: str) -> None:
    path = f"/OS-TRUST/trusts/{trust_id}"
    assert thermostat.keystone("GET", path).status_code == 200
    refused = thermostat.keystone("DELETE", path)
    assert (refused.status_code, error_of(refused)) == (403, f"{FORBIDDEN}: identity:delete_trust.")
    assert [demo.keystone("DELETE", path).status_code for _ in range(2)] == [204, 404]


def test_a_strangers_trust_is_forbidden(cloud: SimCloud, trust_id: str) -> None:
    stranger = Caller.named(cloud, "demo2", "demo2")
    assert stranger.keystone("GET", f"/OS-TRUST/trusts/{trust_id}").status_code == 403


def test_a_used_up_trust_gives_no_more_tokens(demo: Caller, thermostat: Caller) -> None:
    trust_id = ask_trust(demo, remaining_uses=2).json()["trust"]["id"]
    statuses = [trust_token(thermostat, trust_id).status_code for _ in range(3)]
    assert statuses == [201, 201, 401]
    assert demo.keystone("GET", f"/OS-TRUST/trusts/{trust_id}").status_code == 404


def test_an_expired_trust_ends_with_its_tokens(demo: Caller, thermostat: Caller, clock: ManualClock) -> None:
    trust_id = ask_trust(demo, expires_at="2026-01-01T00:10:00Z").json()["trust"]["id"]
    token = trust_token(thermostat, trust_id)
    assert token.json()["token"]["expires_at"] == "2026-01-01T00:10:00.000000Z"
    clock.advance(600)
    assert trust_token(thermostat, trust_id).status_code == 401
    assert demo.keystone("GET", f"/OS-TRUST/trusts/{trust_id}").status_code == 404


def test_a_deleted_trust_is_401_and_its_tokens_are_dead(
    cloud: SimCloud, thermostat: Caller, trust_id: str
) -> None:
    owner = trusted(thermostat, trust_id)
    cloud.backstage.delete_trust(trust_id)
    response = trust_token(thermostat, trust_id)
    assert (response.status_code, error_of(response)) == (401, UNAUTHENTICATED)
    assert owner.nova("GET", "/servers").status_code == 401
    validated = thermostat.keystone("GET", "/auth/tokens", X_Subject_Token=owner.token)
    assert (validated.status_code, error_of(validated)) == (404, f"Could not find trust: {trust_id}.")


def test_a_revoked_role_is_403_until_it_is_granted_again(
    cloud: SimCloud, thermostat: Caller, trust_id: str
) -> None:
    cloud.backstage.revoke_role("demo", "demo", "member")
    response = trust_token(thermostat, trust_id)
    assert (response.status_code, error_of(response)) == (403, f"{FORBIDDEN}.")
    cloud.backstage.grant_role("demo", "demo", "member")
    assert trust_token(thermostat, trust_id).status_code == 201


def test_a_disabled_trustor_is_403_until_enabled_again(
    cloud: SimCloud, thermostat: Caller, trust_id: str
) -> None:
    cloud.backstage.disable_user("demo")
    assert trust_token(thermostat, trust_id).status_code == 403
    cloud.backstage.enable_user("demo")
    assert trust_token(thermostat, trust_id).status_code == 201


def test_a_trust_token_delegates_nothing_further(cloud: SimCloud, thermostat: Caller, trust_id: str) -> None:
    owner = trusted(thermostat, trust_id)
    assert ask_trust(owner).status_code == 403
    assert ask_credential(owner).status_code == 403
    for scope in (None, "unscoped", {"project": {"id": DEMO_PROJECT}}, of_trust(trust_id)):
        response = sign_in(cloud, by_token(owner.token), scope)
        assert response.status_code == 403
        assert "Using trust-scoped token to create another token" in error_of(response)
    assert owner.keystone("GET", "/auth/projects").status_code == 200


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 0),
        ({"redelegation_count": 2}, 0),
        ({"allow_redelegation": True}, 3),
        ({"allow_redelegation": True, "redelegation_count": 1}, 1),
    ],
)
def test_a_trust_may_be_delegated_on_as_often_as_was_asked(demo: Caller, asked: Document, count: int) -> None:
    assert ask_trust(demo, **asked).json()["trust"]["redelegation_count"] == count


def test_a_trust_may_not_be_delegated_on_too_often(demo: Caller) -> None:
    response = ask_trust(demo, allow_redelegation=True, redelegation_count=4)
    assert response.status_code == 403
