from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests_mock
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from chalicelib.core.credential import Credential
from chalicelib.core.ids import GroupId, ResourceId
from chalicelib.core.launch import LaunchType, StackTemplate
from chalicelib.core.member import GROUP_KEY, MEMBER_KEY
from chalicelib.openstack.stacks import Stacks
from chalicelib.ports.cloud import Cloud, CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.stacks import CreationDenied
from tests.core.factories import a_template
from tests.openstack.site import RANDOM, REQUEST_ID, Site
from tests.openstack.test_nova import ids, until

URL = "http://heat.test/v1/project"
NOBODY = ResourceId("00000000-0000-4000-8000-000000000000")

SHOWN = """heat_template_version: 2018-08-31
parameters:
  thermostat_intake: {type: string, default: ''}
  thermostat_group: {type: string, default: ''}
  thermostat_member: {type: string, default: ''}
  length: {type: number, default: 8}
resources:
  word: {type: OS::Heat::RandomString, properties: {length: {get_param: length}}}
outputs:
  told:
    value:
      - {get_param: thermostat_intake}
      - {get_param: thermostat_group}
      - {get_param: thermostat_member}
"""


@pytest.fixture
def group_id() -> GroupId:
    return GroupId(str(uuid.uuid4()))


@pytest.fixture
def heat(site: Site, trust_for_stacks: Credential, group_id: GroupId) -> Iterator[Stacks]:
    """An owner's project; what the test makes there is deleted."""
    heat = entered(site, trust_for_stacks)
    yield heat
    for stack in heat.resources_of(group_id):
        heat.delete(stack.id)
    until(lambda: not heat.resources_of(group_id))


def entered(site: Site, credential: Credential) -> Stacks:
    heat = site.clouds().enter(credential, LaunchType.STACK, REQUEST_ID)
    assert isinstance(heat, Stacks)
    return heat


def over_http(page_size: int = 200) -> Stacks:
    """Return Heat at a URL where requests_mock answers."""
    adapter = Adapter(Session(), auth=Token(URL, "token"), service_type="orchestration")
    return Stacks(adapter, page_size)


def status_of(heat: Cloud, id_: ResourceId) -> str:
    seen = heat.resource(id_)
    return seen.status if seen else "gone"


def everything_of(heat: Stacks, id_: ResourceId) -> dict[str, Any]:
    """Return the stack as Heat shows it to its owner."""
    seen = heat.resource(id_)
    assert seen
    stack: dict[str, Any] = heat._adapter.get(f"/stacks/{seen.name}/{id_}").json()["stack"]
    return stack


