"""The simulated Nova shows, changes and deletes servers as Nova 34 was seen to."""

from __future__ import annotations

import pytest
import requests

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller, error_of


@pytest.fixture
def server_id(demo: Caller, clock: ManualClock) -> str:
    """Return the id of an ACTIVE server."""
    server_id = demo.created()
    clock.advance(10)
    return server_id


def act(caller: Caller, server_id: str, action: str) -> requests.Response:
    return caller.nova("POST", f"/servers/{server_id}/action", {action: None})


def test_a_deleted_server_lingers_and_then_is_gone(demo: Caller, server_id: str, clock: ManualClock) -> None:
    path = f"/servers/{server_id}"
    assert [demo.nova("DELETE", path).status_code for _ in range(2)] == [204, 204]
    deleting = demo.shown(server_id)
    assert (deleting["status"], deleting["OS-EXT-STS:task_state"]) == ("ACTIVE", "deleting")
    assert demo.names() == ["a"]
    clock.advance(5)
    response = demo.nova("GET", path)
    message = f"Instance {server_id} could not be found."
    assert (response.status_code, response.json()) == (
        404,
        {"itemNotFound": {"code": 404, "message": message}},
    )
    assert demo.nova("DELETE", path).status_code == 404
    assert demo.names() == []


def test_another_projects_server_does_not_exist(cloud: SimCloud, server_id: str) -> None:
    stranger = Caller.named(cloud, "demo2", "demo2")
    for method in ("GET", "DELETE"):
        assert stranger.nova(method, f"/servers/{server_id}").status_code == 404
    assert stranger.names() == []


def test_a_reader_looks_and_changes_nothing(cloud: SimCloud, server_id: str) -> None:
    reader = Caller.named(cloud, "reader", "demo")
    assert reader.names() == ["a"]
    assert reader.nova("DELETE", f"/servers/{server_id}").status_code == 403
    assert act(reader, server_id, "os-stop").status_code == 403


def test_a_service_role_lists_nothing(thermostat: Caller) -> None:
    response = thermostat.nova("GET", "/servers")
    message = "Policy doesn't allow os_compute_api:servers:index to be performed."
    assert (response.status_code, error_of(response)) == (403, message)


def test_a_server_stops_and_starts(demo: Caller, server_id: str) -> None:
    assert act(demo, server_id, "os-stop").status_code == 202
    stopped = demo.shown(server_id)
    assert (stopped["status"], stopped["OS-EXT-STS:vm_state"]) == ("SHUTOFF", "stopped")
    assert act(demo, server_id, "os-start").status_code == 202
    assert demo.shown(server_id)["status"] == "ACTIVE"


def test_an_action_in_the_wrong_state_is_a_conflict(demo: Caller, server_id: str) -> None:
    response = act(demo, server_id, "os-start")
    message = f"Cannot 'start' instance {server_id} while it is in vm_state active"
    assert (response.status_code, response.json()) == (
        409,
        {"conflictingRequest": {"code": 409, "message": message}},
    )


def test_a_server_without_a_host_is_not_ready(demo: Caller) -> None:
    server_id = demo.created()
    response = act(demo, server_id, "os-stop")
    assert (response.status_code, error_of(response)) == (409, f"Instance {server_id} is not ready")


def test_a_server_under_deletion_takes_no_action(demo: Caller, server_id: str) -> None:
    demo.nova("DELETE", f"/servers/{server_id}")
    response = act(demo, server_id, "os-stop")
    message = f"Cannot 'stop' instance {server_id} while it is in task_state deleting"
    assert (response.status_code, error_of(response)) == (409, message)


def test_an_unknown_action_is_told_so(demo: Caller, server_id: str) -> None:
    assert error_of(act(demo, server_id, "bogus")) == "There is no such action: bogus"


def test_metadata_is_added_to(demo: Caller, server_id: str) -> None:
    path = f"/servers/{server_id}/metadata"
    demo.nova("POST", path, {"metadata": {"a": "1"}})
    response = demo.nova("POST", path, {"metadata": {"b": "2"}})
    assert (response.status_code, response.json()) == (200, {"metadata": {"a": "1", "b": "2"}})
    assert demo.nova("GET", path).json() == response.json()


