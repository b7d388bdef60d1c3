"""The simulated Keystone's application credentials are as Keystone 30's were seen to be."""

from __future__ import annotations

import pytest

from dev.simcloud import SimCloud
from tests.dev.caller import (
    DEMO,
    DEMO_PROJECT,
    Caller,
    Document,
    ask_credential,
    ask_trust,
    by_credential,
    error_of,
    sign_in,
)

FORBIDDEN = "You are not authorized to perform the requested action"


@pytest.fixture
def credential(demo: Caller) -> Document:
    response = ask_credential(demo, roles=[{"name": "member"}])
    assert response.status_code == 201
    document: Document = response.json()["application_credential"]
    return document


def test_its_secret_is_shown_once(demo: Caller, credential: Document) -> None:
    assert len(credential["secret"]) == 86
    path = f"/users/{DEMO}/application_credentials"
    shown = demo.keystone("GET", f"{path}/{credential['id']}").json()["application_credential"]
    (listed,) = demo.keystone("GET", path).json()["application_credentials"]
    assert shown == listed
    assert shown == {name: value for name, value in credential.items() if name != "secret"}


def test_its_token_is_scoped_to_its_project(cloud: SimCloud, credential: Document) -> None:
    response = sign_in(cloud, by_credential(credential["id"], credential["secret"]))
    token = response.json()["token"]
    assert response.status_code == 201
    assert (token["user"]["id"], token["project"]["id"]) == (DEMO, DEMO_PROJECT)
    assert token["application_credential"] == {"id": credential["id"], "name": "n", "restricted": True}


def test_a_scope_is_refused(cloud: SimCloud, credential: Document) -> None:
    scope = {"project": {"id": DEMO_PROJECT}}
    response = sign_in(cloud, by_credential(credential["id"], credential["secret"]), scope)
    assert response.status_code == 401
    assert error_of(response).endswith("Application credentials cannot request a scope.")


def test_a_wrong_secret_is_401(cloud: SimCloud, credential: Document) -> None:
    assert sign_in(cloud, by_credential(credential["id"], "wrong")).status_code == 401


def test_a_deleted_one_is_404_and_its_tokens_are_dead(
    cloud: SimCloud, demo: Caller, credential: Document
) -> None:
    identity = by_credential(credential["id"], credential["secret"])
    program = Caller(cloud, sign_in(cloud, identity).headers["X-Subject-Token"])
    path = f"/users/{DEMO}/application_credentials/{credential['id']}"
    assert [demo.keystone("DELETE", path).status_code for _ in range(2)] == [204, 404]
    response = sign_in(cloud, identity)
    message = f"Could not find Application Credential: {credential['id']}."
    assert (response.status_code, error_of(response)) == (404, message)
    assert program.nova("GET", "/servers").status_code == 401


def test_a_lost_role_is_401_until_it_is_granted_again(cloud: SimCloud, credential: Document) -> None:
    identity = by_credential(credential["id"], credential["secret"])
    cloud.backstage.revoke_role("demo", "demo", "member")
    assert sign_in(cloud, identity).status_code == 401
    cloud.backstage.grant_role("demo", "demo", "member")
    assert sign_in(cloud, identity).status_code == 201


@pytest.mark.parametrize(("unrestricted", "may_make_another"), [(None, False), (True, True)])
def test_its_token_manages_no_trusts_and_credentials_only_if_unrestricted(
    cloud: SimCloud, demo: Caller, unrestricted: bool | None, may_make_another: bool
) -> None:
    made = ask_credential(demo, unrestricted=unrestricted).json()["application_credential"]
    response = sign_in(cloud, by_credential(made["id"], made["secret"]))
    program = Caller(cloud, response.headers["X-Subject-Token"])
    refused = ask_trust(program)
    assert (refused.status_code, error_of(refused)) == (
        403,
        f"{FORBIDDEN}: Delegated tokens cannot manage trusts..",
    )
    assert ask_credential(program, name="m").status_code == (201 if may_make_another else 403)


@pytest.mark.parametrize(
    ("user", "fields", "status"),
    [("demo2", {}, 403), ("demo", {"roles": [{"name": "admin"}]}, 400), ("demo", {"name": None}, 400)],
)
def test_one_may_be_refused(cloud: SimCloud, user: str, fields: Document, status: int) -> None:
    assert ask_credential(Caller.named(cloud, user, user), DEMO, **fields).status_code == status


def test_a_name_is_used_once(demo: Caller, credential: Document) -> None:
    response = ask_credential(demo, name=credential["name"])
    assert response.status_code == 409
    assert error_of(response).endswith("Duplicate entry found with name n.")