def test_one_stack_is_made_and_found_again(site: Site, heat: Stacks, group_id: GroupId) -> None:
    template = StackTemplate(template=RANDOM, parameters={"length": 5}, tags=("mine",))
    order = site.order_of_stack(group_id, template)
    id_ = heat.create(order)
    until(lambda: status_of(heat, id_) == "CREATE_COMPLETE")
    (stack,) = heat.resources_of(group_id)
    assert (stack.id, stack.name, stack.task, stack.fault) == (id_, order.name, None, None)
    assert stack.metadata == {GROUP_KEY: group_id, MEMBER_KEY: order.metadata[MEMBER_KEY]}
    assert abs(stack.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert heat.resource(id_) == stack


def test_a_template_may_be_a_document(site: Site, heat: Stacks, group_id: GroupId) -> None:
    resources = {"word": {"type": "OS::Heat::RandomString"}}
    document = {"heat_template_version": "2018-08-31", "resources": resources}
    id_ = heat.create(site.order_of_stack(group_id, StackTemplate(template=document)))
    until(lambda: status_of(heat, id_) == "CREATE_COMPLETE")


def test_a_stack_is_told_its_intake_its_group_and_its_member_if_it_asks(
    site: Site, heat: Stacks, group_id: GroupId
) -> None:
    template = StackTemplate(template=SHOWN, parameters={"length": 5}).given_intake("https://scale.test/t")
    order = site.order_of_stack(group_id, template)
    id_ = heat.create(order)
    until(lambda: status_of(heat, id_) == "CREATE_COMPLETE")
    (told,) = (out["output_value"] for out in everything_of(heat, id_)["outputs"])
    assert told == ["https://scale.test/t", group_id, order.metadata[MEMBER_KEY]]


def test_a_name_that_is_taken_by_the_very_stack_asked_for_is_the_answer_that_was_lost(
    site: Site, heat: Stacks, group_id: GroupId
) -> None:
    order = site.order_of_stack(group_id)
    assert heat.create(order) == heat.create(order)
    assert len(heat.resources_of(group_id)) == 1


def test_a_name_that_is_taken_by_another_stack_is_refused(
    site: Site, heat: Stacks, group_id: GroupId
) -> None:
    order = site.order_of_stack(group_id)
    heat.create(order)
    with pytest.raises(CloudRefused, match="another stack"):
        heat.create(replace(order, metadata={**order.metadata, MEMBER_KEY: "another"}))


def test_a_deleted_stack_is_gone_and_deleting_it_again_is_fine(
    site: Site, heat: Stacks, group_id: GroupId, trust_for_stacks: Credential
) -> None:
    id_ = heat.create(site.order_of_stack(group_id))
    until(lambda: status_of(heat, id_) == "CREATE_COMPLETE")
    elsewhere = entered(site, trust_for_stacks)
    elsewhere.delete(id_)
    elsewhere.delete(id_)
    until(lambda: heat.resource(id_) is None)
    heat.delete(id_)
    entered(site, trust_for_stacks).delete(id_)
    assert heat.resources_of(group_id) == ()


def test_a_stack_that_there_is_not_is_none(heat: Stacks) -> None:
    assert heat.resource(NOBODY) is None


def test_of_many_pages_every_stack_is_found_once(site: Site, heat: Stacks, group_id: GroupId) -> None:
    made = {heat.create(site.order_of_stack(group_id)) for _ in range(3)}
    stacks = Stacks(heat._adapter, page_size=2).resources_of(group_id)
    assert len(stacks) == 3
    assert ids(stacks) == made


def test_another_groups_stacks_and_those_with_the_tag_alone_are_not_this_ones(
    site: Site, heat: Stacks, group_id: GroupId
) -> None:
    """An owner may have put the tag there; it is not ours to delete."""
    order = site.order_of_stack(group_id)
    only_tagged = heat.create(replace(order, metadata={}))
    assert heat.resources_of(group_id) == ()
    assert heat.resources_of(GroupId(str(uuid.uuid4()))) == ()
    heat.delete(only_tagged)


def test_a_stack_that_fails_stays_and_says_why(site: Site, heat: Stacks, group_id: GroupId) -> None:
    fails = """heat_template_version: 2018-08-31
resources:
  test: {type: OS::Heat::TestResource, properties: {fail: true}}
"""
    id_ = heat.create(site.order_of_stack(group_id, StackTemplate(template=fails)))
    until(lambda: status_of(heat, id_) == "CREATE_FAILED")
    stack = heat.resource(id_)
    assert stack
    assert stack.fault
    assert "resources.test" in stack.fault


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (StackTemplate(template="not: a template"), "emplate format version"),
        (StackTemplate(template=RANDOM, parameters={"nope": 1}), "nope"),
        (StackTemplate(template=RANDOM, parameters={"length": "much"}), "length"),
    ],
)
def test_what_makes_no_sense_is_refused_in_heats_words(
    site: Site, heat: Stacks, group_id: GroupId, wrong: StackTemplate, reason: str
) -> None:
    with pytest.raises(CloudRefused, match=reason):
        heat.create(site.order_of_stack(group_id, wrong))


def test_a_trust_without_redelegation_creates_nothing_and_is_told_what_to_do(
    site: Site, trust: Credential, group_id: GroupId
) -> None:
    heat = entered(site, trust)
    with pytest.raises(CloudUnavailable, match="redelegation: true") as caught:
        heat.create(site.order_of_stack(group_id))
    assert not caught.value.certainly_not_done
    assert heat.resources_of(group_id) == ()


# --- before any stack is wanted


def test_a_rehearsal_leaves_nothing_behind(site: Site, heat: Stacks, trust_for_stacks: Credential) -> None:
    for _ in range(2):
        site.rehearsals().rehearse(trust_for_stacks, StackTemplate(template=RANDOM), REQUEST_ID)
    until(lambda: not named(heat, trust_for_stacks))


def test_a_rehearsal_takes_away_what_an_earlier_one_left(
    site: Site, heat: Stacks, trust_for_stacks: Credential
) -> None:
    left = site.order_of_stack(GroupId("none"), StackTemplate(template="heat_template_version: 2018-08-31"))
    name = f"thermostat-rehearsal-{trust_for_stacks.id}"
    heat.create(replace(left, name=name, metadata={}, tags=("thermostat:rehearsal",)))
    site.rehearsals().rehearse(trust_for_stacks, StackTemplate(template=RANDOM), REQUEST_ID)
    until(lambda: not named(heat, trust_for_stacks))


def named(heat: Stacks, credential: Credential) -> list[Any]:
    found: list[Any] = heat._adapter.get(
        "/stacks", params={"name": f"thermostat-rehearsal-{credential.id}"}
    ).json()["stacks"]
    return found


@pytest.mark.parametrize("type_", ["trust", "application_credential"])
def test_a_credential_that_heat_can_make_no_trust_from_is_told_before(
    site: Site, type_: str, request: pytest.FixtureRequest
) -> None:
    credential = request.getfixturevalue(type_)
    with pytest.raises(CreationDenied, match="redelegation: true"):
        site.rehearsals().rehearse(credential, StackTemplate(template=RANDOM), REQUEST_ID)


