from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from chalicelib.core.ids import GroupId
from chalicelib.core.launch import LaunchType
from chalicelib.openstack.session import ServiceUser
from chalicelib.ports.cloud import CloudUnavailable
from dev.simcloud import Effect, Fault, SimCloud
from tests.openstack.site import Site, simulated_site
from tests.tls import over_tls


def tokens_made(cloud: SimCloud) -> int:
    asked = [(entry.method, entry.path, entry.status) for entry in cloud.requests]
    return asked.count(("POST", "/v3/auth/tokens", 201))


def test_one_password_gives_a_token_for_many_requests(sim: Site, cloud: SimCloud) -> None:
    user = sim.service_user()
    assert user.access().auth_token == user.access().auth_token
    assert tokens_made(cloud) == 1


def test_a_token_is_renewed_while_those_made_from_it_would_still_live_for_minutes() -> None:
    with SimCloud(token_seconds=299) as cloud:
        user = simulated_site(cloud).service_user()
        user.access()
        user.access()
        assert tokens_made(cloud) == 2


def test_a_token_that_was_not_accepted_is_renewed_once_however_many_ask(sim: Site, cloud: SimCloud) -> None:
    user = sim.service_user()
    refused = user.access()
    renewed = user.renew(instead_of=refused)
    assert renewed.auth_token != refused.auth_token
    assert user.renew(instead_of=refused) is renewed
    assert tokens_made(cloud) == 2


def test_a_keystone_with_a_certificate_of_its_own_is_known_by_it_alone(
    sim: Site, cloud: SimCloud, tmp_path: Path
) -> None:
    with over_tls(cloud.auth_url.removesuffix("/v3"), tmp_path) as url:
        behind = replace(sim.settings, auth_url=f"{url}/v3")
        trusting = replace(behind, cacert=str(tmp_path / "loopback.pem"))
        assert ServiceUser(trusting, lambda: sim.password).access().auth_token
        with pytest.raises(CloudUnavailable) as caught:
            ServiceUser(behind, lambda: sim.password).access()
    assert caught.value.certainly_not_done


def test_a_wrong_password_is_our_own_trouble(sim: Site) -> None:
    user = ServiceUser(sim.settings, lambda: "wrong")
    with pytest.raises(CloudUnavailable, match="Thermostat's own service user") as caught:
        user.access()
    assert caught.value.certainly_not_done
    assert "wrong" not in str(caught.value)


def test_a_password_that_was_rotated_is_read_anew_without_a_restart(sim: Site) -> None:
    passwords = iter(["of yesterday", sim.password])
    user = ServiceUser(sim.settings, lambda: next(passwords))
    with pytest.raises(CloudUnavailable):
        user.access()
    assert user.access().auth_token
    assert user.access().auth_token, "it is read once more, and not each time"


def test_a_keystone_that_is_down_is_unavailable(sim: Site, cloud: SimCloud) -> None:
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", status=503, retry_after_seconds=9))
    with pytest.raises(CloudUnavailable) as caught:
        sim.service_user().access()
    assert caught.value.certainly_not_done
    assert caught.value.retry_after == timedelta(seconds=9)


def test_a_connection_that_broke_while_it_was_idle_is_not_noticed(sim: Site, cloud: SimCloud) -> None:
    cloud.faults.add(Fault(what=Effect.DROP, service="keystone"))
    assert sim.service_user().access().auth_token


def test_the_users_and_the_projects_ids_may_be_given_instead_of_names(sim: Site) -> None:
    access = sim.service_user().access()
    settings = replace(
        sim.settings,
        username=None,
        project_name=None,
        user_id=access.user_id,
        project_id=access.project_id,
    )
    assert ServiceUser(settings, lambda: sim.password).access().user_id == access.user_id


def test_nothing_secret_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when everything is, as LOG_LEVEL=DEBUG has it."""
    caplog.set_level(logging.DEBUG)
    secrets = [site.password, site.owner.password, site.token()]
    credential, secret = site.application_credential()
    nova = site.clouds().enter(credential, LaunchType.SERVER, "req-1")
    nova.resources_of(GroupId(str(uuid.uuid4())))
    secrets += [secret, site.delegations().access(credential).auth_token or ""]
    site.withdraw(credential)
    assert "GET" in caplog.text
    for each in secrets:
        assert each not in caplog.text


class Proxy(ThreadingHTTPServer):
    """A proxy that notes what it is asked for, and passes it on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Passing)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Passing(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        directly = requests.Session()
        directly.trust_env = False
        answer = directly.post(self.path, data=body, headers={"Content-Type": "application/json"})
        self.send_response(answer.status_code)
        for name in ("Content-Type", "X-Subject-Token"):
            self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Proxy() as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        yield proxy
        proxy.shutdown()


def test_a_proxy_that_the_environment_names_is_asked(sim: Site, proxy: Proxy) -> None:
    assert sim.service_user().access().auth_token
    assert proxy.asked == [f"{sim.settings.auth_url}/auth/tokens"]


def test_what_is_to_be_reached_without_a_proxy_is(
    sim: Site, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert sim.service_user().access().auth_token
    assert proxy.asked == []


def test_a_variable_that_is_empty_names_no_proxy(
    sim: Site, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the template sets them where nobody named one."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    assert sim.service_user().access().auth_token
    assert proxy.asked == []
