from __future__ import annotations

import base64
from typing import Any

from tests.api.caller import NO_SUCH_ID, SERVER, Api, Estate

PATH = "/v1/launch-configurations"
WHOLE: dict[str, Any] = {
    "image": "8a5b",
    "flavor": "m1.small",
    "networks": [{"uuid": "net-1"}, {"port": "port-1", "tag": "eth1"}],
    "key_name": "ops",
    "security_groups": ["default", "web"],
    "user_data": base64.b64encode(b"#!/bin/sh\n" * 1000).decode(),
    "config_drive": True,
    "metadata": {"rôle": "web ☃"},
    "tags": ["blue", "☃"],
    "scheduler_hints": {
        "group": "sg-1",
        "build_near_host_ip": "10.0.0.0",
        "number": 2**70,
        "deep": {"a": [1]},
    },
    "block_device_mapping_v2": [{"boot_index": 0, "uuid": "v", "source_type": "volume"}],
    "intake_in_user_data": False,
}


def test_a_launch_configuration_is_shown_as_it_was_given(api: Api) -> None:
    answer = api.post(PATH, {"name": "web", "server": WHOLE})
    assert (answer.status, answer.document["server"]) == (201, WHOLE)
    path = f"{PATH}/{answer.document['id']}"
    assert answer.headers["location"] == f"http://scale.example{path}"
    shown = api.get(path)
    assert (shown.status, shown.document) == (200, answer.document)


def test_a_list_shows_no_user_data(api: Api) -> None:
    """It may be as long as 64 kB, and an answer has room for 6 MB on Lambda."""
    api.post(PATH, {"name": "web", "server": WHOLE})
    (listed,) = api.get(PATH).document["launch_configurations"]
    assert listed["server"] == {**WHOLE, "user_data": None}


def test_what_is_left_out_is_as_simple_as_can_be(api: Api) -> None:
    document = api.launch_configuration()
    assert document["type"] == "server"
    assert {name: value for name, value in document["server"].items() if value} == {
        **SERVER,
        "networks": "none",
    }


def test_a_server_may_boot_from_a_volume_instead_of_an_image(api: Api) -> None:
    device = {"boot_index": 0, "uuid": "v", "source_type": "volume"}
    document = api.launch_configuration(server={"flavor": "f", "block_device_mapping_v2": [device]})
    assert document["server"]["image"] is None


def test_the_same_client_token_makes_one(api: Api) -> None:
    first = api.launch_configuration(client_token="once")
    with api.unchanged():
        assert api.launch_configuration(client_token="once") == first
        answer = api.post(PATH, {"name": "other", "server": SERVER, "client_token": "once"})
    assert (answer.status, answer.code) == (409, "client_token.reused")


def test_it_never_changes(api: Api, estate: Estate) -> None:
    path = estate.path(f"{PATH}/{{launch_configuration_id}}")
    with api.unchanged():
        assert api.patch(path, {"name": "other"}).status == 405


def test_what_a_group_uses_stays(api: Api, estate: Estate) -> None:
    path = estate.path(f"{PATH}/{{launch_configuration_id}}")
    with api.unchanged():
        answer = api.delete(path)
    assert (answer.status, answer.code) == (409, "launch_configuration.in_use")
    other = api.launch_configuration()["id"]
    api.patch(estate.path("/v1/groups/{group_id}"), {"launch_configuration_id": other})
    assert api.delete(path).status == 204
    for method in ("GET", "DELETE"):
        answer = api.request(method, path)
        assert (answer.status, answer.code) == (404, "launch_configuration.not_found")


def test_they_come_in_pages(api: Api) -> None:
    made = sorted(api.launch_configuration()["id"] for _ in range(3))
    page = api.get(f"{PATH}?limit=2").document
    rest = api.get(page["links"][0]["href"].removeprefix("http://scale.example")).document
    assert [each["id"] for part in (page, rest) for each in part["launch_configurations"]] == made
    assert api.get(f"{PATH}?marker={NO_SUCH_ID}").document["launch_configurations"] == []
