from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.credential import Credential
from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.core.ids import CredentialId
from chalicelib.core.quota import Quota
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken
from tests.api.caller import KEYSTONE_IS_OUT, SECRET, Api, Estate
from tests.core.factories import PROJECT
from tests.fakes import FakeCredentials

PATH = "/v1/credentials"
TRUST: dict[str, Any] = {"name": "mine", "type": "trust"}
HANDED: dict[str, Any] = {
    "name": "ci",
    "type": "application_credential",
    "application_credential_id": "ac-1",
    "application_credential_secret": SECRET,
}
DATABASE_IS_BUSY = Unavailable("storage.unavailable", "The database is busy.", retry_after_seconds=1)


def test_a_trust_is_made_from_the_callers_token(api: Api) -> None:
    answer = api.post(PATH, {**TRUST, "roles": ["member", "load-balancer_member"]})
    assert answer.status == 201
    assert answer.headers["location"] == f"http://scale.example{PATH}/{answer.document['id']}"
    assert answer.document["roles"] == ["member", "load-balancer_member"]
    assert (answer.document["status"], answer.document["user_id"]) == ("ok", "user-of-project-1")
    assert len(api.world.identity.trusts) == 1
    assert not any(trust in repr(answer.document) for trust in api.world.identity.trusts)
    assert api.get(f"{PATH}/{answer.document['id']}").document == answer.document


def test_a_secret_is_sealed_and_never_comes_back(api: Api) -> None:
    answer = api.post(PATH, HANDED)
    assert (answer.status, answer.document["application_credential_id"]) == (201, "ac-1")
    shown = api.get(f"{PATH}/{answer.document['id']}")
    listed = api.get(PATH)
    for document in (answer.document, shown.document, listed.document):
        assert SECRET not in repr(document)
    assert SECRET not in repr(api.snapshot())


@pytest.mark.parametrize("body", [TRUST, HANDED], ids=["trust", "application credential"])
def test_a_credential_that_does_not_work_is_not_kept(api: Api, body: dict[str, Any]) -> None:
    api.world.identity.refusal = CredentialBroken("The role is missing.", for_good=True)
    with api.unchanged():
        answer = api.post(PATH, body)
    assert (answer.status, answer.code) == (400, "credential.refused")
    assert "The role is missing." in answer.detail


@pytest.mark.parametrize("body", [TRUST, HANDED], ids=["trust", "application credential"])
def test_when_keystone_goes_out_while_it_is_tried_nothing_is_kept(
    api: Api, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    def out(_: object) -> None:
        raise CloudUnavailable("Keystone: 503")

    monkeypatch.setattr(api.world.identity, "check", out)
    with api.unchanged():
        answer = api.post(PATH, body)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "keystone.unavailable", "5")


def test_what_keystone_refuses_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise Forbidden("credential.delegated_token", "Hand over an application credential instead.")

    monkeypatch.setattr(api.world.identity, "create_trust", refuse)
    with api.unchanged():
        answer = api.post(PATH, TRUST)
    assert (answer.status, answer.code) == (403, "credential.delegated_token")


def test_a_trust_that_exceeds_the_quota_is_taken_back(api: Api) -> None:
    for _ in range(10):
        api.credential()
    with api.unchanged():
        answer = api.post(PATH, TRUST)
    assert (answer.status, answer.code) == (403, "quota.credentials_exceeded")


def test_the_trust_of_a_credential_whose_answer_was_lost_stays(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = api.world.services.credentials

    def answer_lost(new: Credential, quota: Quota) -> Credential:
        FakeCredentials(api.world.memory).create(new, quota)
        raise DATABASE_IS_BUSY

    with monkeypatch.context() as patch:
        patch.setattr(credentials, "create", answer_lost)
        assert api.post(PATH, {**TRUST, "client_token": "once"}).status == 503
    with api.unchanged():
        again = api.post(PATH, {**TRUST, "client_token": "once"})
    assert again.status == 201
    stored = credentials.get(PROJECT, CredentialId(again.document["id"]))
    assert api.world.identity.trusts == {stored.reference}


def test_of_two_creations_at_once_with_one_client_token_one_trust_stays(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = api.post(PATH, {**TRUST, "client_token": "once"})
    with monkeypatch.context() as patch, api.unchanged():
        patch.setattr(api.world.services.credentials, "find", lambda *_: None)  # neither sees the other yet
        second = api.post(PATH, {**TRUST, "client_token": "once"})
    assert (second.status, second.document) == (201, first.document)


@pytest.mark.parametrize(("look", "left"), [(None, 0), (DATABASE_IS_BUSY, 1)], ids=["seen", "not seen"])
def test_a_trust_is_taken_back_only_where_it_is_seen_that_nothing_stands_for_it(
    api: Api, monkeypatch: pytest.MonkeyPatch, look: Exception | None, left: int
) -> None:
    looks: list[Exception | None] = [None, look]

    def find(*_: object) -> None:
        failure = looks.pop(0)
        if failure is not None:
            raise failure

    def fail(*_: object) -> None:
        raise DATABASE_IS_BUSY

    monkeypatch.setattr(api.world.services.credentials, "find", find)
    monkeypatch.setattr(api.world.services.credentials, "create", fail)
    assert api.post(PATH, TRUST).status == 503
    assert len(api.world.identity.trusts) == left


@pytest.mark.parametrize("body", [TRUST, HANDED], ids=["trust", "application credential"])
def test_the_same_client_token_makes_one(api: Api, body: dict[str, Any]) -> None:
    first = api.post(PATH, {**body, "client_token": "once"})
    with api.unchanged():
        again = api.post(PATH, {**body, "client_token": "once"})
        other = api.post(PATH, {**body, "name": "other", "client_token": "once"})
    assert (again.status, again.document) == (201, first.document)
    assert (other.status, other.code) == (409, "client_token.reused")


def test_what_a_group_uses_stays(api: Api, estate: Estate) -> None:
    path = estate.path(f"{PATH}/{{credential_id}}")
    with api.unchanged():
        answer = api.delete(path)
    assert (answer.status, answer.code) == (409, "credential.in_use")


def test_a_trust_goes_with_its_credential(api: Api) -> None:
    path = f"{PATH}/{api.credential()['id']}"
    assert api.delete(path).status == 204
    assert not api.world.identity.trusts
    for method in ("GET", "DELETE"):
        answer = api.request(method, path)
        assert (answer.status, answer.code) == (404, "credential.not_found")


@pytest.mark.parametrize(
    ("error", "status"),
    [(Forbidden("credential.not_trustor", "Only who made it."), 403), (KEYSTONE_IS_OUT, 503)],
)
def test_a_credential_stays_as_long_as_its_trust(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    path = f"{PATH}/{api.credential()['id']}"

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(api.world.identity, "delete_trust", refuse)
    with api.unchanged():
        assert api.delete(path).status == status
    assert api.get(path).status == 200


def test_they_come_in_pages(api: Api) -> None:
    made = sorted(api.credential()["id"] for _ in range(3))
    page = api.get(f"{PATH}?limit=2").document
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert [each["id"] for part in (page, rest) for each in part["credentials"]] == made
