"""The simulated Octavia answers as its reference and source say."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from dev.simcloud import Effect, Fault, ManualClock, SimCloud
from tests.dev.caller import Caller, Document

BUSY = 4


@pytest.fixture
def pool(cloud: SimCloud, demo: Caller, clock: ManualClock) -> str:
    """A pool of an idle load balancer; each change of it lasts 4 s."""
    cloud.world.balancing_seconds = BUSY
    pool = made_pool(demo, made_balancer(demo, clock), clock)
    return str(pool["id"])


def made_balancer(demo: Caller, clock: ManualClock) -> str:
    response = demo.octavia("POST", "/loadbalancers", {"loadbalancer": {"name": "lb"}})
    assert response.status_code == 201, response.text
    clock.advance(BUSY)
    return str(response.json()["loadbalancer"]["id"])


def made_pool(demo: Caller, balancer: str, clock: ManualClock, **fields: object) -> Document:
    asked = {"loadbalancer_id": balancer, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", **fields}
    response = demo.octavia("POST", "/pools", {"pool": asked})
    assert response.status_code == 201, response.text
    clock.advance(BUSY)
    made: Document = response.json()["pool"]
    return made


def add(demo: Caller, pool: str, address: str = "10.0.0.5", **fields: object) -> requests.Response:
    asked = {"address": address, "protocol_port": 80, **fields}
    return demo.octavia("POST", f"/pools/{pool}/members", {"member": asked})


def put(demo: Caller, pool: str, *addresses: str, query: str = "", **fields: object) -> requests.Response:
    members = [{"address": address, "protocol_port": 80, **fields} for address in addresses]
    return demo.octavia("PUT", f"/pools/{pool}/members{query}", {"members": members})


def members(demo: Caller, pool: str) -> list[Document]:
    found: list[Document] = demo.octavia("GET", f"/pools/{pool}/members").json()["members"]
    return found


def balancer_of(demo: Caller, pool: str) -> Document:
    balancer = demo.octavia("GET", f"/pools/{pool}").json()["pool"]["loadbalancers"][0]["id"]
    shown: Document = demo.octavia("GET", f"/loadbalancers/{balancer}").json()["loadbalancer"]
    return shown


def test_it_is_in_the_catalog_and_tells_its_versions(cloud: SimCloud, demo: Caller) -> None:
    token = demo.keystone("GET", "/auth/tokens", X_Subject_Token=demo.token).json()["token"]
    (service,) = (each for each in token["catalog"] if each["type"] == "load-balancer")
    assert service["endpoints"][0]["url"] == f"{cloud.url}/load-balancer"
    versions = requests.get(f"{cloud.url}/load-balancer", timeout=10).json()["versions"]
    assert [each["id"] for each in versions if each["status"] == "CURRENT"] == ["v2.27"]
    cloud.world.has_octavia = False
    token = demo.keystone("GET", "/auth/tokens", X_Subject_Token=demo.token).json()["token"]
    assert "load-balancer" not in {each["type"] for each in token["catalog"]}


def test_both_forms_of_the_path_are_served(cloud: SimCloud, demo: Caller, pool: str) -> None:
    url = f"{cloud.url}/load-balancer/v2.0/lbaas/pools/{pool}"
    assert requests.get(url, headers={"X-Auth-Token": demo.token}, timeout=10).status_code == 200


def test_a_member_is_made_and_shown_as_the_reference_says(
    demo: Caller, pool: str, clock: ManualClock
) -> None:
    made = add(demo, pool, name="web-1", weight=20, tags=["t"])
    assert made.status_code == 201
    assert made.json()["member"]["provisioning_status"] == "PENDING_CREATE"
    clock.advance(BUSY)
    (shown,) = members(demo, pool)
    assert (shown["name"], shown["address"], shown["protocol_port"]) == ("web-1", "10.0.0.5", 80)
    assert (shown["weight"], shown["backup"], shown["admin_state_up"], shown["tags"]) == (
        20,
        False,
        True,
        ["t"],
    )
    assert (shown["provisioning_status"], shown["operating_status"]) == ("ACTIVE", "NO_MONITOR")


def test_while_a_change_is_under_way_every_other_one_is_refused(
    demo: Caller, pool: str, clock: ManualClock
) -> None:
    balancer = str(balancer_of(demo, pool)["id"])
    other = str(made_pool(demo, balancer, clock)["id"])
    assert add(demo, pool).status_code == 201
    assert balancer_of(demo, pool)["provisioning_status"] == "PENDING_UPDATE"
    refused = add(demo, other)
    assert (refused.status_code, refused.json()) == (
        409,
        {
            "faultcode": "Client",
            "faultstring": f"Load Balancer {balancer} is immutable and cannot be updated.",
            "debuginfo": None,
        },
    )
    message = f"Pool {pool} is immutable and cannot be updated."
    assert put(demo, pool, "10.0.0.6").json()["faultstring"] == message
    clock.advance(BUSY)
    assert add(demo, other).status_code == 201


@pytest.mark.parametrize("status", ["ERROR", "PENDING_UPDATE"])
def test_a_load_balancer_may_break_or_stay_pending_until_it_is_mended(
    cloud: SimCloud, demo: Caller, pool: str, clock: ManualClock, status: str
) -> None:
    member = add(demo, pool).json()["member"]["id"]
    clock.advance(BUSY)
    balancer = str(balancer_of(demo, pool)["id"])
    fields = {"load_balancer_id": balancer, "status": status}
    assert (
        requests.post(f"{cloud.url}/world/set_load_balancer_status", json=fields, timeout=10).status_code
        == 204
    )
    clock.advance(1800)
    assert balancer_of(demo, pool)["provisioning_status"] == status
    assert demo.octavia("DELETE", f"/pools/{pool}/members/{member}").status_code == 409
    cloud.backstage.set_load_balancer_status(balancer, "ACTIVE")
    assert demo.octavia("DELETE", f"/pools/{pool}/members/{member}").status_code == 204


def test_a_batch_makes_changes_and_deletes_in_one_change(demo: Caller, pool: str, clock: ManualClock) -> None:
    add(demo, pool, "10.0.0.1", name="stays", weight=7)
    clock.advance(BUSY)
    kept = members(demo, pool)[0]["id"]
    assert put(demo, pool, "10.0.0.1", "10.0.0.2").status_code == 202
    clock.advance(BUSY)
    shown = {each["address"]: each for each in members(demo, pool)}
    assert shown.keys() == {"10.0.0.1", "10.0.0.2"}
    assert (shown["10.0.0.1"]["id"], shown["10.0.0.1"]["weight"]) == (kept, 1)
    assert put(demo, pool, "10.0.0.2").status_code == 202
    assert {each["provisioning_status"] for each in members(demo, pool)} == {
        "PENDING_UPDATE",
        "PENDING_DELETE",
    }
    clock.advance(BUSY)
    assert [each["address"] for each in members(demo, pool)] == ["10.0.0.2"]


def test_an_additive_batch_leaves_the_others_alone(demo: Caller, pool: str, clock: ManualClock) -> None:
    add(demo, pool, "10.0.0.1", weight=7)
    clock.advance(BUSY)
    assert put(demo, pool, "10.0.0.2", query="?additive_only=True", weight=0).status_code == 202
    clock.advance(BUSY)
    shown = {each["address"]: each["weight"] for each in members(demo, pool)}
    assert shown == {"10.0.0.1": 7, "10.0.0.2": 0}


def test_a_member_is_changed_and_deleted(demo: Caller, pool: str, clock: ManualClock) -> None:
    member = add(demo, pool).json()["member"]["id"]
    clock.advance(BUSY)
    path = f"/pools/{pool}/members/{member}"
    changed = demo.octavia("PUT", path, {"member": {"weight": 0}})
    assert (changed.status_code, changed.json()["member"]["weight"]) == (200, 0)
    clock.advance(BUSY)
    assert demo.octavia("DELETE", path).status_code == 204
    assert demo.octavia("GET", path).json()["member"]["provisioning_status"] == "PENDING_DELETE"
    clock.advance(BUSY)
    gone = demo.octavia("GET", path)
    assert (gone.status_code, gone.json()["faultstring"]) == (404, f"Member {member} not found.")


def test_a_monitored_member_is_online_draining_or_what_a_test_says(
    cloud: SimCloud, demo: Caller, pool: str, clock: ManualClock
) -> None:
    balancer = str(balancer_of(demo, pool)["id"])
    monitor = {"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2}
    monitored = str(made_pool(demo, balancer, clock, healthmonitor=monitor)["id"])
    member = add(demo, monitored).json()["member"]
    assert member["operating_status"] == "OFFLINE"
    clock.advance(BUSY)
    assert members(demo, monitored)[0]["operating_status"] == "ONLINE"
    cloud.backstage.set_pool_member_status(member["id"], "ERROR")
    assert members(demo, monitored)[0]["operating_status"] == "ERROR"
    add(demo, monitored, "10.0.0.6", weight=0)
    clock.advance(BUSY)
    assert members(demo, monitored)[1]["operating_status"] == "DRAINING"


def test_a_list_comes_in_pages(demo: Caller, pool: str, clock: ManualClock) -> None:
    put(demo, pool, *(f"10.0.0.{n}" for n in range(1, 6)))
    path, found = f"/pools/{pool}/members?limit=2", []
    for _ in range(3):
        page = demo.octavia("GET", path).json()
        found += [each["address"] for each in page["members"]]
        path = f"/pools/{pool}/members?limit=2&marker={page['members'][-1]['id']}"
    assert "members_links" not in page
    assert sorted(found) == [f"10.0.0.{n}" for n in range(1, 6)]
    assert demo.octavia("GET", f"/pools/{pool}/members?marker=nope").status_code == 400


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"address": "nope"}, "Value should be IPv4 or IPv6 format"),
        ({"weight": 257}, "Value should be greater or equal to 0 and lower or equal to 256"),
        ({"protocol_port": 0}, "Value should be greater or equal to 1 and lower or equal to 65535"),
        ({"subnet_id": "nope"}, "Value should be UUID format"),
        ({"bogus": 1}, "Unknown attribute for argument member_: member: bogus"),
    ],
)
def test_a_member_may_be_malformed(demo: Caller, pool: str, fields: Document, message: str) -> None:
    refused = demo.octavia(
        "POST", f"/pools/{pool}/members", {"member": {"address": "10.0.0.5", "protocol_port": 80, **fields}}
    )
    assert refused.status_code == 400
    assert refused.json()["faultstring"].endswith(message)


def test_an_address_and_port_are_in_a_pool_once(demo: Caller, pool: str, clock: ManualClock) -> None:
    add(demo, pool)
    clock.advance(BUSY)
    again = add(demo, pool)
    message = "Another member on this pool is already using ip 10.0.0.5 on protocol_port 80"
    assert (again.status_code, again.json()["faultstring"]) == (409, message)


def test_readers_change_nothing_and_others_see_nothing(cloud: SimCloud, demo: Caller, pool: str) -> None:
    message = "Policy does not allow this request to be performed."
    reader, other = Caller.named(cloud, "reader", "demo"), Caller.named(cloud, "demo2", "demo2")
    assert reader.octavia("GET", f"/pools/{pool}").status_code == 200
    for refused in (add(reader, pool), other.octavia("GET", f"/pools/{pool}")):
        assert (refused.status_code, refused.json()["faultstring"]) == (403, message)
    nobody = Caller(cloud, "nope").octavia("GET", f"/pools/{pool}")
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, 401)


def test_pools_and_load_balancers_go(demo: Caller, pool: str, clock: ManualClock) -> None:
    balancer = balancer_of(demo, pool)["id"]
    add(demo, pool)
    clock.advance(BUSY)
    assert demo.octavia("DELETE", f"/loadbalancers/{balancer}").status_code == 400
    assert demo.octavia("DELETE", f"/loadbalancers/{balancer}?cascade=true").status_code == 204
    gone = demo.octavia("GET", f"/pools/{pool}")
    assert (gone.status_code, gone.json()["faultstring"]) == (404, f"Pool {pool} not found.")
    other = str(made_pool(demo, made_balancer(demo, clock), clock)["id"])
    assert demo.octavia("DELETE", f"/pools/{other}").status_code == 204
    assert demo.octavia("GET", f"/pools/{other}/members").status_code == 404


def test_faults_name_octavia_like_the_others(cloud: SimCloud, demo: Caller, pool: str) -> None:
    cloud.faults.add(Fault(what=Effect.PERFORM_THEN_DROP, service="octavia", method="POST"))
    with pytest.raises(requests.ConnectionError):
        add(demo, pool)
    assert [each["address"] for each in members(demo, pool)] == ["10.0.0.5"]


def test_pools_and_members_survive_a_restart(clock: ManualClock, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with SimCloud(now=clock, state=state) as before:
        demo = Caller.named(before, "demo", "demo")
        pool = str(made_pool(demo, made_balancer(demo, clock), clock)["id"])
        add(demo, pool, tags=["t"])
        shown = members(demo, pool)
    with SimCloud(now=clock, state=state) as after:
        assert members(Caller(after, demo.token), pool) == shown


def test_servers_on_networks_have_addresses_of_their_own_once_they_are_active(
    demo: Caller, clock: ManualClock
) -> None:
    network = "0a1b2c3d-0000-4000-8000-000000000000"
    first = demo.created(networks=[{"uuid": network}])
    assert demo.shown(first)["addresses"] == {}
    clock.advance(10)
    (address,) = demo.shown(first)["addresses"]["net-0a1b2c3d"]
    assert (address["addr"], address["version"], address["OS-EXT-IPS:type"]) == ("10.0.0.10", 4, "fixed")
    second = demo.created(networks="auto")
    clock.advance(10)
    assert demo.shown(second)["addresses"]["private"][0]["addr"] == "10.0.0.11"
    demo.nova("DELETE", f"/servers/{first}")
    clock.advance(5)
    third = demo.created(networks="auto")
    clock.advance(10)
    assert demo.shown(third)["addresses"]["private"][0]["addr"] == "10.0.0.10"
