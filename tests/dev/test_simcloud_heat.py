"""Stacks in the simulated Heat live as Heat 27's were seen to live: made, shown, changed, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller, ask_credential, ask_trust, by_credential, by_token, of_trust, sign_in
from tests.dev.stacks import RANDOM, SERVER, VERSION, OwnStack, group_template


def refusal(caller: Caller, method: str, path: str, body: Any = None) -> tuple[int, str, str | None]:
    """Return the status, the type and the message of a refusal."""
    response = caller.heat(method, path, body)
    error = response.json()["error"]
    assert response.json()["code"] == response.status_code
    return response.status_code, error["type"], error.get("message")


def asked(**fields: Any) -> dict[str, Any]:
    return {"stack_name": "s", "template": RANDOM, **fields}


def test_a_stack_is_made_with_its_servers(cloud: SimCloud, demo: Caller, clock: ManualClock) -> None:
    response = demo.heat("POST", "/stacks", asked(template=group_template(), timeout_mins=30, tags="x,y"))
    assert response.status_code == 201
    made = response.json()["stack"]
    assert response.headers["Location"] == made["links"][0]["href"]
    stack = OwnStack(demo, "s", made["id"])
    assert stack.status() == ("CREATE_IN_PROGRESS", "Stack CREATE started")
    assert stack.output("size") is None
    clock.advance(10)
    assert stack.status() == ("CREATE_COMPLETE", "Stack CREATE completed successfully")
    shown = stack.get()
    assert (shown["tags"], shown["timeout_mins"], shown["stack_owner"]) == (["x", "y"], 30, "demo")
    assert shown["parameters"]["size"] == "2"
    assert sorted(stack.output("refs")) == sorted(server.id for server in cloud.backstage.servers("demo"))
    assert all(name.startswith("s-asg-") for name in demo.names())
    assert {s.metadata["stack"] for s in cloud.backstage.servers("demo")} == {stack.id}


def test_a_stack_is_found_by_its_name_and_by_its_id(demo: Caller, stack: OwnStack) -> None:
    for name in (stack.name, stack.id):
        response = demo.heat("GET", f"/stacks/{name}?resolve_outputs=false")
        assert response.status_code == 302
        assert response.headers["Location"].endswith(f"{stack.path}?resolve_outputs=false")
    assert demo.heat("GET", "/stacks/s/resources").headers["Location"].endswith(f"{stack.path}/resources")
    assert demo.heat("DELETE", "/stacks/s").status_code == 302
    missing = (404, "EntityNotFound", "The Stack (nope) could not be found.")
    assert refusal(demo, "GET", "/stacks/nope") == missing
    assert refusal(demo, "GET", f"/stacks/nope/{stack.id}") == missing
    assert demo.heat("GET", "/stacks/s/resources/asg").status_code == 404


def test_a_name_in_use_is_a_conflict(demo: Caller, stack: OwnStack) -> None:
    assert refusal(demo, "POST", "/stacks", asked()) == (409, "StackExists", "The Stack (s) already exists.")


def test_a_template_may_be_yaml(demo: Caller) -> None:
    text = """
        heat_template_version: 2021-04-16
        parameters:
          count: {type: number, default: 2}
          secret: {type: string, default: x, hidden: true}
        resources:
          many:
            type: OS::Heat::ResourceGroup
            properties:
              count: {get_param: count}
              resource_def: {type: OS::Heat::TestResource, properties: {value: "no %index%"}}
          one: {type: OS::Heat::RandomString, properties: {length: 5}}
          none: {type: OS::Heat::None}
        outputs:
          values: {value: {get_attr: [many, output]}}
          joined: {value: {list_join: ["-", [{get_param: count}, {get_attr: [one, value]}]]}}
          refs: {value: {get_attr: [many, refs_map]}}
        """
    stack = OwnStack.made(demo, template=text)
    assert stack.status()[0] == "CREATE_COMPLETE"
    assert stack.get()["parameters"]["secret"] == "******"
    assert len(stack.output("joined")) == len("2-") + 5
    assert set(stack.output("refs")) == {"0", "1"}
    assert stack.patch(count=1) == 202
    assert set(stack.output("refs")) == {"0"}


def test_a_file_is_a_resource_type(demo: Caller, clock: ManualClock) -> None:
    inner = {**VERSION, "parameters": {"tag": {"type": "string"}}, "resources": {"server": SERVER}}
    outer = {**VERSION, "resources": {"node": {"type": "node.json", "properties": {"tag": "a"}}}}
    body = asked(template=outer, files={"node.json": json.dumps(inner)})
    stack = OwnStack(demo, "s", demo.heat("POST", "/stacks", body).json()["stack"]["id"])
    assert stack.status()[0] == "CREATE_IN_PROGRESS"
    clock.advance(10)
    assert stack.status()[0] == "CREATE_COMPLETE"
    assert [name.startswith("s-node-") for name in demo.names()] == [True]


def test_lists_are_filtered_by_tags_names_and_status(demo: Caller) -> None:
    for name, tags in (("a", "x,y"), ("b", "y"), ("c", None)):
        assert demo.heat("POST", "/stacks", asked(stack_name=name, tags=tags)).status_code == 201

    def listed(query: str) -> list[str]:
        response = demo.heat("GET", f"/stacks?{query}")
        assert response.status_code == 200
        return sorted(stack["stack_name"] for stack in response.json()["stacks"])

    assert listed("tags=x,y") == ["a"]
    assert listed("tags_any=x,y") == ["a", "b"]
    assert listed("not_tags=y") == ["c"]
    assert listed("name=b&name=c") == ["b", "c"]
    assert listed("status=COMPLETE&action=CREATE") == ["a", "b", "c"]
    assert listed("status=FAILED") == []
    assert listed("bogus=1") == ["a", "b", "c"]
    assert demo.heat("GET", "/stacks?name=c").json()["stacks"][0]["tags"] is None
    assert refusal(demo, "GET", "/stacks?limit=x")[2] == "Only integer is acceptable by 'limit'."


def test_lists_are_paged(demo: Caller) -> None:
    for name in ("a", "b", "c"):
        OwnStack.made(demo, name, RANDOM)
    names: list[str] = []
    page = demo.heat("GET", "/stacks?limit=2").json()
    assert page["links"][0]["rel"] == "next"
    while page.get("links"):
        names += [stack["stack_name"] for stack in page["stacks"]]
        page = demo.heat("GET", page["links"][0]["href"]).json()
    names += [stack["stack_name"] for stack in page["stacks"]]
    assert sorted(names) == ["a", "b", "c"]


def test_a_deleted_stack_is_shown_for_a_while_but_not_listed(
    cloud: SimCloud, demo: Caller, stack: OwnStack, clock: ManualClock
) -> None:
    assert [stack.delete(), stack.delete()] == [204, 204]
    assert stack.status() == ("DELETE_IN_PROGRESS", "Stack DELETE started")
    assert "outputs" not in stack.get()
    assert refusal(demo, "POST", "/stacks", asked())[1] == "StackExists"
    clock.advance(5)
    assert stack.status() == ("DELETE_COMPLETE", "Stack DELETE completed successfully")
    assert stack.get()["deletion_time"] is not None
    assert cloud.backstage.servers("demo") == ()
    assert demo.heat("GET", "/stacks").json() == {"stacks": []}
    assert len(demo.heat("GET", "/stacks?show_deleted=true").json()["stacks"]) == 1
    assert demo.heat("GET", f"/stacks/{stack.id}").status_code == 302
    assert stack.get("/resources") == {"all": []}
    gone = (404, "EntityNotFound", "The Stack (s) could not be found.")
    assert refusal(demo, "GET", "/stacks/s") == gone
    assert refusal(demo, "DELETE", stack.path) == gone
    assert refusal(demo, "PATCH", stack.path, {}) == gone
    assert refusal(demo, "GET", f"{stack.path}/resources/asg") == gone
    OwnStack.made(demo)
    clock.advance(3601)
    assert Caller.named(cloud, "demo", "demo").heat("GET", stack.path).status_code == 404


def test_only_members_of_the_project_change_its_stacks(cloud: SimCloud, stack: OwnStack) -> None:
    denied = (403, "HTTPForbidden", "Access was denied to this resource.")
    assert refusal(Caller.named(cloud, "demo2", "demo2"), "GET", stack.path) == denied
    reader = Caller.named(cloud, "reader", "demo")
    assert reader.heat("GET", stack.path).status_code == 200
    assert refusal(reader, "DELETE", stack.path) == denied
    dead = Caller(cloud, "nope").heat("GET", stack.path)
    assert (dead.status_code, dead.json()["error"]["title"]) == (401, "Unauthorized")


def test_delegates_change_stacks_and_make_none(
    cloud: SimCloud, demo: Caller, thermostat: Caller, stack: OwnStack
) -> None:
    trust_id = ask_trust(demo).json()["trust"]["id"]
    made = ask_credential(demo).json()["application_credential"]
    tokens = [
        sign_in(cloud, by_token(thermostat.token), of_trust(trust_id)),
        sign_in(cloud, by_credential(made["id"], made["secret"])),
    ]
    for number, token in enumerate(tokens):
        delegate = Caller(cloud, token.headers["X-Subject-Token"])
        assert delegate.heat("POST", f"{stack.path}/resources/up/signal", {}).status_code == 200
        assert delegate.heat("PATCH", stack.path, {"parameters": {"size": 3}}).status_code == 202
        body = asked(stack_name=f"new-{number}")
        assert refusal(delegate, "POST", "/stacks", body) == (500, "RemoteError", None)
        cloud.backstage.allow_stacks_by_delegates(allowed=True)
        assert delegate.heat("POST", "/stacks", body).status_code == 201
        cloud.backstage.allow_stacks_by_delegates(allowed=False)


@pytest.mark.parametrize(
    ("roles", "status"), [(["member"], 500), (["member", "reader"], 201)], ids=["some", "with implied ones"]
)
def test_a_trust_that_may_be_delegated_on_with_all_its_roles_creates(
    demo: Caller, thermostat: Caller, cloud: SimCloud, roles: list[str], status: int
) -> None:
    delegated = {"roles": [{"name": role} for role in roles], "allow_redelegation": True}
    trust_id = ask_trust(demo, **delegated).json()["trust"]["id"]
    token = sign_in(cloud, by_token(thermostat.token), of_trust(trust_id))
    delegate = Caller(cloud, token.headers["X-Subject-Token"])
    assert delegate.heat("POST", "/stacks", asked()).status_code == status


def test_a_default_of_the_environment_is_for_whatever_declares_it(demo: Caller) -> None:
    template = {**RANDOM, "parameters": {"a": {"type": "string"}, "b": {"type": "string"}}}
    defaults = {"a": "1", "b": "2", "nobody-declares-this": "3"}
    body = asked(template=template, parameters={"b": "4"}, environment={"parameter_defaults": defaults})
    stack_id = demo.heat("POST", "/stacks", body).json()["stack"]["id"]
    shown = demo.heat("GET", f"/stacks/s/{stack_id}").json()["stack"]["parameters"]
    assert (shown["a"], shown["b"]) == ("1", "4")
    assert "nobody-declares-this" not in shown


def test_a_name_that_is_taken_cannot_be_previewed(demo: Caller) -> None:
    assert demo.heat("POST", "/stacks", asked()).status_code == 201
    assert refusal(demo, "POST", "/stacks/preview", asked())[:2] == (409, "StackExists")


def test_a_preview_makes_nothing(demo: Caller) -> None:
    response = demo.heat("POST", "/stacks/preview", asked())
    assert (response.status_code, response.json()["stack"]["id"]) == (200, "None")
    assert refusal(demo, "POST", "/stacks/preview", asked(parameters={"nope": 1}))[0] == 400
    assert demo.heat("GET", "/stacks").json() == {"stacks": []}


def test_a_stack_tells_its_template_environment_files_outputs_and_events(
    demo: Caller, stack: OwnStack
) -> None:
    assert demo.heat("GET", f"{stack.path}/template").json() == group_template()
    assert demo.heat("GET", f"{stack.path}/environment").json()["parameters"] == {}
    assert demo.heat("GET", f"{stack.path}/files").json() == {}
    assert [each["output_key"] for each in stack.get("/outputs")["all"]] == ["size", "refs", "signal_url"]
    missing = (404, "NotFound", "Specified output key nope not found.")
    assert refusal(demo, "GET", f"{stack.path}/outputs/nope") == missing
    newest, *_ = stack.get("/events?limit=1")["all"]
    assert (newest["resource_name"], newest["resource_status"]) == ("s", "CREATE_COMPLETE")
    of_group = stack.get("/resources/asg/events")["all"]
    assert [event["resource_status"] for event in of_group] == ["CREATE_COMPLETE", "CREATE_IN_PROGRESS"]


def test_versions_are_told_without_a_token(cloud: SimCloud) -> None:
    response = Caller(cloud, "").heat("GET", f"{cloud.url}/orchestration")
    assert (response.status_code, response.json()["versions"][0]["id"]) == (300, "v1.0")


def test_a_template_is_validated(demo: Caller) -> None:
    response = demo.heat("POST", "/validate", {"template": group_template()})
    size = {"Type": "Number", "Description": "", "NoEcho": "false", "Label": "size", "Default": 2}
    assert (response.status_code, response.json()["Parameters"]["size"]) == (200, size)
    unknown = {**VERSION, "resources": {"r": {"type": "OS::No::Such"}}}
    message = "The Resource Type (OS::No::Such) could not be found."
    assert refusal(demo, "POST", "/validate", {"template": unknown}) == (400, "HTTPBadRequest", message)
