from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.core.credential import Credential, CredentialType
from chalicelib.core.ids import ProjectId
from chalicelib.openstack.delegation import Delegations
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken
from dev.simcloud import PASSWORD, Effect, Fault, SimCloud
from tests.openstack.site import Clock, Owner, PlainVault, Site, a_credential, with_secret

OTHER = Owner(name="demo2", password=PASSWORD, project="demo2")


def broken(site: Site, credential: Credential) -> CredentialBroken:
    with pytest.raises(CredentialBroken) as caught:
        site.delegations().access(credential)
    return caught.value


def tokens_asked_for(cloud: SimCloud, during: Callable[[], object]) -> int:
    """Return how many times Keystone was asked for a token."""
    before = len(cloud.requests)
    during()
    return sum(entry.path == "/v3/auth/tokens" for entry in cloud.requests[before:])


def test_a_trust_gives_a_token_of_the_owners_project_as_the_owner(site: Site, trust: Credential) -> None:
    access = site.delegations().access(trust)
    assert (access.project_id, access.user_id) == (trust.project_id, trust.user_id)
    assert access.role_names is not None
    assert "member" in access.role_names


def test_an_application_credential_does_too(site: Site, application_credential: Credential) -> None:
    access = site.delegations().access(application_credential)
    assert access.project_id == application_credential.project_id


def test_a_trust_that_was_deleted_is_gone_for_good(site: Site) -> None:
    trust = site.trust()
    site.withdraw(trust)
    assert broken(site, trust).for_good
    assert "trust is gone" in broken(site, trust).reason


def test_an_application_credential_that_was_deleted_is_gone_for_good(site: Site) -> None:
    credential, _ = site.application_credential()
    site.withdraw(credential)
    assert broken(site, credential).for_good
    assert "deleted" in broken(site, credential).reason


def test_a_wrong_secret_is_broken_and_is_not_shown(site: Site, application_credential: Credential) -> None:
    caller = site.caller()
    found = broken(site, with_secret(caller, application_credential.reference, "wrong-secret"))
    assert not found.for_good
    assert "wrong-secret" not in found.reason


@pytest.mark.parametrize("type_", CredentialType)
def test_one_whose_owner_lost_the_role_works_again_when_it_is_given_back(
    sim: Site, cloud: SimCloud, type_: CredentialType
) -> None:
    credential = sim.trust() if type_ is CredentialType.TRUST else sim.application_credential()[0]
    cloud.backstage.revoke_role("demo", "demo", "member")
    found = broken(sim, credential)
    assert not found.for_good
    assert "role" in found.reason
    cloud.backstage.grant_role("demo", "demo", "member")
    sim.delegations().access(credential)


@pytest.mark.parametrize("type_", CredentialType)
def test_one_whose_owner_is_disabled_works_again_when_the_owner_is_enabled(
    sim: Site, cloud: SimCloud, type_: CredentialType
) -> None:
    credential = sim.trust() if type_ is CredentialType.TRUST else sim.application_credential()[0]
    cloud.backstage.disable_user("demo")
    found = broken(sim, credential)
    assert not found.for_good
    assert "disabled" in found.reason
    cloud.backstage.enable_user("demo")
    sim.delegations().access(credential)


def test_an_application_credential_of_another_project_is_of_no_use(sim: Site) -> None:
    theirs, secret = sim.application_credential(OTHER)
    found = broken(sim, with_secret(sim.caller(), theirs.reference, secret))
    assert found.for_good
    assert "another project" in found.reason


def test_a_trust_of_another_project_is_of_no_use(site: Site, trust: Credential) -> None:
    found = broken(site, replace(trust, project_id=ProjectId("0" * 32)))
    assert found.for_good
    assert "another project" in found.reason


def test_our_own_token_being_revoked_is_not_taken_for_a_trust_that_is_gone(
    sim: Site, cloud: SimCloud
) -> None:
    trust, delegations = sim.trust(), sim.delegations()
    delegations.access(trust)
    delegations.forget(trust)
    cloud.world.tokens.clear()
    assert delegations.access(trust).project_id == trust.project_id


def test_our_own_user_being_refused_is_not_the_credentials_fault(sim: Site, cloud: SimCloud) -> None:
    trust, delegations = sim.trust(), sim.delegations()
    delegations.access(trust)
    delegations.forget(trust)
    cloud.backstage.disable_user("thermostat")
    with pytest.raises(CloudUnavailable, match="own service user") as caught:
        delegations.access(trust)
    assert caught.value.certainly_not_done


@pytest.mark.parametrize("type_", CredentialType)
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_keystone_in_trouble_is_not_the_credentials_fault(
    sim: Site, cloud: SimCloud, type_: CredentialType, status: int
) -> None:
    credential = sim.trust() if type_ is CredentialType.TRUST else sim.application_credential()[0]
    delegations = sim.delegations()
    delegations.access(credential)
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", status=status))
    with pytest.raises(CloudUnavailable) as caught:
        delegations.fresh_access(credential)
    assert caught.value.certainly_not_done


def test_another_refusal_of_keystone_is_told_in_its_own_words(sim: Site, cloud: SimCloud) -> None:
    delegations, trust = sim.delegations(), sim.trust()
    delegations.access(trust)
    body = {"error": {"message": "Something new."}}
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", status=418, body=body))
    with pytest.raises(CredentialBroken, match=r"Something new\.") as caught:
        delegations.fresh_access(trust)
    assert not caught.value.for_good


def test_many_trusts_cost_one_authentication_by_password(sim: Site, cloud: SimCloud) -> None:
    trusts = [sim.trust() for _ in range(3)]
    delegations = sim.delegations()
    asked = tokens_asked_for(cloud, lambda: [delegations.access(trust) for trust in trusts])
    assert asked == 1 + len(trusts)


def test_a_token_is_kept_for_a_minute_so_that_a_revoked_trust_is_noticed_soon(
    sim: Site, cloud: SimCloud
) -> None:
    clock, trust = Clock(), sim.trust()
    delegations = sim.delegations(clock)
    first = delegations.access(trust)
    cloud.backstage.delete_trust(trust.reference)
    clock.seconds += 59
    assert delegations.access(trust) is first
    clock.seconds += 1
    with pytest.raises(CredentialBroken):
        delegations.access(trust)


def test_a_credential_that_is_found_broken_is_not_used_from_memory(sim: Site, cloud: SimCloud) -> None:
    trust, delegations = sim.trust(), sim.delegations()
    delegations.access(trust)
    cloud.backstage.delete_trust(trust.reference)
    for ask in (delegations.fresh_access, delegations.access):
        with pytest.raises(CredentialBroken):
            ask(trust)


def test_a_credential_given_another_trust_does_not_use_the_earlier_ones_token(sim: Site) -> None:
    delegations, trust = sim.delegations(), sim.trust()
    other = replace(trust, reference=sim.trust().reference)
    assert delegations.access(trust).auth_token != delegations.access(other).auth_token


def test_a_secret_is_opened_for_the_project_and_id_it_was_sealed_for(sim: Site) -> None:
    opened = []

    class Watched(PlainVault):
        def open(self, project_id: ProjectId, id_: str, sealed: str) -> str:
            opened.append((project_id, id_))
            return super().open(project_id, id_, sealed)

    credential, _ = sim.application_credential()
    Delegations(sim.service_user(), Watched()).access(credential)
    assert opened == [(credential.project_id, credential.id)]


def test_a_trust_that_keystone_never_made_is_gone_for_good(sim: Site) -> None:
    never = a_credential(sim.caller(), CredentialType.TRUST, "f" * 32)
    assert broken(sim, never).for_good
