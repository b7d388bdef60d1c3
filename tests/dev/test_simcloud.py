"""The simulated cloud serves keystoneauth1, survives restarts, and runs as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from keystoneauth1 import adapter, exceptions, session
from keystoneauth1.identity import v3

from dev.simcloud import IMAGE_ID, PASSWORD, ManualClock, SimCloud
from tests.dev.caller import Caller, ask_credential, ask_trust, by_token, error_of, of_trust, sign_in

SERVER = {"name": "a", "flavorRef": "m1.tiny", "imageRef": IMAGE_ID, "networks": "none", "tags": ["t"]}


def compute(auth: v3.base.BaseAuth) -> adapter.Adapter:
    return adapter.Adapter(
        session.Session(auth),
        service_type="compute",
        interface="public",
        region_name="RegionOne",
        default_microversion="2.79",
    )


def by_password(cloud: SimCloud, user: str, project: str | None) -> v3.Password:
    return v3.Password(
        auth_url=cloud.auth_url,
        username=user,
        password=PASSWORD,
        user_domain_name="Default",
        project_name=project,
        project_domain_name="Default" if project else None,
    )


def create_list_delete(nova: adapter.Adapter) -> None:
    server_id = nova.post("/servers", json={"server": SERVER}).json()["server"]["id"]
    assert [server["id"] for server in nova.get("/servers?tags=t").json()["servers"]] == [server_id]
    nova.delete(f"/servers/{server_id}")
    nova.session.session.close()


def test_a_password_works_with_keystoneauth(cloud: SimCloud) -> None:
    create_list_delete(compute(by_password(cloud, "demo", "demo")))


def test_a_trust_works_with_keystoneauth(cloud: SimCloud, demo: Caller, thermostat: Caller) -> None:
    trust_id = ask_trust(demo).json()["trust"]["id"]
    create_list_delete(compute(v3.Token(cloud.auth_url, thermostat.token, trust_id=trust_id)))


def test_an_application_credential_works_with_keystoneauth(cloud: SimCloud, demo: Caller) -> None:
    made = ask_credential(demo).json()["application_credential"]
    auth = v3.ApplicationCredential(
        cloud.auth_url,
        application_credential_id=made["id"],
        application_credential_secret=made["secret"],
    )
    create_list_delete(compute(auth))


def test_keystoneauth_discovers_the_microversions(cloud: SimCloud) -> None:
    nova = compute(by_password(cloud, "demo", "demo"))
    data = nova.get_endpoint_data()
    assert data is not None
    assert (data.min_microversion, data.max_microversion) == ((2, 1), (2, 104))
    nova.session.session.close()


def test_keystoneauth_raises_what_it_raises_for_a_real_cloud(cloud: SimCloud) -> None:
    nova = compute(by_password(cloud, "demo", "demo"))
    with pytest.raises(exceptions.NotFound) as caught:
        nova.get("/servers/nope")
    assert caught.value.response is not None
    assert error_of(caught.value.response) == "Instance nope could not be found."
    assert str(caught.value.request_id).startswith("req-")
    cloud.backstage.disable_user("demo")
    with pytest.raises(exceptions.Unauthorized):
        nova.get("/servers")
    nova.session.session.close()


def test_nova_may_trust_a_token_for_longer_than_keystone_does(clock: ManualClock) -> None:
    with SimCloud(now=clock, token_cache_seconds=300) as cloud:
        demo, thermostat = Caller.named(cloud, "demo", "demo"), Caller.named(cloud, "thermostat", "service")
        trust_id = ask_trust(demo).json()["trust"]["id"]
        response = sign_in(cloud, by_token(thermostat.token), of_trust(trust_id))
        owner = Caller(cloud, response.headers["X-Subject-Token"])
        assert owner.names() == []
        cloud.backstage.delete_trust(trust_id)
        clock.advance(299)
        assert owner.nova("GET", "/servers").status_code == 200
        clock.advance(1)
        assert owner.nova("GET", "/servers").status_code == 401


def test_servers_tokens_trusts_and_grants_survive_a_restart(clock: ManualClock, tmp_path: Path) -> None:
    state = tmp_path / "new" / "state.json"
    with SimCloud(now=clock, state=state, build_seconds=10) as before:
        demo = Caller.named(before, "demo", "demo")
        server_id = demo.created(metadata={"a": "b"}, tags=["t"])
        trust_id = ask_trust(demo).json()["trust"]["id"]
        secret = ask_credential(demo).json()["application_credential"]["secret"]
        before.backstage.revoke_role("reader", "demo", "reader")
        before.backstage.set_quota("demo", 7)
    clock.advance(10)
    with SimCloud(now=clock, state=state, build_seconds=10) as after:
        demo = Caller(after, demo.token)
        shown = demo.shown(server_id)
        assert (shown["status"], shown["metadata"], shown["tags"]) == ("ACTIVE", {"a": "b"}, ["t"])
        assert demo.keystone("GET", f"/OS-TRUST/trusts/{trust_id}").status_code == 200
        assert [credential.secret for credential in after.world.credentials.values()] == [secret]
        assert after.world.quota(shown["tenant_id"])["instances"] == 7
        with pytest.raises(LookupError):
            after.token("reader", "demo")


def test_the_state_is_on_disk_before_the_answer_is_sent(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with SimCloud(state=state) as cloud:
        server_id = Caller.named(cloud, "demo", "demo").created()
        assert server_id in state.read_text()


def test_what_is_long_gone_is_forgotten(cloud: SimCloud, demo: Caller, clock: ManualClock) -> None:
    server_id = demo.created()
    cloud.backstage.delete_server(server_id)
    clock.advance(3600)
    cloud.token("demo")
    assert server_id not in cloud.world.servers
    assert demo.token not in cloud.world.tokens


def test_after_the_end_nothing_is_answered() -> None:
    with SimCloud() as cloud, requests.Session() as kept_alive:
        assert kept_alive.get(cloud.auth_url, timeout=10).status_code == 200
        cloud.stop()
        with pytest.raises(requests.ConnectionError):
            kept_alive.get(cloud.auth_url, timeout=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_as_a_process_until_it_is_told_to_stop(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "dev.simcloud", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        found = re.search(r"OS_AUTH_URL=(\S+)", ready)
        assert found is not None, ready
        version = requests.get(found[1], timeout=10).json()["version"]
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
    assert version["id"] == "v3.14"
