from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chalicelib.core.credential import Credential
from dev.simcloud import SimCloud
from tests.kept_secrets import keep_all_of
from tests.openstack.site import Site, real_site, simulated_site


@pytest.fixture
def cloud() -> Iterator[SimCloud]:
    """A simulated cloud, all of its own."""
    with SimCloud() as cloud:
        yield keep_all_of(cloud)


@pytest.fixture
def sim(cloud: SimCloud) -> Site:
    """The simulated cloud as a site."""
    return simulated_site(cloud)


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.cloud)])
def site(request: pytest.FixtureRequest) -> Site:
    """The simulated cloud, and a real one if the environment names it: what holds of one holds of both."""
    if request.param == "simulated":
        return simulated_site(request.getfixturevalue("cloud"))
    if "OS_CLOUD" not in os.environ or "OWNER_CLOUD" not in os.environ:
        pytest.skip("OS_CLOUD and OWNER_CLOUD name no cloud")
    return real_site()


@pytest.fixture
def trust(site: Site) -> Iterator[Credential]:
    """A credential for a trust, which is taken back afterwards."""
    credential = site.trust()
    yield credential
    site.withdraw(credential)


@pytest.fixture
def trust_for_stacks(site: Site) -> Iterator[Credential]:
    """A credential for a trust from which Heat can make its own, which is taken back afterwards."""
    credential = site.trust_for_stacks()
    yield credential
    site.withdraw(credential)


@pytest.fixture
def application_credential(site: Site) -> Iterator[Credential]:
    """A credential for an application credential, which is deleted afterwards."""
    credential, _ = site.application_credential()
    yield credential
    site.withdraw(credential)