def test_a_template_that_heat_refuses_is_told_before(site: Site, trust_for_stacks: Credential) -> None:
    template = StackTemplate(template=RANDOM, parameters={"nope": 1})
    with pytest.raises(CloudRefused, match="nope"):
        site.rehearsals().rehearse(trust_for_stacks, template, REQUEST_ID)


# --- what Heat answers, word by word


def listed(*documents: dict[str, Any]) -> dict[str, Any]:
    return {"stacks": list(documents)}


def a_document(number: int, **changes: Any) -> dict[str, Any]:
    document = {
        "id": f"stack-{number}",
        "stack_name": f"web-{number}",
        "stack_status": "CREATE_COMPLETE",
        "stack_status_reason": "Stack CREATE completed successfully",
        "creation_time": "2026-11-23T00:02:57Z",
        "tags": ["thermostat:group:g", f"thermostat:member:m-{number}"],
    }
    return {**document, **changes}


def an_error(type_: str, status: int, message: str | None = None) -> dict[str, Any]:
    said = {} if message is None else {"message": message}
    return {
        "status_code": status,
        "json": {"code": status, "title": "t", "explanation": "e", "error": {"type": type_, **said}},
    }


def test_a_stack_that_goes_is_seen_going_and_one_that_failed_says_why() -> None:
    goes = a_document(1, stack_status="DELETE_IN_PROGRESS")
    failed = a_document(2, stack_status="DELETE_FAILED", stack_status_reason="in use")
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/stacks", json=listed(goes, failed))
        first, second = over_http().resources_of(GroupId("g"))
    assert (first.task, first.fault) == ("deleting", None)
    assert (second.task, second.status, second.fault) == (None, "DELETE_FAILED", "in use")


def test_a_page_that_begins_anew_because_its_marker_is_gone_loses_none() -> None:
    pages = [
        listed(a_document(1), a_document(2)),
        listed(a_document(1), a_document(3)),
        listed(a_document(4)),
    ]
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/stacks", [{"json": page} for page in pages])
        stacks = over_http(page_size=2).resources_of(GroupId("g"))
    assert [stack.id for stack in stacks] == ["stack-1", "stack-2", "stack-3", "stack-4"]
    assert [request.qs.get("marker") for request in http.request_history] == [None, ["stack-2"], ["stack-3"]]


def test_a_list_that_never_ends_is_given_up() -> None:
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/stacks", json=listed(a_document(1), a_document(2)))
        assert len(over_http(page_size=2).resources_of(GroupId("g"))) == 2
        assert len(http.request_history) == 2


def test_a_stack_of_heats_passwords_is_refused_with_the_setting_to_change(site: Site) -> None:
    with requests_mock.Mocker() as http:
        http.post(f"{URL}/stacks", **an_error("MissingCredentialError", 400, "Missing required credential"))
        with pytest.raises(CloudRefused, match="deferred_auth_method = trusts"):
            over_http().create(site.order_of_stack(GroupId("g")))


@pytest.mark.parametrize(
    ("answer", "not_done"),
    [
        (an_error("InternalError", 500), False),
        (an_error("x", 429, "busy"), True),
        ({"text": "<html>"}, False),
    ],
)
def test_what_may_have_been_done_is_told_from_what_was_not(
    site: Site, answer: dict[str, Any], not_done: bool
) -> None:
    with requests_mock.Mocker() as http:
        http.post(f"{URL}/stacks", **answer)
        with pytest.raises(CloudUnavailable) as caught:
            over_http().create(site.order_of_stack(GroupId("g")))
    assert caught.value.certainly_not_done is not_done


def test_a_404_of_a_proxy_does_not_mean_that_a_stack_is_gone() -> None:
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/stacks", json=listed(a_document(1)))
        http.delete(f"{URL}/stacks/web-1/stack-1", status_code=404, text="<html>")
        with pytest.raises(CloudUnavailable):
            over_http().delete(ResourceId("stack-1"))


def test_a_token_that_heat_never_accepts_is_the_credentials_fault_but_may_be_mended() -> None:
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/stacks", status_code=401)
        with pytest.raises(CredentialBroken, match="access rules") as caught:
            over_http().resources_of(GroupId("g"))
    assert not caught.value.for_good


def test_no_template_and_no_parameter_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = StackTemplate(template="# hunter2", parameters={"p": "hunter2"}, files={"f": "hunter2"})
    with requests_mock.Mocker() as http:
        http.post(f"{URL}/stacks", **an_error("StackValidationFailed", 400, "no"))
        with pytest.raises(CloudRefused):
            over_http().create(site.order_of_stack(GroupId("g"), secret))
    assert "hunter2" in json.dumps(http.request_history[0].json())
    assert "hunter2" not in caplog.text


def test_a_server_is_nothing_to_ask_of_heat(site: Site) -> None:
    order = replace(site.order_of_stack(GroupId("g")), template=a_template())
    with pytest.raises(TypeError):
        over_http().create(order)
