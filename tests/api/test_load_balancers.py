"""Groups that name pools, over REST."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chalicelib.core.ids import GroupId, PoolId
from chalicelib.core.pool import Readiness
from tests.api.caller import Api

FIRST, SECOND = (str(uuid.UUID(int=number)) for number in (1, 2))
SUBNET = str(uuid.UUID(int=9))


@pytest.fixture(autouse=True)
def pools(api: Api) -> None:
    for number, id_ in enumerate((FIRST, SECOND)):
        api.world.balancers.add_pool(PoolId(id_), f"lb-{number}")


def a_pool(pool_id: str = FIRST, **fields: Any) -> dict[str, Any]:
    return {"pool_id": pool_id, "protocol_port": 80, **fields}


def whole(pool_id: str = FIRST, **fields: Any) -> dict[str, Any]:
    rest = {"subnet_id": None, "network": None, "weight": 1, "drain_seconds": 60}
    return {**a_pool(pool_id), **rest, **fields}


def path(group: dict[str, Any]) -> str:
    return f"/v1/groups/{group['id']}"


def test_pools_are_shown_with_what_was_left_out(api: Api) -> None:
    group = api.group(load_balancers=[a_pool()])
    assert group["load_balancers"] == [whole()]
    assert api.get(path(group)).document["load_balancers"] == [whole()]


def test_all_of_a_pool_can_be_said(api: Api) -> None:
    said: dict[str, Any] = {
        "protocol_port": 8080,
        "subnet_id": SUBNET,
        "network": "dmz",
        "weight": 256,
        "drain_seconds": 0,
    }
    group = api.group(load_balancers=[a_pool(**said)])
    assert group["load_balancers"] == [whole(**said)]


def test_a_patch_replaces_the_list_and_members_leave_what_is_not_on_it(api: Api) -> None:
    group = api.group(load_balancers=[a_pool()])
    api.world.settle()
    standing = api.world.balancers
    assert len(standing.names(PoolId(FIRST))) == group["desired_capacity"]
    patched = api.patch(path(group), {"load_balancers": [a_pool(SECOND, weight=3)]})
    assert (patched.status, patched.document["load_balancers"]) == (200, [whole(SECOND, weight=3)])
    api.world.settle()
    assert standing.names(PoolId(FIRST)) == {}
    assert set(standing.names(PoolId(SECOND)).values()) == {3}
    assert api.patch(path(group), {"name": "other"}).document["load_balancers"] == [whole(SECOND, weight=3)]
    assert api.patch(path(group), {"load_balancers": []}).document["load_balancers"] == []
    api.world.settle()
    assert standing.names(PoolId(SECOND)) == {}


def test_a_pool_put_back_on_the_list_is_not_left(api: Api) -> None:
    group = api.group(load_balancers=[a_pool()])
    api.world.settle()
    api.patch(path(group), {"load_balancers": []})
    api.patch(path(group), {"load_balancers": [a_pool()]})
    assert api.world.group(GroupId(group["id"])).former_pools == ()
    api.world.settle()
    assert len(api.world.balancers.names(PoolId(FIRST))) == group["desired_capacity"]


def test_too_many_pools_that_were_not_left_yet_are_a_conflict(api: Api) -> None:
    group = api.group(load_balancers=[a_pool()])
    api.world.balancers.balancers["lb-0"].forced = Readiness.BROKEN
    many = [[a_pool(str(uuid.UUID(int=100 + 5 * n + m))) for m in range(5)] for n in range(3)]
    for five in many[:2]:
        assert api.patch(path(group), {"load_balancers": five}).status == 200
    with api.unchanged():
        refused = api.patch(path(group), {"load_balancers": many[2]})
    assert (refused.status, refused.code) == (409, "group.pools_not_left_yet")


def test_a_member_that_is_in_no_pool_yet_says_so(api: Api) -> None:
    api.world.balancers.balancers["lb-0"].forced = Readiness.BROKEN
    group = api.group(load_balancers=[a_pool()])
    for _ in range(8):
        api.world.clock.pass_(10)
        api.world.tick()
    (first, *_) = api.get(f"{path(group)}/members").document["members"]
    assert (first["status"], first["health"]) == ("in_service", "out_of_pool")
    assert first["status_reason"] == f"It is not in pool {FIRST} yet."
    shown = api.get(path(group)).document
    assert shown["status"] == "error"
    assert "Load balancer lb-0" in shown["status_reason"]
    assert shown["retry_at"] is not None
    assert shown["in_service"] == group["desired_capacity"]


def test_a_dismissed_member_is_draining_and_then_gone(api: Api) -> None:
    group = api.group(load_balancers=[a_pool()])
    api.world.settle()
    (first, *_) = api.get(f"{path(group)}/members").document["members"]
    member = f"{path(group)}/members/{first['id']}"
    assert first["health"] == "healthy"
    assert api.delete(member).status == 204
    shown = api.get(member).document
    assert (shown["status"], shown["health"]) == ("draining", "unknown")
    assert "asked for it" in shown["status_reason"]
    api.world.settle()
    assert api.get(member).status == 404
