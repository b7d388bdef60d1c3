"""Groups behind a load balancer, as an owner sees them over REST, in Octavia and in Nova."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from dev.client import Document
from tests.end_to_end.conftest import launch
from tests.end_to_end.site import Party, Site, is_going

pytestmark = pytest.mark.timeout(300)

DRAIN_SECONDS = 3


@pytest.fixture
def pool(owner: Party) -> Iterator[Document]:
    """A pool in which somebody else's member stands."""
    if owner.endpoint("load-balancer") is None:
        pytest.skip("this cloud has no Octavia")
    octavia = owner.cloud.load_balancer
    balancer = octavia.create_load_balancer(name=f"e2e-{uuid.uuid4()}")
    octavia.wait_for_load_balancer(balancer.id)
    made = octavia.create_pool(loadbalancer_id=balancer.id, protocol="HTTP", lb_algorithm="ROUND_ROBIN")
    octavia.wait_for_load_balancer(balancer.id)
    octavia.create_member(made.id, name="theirs", address="192.0.2.7", protocol_port=80)
    octavia.wait_for_load_balancer(balancer.id)
    yield {"id": made.id, "balancer": balancer.id}
    octavia.delete_load_balancer(balancer.id, cascade=True)


def members_of(owner: Party, pool: Document) -> dict[str, Document]:
    """Return who stands in the pool beside the stranger, by address."""
    found = {m.address: m for m in owner.cloud.load_balancer.members(pool["id"])}
    stranger = found.pop("192.0.2.7")
    assert (stranger.name, stranger.weight) == ("theirs", 1)
    return {address: {"name": m.name, "weight": m.weight, "id": m.id} for address, m in found.items()}


def addresses_of(owner: Party, group: Document) -> set[str]:
    servers = owner.cloud.compute.servers(tags=f"thermostat:group:{group['id']}")
    shown = [server for server in servers if not is_going(server)]
    return {each["addr"] for s in shown for network in s.addresses.values() for each in network}


def balanced(owner: Party, group: Document, pool: Document, size: int) -> None:
    """Wait until the group has ``size`` members, and exactly these stand in the pool."""
    owner.api.until(
        f"/v1/groups/{group['id']}",
        lambda g: g["status"] == "active" and g["in_service"] == g["desired_capacity"] == size,
        within_seconds=90,
    )
    standing = members_of(owner, pool)
    assert standing.keys() == addresses_of(owner, group)
    assert len(standing) == size
    assert {member["weight"] for member in standing.values()} <= {1}


def a_group(owner: Party, where: Site, pool: Document, size: int) -> Document:
    credential = owner.api.post("/v1/credentials", {"name": "balanced", "type": "trust"})
    wanted = launch(where, "balanced")
    wanted["server"]["networks"] = [{"uuid": str(uuid.uuid4())}]
    configuration = owner.api.post("/v1/launch-configurations", wanted)
    return owner.api.post(
        "/v1/groups",
        {
            "name": "balanced",
            "min_size": 0,
            "max_size": 60,
            "desired_capacity": size,
            "cooldown": 0,
            "launch_configuration_id": configuration["id"],
            "credential_id": credential["id"],
            "load_balancers": [{"pool_id": pool["id"], "protocol_port": 80, "drain_seconds": DRAIN_SECONDS}],
        },
    )


def test_a_group_grows_and_shrinks_behind_a_load_balancer(owner: Party, where: Site, pool: Document) -> None:
    group = a_group(owner, where, pool, 2)
    path = f"/v1/groups/{group['id']}"
    balanced(owner, group, pool, 2)
    began = time.monotonic()
    owner.api.patch(path, {"desired_capacity": 52})
    balanced(owner, group, pool, 52)
    print(f"+50: in service and in the pool after {time.monotonic() - began:.1f} s")
    before = addresses_of(owner, group)
    began = time.monotonic()
    owner.api.patch(path, {"desired_capacity": 49})
    owner.api.until(f"{path}/members?limit=100", _three_drain, within_seconds=30)
    assert addresses_of(owner, group) == before, "servers outlive their drain"
    balanced(owner, group, pool, 49)
    assert time.monotonic() - began >= DRAIN_SECONDS
    print(f"-3: drained and gone after {time.monotonic() - began:.1f} s")


def test_a_server_that_is_lost_leaves_the_pool_and_one_that_takes_its_place_enters(
    owner: Party, where: Site, pool: Document
) -> None:
    group = a_group(owner, where, pool, 2)
    balanced(owner, group, pool, 2)
    before = members_of(owner, pool)
    lost = owner.servers_of(group)[0]
    owner.cloud.compute.delete_server(lost["id"])
    owner.api.post(f"/v1/groups/{group['id']}/convergences", {})
    owner.api.until(
        f"/v1/groups/{group['id']}/members",
        lambda found: lost["id"] not in {member["server_id"] for member in found["members"]},
    )
    balanced(owner, group, pool, 2)
    assert {m["name"] for m in members_of(owner, pool).values()} != {m["name"] for m in before.values()}


def test_a_group_that_is_deleted_leaves_nothing_in_the_pool(
    owner: Party, where: Site, pool: Document
) -> None:
    group = a_group(owner, where, pool, 2)
    balanced(owner, group, pool, 2)
    owner.api.delete(f"/v1/groups/{group['id']}")
    end = time.monotonic() + 60
    while members_of(owner, pool) or owner.api.get("/v1/groups")["groups"]:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert owner.servers_of(group) == []


def _three_drain(found: Document) -> bool:
    statuses: list[str] = [member["status"] for member in found["members"]]
    return statuses.count("draining") == 3
