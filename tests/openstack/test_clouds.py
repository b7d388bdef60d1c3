from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.core.credential import Credential
from chalicelib.core.ids import GroupId
from chalicelib.core.launch import LaunchType
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken
from dev.simcloud import Effect, Fault, SimCloud
from tests.openstack.site import REQUEST_ID, Clock, Site, simulated_site

GROUP = GroupId("9f1c2a34-0000-4000-8000-000000000001")


def test_a_project_is_entered_by_a_trust(site: Site, trust: Credential) -> None:
    assert site.clouds().enter(trust, LaunchType.SERVER, REQUEST_ID).resources_of(GROUP) == ()


def test_a_project_is_entered_by_an_application_credential(
    site: Site, application_credential: Credential
) -> None:
    assert (
        site.clouds().enter(application_credential, LaunchType.SERVER, REQUEST_ID).resources_of(GROUP) == ()
    )


def test_a_broken_credential_is_noticed_at_the_door(site: Site) -> None:
    trust = site.trust()
    site.withdraw(trust)
    with pytest.raises(CredentialBroken):
        site.clouds().enter(trust, LaunchType.SERVER, REQUEST_ID)


def test_nova_is_told_the_request_id(sim: Site, cloud: SimCloud) -> None:
    sim.clouds().enter(sim.trust(), LaunchType.SERVER, REQUEST_ID).resources_of(GROUP)
    assert [entry.request_id for entry in cloud.requests if entry.service == "nova"] == [REQUEST_ID]


def test_entering_twice_within_a_minute_asks_keystone_once(sim: Site, cloud: SimCloud) -> None:
    clouds, trust = sim.clouds(), sim.trust()
    clouds.enter(trust, LaunchType.SERVER, REQUEST_ID)
    before = len(cloud.requests)
    clouds.enter(trust, LaunchType.SERVER, REQUEST_ID).resources_of(GROUP)
    assert [entry.service for entry in cloud.requests[before:]] == ["nova"]


def test_a_token_that_nova_does_not_accept_any_more_is_replaced(sim: Site, cloud: SimCloud) -> None:
    nova = sim.clouds().enter(sim.trust(), LaunchType.SERVER, REQUEST_ID)
    cloud.world.tokens.clear()
    assert nova.resources_of(GROUP) == ()


def test_a_trust_revoked_meanwhile_is_noticed_when_nova_no_longer_accepts_its_token(
    sim: Site, cloud: SimCloud
) -> None:
    trust = sim.trust()
    nova = sim.clouds().enter(trust, LaunchType.SERVER, REQUEST_ID)
    cloud.backstage.delete_trust(trust.reference)
    with pytest.raises(CredentialBroken) as caught:
        nova.resources_of(GROUP)
    assert caught.value.for_good


def test_a_trust_revoked_meanwhile_is_noticed_within_a_minute_although_nova_still_accepts_its_token() -> None:
    clock = Clock()
    with SimCloud(token_cache_seconds=300) as cloud:
        site = simulated_site(cloud)
        trust = site.trust()
        nova = site.clouds(clock).enter(trust, LaunchType.SERVER, REQUEST_ID)
        nova.resources_of(GROUP)
        cloud.backstage.delete_trust(trust.reference)
        nova.resources_of(GROUP)
        clock.seconds += 60
        with pytest.raises(CredentialBroken):
            nova.resources_of(GROUP)


def test_a_token_that_nova_never_accepts_is_the_credentials_fault_but_may_be_mended(
    sim: Site, cloud: SimCloud
) -> None:
    """So it is with an application credential whose access rules do not allow what is asked."""
    nova = sim.clouds().enter(sim.application_credential()[0], LaunchType.SERVER, REQUEST_ID)
    cloud.faults.add(Fault(what=Effect.ANSWER, service="nova", status=401, times=2))
    with pytest.raises(CredentialBroken, match="access rules") as caught:
        nova.resources_of(GROUP)
    assert not caught.value.for_good


def test_keystone_being_down_when_a_token_is_to_be_replaced_is_unavailable(
    sim: Site, cloud: SimCloud
) -> None:
    nova = sim.clouds().enter(sim.trust(), LaunchType.SERVER, REQUEST_ID)
    cloud.faults.add(Fault(what=Effect.ANSWER, service="nova", status=401))
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", status=503))
    with pytest.raises(CloudUnavailable) as caught:
        nova.create(sim.order(GROUP))
    assert caught.value.certainly_not_done
    assert cloud.backstage.servers() == ()


def test_a_region_without_nova_is_unavailable_and_named(sim: Site) -> None:
    elsewhere = replace(sim, settings=replace(sim.settings, region_name="Nowhere"))
    with pytest.raises(CloudUnavailable, match="compute in region Nowhere") as caught:
        elsewhere.clouds().enter(sim.trust(), LaunchType.SERVER, REQUEST_ID)
    assert caught.value.certainly_not_done
