"""Stacks as members, as callers of the API see them."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.ports.cloud import CredentialBroken
from chalicelib.ports.stacks import CreationDenied
from tests.api.caller import NO_SUCH_ID, Api

PATH = "/v1/launch-configurations"
TEMPLATE = "heat_template_version: 2018-08-31\nresources: {}\n"
WHOLE: dict[str, Any] = {
    "template": TEMPLATE,
    "parameters": {"size": 2, "names": ["a", None], "deep": {"a": {"b": 1.5}}},
    "files": {"file:///a.yaml": "☃"},
    "environment": {"resource_registry": {"My::Type": "file:///a.yaml"}},
    "timeout_minutes": 5,
    "tags": ["blue"],
}


def a_stack(api: Api, **changes: Any) -> dict[str, Any]:
    body = {"name": "web", "type": "stack", "stack": {"template": TEMPLATE, **changes}}
    return api.created(PATH, body)


def test_a_launch_configuration_of_a_stack_is_shown_as_it_was_given(api: Api) -> None:
    document = a_stack(api, **WHOLE)
    assert (document["type"], document["server"], document["stack"]) == ("stack", None, WHOLE)
    assert api.get(f"{PATH}/{document['id']}").document == document


def test_a_template_may_be_a_document(api: Api) -> None:
    template = {"heat_template_version": "2018-08-31", "resources": {}}
    assert a_stack(api, template=template)["stack"]["template"] == template


def test_what_is_left_out_is_as_simple_as_can_be(api: Api) -> None:
    assert a_stack(api)["stack"] == {
        "template": TEMPLATE,
        "parameters": {},
        "files": {},
        "environment": None,
        "timeout_minutes": 60,
        "tags": [],
    }


def test_a_list_shows_neither_templates_nor_files(api: Api) -> None:
    a_stack(api, **WHOLE)
    (listed,) = api.get(PATH).document["launch_configurations"]
    assert listed["stack"] == {**WHOLE, "template": None, "files": None}


def test_the_members_of_a_group_of_stacks_are_stacks(api: Api) -> None:
    group = api.group(launch_configuration_id=a_stack(api)["id"])
    api.world.settle()
    members = api.get(f"/v1/groups/{group['id']}/members").document["members"]
    assert len(members) == 2
    for member in members:
        assert member["server_id"] is None
        assert api.world.cloud.machines[member["stack_id"]].name == member["name"]


def test_the_members_of_a_group_of_servers_are_servers(api: Api) -> None:
    group = api.group()
    api.world.settle()
    for member in api.get(f"/v1/groups/{group['id']}/members").document["members"]:
        assert member["stack_id"] is None
        assert member["server_id"] in api.world.cloud.machines


def test_a_group_whose_credential_makes_no_stacks_is_refused_and_told_what_to_do(api: Api) -> None:
    body = {
        "name": "web",
        "max_size": 2,
        "launch_configuration_id": a_stack(api)["id"],
        "credential_id": api.credential()["id"],
    }
    api.world.rehearsals.refusal = CreationDenied("Use a trust with redelegation: true.")
    with api.unchanged():
        answer = api.post("/v1/groups", body)
    assert (answer.status, answer.code) == (409, "credential.creates_no_stacks")
    assert "redelegation: true" in answer.detail


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"launch_configuration_id": "server"}, "group.kind"),
        ({"availability_zones": ["a"]}, "group.zones_of_stacks"),
        ({"load_balancers": [{"pool_id": NO_SUCH_ID, "protocol_port": 80}]}, "group.pools_of_stacks"),
    ],
)
def test_what_makes_no_sense_for_stacks_is_refused(api: Api, change: dict[str, Any], code: str) -> None:
    group = api.group(launch_configuration_id=a_stack(api)["id"])
    others = {"server": api.launch_configuration()["id"]}
    body = {name: others[value] if value == "server" else value for name, value in change.items()}
    with api.unchanged():
        answer = api.patch(f"/v1/groups/{group['id']}", body)
    assert (answer.status, answer.code) == (400, code)


def test_parameters_are_in_no_error(api: Api) -> None:
    """And in no log line, as at the end of every test."""
    secret = "the-password-in-a-parameter"
    api.secrets.add(secret)
    bad = {"template": TEMPLATE, "parameters": {"password": secret}, "tags": ["thermostat:x"]}
    answer = api.post(PATH, {"name": "web", "type": "stack", "stack": bad})
    assert answer.status == 400
    group = api.group(launch_configuration_id=a_stack(api, parameters={"password": secret})["id"])
    api.world.cloud.fail_builds = 1
    api.world.settle()
    assert secret not in repr(api.get(f"/v1/groups/{group['id']}").document)


def test_a_trust_for_stacks_comprises_what_its_roles_imply(api: Api) -> None:
    body = {"name": "stacks", "type": "trust", "roles": ["member"], "redelegation": True}
    answer = api.post("/v1/credentials", body)
    assert answer.status == 201
    assert (answer.document["roles"], answer.document["redelegation"]) == (["member", "reader"], True)
    (trust,) = api.world.identity.trusts
    assert api.world.identity.delegated[trust] == (("member", "reader"), True)


def test_other_trusts_may_not_be_delegated_on(api: Api) -> None:
    assert api.credential()["redelegation"] is False
    assert list(api.world.identity.delegated.values()) == [(("member",), False)]


def test_a_trust_for_stacks_that_does_not_work_is_not_kept(api: Api) -> None:
    api.world.identity.refusal = CredentialBroken("The role is missing.", for_good=True)
    with api.unchanged():
        answer = api.post("/v1/credentials", {"name": "stacks", "type": "trust", "redelegation": True})
    assert (answer.status, answer.code) == (400, "credential.refused")
