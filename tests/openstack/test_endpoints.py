"""Where OpenStack is asked, and where never, whatever the catalog or an answer says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests_mock

from chalicelib.core.ids import GroupId
from chalicelib.core.launch import LaunchType
from chalicelib.openstack.endpoints import is_allowed
from chalicelib.ports.cloud import CloudUnavailable
from dev.simcloud import SimCloud
from tests.openstack.site import REQUEST_ID, Site

GROUP = GroupId("9f1c2a34-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    "url",
    [
        "https://nova.example/v2.1",
        "http://10.0.0.5:8774/v2.1",
        "http://127.0.0.1:8774/compute",
        "https://[2001:db8::1]:8774/v2.1",
        "http://controller:8774/v2.1",
        "http://[64:ff9b::a00:5]:8774/v2.1",
    ],
)
def test_a_cloud_may_be_anywhere_else(url: str) -> None:
    assert is_allowed(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/iam",
        "http://169.254.170.2/v2/credentials",
        "http://[fd00:ec2::254]/latest",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.254.169.254/",
        "http://169.254.43518/",
        "http://0.0.0.0:9001/2018-06-01/runtime/invocation/next",
        "http://[::]/",
        "http://224.0.0.1/",
        "file:///etc/passwd",
        "gopher://nova.example/",
        "https://user:password@nova.example/",
        "https://nova.example:port/",
        "https://[bad/",
        "https:///v2.1",
        "",
    ],
)
def test_what_is_no_cloud_is_never_asked(url: str) -> None:
    assert not is_allowed(url, ())
    assert not is_allowed(url, ("example", "169.254.169.254"))


def test_the_operator_may_say_which_hosts_alone_are_asked() -> None:
    hosts = ("cloud.example", "10.0.0.5")
    for url in ("https://cloud.example/", "https://nova.cloud.example.:8774/", "http://10.0.0.5:8774/"):
        assert is_allowed(url, hosts)
    for url in ("https://evilcloud.example/", "https://cloud.example.evil/", "http://10.0.0.6/"):
        assert not is_allowed(url, hosts)


def test_a_catalog_that_leads_elsewhere_is_not_followed(sim: Site, cloud: SimCloud) -> None:
    narrow = replace(sim, settings=replace(sim.settings, endpoint_hosts=("cloud.example",)))
    trust, before = sim.trust(), len(cloud.requests)
    with pytest.raises(CloudUnavailable, match="OS_ENDPOINT_HOSTS") as caught:
        narrow.clouds().enter(trust, LaunchType.SERVER, REQUEST_ID)
    assert caught.value.certainly_not_done
    assert {entry.service for entry in cloud.requests[before:]} == {"keystone"}


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest", "//evil.example/servers", "https://evil.example/"]
)
def test_a_token_is_not_taken_along_to_another_host(sim: Site, cloud: SimCloud, location: str) -> None:
    nova = sim.clouds().enter(sim.trust(), LaunchType.SERVER, REQUEST_ID)
    with requests_mock.Mocker(real_http=True) as mocker:
        there = mocker.get(requests_mock.ANY, json={"servers": []})
        mocker.get(
            f"{cloud.url}/compute/v2.1/servers/detail", status_code=302, headers={"Location": location}
        )
        with pytest.raises(CloudUnavailable, match="makes no sense"):
            nova.resources_of(GROUP)
    assert not there.called


def test_a_redirect_within_the_same_host_is_followed(sim: Site, cloud: SimCloud) -> None:
    nova = sim.clouds().enter(sim.trust(), LaunchType.SERVER, REQUEST_ID)
    with requests_mock.Mocker(real_http=True) as mocker:
        there = mocker.get(f"{cloud.url}/moved", json={"servers": []})
        mocker.get(
            f"{cloud.url}/compute/v2.1/servers/detail",
            status_code=302,
            headers={"Location": f"{cloud.url}/moved"},
        )
        assert nova.resources_of(GROUP) == ()
    assert there.called
