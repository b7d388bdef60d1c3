"""The simulated Nova creates servers, or refuses to, as Nova 34 was seen to."""

from __future__ import annotations

import pytest

from dev.simcloud import IMAGE_ID, ManualClock, SimCloud
from tests.dev.caller import DEMO, DEMO_PROJECT, Caller, Document, error_of

NO_SCHEMA = "is not valid under any of the given schemas"


def test_a_creation_answers_with_where_the_server_is(cloud: SimCloud, demo: Caller) -> None:
    response = demo.create()
    server = response.json()["server"]
    location = f"{cloud.url}/compute/v2.1/servers/{server['id']}"
    assert response.status_code == 202
    assert response.headers["Location"] == location
    assert server["links"][0] == {"rel": "self", "href": location}
    assert server["OS-DCF:diskConfig"] == "MANUAL"
    assert server["security_groups"] == [{"name": "default"}]
    assert server["adminPass"]


def test_a_server_builds_and_then_is_active(demo: Caller, clock: ManualClock) -> None:
    server_id = demo.created(metadata={"group": "g"}, tags=["x", "b"])
    building = demo.shown(server_id)
    assert (building["status"], building["OS-EXT-STS:vm_state"]) == ("BUILD", "building")
    assert (building["OS-EXT-STS:task_state"], building["hostId"]) == ("scheduling", "")
    assert (building["user_id"], building["tenant_id"]) == (DEMO, DEMO_PROJECT)
    assert (building["metadata"], building["tags"]) == ({"group": "g"}, ["b", "x"])
    assert (building["created"], building["updated"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    clock.advance(10)
    active = demo.shown(server_id)
    assert (active["status"], active["OS-EXT-STS:vm_state"]) == ("ACTIVE", "active")
    assert (active["OS-EXT-STS:task_state"], active["OS-EXT-STS:power_state"]) == (None, 1)
    assert active["OS-SRV-USG:launched_at"] == "2026-01-01T00:00:10.000000"
    assert active["updated"] == "2026-01-01T00:00:10Z"
    assert active["hostId"]


def test_what_no_host_holds_is_an_error_that_must_be_deleted(demo: Caller, clock: ManualClock) -> None:
    server_id = demo.created(flavorRef="m1.huge")
    assert demo.shown(server_id)["status"] == "BUILD"
    clock.advance(10)
    broken = demo.shown(server_id)
    assert broken["status"] == "ERROR"
    assert broken["fault"] == {
        "code": 500,
        "created": "2026-01-01T00:00:10Z",
        "message": "No valid host was found. ",
    }
    assert demo.nova("DELETE", f"/servers/{server_id}").status_code == 204
    assert demo.nova("GET", f"/servers/{server_id}").status_code == 404


def test_the_same_name_again_is_another_server(demo: Caller) -> None:
    assert demo.created() != demo.created()
    assert demo.names() == ["a", "a"]


def test_several_are_numbered_and_carry_the_same_tags(demo: Caller) -> None:
    demo.created(min_count=3, max_count=3, tags=["t"])
    assert demo.names("?tags=t") == ["a-1", "a-2", "a-3"]


def test_a_reservation_finds_the_servers_of_one_request(demo: Caller) -> None:
    demo.created()
    reserved = demo.create(name="b", min_count=2, max_count=2, return_reservation_id=True).json()
    assert demo.names(f"?reservation_id={reserved['reservation_id']}") == ["b-1", "b-2"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"flavorRef": "nope"}, "Flavor nope could not be found."),
        ({"imageRef": "00000000-0000-0000-0000-000000000000"}, "Can not find requested image"),
        ({"imageRef": None}, "Missing imageRef attribute"),
        ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
        ({"availability_zone": "nope"}, "The requested availability zone is not available"),
        (
            {"imageRef": "nope"},
            f"Invalid input for field/attribute imageRef. Value: nope. 'nope' {NO_SCHEMA}",
        ),
        (
            {"min_count": 0},
            "Invalid input for field/attribute min_count. Value: 0. 0 is less than the minimum of 1",
        ),
        ({"name": ""}, "Invalid input for field/attribute name. Value: . '' should be non-empty"),
        (
            {"tags": ["a,b"]},
            "Invalid input for field/attribute 0. Value: a,b. 'a,b' does not match '^[^,/]*$'",
        ),
        (
            {"metadata": {"a": 1}},
            "Invalid input for field/attribute a. Value: 1. 1 is not of type 'string'",
        ),
        (
            {"user_data": "a"},
            "Invalid input for field/attribute user_data. Value: a. 'a' is not a 'base64'",
        ),
    ],
)
def test_a_creation_may_be_malformed(demo: Caller, fields: Document, message: str) -> None:
    response = demo.create(**fields)
    assert (response.status_code, response.json()) == (400, {"badRequest": {"code": 400, "message": message}})


