"""Stacks of a real Heat that declare groups, and all that goes with them, by the plug-in."""

from __future__ import annotations

import itertools
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.adapter import Adapter
from openstack.connection import Connection

from deploy.register import Catalogue
from dev.beside_heat.place import until
from dev.client import Document, Refused, call_hook
from dev.stack import Stack
from tests.deployed import Deployed
from tests.end_to_end.heat import Orchestration, StackFailed, heat_with_plugin, wait_for_engine
from tests.end_to_end.site import Party, Site, is_going
from tests.end_to_end.telemetry import Telemetry, seconds_since
from tests.proxy import Lost, losing_answers

pytestmark = pytest.mark.timeout(600)

EXAMPLES = Path(__file__).resolve().parents[2] / "heat_plugin/examples"
WEB = (EXAMPLES / "web.yaml").read_text()
NAME = "thermostat-web"
NOUNS = ("groups", "launch-configurations", "credentials", "policies", "alarms", "schedules")
ROLLING = """      update_policy:
        rolling: {batch_size: 1, min_in_service: 1}
"""
assert ROLLING in WEB


_numbers = itertools.count(1)


def new_name() -> str:
    """Return a name for a stack; that of one just deleted is still taken for a moment."""
    return f"{NAME}-{next(_numbers)}"


@pytest.fixture(scope="module")
def catalogue(where: Site) -> Catalogue:
    return Catalogue(Adapter(where.admin.session, service_type="identity", interface="public", version="3"))


@pytest.fixture(scope="module")
def region(where: Site) -> str:
    return str(where.admin.config.get_region_name())


