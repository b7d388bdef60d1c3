"""The service in Keystone's catalogue: the simulated one's, or that of the cloud that OS_CLOUD names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import EndpointNotFound
from keystoneauth1.exceptions.http import Forbidden
from openstack.connection import Connection

from deploy.register import Catalogue, Refused, root_of
from tests.end_to_end.site import Site, site

_REGION = "RegionOne"
_URL = "https://autoscaling.example.com/prod"


@pytest.fixture(scope="module")
def where() -> Iterator[Site]:
    with site() as found:
        yield found


def catalogue_of(cloud: Connection) -> Catalogue:
    return Catalogue(Adapter(cloud.session, service_type="identity", interface="public", version="3"))


@pytest.fixture
def catalogue(where: Site) -> Iterator[Catalogue]:
    catalogue = catalogue_of(where.admin)
    assert catalogue.remove(_REGION) == [], "something is registered here already, which is not the test's"
    yield catalogue
    catalogue.remove(_REGION)


def seen_by(cloud: Connection, interface: str = "public") -> str | None:
    """Return what a token's catalogue says that is issued now."""
    cloud.session.invalidate()
    try:
        found: Any = cloud.session.get_endpoint(
            service_type="autoscaling", interface=interface, region_name=_REGION
        )
    except EndpointNotFound:
        return None
    return None if found is None else str(found)


def test_what_is_registered_is_in_everybodys_catalogue(where: Site, catalogue: Catalogue) -> None:
    assert seen_by(where.owner) is None
    assert catalogue.register(_URL + "/", _REGION) == [
        "service autoscaling made",
        "public endpoint made",
        "internal endpoint made",
    ]
    assert (seen_by(where.owner), seen_by(where.owner, "internal")) == (_URL, _URL)


def test_registering_again_changes_only_what_differs(where: Site, catalogue: Catalogue) -> None:
    catalogue.register(_URL, _REGION)
    assert catalogue.register(_URL, _REGION) == []
    other = "https://elsewhere.example.com"
    assert catalogue.register(other, _REGION) == ["public endpoint changed", "internal endpoint changed"]
    assert seen_by(where.owner) == other


def test_what_is_removed_is_in_no_catalogue(where: Site, catalogue: Catalogue) -> None:
    catalogue.register(_URL, _REGION)
    assert len(catalogue.remove(_REGION)) == 3
    assert catalogue.remove(_REGION) == []
    assert seen_by(where.owner) is None


def test_only_an_administrator_registers(where: Site) -> None:
    with pytest.raises(Forbidden):
        catalogue_of(where.owner).register(_URL, _REGION)


@pytest.mark.parametrize("url", ["", "autoscaling.example.com", "https://a.example.com/v1", "https://a/?b=c"])
def test_what_is_no_root_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        root_of(url)


@pytest.mark.skipif("OS_CLOUD" in os.environ, reason="the command reads the clouds.yaml of this test")
def test_the_command_registers_for_the_cloud_that_is_named(where: Site, tmp_path: Path) -> None:
    auth = where.admin.config.config["auth"]
    variables = {f"OS_{name.upper()}": str(value) for name, value in auth.items()}
    environment = {**os.environ, **variables, "OS_REGION_NAME": _REGION, "HOME": str(tmp_path)}

    def command(*arguments: str) -> tuple[int, str]:
        whole = [sys.executable, "-m", "deploy.register", *arguments]
        done = subprocess.run(whole, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert command("--url", _URL)[0] == 0
    assert seen_by(where.owner) == _URL
    assert command("--url", _URL) == (0, "nothing to do\n")
    assert command("--url", "ftp://nowhere") == (
        1,
        "'ftp://nowhere' is no URL of a service: give https://host, or https://host/path.\n",
    )
    assert command("--remove")[0] == 0
    assert seen_by(where.owner) is None