@pytest.mark.parametrize(
    ("version", "fields", "ending"),
    [
        ("2.36", {}, "Value: none. 'none' is not of type 'array'"),
        ("2.37", {"networks": None}, "'networks' is a required property"),
        ("2.51", {"tags": ["a"]}, "Additional properties are not allowed ('tags' was unexpected)"),
        ("2.79", {"bogus": 1}, "Additional properties are not allowed ('bogus' was unexpected)"),
    ],
)
def test_what_is_allowed_depends_on_the_microversion(
    demo: Caller, version: str, fields: Document, ending: str
) -> None:
    response = demo.create(version=version, **fields)
    assert response.status_code == 400
    assert error_of(response).endswith(ending)


def test_hints_zones_keys_and_user_data_are_taken(demo: Caller, clock: ManualClock) -> None:
    server = {
        "name": "a",
        "flavorRef": "m1.small",
        "imageRef": IMAGE_ID,
        "networks": [{"uuid": "00000000-0000-0000-0000-000000000000"}],
        "availability_zone": "az1",
        "key_name": "k",
        "user_data": "aGk=",
    }
    body = {"server": server, "os:scheduler_hints": {"group": "g"}}
    response = demo.nova("POST", "/servers", body)
    clock.advance(10)
    shown = demo.shown(response.json()["server"]["id"])
    assert (shown["OS-EXT-AZ:availability_zone"], shown["key_name"]) == ("az1", "k")


def test_a_reader_creates_nothing(cloud: SimCloud) -> None:
    response = Caller.named(cloud, "reader", "demo").create()
    message = "Policy doesn't allow os_compute_api:servers:create to be performed."
    assert (response.status_code, response.json()) == (403, {"forbidden": {"code": 403, "message": message}})


def test_a_request_beyond_the_quota_makes_nothing(cloud: SimCloud, demo: Caller) -> None:
    cloud.backstage.set_quota("demo", instances=8)
    demo.created(min_count=7)
    response = demo.create(min_count=10)
    message = "Quota exceeded for instances: Requested 10, but already used 7 of 8 instances"
    assert (response.status_code, error_of(response)) == (403, message)
    assert len(demo.names()) == 7


def test_a_range_makes_what_the_quota_leaves(cloud: SimCloud, demo: Caller) -> None:
    cloud.backstage.set_quota("demo", instances=8)
    demo.created(min_count=7)
    demo.created(name="b", min_count=1, max_count=10)
    assert demo.names("?name=b") == ["b"]


def test_several_limits_are_told_of_at_once(demo: Caller, admin: Caller) -> None:
    admin.nova("PUT", f"/os-quota-sets/{DEMO_PROJECT}", {"quota_set": {"instances": 2, "cores": 1}})
    assert error_of(demo.create(min_count=2, max_count=3)) == (
        "Quota exceeded for cores, instances: Requested 3, 2-3, "
        "but already used 0, 0 of 1, 2 cores, instances"
    )


def test_broken_servers_count_against_the_quota_until_they_are_gone(
    cloud: SimCloud, demo: Caller, clock: ManualClock
) -> None:
    cloud.backstage.set_quota("demo", instances=1)
    server_id = demo.created(flavorRef="m1.huge")
    clock.advance(10)
    assert demo.create().status_code == 403
    demo.nova("DELETE", f"/servers/{server_id}")
    assert demo.create().status_code == 202


def test_a_project_reads_its_own_quota_and_only_admins_set_it(
    cloud: SimCloud, demo: Caller, admin: Caller
) -> None:
    path = f"/os-quota-sets/{DEMO_PROJECT}"
    assert demo.nova("PUT", path, {"quota_set": {"instances": 3}}).status_code == 403
    assert admin.nova("PUT", path, {"quota_set": {"instances": 3}}).status_code == 200
    demo.created()
    assert demo.nova("GET", path).json()["quota_set"]["instances"] == 3
    detail = demo.nova("GET", f"{path}/detail").json()["quota_set"]["instances"]
    assert detail == {"limit": 3, "in_use": 1, "reserved": 0}
    limits = demo.nova("GET", "/limits").json()["limits"]["absolute"]
    assert (limits["maxTotalInstances"], limits["totalInstancesUsed"]) == (3, 1)
    assert Caller.named(cloud, "demo2", "demo2").nova("GET", path).status_code == 403