@pytest.fixture(scope="module")
def heat(
    where: Site,
    stack: Stack | Deployed,
    catalogue: Catalogue,
    region: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A Heat with the plug-in, and the service in the catalogue."""
    if "OS_CLOUD" not in os.environ:
        pytest.skip("the simulated cloud has no real Heat")
    with heat_with_plugin(tmp_path_factory.mktemp("heat")) as url:
        catalogue.register(stack.url, region)
        types = wait_for_engine(owners_stacks(url))
        assert len([each for each in types if each.startswith("Thermostat::")]) == 7
        yield url
        catalogue.remove(region)


def owners_stacks(heat: str) -> Orchestration:
    """Return the owner's stacks, by a new token: Heat remembers the catalogue that an old one came with."""
    return Orchestration(heat, Connection(cloud=os.environ["OWNER_CLOUD"]))


@pytest.fixture
def stacks(heat: str, owner: Party) -> Iterator[Orchestration]:
    """The owner's stacks; those that are left in the end are deleted."""
    orchestration = owners_stacks(heat)
    yield orchestration
    for left in orchestration.ask("GET", "/stacks")["stacks"]:
        orchestration.delete(f"/stacks/{left['stack_name']}/{left['id']}")


class Web:
    """A stack of the example's, and the group in it."""

    def __init__(self, owner: Party, stacks: Orchestration, path: str) -> None:
        self.owner, self.stacks, self.path = owner, stacks, path
        self.ids = stacks.physical_ids(path)

    @property
    def group(self) -> Document:
        return self.owner.api.get(f"/v1/groups/{self.ids['group']}")

    def show(self, noun: str, resource: str) -> Document:
        return self.owner.api.get(f"/v1/{noun}/{self.ids[resource]}")

    def servers(self) -> set[str]:
        """Return the ids of the active servers in Nova."""
        return {s["id"] for s in self.owner.servers_of(self.group) if s["status"] == "ACTIVE"}

    def resized(self, size: int, *, within_seconds: float = 120) -> None:
        """Wait until the group has so many servers."""
        self.owner.api.until(
            f"/v1/groups/{self.ids['group']}",
            lambda g: (g["desired_capacity"], g["in_service"], g["status"]) == (size, size, "active"),
            within_seconds=within_seconds,
        )

    def updated(self, template: str, parameters: Document, **more: Any) -> None:
        """Update the stack, and wait until it is."""
        self.stacks.ask("PATCH", self.path, {"template": template, "parameters": parameters, **more})
        self.stacks.until(self.path, "UPDATE_COMPLETE")

    def done(self, action: str) -> None:
        """Have an action performed on the stack, and wait until it is."""
        self.stacks.ask("POST", f"{self.path}/actions", {action: None})
        self.stacks.until(self.path, f"{action.upper()}_COMPLETE")


@pytest.fixture
def parameters(where: Site) -> Document:
    return {"image": where.image, "flavor": where.flavor}


MakeWeb = Callable[..., Web]


@pytest.fixture
def make_web(owner: Party, stacks: Orchestration, parameters: Document) -> MakeWeb:
    def make(template: str = WEB) -> Web:
        path = stacks.create(new_name(), template, parameters)
        stacks.until(path, "CREATE_COMPLETE")
        return Web(owner, stacks, path)

    return make


def left_of(owner: Party) -> list[Document]:
    """Return what the project still has in our tables, and servers of the tests' groups in Nova."""
    documents = [each for noun in NOUNS for each in owner.api.get(f"/v1/{noun}")[noun.replace("-", "_")]]
    servers = [s for s in owner.cloud.compute.servers() if NAME in s.name]
    return documents + [{"server": s.name} for s in servers if not is_going(s)]


def test_the_example_makes_servers_scales_by_its_urls_keeps_its_size_and_leaves_nothing(
    owner: Party, stacks: Orchestration, make_web: MakeWeb, parameters: Document
) -> None:
    trusts = set(owner.trusts())
    began = time.monotonic()
    web = make_web()
    print(f"complete after {time.monotonic() - began:.1f} s")
    outputs = stacks.outputs(web.path)
    assert (outputs["size"], set(outputs["servers"])) == (2, web.servers())
    assert outputs["group"] == web.ids["group"]

    assert call_hook(outputs["scale_out_url"]).json()["outcome"] == "executed"
    web.resized(3)
    web.updated(WEB.replace("adjustment: 1\n", "adjustment: 1\n      cooldown: 7\n"), parameters)
    assert web.show("policies", "out")["cooldown"] == 7
    assert (web.group["desired_capacity"], stacks.outputs(web.path)["size"]) == (3, 3)
    web.updated(WEB, parameters, converge=True)
    assert web.group["desired_capacity"] == 3, "also where Heat compares with what is there"
    assert call_hook(outputs["scale_in_url"]).json()["capacity_after"] == 2

    stacks.delete(web.path)
    assert left_of(owner) == []
    until(lambda: set(owner.trusts()) <= trusts)  # Heat ends its own when the stack is gone


def test_an_update_changes_in_place_what_the_template_changes(
    make_web: MakeWeb, parameters: Document
) -> None:
    web = make_web()
    web.updated(WEB.replace("max_size: 5", "max_size: 9").replace("cooldown: 0", "cooldown: 60"), parameters)
    assert (web.group["max_size"], web.group["cooldown"]) == (9, 60)
    web.updated(WEB.replace("      cooldown: 0\n", ""), parameters)
    assert (web.group["max_size"], web.group["cooldown"]) == (5, 300)

    web.updated(WEB.replace("min_size: 1", "min_size: 3"), parameters)
    assert web.group["desired_capacity"] == 3, "the size goes along with bounds that it is outside of"
    assert len(web.servers()) == 3
    web.updated(WEB, parameters)
    assert web.group["desired_capacity"] == 3
    web.updated(WEB.replace("desired_capacity: 2", "desired_capacity: 4"), parameters)
    assert web.group["desired_capacity"] == 4
    assert len(web.servers()) == 4
    web.updated(WEB.replace("      desired_capacity: 2\n", ""), parameters)
    assert web.group["desired_capacity"] == 4, "a size that the template no longer says stays"
    assert web.stacks.physical_ids(web.path) == web.ids


def test_a_policy_of_another_kind_is_another_policy(make_web: MakeWeb, parameters: Document) -> None:
    web = make_web()
    web.updated(
        WEB.replace("change_in_capacity\n      adjustment: 1\n", "exact_capacity\n      adjustment: 5\n"),
        parameters,
    )
    assert web.show("policies", "out")["type"] == "exact_capacity"
    web.updated(
        WEB.replace(
            "change_in_capacity\n      adjustment: 1\n",
            "target_tracking\n      metric: cpu\n      target: 60\n",
        ),
        parameters,
    )
    before, web.ids = web.ids, web.stacks.physical_ids(web.path)
    assert web.show("policies", "out")["type"] == "target_tracking"
    with pytest.raises(Refused, match="404"):
        web.owner.api.get(f"/v1/policies/{before['out']}")
    assert web.ids["group"] == before["group"]


def test_without_an_update_policy_only_new_servers_are_of_a_new_launch_configuration(
    make_web: MakeWeb, parameters: Document
) -> None:
    template = WEB.replace(ROLLING, "")
    web = make_web(template)
    servers = web.servers()
    web.updated(template.replace("role: web", "role: new"), parameters)
    before, web.ids = web.ids, web.stacks.physical_ids(web.path)
    assert web.group["launch_configuration_id"] == web.ids["servers"] != before["servers"]
    assert web.servers() == servers
    with pytest.raises(Refused, match="404"):
        web.owner.api.get(f"/v1/launch-configurations/{before['servers']}")
    web.stacks.ask("POST", f"{web.path}/resources/out/signal", {})
    web.resized(3)
    roles = sorted(s["metadata"]["role"] for s in web.owner.servers_of(web.group))
    assert roles == ["new", "web", "web"]


def test_with_a_rolling_update_every_server_is_replaced_before_the_update_is_complete(
    make_web: MakeWeb, parameters: Document
) -> None:
    web = make_web()
    servers = web.servers()
    began = time.monotonic()
    web.updated(WEB.replace("role: web", "role: new"), parameters)
    print(f"two servers replaced, one at a time, after {time.monotonic() - began:.1f} s")
    assert not web.servers() & servers
    assert [s["metadata"]["role"] for s in web.owner.servers_of(web.group)] == ["new", "new"]
    assert web.group["desired_capacity"] == 2


def test_signals_execute_a_policy_and_the_stacks_events_say_what_came_of_it(
    stacks: Orchestration, make_web: MakeWeb
) -> None:
    web = make_web()

    def signalled(resource: str, body: Document) -> str:
        known = len(stacks.reasons(web.path, resource))
        stacks.ask("POST", f"{web.path}/resources/{resource}/signal", body)
        return stacks.newest_reason(web.path, resource, known)

    assert signalled("in", {}) == "Signal: executed: Policy '{}' scales in from 2 to 1.".format(
        web.show("policies", "in")["name"]
    )
    assert "no_change" in signalled("in", {})
    aodh = {"alarm_id": "a", "alarm_name": "n", "previous": "alarm", "current": "ok", "reason": "all is well"}
    assert "not_alarm" in signalled("out", aodh), "a body is understood as a webhook understands it"
    assert "executed" in signalled("out", {**aodh, "current": "alarm", "previous": "ok"})
    assert "2 members are wanted" in signalled("group", {})
    web.resized(2)


def test_suspend_freezes_and_switches_off_and_resume_undoes_it(make_web: MakeWeb) -> None:
    web = make_web()
    web.done("suspend")
    assert (web.group["status"], web.show("policies", "out")["mode"]) == ("frozen", "disabled")
    assert "is suspended" in web.group["freeze"]["reason"]
    web.done("resume")
    assert (web.group["freeze"], web.show("policies", "out")["mode"]) == (None, "active")
    web.resized(2)


def test_check_tells_what_is_missing_and_an_update_makes_it_good(
    owner: Party, stacks: Orchestration, make_web: MakeWeb, parameters: Document
) -> None:
    web = make_web()
    web.done("check")
    owner.api.delete(f"/v1/policies/{web.ids['out']}")
    with pytest.raises(StackFailed, match="Thermostat policy"):
        web.done("check")
    web.updated(WEB, parameters)
    before, web.ids = web.ids, stacks.physical_ids(web.path)
    assert web.show("policies", "out")["adjustment"] == 1
    assert web.ids["group"] == before["group"]
    web.done("check")


def test_what_cannot_be_built_fails_with_the_reason_and_the_rollback_leaves_nothing(
    owner: Party, stacks: Orchestration, where: Site, parameters: Document
) -> None:
    trusts = set(owner.trusts())
    too_big = {**parameters, "flavor": where.flavor_too_big}
    path = stacks.create(new_name(), WEB, too_big, disable_rollback=False)
    stacks.until(path, "ROLLBACK_COMPLETE")
    assert any("No valid host was found" in reason for reason in stacks.reasons(path, "group"))
    assert left_of(owner) == []
    stacks.delete(path)
    until(lambda: set(owner.trusts()) <= trusts)  # Heat ends its own when the stack is gone


def test_an_update_that_fails_is_rolled_back_with_servers_in_service_all_the_time(
    make_web: MakeWeb, parameters: Document
) -> None:
    web = make_web()
    servers = web.servers()
    nowhere = WEB.replace("role: web", "role: new").replace(
        "      max_size: 5\n", "      max_size: 5\n      availability_zones: [nowhere]\n"
    )
    wanted = {"template": nowhere, "parameters": parameters, "disable_rollback": False}
    web.stacks.ask("PATCH", web.path, wanted)
    web.stacks.until(web.path, "ROLLBACK_COMPLETE")
    assert any("availability zone" in reason for reason in web.stacks.reasons(web.path, "group"))
    web.resized(2)
    assert web.servers() & servers
    web.ids = web.stacks.physical_ids(web.path)
    assert web.group["launch_configuration_id"] == web.ids["servers"]
    assert web.group["availability_zones"] == []
    assert {s["metadata"]["role"] for s in web.owner.servers_of(web.group)} == {"web"}
    assert len(web.owner.api.get("/v1/launch-configurations")["launch_configurations"]) == 1


@pytest.mark.parametrize(
    ("what", "instead", "said"),
    [
        (
            "{get_resource: group}\n      type",
            '"7a2ac8e2-0000-4000-8000-000000000000"\n      type',
            "Thermostat group",
        ),
        ("change_in_capacity", "change_by_magic", "change_by_magic"),
        ("max_size: 5", "max_size: -1", "max_size"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(
    owner: Party, stacks: Orchestration, parameters: Document, what: str, instead: str, said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        stacks.create(new_name(), WEB.replace(what, instead, 1), parameters)
    assert left_of(owner) == []


def test_the_services_own_sentence_is_the_reason_of_a_refusal(
    stacks: Orchestration, parameters: Document
) -> None:
    path = stacks.create(new_name(), WEB.replace("min_size: 1", "min_size: 3"), parameters)
    with pytest.raises(StackFailed, match="Bad Request: desired_capacity 2 is outside min_size 3"):
        stacks.until(path, "CREATE_COMPLETE")


def test_an_abandoned_stack_leaves_everything_and_another_adopts_it(
    owner: Party, stacks: Orchestration, make_web: MakeWeb
) -> None:
    web = make_web()
    url = stacks.outputs(web.path)["scale_out_url"]
    abandoned = stacks.ask("DELETE", f"{web.path}/abandon")
    assert len(web.servers()) == 2
    name = new_name()
    adopted = {"stack_name": name, "adopt_stack_data": json.dumps(abandoned)}
    path = f"/stacks/{name}/{stacks.ask('POST', '/stacks', adopted)['stack']['id']}"
    stacks.until(path, "ADOPT_COMPLETE")
    assert stacks.physical_ids(path) == web.ids
    assert stacks.outputs(path)["scale_out_url"] == url


@contextmanager
def unreliable(stack: Stack, catalogue: Catalogue, region: str, lost: Lost) -> Iterator[list[str]]:
    """Have the catalogue name a way on which answers get lost; yield the paths where they were."""
    with losing_answers(stack.url, lost) as (url, paths):
        catalogue.register(url, region)
        try:
            yield paths
        finally:
            catalogue.register(stack.url, region)


def test_an_answer_that_is_lost_makes_nothing_twice(
    heat: str, owner: Party, stack: Stack, catalogue: Catalogue, region: str, parameters: Document
) -> None:
    def once(method: str, _path: str, times: int) -> bool:
        return method == "POST" and times == 1

    with unreliable(stack, catalogue, region, once) as paths:
        stacks = owners_stacks(heat)
        path = stacks.create(new_name(), WEB, parameters)
        stacks.until(path, "CREATE_COMPLETE")
        counts = {noun: len(owner.api.get(f"/v1/{noun}")[noun.replace("-", "_")]) for noun in NOUNS}
        stacks.delete(path)
    made = {"groups": 1, "launch-configurations": 1, "credentials": 1, "policies": 2}
    assert counts == {noun: made.get(noun, 0) for noun in NOUNS}
    assert len(paths) == len(set(paths)) == 6


def test_what_was_made_while_all_answers_were_lost_is_found_by_the_rollback(
    heat: str, owner: Party, stack: Stack, catalogue: Catalogue, region: str, parameters: Document
) -> None:
    def of_the_first_creation(method: str, path: str, times: int) -> bool:
        return (method, path) == ("POST", "/v1/groups") and times <= 3

    with unreliable(stack, catalogue, region, of_the_first_creation) as paths:
        stacks = owners_stacks(heat)
        path = stacks.create(new_name(), WEB, parameters, disable_rollback=False)
        stacks.until(path, "ROLLBACK_COMPLETE")
        assert left_of(owner) == []
        assert any("cannot be reached" in reason for reason in stacks.reasons(path, "group"))
        stacks.delete(path)
    assert len(paths) == 3


MOTION = """
  busy:
    type: Thermostat::Alarm
    properties:
      group_id: {get_resource: group}
      metric: cpu
      comparison_operator: gt
      threshold: 80
      evaluation_periods: 2
      alarm_actions: [{get_resource: out}]
  either:
    type: Thermostat::Alarm
    properties:
      group_id: {get_resource: group}
      composite: {or: [{alarm: {get_resource: busy}}]}
      enabled: false
  mornings:
    type: Thermostat::Schedule
    properties:
      group_id: {get_resource: group}
      cron: 0 7 * * 1-5
      timezone: Europe/Ljubljana
      min_size: 2
      desired_capacity: 2
  once:
    type: Thermostat::Schedule
    properties:
      policy_id: {get_resource: out}
      at: "2099-01-01T00:00:00Z"
  single:
    type: Thermostat::LaunchConfiguration
    properties:
      type: stack
      stack:
        template:
          heat_template_version: 2021-04-16
          resources: {text: {type: OS::Heat::RandomString}}
  steps:
    type: Thermostat::Policy
    properties:
      group_id: {get_resource: group}
      type: steps
      steps:
        - {upper: 10, adjustment: 1}
        - {lower: 10, adjustment: 2}
      warmup: 30
  tracking:
    type: Thermostat::Policy
    properties:
      group_id: {get_resource: group}
      type: target_tracking
      mode: shadow
      metric: cpu
      target: 60
      tolerance: {out: 0.2}
      behavior:
        scale_in: {stabilization: 60, limits: [{type: members, value: 1, period: 60}]}

outputs:"""


def test_alarms_schedules_and_policies_of_every_kind_are_made_changed_and_switched_off(
    make_web: MakeWeb, parameters: Document
) -> None:
    template = WEB.replace("\noutputs:", MOTION)
    web = make_web(template)
    busy, mornings = web.show("alarms", "busy"), web.show("schedules", "mornings")
    assert (busy["datapoints_to_alarm"], busy["alarm_actions"]) == (2, [web.ids["out"]])
    assert (mornings["min_size"], mornings["timezone"]) == (2, "Europe/Ljubljana")
    assert web.show("launch-configurations", "single")["type"] == "stack"
    assert web.show("policies", "steps")["steps"][0]["adjustment"] == 1
    tracking = web.show("policies", "tracking")
    assert (tracking["tolerance"], tracking["mode"]) == ({"out": 0.2, "in": 0.1}, "shadow")
    assert tracking["behavior"]["scale_in"]["limits"] == [{"type": "members", "value": 1, "period": 60}]

    changed = template.replace("threshold: 80", "threshold: 70").replace(
        "evaluation_periods: 2", "statistic: p90"
    )
    changed = changed.replace("      timezone: Europe/Ljubljana\n", "").replace(
        "min_size: 2\n", "max_size: 5\n"
    )
    changed = changed.replace("      tolerance: {out: 0.2}\n", "")
    web.updated(changed, parameters)
    assert web.stacks.physical_ids(web.path) == web.ids
    busy, mornings = web.show("alarms", "busy"), web.show("schedules", "mornings")
    assert (busy["threshold"], busy["statistic"], busy["evaluation_periods"]) == (70, "p90", 1)
    assert busy["datapoints_to_alarm"] == 1
    assert (mornings["min_size"], mornings["max_size"], mornings["timezone"]) == (None, 5, "UTC")
    assert web.show("policies", "tracking")["tolerance"]["out"] == 0.1

    web.done("suspend")
    assert (web.show("alarms", "busy")["enabled"], web.show("schedules", "once")["enabled"]) == (False, False)
    web.done("resume")
    assert (web.show("alarms", "busy")["enabled"], web.show("alarms", "either")["enabled"]) == (True, False)
    assert web.show("policies", "tracking")["mode"] == "shadow"
    web.stacks.delete(web.path)
    assert left_of(web.owner) == []


def test_a_credential_that_is_handed_over_by_its_id_is_left_alone(
    owner: Party, stacks: Orchestration, parameters: Document
) -> None:
    made = owner.application_credential(f"{NAME}-{uuid.uuid4()}")
    credential = owner.api.post(
        "/v1/credentials", {"name": "handed", "type": "application_credential", **made}
    )
    template = WEB.replace("{get_resource: credential}", credential["id"]).replace(
        "  credential:\n    type: Thermostat::Credential\n", ""
    )
    path = stacks.create(new_name(), template, parameters)
    stacks.until(path, "CREATE_COMPLETE")
    stacks.delete(path)
    assert owner.api.get(f"/v1/credentials/{credential['id']}")["status"] == "ok"
    owned = f"/users/{owner.cloud.current_user_id}/application_credentials"
    owner.cloud.identity.delete(f"{owned}/{made['application_credential_id']}")


@pytest.fixture
def telemetry(owner: Party) -> Iterator[Telemetry]:
    telemetry = Telemetry(owner)
    yield telemetry
    telemetry.forget()


def test_the_example_with_alarms_of_aodh_follows_what_is_measured(
    owner: Party, telemetry: Telemetry, stacks: Orchestration, parameters: Document
) -> None:
    template = (EXAMPLES / "aodh.yaml").read_text()
    path = stacks.create(new_name(), template, parameters)
    stacks.until(path, "CREATE_COMPLETE")
    web = Web(owner, stacks, path)
    web.resized(1)
    assert len(telemetry.alarms_of(web.group)) == 2
    (server_id,) = web.servers()
    with telemetry.measured(web.group, server_id, 95):
        began = time.monotonic()
        web.resized(2, within_seconds=240)
        print(f"out: two servers after {seconds_since(began)}")
    with telemetry.measured(web.group, server_id, 5):
        began = time.monotonic()
        web.resized(1, within_seconds=300)
        print(f"in: one server after {seconds_since(began)}")
        assert stacks.outputs(path)["idle"] == "alarm"
    group = web.group
    stacks.delete(path)
    assert telemetry.alarms_of(group) == []
    assert left_of(owner) == []


def secrets_of(outputs: dict[str, Any]) -> list[str]:
    return [str(value) for name, value in outputs.items() if name.endswith("_url")]


def test_a_webhooks_url_is_shown_by_no_event_and_no_list(stacks: Orchestration, make_web: MakeWeb) -> None:
    web = make_web()
    urls = secrets_of(stacks.outputs(web.path))
    shown = str([stacks.ask("GET", f"{web.path}/{what}") for what in ("resources", "events", "template")])
    assert urls
    assert not any(url in shown for url in urls)