def test_tags_are_put_looked_for_and_removed(demo: Caller, server_id: str) -> None:
    path = f"/servers/{server_id}/tags"
    assert [demo.nova("PUT", f"{path}/t").status_code for _ in range(2)] == [201, 204]
    assert demo.nova("GET", path).json() == {"tags": ["t"]}
    assert demo.nova("GET", f"{path}/t").status_code == 204
    assert [demo.nova("DELETE", f"{path}/t").status_code for _ in range(2)] == [204, 404]
    assert error_of(demo.nova("GET", f"{path}/t")) == f"Server {server_id} has no tag 't'"


@pytest.mark.parametrize(
    ("method", "label", "action"),
    [("PUT", "tags/t", "update tag"), ("POST", "metadata", "update metadata")],
)
def test_a_building_server_takes_no_labels(demo: Caller, method: str, label: str, action: str) -> None:
    server_id = demo.created()
    response = demo.nova(method, f"/servers/{server_id}/{label}", {"metadata": {"a": "b"}})
    message = f"Cannot '{action}' instance {server_id} while it is in vm_state building"
    assert (response.status_code, error_of(response)) == (409, message)


@pytest.mark.parametrize(
    ("version", "has", "lacks"),
    [
        ("2.1", set(), {"locked", "description", "tags"}),
        ("2.26", {"locked", "description", "tags"}, {"locked_reason"}),
        ("2.79", {"locked_reason", "server_groups"}, {"OS-EXT-SRV-ATTR:hostname"}),
        ("2.104", {"OS-EXT-SRV-ATTR:hostname", "pinned_availability_zone", "scheduler_hints"}, set()),
    ],
)
def test_a_server_is_told_more_of_by_later_microversions(
    demo: Caller, server_id: str, version: str, has: set[str], lacks: set[str]
) -> None:
    shown = demo.nova("GET", f"/servers/{server_id}", version=version).json()["server"]
    assert has <= shown.keys()
    assert lacks.isdisjoint(shown)


def test_flavors_are_embedded_since_2_47(demo: Caller, server_id: str) -> None:
    path = f"/servers/{server_id}"
    assert demo.nova("GET", path, version="2.46").json()["server"]["flavor"]["id"] == "m1.tiny"
    assert demo.nova("GET", path, version="2.47").json()["server"]["flavor"]["original_name"] == "m1.tiny"


@pytest.mark.parametrize(
    ("version", "status", "kind"), [("2.999", 406, "computeFault"), ("nope", 400, "badRequest")]
)
def test_an_unsupported_microversion_is_refused(demo: Caller, version: str, status: int, kind: str) -> None:
    response = demo.nova("GET", "/servers", version=version)
    assert response.status_code == status
    assert list(response.json()) == [kind]


def test_each_answer_names_its_microversion_and_itself(demo: Caller) -> None:
    headers = demo.nova("GET", "/servers", version="2.90").headers
    assert headers["OpenStack-API-Version"] == "compute 2.90"
    assert headers["x-openstack-request-id"].startswith("req-")


def test_a_bad_token_is_refused_in_keystones_shape(cloud: SimCloud) -> None:
    response = Caller(cloud, "nope").nova("GET", "/servers")
    assert response.status_code == 401
    assert response.json()["error"]["title"] == "Unauthorized"


def test_flavors_zones_and_the_image_are_offered(cloud: SimCloud, demo: Caller) -> None:
    flavors = demo.nova("GET", "/flavors").json()["flavors"]
    assert [flavor["id"] for flavor in flavors] == ["m1.huge", "m1.small", "m1.tiny"]
    assert demo.nova("GET", "/flavors/m1.small").json()["flavor"]["ram"] == 512
    assert error_of(demo.nova("GET", "/flavors/nope")) == "Flavor nope could not be found."
    zones = demo.nova("GET", "/os-availability-zone").json()["availabilityZoneInfo"]
    assert zones[0] == {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
    headers = {"X-Auth-Token": demo.token}
    images = requests.get(f"{cloud.url}/image/v2/images", headers=headers, timeout=10).json()["images"]
    assert [image["name"] for image in images] == ["tiny"]
    assert requests.get(f"{cloud.url}/image/v2/images", timeout=10).status_code == 401
