from __future__ import annotations

import base64

import boto3
import pytest

from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import ProjectId
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken, Vault
from chalicelib.vault import KmsVault, password
from deploy.provision import provision
from dev.aws import LocalAws
from tests.fakes import FakeVault

OWNER, OTHER = ProjectId("owner"), ProjectId("other")


@pytest.fixture(params=["fake", "kms"], scope="module")
def vault(request: pytest.FixtureRequest) -> Vault:
    """Both vaults in turn."""
    if request.param == "fake":
        return FakeVault()
    request.getfixturevalue("local_aws")
    provision("vault")
    return KmsVault("alias/thermostat-vault")


def test_a_secret_comes_back_to_its_project_and_id(vault: Vault) -> None:
    secret = "pässword ☃" * 50
    sealed = vault.seal(OWNER, "credential-1", secret)
    assert secret not in sealed
    assert vault.open(OWNER, "credential-1", sealed) == secret


@pytest.mark.parametrize(("project", "id_"), [(OTHER, "credential-1"), (OWNER, "credential-2")])
def test_a_secret_stays_shut_for_everybody_else(vault: Vault, project: ProjectId, id_: str) -> None:
    sealed = vault.seal(OWNER, "credential-1", "secret")
    with pytest.raises(CredentialBroken) as broken:
        vault.open(project, id_, sealed)
    assert broken.value.for_good


@pytest.mark.parametrize("sealed", ["", "no base64!", base64.b64encode(b"no ciphertext").decode()])
def test_what_was_never_sealed_cannot_be_opened(vault: Vault, sealed: str) -> None:
    with pytest.raises(CredentialBroken):
        vault.open(OWNER, "credential-1", sealed)


def test_a_missing_key_is_no_broken_credential(local_aws: LocalAws) -> None:
    with pytest.raises(Unavailable):
        KmsVault("alias/none").seal(OWNER, "credential-1", "secret")


def test_our_own_password_is_the_text_of_a_secret(local_aws: LocalAws) -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="our-password", SecretString="of ours")
    assert password(secret["ARN"]) == "of ours"


def test_a_password_that_cannot_be_read_leaves_the_cloud_unavailable(local_aws: LocalAws) -> None:
    """As a Keystone would that does not answer: rounds say so, and callers are told to come again."""
    with pytest.raises(CloudUnavailable, match="its own password") as caught:
        password("no-such-secret")
    assert caught.value.certainly_not_done


def test_a_secrets_manager_that_does_not_answer_leaves_the_cloud_unavailable(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
    with pytest.raises(CloudUnavailable):
        password("our-password")
