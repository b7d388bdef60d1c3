"""What is said here of the simulated Heat is said of a real one too, if OWNER_CLOUD names its owner."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import openstack
import pytest
import requests

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller, Document
from tests.dev.stacks import RANDOM, VERSION, AsksHeat, OwnStack, group_template

NAME = f"likeness-{uuid.uuid4().hex[:6]}"
NAME_RULE = (
    'must contain only alphanumeric or "_-." characters, must start with alpha and must be 255 characters'
    " or less."
)
NO_FLAVOR = "Property error: : resources.r.properties.flavor: : Error validating value 'nope':"
MEMBER: Document = {"type": "OS::Heat::RandomString"}
SETTLED_WITHIN_SECONDS = 60


class RealCaller:
    """The owner on a real cloud, who waits for what the others only let the clock be advanced for."""

    def __init__(self, cloud: str) -> None:
        self._connection = openstack.connect(cloud=cloud)
        self._base = str(self._connection.session.get_endpoint(service_type="orchestration"))

    def heat(self, method: str, path: str, body: Document | None = None) -> requests.Response:
        url = path if path.startswith("http") else self._base + path
        token = self._connection.session.get_token()
        headers = {"X-Auth-Token": token or ""}
        return requests.request(method, url, json=body, headers=headers, timeout=60, allow_redirects=False)

    def close(self) -> None:
        """Delete what a test has left behind."""
        for stack in self.heat("GET", "/stacks").json()["stacks"]:
            if stack["stack_name"].startswith(NAME):
                self.heat("DELETE", f"/stacks/{stack['stack_name']}/{stack['id']}")
        self._connection.close()


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.cloud)])
def owner(request: pytest.FixtureRequest) -> Iterator[AsksHeat]:
    """Return somebody who owns stacks, on either cloud."""
    if request.param == "simulated":
        cloud: SimCloud = request.getfixturevalue("cloud")
        yield Caller.named(cloud, "demo", "demo")
        return
    if "OWNER_CLOUD" not in os.environ:
        pytest.skip("OWNER_CLOUD names no cloud")
    real = RealCaller(os.environ["OWNER_CLOUD"])
    yield real
    real.close()


@pytest.fixture
def settled(owner: AsksHeat, clock: ManualClock) -> Callable[[OwnStack], tuple[str, str]]:
    """Return a function that lets a stack and its group come to rest, and returns its status."""

    def wait(stack: OwnStack) -> tuple[str, str]:
        clock.advance(20)
        end = time.monotonic() + SETTLED_WITHIN_SECONDS
        while isinstance(owner, RealCaller) and time.monotonic() < end:
            time.sleep(0.5)
            if not stack.status()[0].endswith("IN_PROGRESS") and not _scales(stack):
                break
        return stack.status()

    return wait


def _scales(stack: OwnStack) -> bool:
    response = stack.caller.heat("GET", f"{stack.path}/resources/asg/metadata")
    return bool(response.json().get("metadata", {}).get("scaling_in_progress"))


def asked(**fields: Any) -> Document:
    return {"stack_name": NAME, "template": RANDOM, **fields}


def with_resource(**definition: Any) -> Document:
    return asked(template={**VERSION, "resources": {"r": definition}})


def refusal(response: requests.Response) -> tuple[int, str, str | None]:
    body = response.json()
    assert set(body) == {"code", "title", "explanation", "error"}
    assert body["code"] == response.status_code
    return response.status_code, body["error"]["type"], body["error"].get("message")


REFUSED: list[tuple[Document, str, str | None]] = [
    ({"template": RANDOM}, "HTTPBadRequest", "No stack name specified"),
    ({"stack_name": NAME}, "HTTPBadRequest", "No template specified"),
    (
        asked(template="foo: bar"),
        "HTTPBadRequest",
        "Template not in valid format: Template format version not found.",
    ),
    (
        asked(template={"resources": {}}),
        "InvalidTemplateVersion",
        "The template version is invalid: Template version was not provided",
    ),
    (
        asked(template={**VERSION, "bogus": {}}),
        "StackValidationFailed",
        "The template section is invalid: bogus",
    ),
    (with_resource(properties={}), "StackValidationFailed", "Each resource must contain a type key."),
    (
        with_resource(type="OS::No::Such"),
        "StackValidationFailed",
        "The Resource Type (OS::No::Such) could not be found.",
    ),
    (
        asked(template={**RANDOM, "parameters": {"p": {"type": "number"}}}),
        "UserParameterMissing",
        "The Parameter (p) was not provided.",
    ),
    (
        asked(parameters={"nope": 1}),
        "UnknownUserParameter",
        "The Parameter (nope) was not defined in template.",
    ),
    (
        asked(
            template={
                **RANDOM,
                "parameters": {"p": {"type": "number", "constraints": [{"range": {"min": 1, "max": 3}}]}},
            },
            parameters={"p": 9},
        ),
        "StackValidationFailed",
        "Parameter 'p' is invalid: 9 is out of range (min: 1, max: 3)",
    ),
    (
        asked(template={**RANDOM, "parameters": {"p": {"type": "bogus"}}}),
        "InvalidSchemaError",
        "Invalid type (bogus)",
    ),
    (
        asked(template=group_template(MEMBER), parameters={"size": 99}),
        "StackValidationFailed",
        "DesiredCapacity must be between MinSize and MaxSize",
    ),
    (
        asked(template=group_template(MEMBER, min_size=9, max_size=8)),
        "StackValidationFailed",
        "MinSize can not be greater than MaxSize",
    ),
    (
        asked(template=group_template(MEMBER, min_size=None)),
        "StackValidationFailed",
        "ValueError: : resources.asg: : Property min_size not assigned",
    ),
    (
        asked(template=group_template(MEMBER), parameters={"size": "abc"}),
        "StackValidationFailed",
        "Parameter 'size' is invalid: could not convert string to float: 'abc'",
    ),
    (
        with_resource(type="OS::Heat::RandomString", properties={"nope": 1}),
        "StackValidationFailed",
        "Property error: : resources.r.properties: : Unknown Property nope",
    ),
    (
        with_resource(type="OS::Heat::RandomString", properties={"length": {"get_param": "nope"}}),
        "StackValidationFailed",
        "Property error: : resources.r.properties.length: : The Parameter (nope) was not provided.",
    ),
    (
        with_resource(type="OS::Heat::RandomString", properties={"salt": {"get_resource": "nope"}}),
        "InvalidTemplateReference",
        'The specified reference "nope" (in r.Properties.salt) is incorrect.',
    ),
    (
        with_resource(type="OS::Nova::Server", properties={"flavor": "nope"}),
        "StackValidationFailed",
        f"{NO_FLAVOR} No Flavor matching {{'name': 'nope'}}. (HTTP 404)",
    ),
    (asked(stack_name="1bad"), "StackValidationFailed", f"Invalid stack name 1bad {NAME_RULE}"),
    (asked(timeout_mins="a"), "HTTPBadRequest", "Only integer is acceptable by 'timeout_mins'."),
    (asked(tags=["a"]), "AttributeError", None),
    (asked(parameters="x"), "ValueError", None),
]


@pytest.mark.parametrize(("body", "kind", "message"), REFUSED)
def test_a_bad_stack_is_refused(owner: AsksHeat, body: Document, kind: str, message: str | None) -> None:
    assert refusal(owner.heat("POST", "/stacks", body)) == (400, kind, message)
    listed = owner.heat("GET", f"/stacks?name={NAME}")
    assert listed.json() == {"stacks": []}


def test_a_group_lives(owner: AsksHeat, settled: Callable[[OwnStack], tuple[str, str]]) -> None:
    stack = OwnStack.made(owner, NAME, group_template(MEMBER, cooldown=0))
    conflict = (409, "StackExists", f"The Stack ({NAME}) already exists.")
    assert refusal(owner.heat("POST", "/stacks", asked())) == conflict
    assert settled(stack) == ("CREATE_COMPLETE", "Stack CREATE completed successfully")
    _check_documents(stack)
    assert len(stack.members()) == 2
    assert list(stack.metadata()["cooldown_end"].values()) == ["ExactCapacity : 2"]

    assert stack.signal() == (200, "null")
    assert settled(stack)[0] == "CREATE_COMPLETE"
    assert (stack.nested_status(), stack.output("size")) == ("UPDATE_COMPLETE", 3)
    newest, *_ = stack.get("/events?limit=1&sort_dir=desc")["all"]
    assert (newest["resource_name"], newest["resource_status"]) == ("up", "SIGNAL_COMPLETE")
    first = set(stack.members())

    assert stack.patch(size=4, nope=1) == 202
    assert settled(stack) == ("UPDATE_COMPLETE", "Stack UPDATE completed successfully")
    assert stack.patch(size=1) == 202
    assert settled(stack)[0] == "UPDATE_COMPLETE"
    assert first.isdisjoint(stack.members())
    assert stack.output("size") == 1
    assert stack.patch(size=0) == 202
    assert settled(stack)[0] == "UPDATE_COMPLETE"
    assert stack.output("size") == 1
    assert (
        refusal(owner.heat("PATCH", stack.path, {"parameters": {"size": 99}}))[1] == "StackValidationFailed"
    )
    put = owner.heat("PUT", stack.path, {"existing": True, "parameters": {"size": 2}})
    assert refusal(put) == (400, "HTTPBadRequest", "No template specified")


def test_a_deleted_stack_is_still_shown(
    owner: AsksHeat, settled: Callable[[OwnStack], tuple[str, str]]
) -> None:
    name = f"{NAME}-deleted"
    stack = OwnStack.made(owner, name, RANDOM)
    settled(stack)
    assert stack.delete() == 204
    assert settled(stack) == ("DELETE_COMPLETE", "Stack DELETE completed successfully")
    if isinstance(owner, RealCaller):
        time.sleep(2)  # it says so a moment before its name is free
    assert owner.heat("GET", f"/stacks?name={name}").json() == {"stacks": []}
    assert owner.heat("GET", f"/stacks/{stack.id}").status_code == 302
    gone = (404, "EntityNotFound", f"The Stack ({name}) could not be found.")
    assert refusal(owner.heat("GET", f"/stacks/{name}")) == gone
    assert refusal(owner.heat("DELETE", stack.path)) == gone
    assert refusal(owner.heat("PATCH", stack.path, {})) == gone


def test_a_failure_is_told_with_its_reason(
    owner: AsksHeat, settled: Callable[[OwnStack], tuple[str, str]]
) -> None:
    failing = {"type": "OS::Heat::TestResource", "properties": {"fail": True}}
    template = group_template(failing)
    stack = OwnStack.made(owner, f"{NAME}-failing", template, size=1)
    status, reason = settled(stack)
    (member,) = stack.members()
    why = f"ValueError: resources.asg.resources.{member}: Test Resource failed {member}"
    assert (status, reason) == ("CREATE_FAILED", f"Resource CREATE failed: {why}")
    assert stack.group()["resource_status_reason"] == why
    assert stack.get("/resources/up")["resource_status"] == "INIT_COMPLETE"
    assert (stack.signal(), stack.metadata()) == ((200, "null"), {})


def _check_documents(stack: OwnStack) -> None:
    """Check that the documents have the fields that Heat 27's have."""
    listed = {
        "id",
        "links",
        "stack_name",
        "description",
        "stack_status",
        "stack_status_reason",
        "creation_time",
        "updated_time",
        "deletion_time",
        "stack_owner",
        "parent",
        "stack_user_project_id",
        "tags",
    }
    shown = {
        *listed,
        "notification_topics",
        "parameters",
        "template_description",
        "capabilities",
        "disable_rollback",
        "timeout_mins",
    }
    of_resource = {
        "updated_time",
        "creation_time",
        "logical_resource_id",
        "resource_name",
        "physical_resource_id",
        "resource_status",
        "resource_status_reason",
        "resource_type",
        "links",
        "required_by",
    }
    assert set(stack.get()) == {*shown, "outputs"}
    assert set(stack.get("?resolve_outputs=false")) == shown
    (in_list,) = stack.caller.heat("GET", f"/stacks?name={NAME}").json()["stacks"]
    assert set(in_list) == listed
    assert set(stack.get("/resources")["all"][0]) == of_resource
    assert set(stack.group()) == {*of_resource, "description", "attributes"}
    nested = stack.get("/resources?nested_depth=1&type=OS::Heat::RandomString")["all"]
    assert [set(each) for each in nested] == [{*of_resource, "parent_resource"}] * 2
    assert set(stack.group()["attributes"].values()) == {None}
