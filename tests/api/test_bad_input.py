"""Bad input: a clear error, and nothing has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.caller import ALARM, NO_SUCH_ID, NO_SUCH_TOKEN, SECRET, SERVER, Api, Estate, token_in

HUGE = 10**400
DEEP = '{"a":' * 400 + "1" + "}" * 400

POOL: dict[str, Any] = {"pool_id": NO_SUCH_ID, "protocol_port": 80}
HEAT = {"stack": "shop", "resource": "asg", "adjust": "parameter", "parameter": "size"}
GROUP: dict[str, Any] = {
    "name": "web",
    "launch_configuration_id": "{launch_configuration_id}",
    "credential_id": "{credential_id}",
    "min_size": 1,
    "max_size": 5,
}
POLICY: dict[str, Any] = {
    "name": "out",
    "group_id": "{group_id}",
    "type": "change_in_capacity",
    "adjustment": 1,
}
STEPS: dict[str, Any] = {
    "name": "steps",
    "group_id": "{group_id}",
    "type": "steps",
    "steps": [{"lower": 0, "upper": 10, "adjustment": 1}, {"lower": 10, "adjustment": 2}],
}
TRACKING: dict[str, Any] = {
    "name": "cpu",
    "group_id": "{group_id}",
    "type": "target_tracking",
    "metric": "cpu",
    "target": 60,
}
PREDICTIVE: dict[str, Any] = {**TRACKING, "type": "predictive"}
SERVICE: dict[str, Any] = {"name": "web", "server": SERVER}
TRUST: dict[str, Any] = {"name": "mine", "type": "trust"}
HANDED: dict[str, Any] = {
    "name": "mine",
    "type": "application_credential",
    "application_credential_id": "id-1",
    "application_credential_secret": SECRET,
}
WEBHOOK: dict[str, Any] = {"name": "aodh"}
FREEZE: dict[str, Any] = {"reason": "maintenance"}
SCHEDULE: dict[str, Any] = {"name": "mornings", "group_id": "{group_id}", "cron": "0 7 * * *", "min_size": 4}

NEW = {
    "POST /v1/groups": GROUP,
    "POST /v1/policies": POLICY,
    "POST /v1/alarms": {**ALARM, "group_id": "{group_id}"},
    "POST /v1/launch-configurations": SERVICE,
    "POST /v1/credentials": HANDED,
    "POST /v1/policies/{policy_id}/webhooks": WEBHOOK,
    "PUT /v1/groups/{group_id}/freeze": FREEZE,
    "POST /v1/schedules": SCHEDULE,
    "PATCH /v1/schedules/{schedule_id}": {"cron": "0 8 * * *"},
    "PATCH /v1/groups/{group_id}": {"desired_capacity": 3},
    "PATCH /v1/policies/{policy_id}": {"adjustment": 3},
    "PATCH /v1/webhooks/{webhook_id}": {"name": "other"},
    "PATCH /v1/alarms/{alarm_id}": {"threshold": 3},
    "PUT /v1/alarms/{alarm_id}/state": {"state": "ok"},
    "PATCH /v1/groups/{group_id}/members/{member_id}": {"protected": True},
    "POST /v1/webhooks/{webhook_id}/rotations": {"keep_previous": 0},
    "POST /v1/policies/{policy_id}/executions": {"event_id": "e-1"},
    "POST /v1/groups/{group_id}/refreshes": {"client_token": "estate"},
    "PATCH /v1/groups/{group_id}/refreshes/{refresh_id}": {"paused": True},
}
"""Every operation that takes a body, with one that it takes."""

LEFT_OUT = object()


def _but(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**body, **changes}.items() if value is not LEFT_OUT}


STACK: dict[str, Any] = {"template": "heat_template_version: 2018-08-31"}


def _stack(**changes: Any) -> dict[str, Any]:
    return {"name": "web", "type": "stack", "stack": _but(STACK, **changes)}


def _server(**changes: Any) -> dict[str, Any]:
    return _but(SERVICE, server=_but(dict(SERVER), **changes))


def _steps(*steps: dict[str, Any]) -> dict[str, Any]:
    return _but(STEPS, steps=list(steps))


def _behaving(**changes: Any) -> dict[str, Any]:
    return _but(TRACKING, behavior={"scale_in": changes})


def _filled(estate: Estate, body: Any) -> Any:
    """Return the body with our ids in it."""
    text = json.dumps(body)
    for name in ("launch_configuration_id", "credential_id", "group_id", "policy_id"):
        text = text.replace(f"{{{name}}}", str(getattr(estate, name)))
    return json.loads(text)


@pytest.mark.parametrize("operation", NEW)
def test_the_bodies_that_are_spoiled_below_are_good(api: Api, estate: Estate, operation: str) -> None:
    method, _, path = operation.partition(" ")
    answer = api.request(method, estate.path(path), _filled(estate, NEW[operation]))
    assert answer.status in (200, 201, 202), answer.document


@pytest.mark.parametrize("operation", NEW)
@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[",
        b"[]",
        b"1",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"{'name': 'single'}",
        b"name=form&body=1",
        b'{"name": NaN}',
        b'{"name": 1} trailing',
        b"\x00",
        b"[" * 100_000,
        json.dumps({"no_such_field": 1}).encode(),
        json.dumps({"": None}).encode(),
        json.dumps({"x" * 100_000: 1}).encode(),
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_no_document_of_ours_is_refused(api: Api, estate: Estate, operation: str, raw: bytes) -> None:
    method, _, path = operation.partition(" ")
    with api.unchanged():
        answer = api.request(method, estate.path(path), raw=raw)
    assert (answer.status, answer.code) == (400, "request.body")


@pytest.mark.parametrize("operation", NEW)
def test_no_body_at_all_is_refused_where_one_is_needed(api: Api, estate: Estate, operation: str) -> None:
    method, _, path = operation.partition(" ")
    is_needed = path.rpartition("/")[2] not in ("rotations", "executions")
    before = api.snapshot()
    answer = api.request(method, estate.path(path), raw=b"")
    assert (answer.status == 400) is is_needed
    assert (api.snapshot() == before) is is_needed


@pytest.mark.parametrize("operation", NEW)
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"]
)
def test_another_media_type_is_refused(api: Api, estate: Estate, operation: str, content_type: str) -> None:
    method, _, path = operation.partition(" ")
    with api.unchanged():
        answer = api.request(
            method, estate.path(path), _filled(estate, NEW[operation]), headers={"content-type": content_type}
        )
    assert (answer.status, answer.code) == (415, "request.unsupported_media_type")


@pytest.mark.parametrize("operation", [*NEW, "POST /v1/hooks/{token}"])
def test_a_body_has_a_size_that_it_must_not_exceed(api: Api, estate: Estate, operation: str) -> None:
    method, _, path = operation.partition(" ")
    with api.unchanged():
        answer = api.request(method, estate.path(path), raw=b" " * (256 * 1024) + b"{}")
    assert (answer.status, answer.code) == (413, "request.too_large")


TABLE: list[tuple[str, dict[str, Any], str]] = [
    # Groups: missing, of the wrong type, out of range, contradictory, naming what is not there.
    *(
        ("POST /v1/groups", _but(GROUP, **{name: LEFT_OUT}), "request.body")
        for name in ("name", "credential_id", "max_size")
    ),
    ("POST /v1/groups", _but(GROUP, launch_configuration_id=LEFT_OUT), "group.kind"),
    ("POST /v1/groups", _but(GROUP, heat=HEAT), "group.kind"),
    *(
        ("POST /v1/groups", _but(GROUP, launch_configuration_id=LEFT_OUT, heat={**HEAT, **wrong}), code)
        for wrong, code in (
            ({"stack": "no such/stack"}, "request.body"),
            ({"resource": ""}, "request.body"),
            ({"adjust": "both"}, "request.body"),
            ({"stack_id": "1"}, "request.body"),
            ({"policies": [{"resource": "up", "adjustment": 1}]}, "group.heat_adjust"),
            ({"parameter": None}, "group.heat_adjust"),
            ({"adjust": "signal"}, "group.heat_adjust"),
            ({"adjust": "signal", "parameter": None}, "group.heat_adjust"),
            (
                {"adjust": "signal", "parameter": None, "policies": [{"resource": "up", "adjustment": 0}]},
                "group.heat_policies",
            ),
            (
                {
                    "adjust": "signal",
                    "parameter": None,
                    "policies": [{"resource": "up", "adjustment": 1}] * 2,
                },
                "group.heat_policies",
            ),
            ({"stack": "no-such"}, "group.heat_stack"),
        )
    ),
    *(
        (
            "POST /v1/groups",
            _but(GROUP, launch_configuration_id=LEFT_OUT, heat=HEAT, **field),
            "group.heat_field",
        )
        for field in (
            {"removal_order": "newest"},
            {"availability_zones": ["a"]},
            {"build_timeout": 60},
        )
    ),
    ("POST /v1/groups", _but(GROUP, name=""), "request.body"),
    ("POST /v1/groups", _but(GROUP, name="x" * 256), "request.body"),
    ("POST /v1/groups", _but(GROUP, name="line\nbreak"), "request.body"),
    ("POST /v1/groups", _but(GROUP, name="line break at the end\n"), "request.body"),
    ("POST /v1/groups", _but(GROUP, name="nul\x00"), "request.body"),
    ("POST /v1/groups", _but(GROUP, name=None), "request.body"),
    ("POST /v1/groups", _but(GROUP, name=["web"]), "request.body"),
    ("POST /v1/groups", _but(GROUP, min_size="1"), "request.body"),
    ("POST /v1/groups", _but(GROUP, min_size=1.5), "request.body"),
    ("POST /v1/groups", _but(GROUP, min_size=True), "request.body"),
    ("POST /v1/groups", _but(GROUP, min_size=None), "request.body"),
    ("POST /v1/groups", _but(GROUP, min_size=-1), "request.body"),
    ("POST /v1/groups", _but(GROUP, max_size=10_001), "request.body"),
    ("POST /v1/groups", _but(GROUP, max_size=HUGE), "request.body"),
    ("POST /v1/groups", _but(GROUP, max_size=1e300), "request.body"),
    ("POST /v1/groups", _but(GROUP, min_size=6), "group.bounds"),
    ("POST /v1/groups", _but(GROUP, desired_capacity=0), "group.desired_outside_bounds"),
    ("POST /v1/groups", _but(GROUP, desired_capacity=6), "group.desired_outside_bounds"),
    ("POST /v1/groups", _but(GROUP, desired_capacity=HUGE), "request.body"),
    ("POST /v1/groups", _but(GROUP, cooldown=-1), "request.body"),
    ("POST /v1/groups", _but(GROUP, cooldown=86_401), "request.body"),
    ("POST /v1/groups", _but(GROUP, build_timeout=29), "request.body"),
    ("POST /v1/groups", _but(GROUP, removal_order="random"), "request.body"),
    ("POST /v1/groups", _but(GROUP, availability_zones="nova"), "request.body"),
    ("POST /v1/groups", _but(GROUP, availability_zones=["a", "b:c"]), "request.body"),
    ("POST /v1/groups", _but(GROUP, availability_zones=["nova\n"]), "request.body"),
    ("POST /v1/groups", _but(GROUP, availability_zones=["z"] * 21), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{"pool_id": NO_SUCH_ID}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "pool_id": "1"}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "protocol_port": 0}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "protocol_port": 65_536}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "weight": 0}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "weight": 257}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "drain_seconds": -1}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "drain_seconds": 3601}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "subnet_id": "nope"}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "network": ""}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[{**POOL, "bogus": 1}]), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[POOL] * 6), "request.body"),
    ("POST /v1/groups", _but(GROUP, load_balancers=[POOL, {**POOL, "weight": 2}]), "group.pool_twice"),
    ("POST /v1/groups", _but(GROUP, launch_configuration_id="1"), "request.body"),
    ("POST /v1/groups", _but(GROUP, launch_configuration_id=f"{NO_SUCH_ID}\n"), "request.body"),
    (
        "POST /v1/groups",
        _but(GROUP, launch_configuration_id=NO_SUCH_ID),
        "group.no_such_launch_configuration",
    ),
    ("POST /v1/groups", _but(GROUP, credential_id=NO_SUCH_ID), "group.no_such_credential"),
    ("POST /v1/groups", _but(GROUP, client_token=""), "request.body"),
    ("POST /v1/groups", _but(GROUP, client_token="x" * 256), "request.body"),
    ("POST /v1/groups", _but(GROUP, id=NO_SUCH_ID), "request.body"),
    ("POST /v1/groups", _but(GROUP, project_id="project-2"), "request.body"),
    ("POST /v1/groups", _but(GROUP, generation=7), "request.body"),
    ("PATCH /v1/groups/{group_id}", {"min_size": 4}, "group.desired_outside_bounds"),
    ("PATCH /v1/groups/{group_id}", {"min_size": 6}, "group.bounds"),
    ("PATCH /v1/groups/{group_id}", {"max_size": 0}, "group.bounds"),
    ("PATCH /v1/groups/{group_id}", {"max_size": 2}, "group.desired_outside_bounds"),
    ("PATCH /v1/groups/{group_id}", {"desired_capacity": 6}, "group.desired_outside_bounds"),
    ("PATCH /v1/groups/{group_id}", {"desired_capacity": None}, "request.body"),
    ("PATCH /v1/groups/{group_id}", {"name": None}, "request.body"),
    ("PATCH /v1/groups/{group_id}", {"credential_id": NO_SUCH_ID}, "group.no_such_credential"),
    ("PATCH /v1/groups/{group_id}", {"client_token": "x"}, "request.body"),
    ("PUT /v1/groups/{group_id}/freeze", {}, "request.body"),
    ("PUT /v1/groups/{group_id}/freeze", _but(FREEZE, reason=""), "request.body"),
    ("PUT /v1/groups/{group_id}/freeze", _but(FREEZE, reason="x" * 1025), "request.body"),
    ("PUT /v1/groups/{group_id}/freeze", _but(FREEZE, until="tomorrow"), "request.body"),
    ("PUT /v1/groups/{group_id}/freeze", _but(FREEZE, until="2026-03-02T12:00:00"), "request.body"),
    ("PUT /v1/groups/{group_id}/freeze", _but(FREEZE, until=1e20), "request.body"),
    ("PUT /v1/groups/{group_id}/freeze", _but(FREEZE, until="0001-01-01T00:00:00+23:00"), "request.time"),
    ("PUT /v1/groups/{group_id}/freeze", _but(FREEZE, until="9999-12-31T23:59:59-23:00"), "request.time"),
    ("PATCH /v1/groups/{group_id}/members/{member_id}", {}, "request.body"),
    ("PATCH /v1/groups/{group_id}/members/{member_id}", {"protected": "yes"}, "request.body"),
    ("PATCH /v1/groups/{group_id}/members/{member_id}", {"protected": 1}, "request.body"),
    # Policies.
    *(
        ("POST /v1/policies", _but(POLICY, **{name: LEFT_OUT}), "request.body")
        for name in ("name", "group_id", "type", "adjustment")
    ),
    ("POST /v1/policies", _but(POLICY, group_id=NO_SUCH_ID), "policy.no_such_group"),
    ("POST /v1/policies", _but(POLICY, group_id=f"{NO_SUCH_ID}\n"), "request.body"),
    ("POST /v1/policies", _but(POLICY, type="double"), "request.body"),
    ("POST /v1/policies", _but(POLICY, adjustment="1"), "request.body"),
    ("POST /v1/policies", _but(POLICY, adjustment=True), "request.body"),
    ("POST /v1/policies", _but(POLICY, adjustment=None), "request.body"),
    ("POST /v1/policies", _but(POLICY, adjustment=1_000_001), "request.body"),
    ("POST /v1/policies", _but(POLICY, adjustment=HUGE), "request.body"),
    ("POST /v1/policies", _but(POLICY, adjustment=-1e300), "request.body"),
    ("POST /v1/policies", _but(POLICY, adjustment=1.5), "policy.adjustment"),
    ("POST /v1/policies", _but(POLICY, type="exact_capacity", adjustment=-1), "policy.adjustment"),
    ("POST /v1/policies", _but(POLICY, min_adjustment_step=2), "policy.min_adjustment_step"),
    ("POST /v1/policies", _but(POLICY, min_adjustment_step=0), "request.body"),
    ("POST /v1/policies", _but(POLICY, cooldown=86_401), "request.body"),
    ("POST /v1/policies", _but(POLICY, mode="dry"), "request.body"),
    ("PATCH /v1/policies/{policy_id}", {"adjustment": 0.5}, "policy.adjustment"),
    ("PATCH /v1/policies/{policy_id}", {"type": "exact_capacity", "adjustment": -1}, "policy.adjustment"),
    ("PATCH /v1/policies/{policy_id}", {"min_adjustment_step": 3}, "policy.min_adjustment_step"),
    ("PATCH /v1/policies/{policy_id}", {"group_id": NO_SUCH_ID}, "request.body"),
    # Schedules: when, what, for whom; and what does not go together.
    *(
        ("POST /v1/schedules", _but(SCHEDULE, name=bad), "request.body")
        for bad in ("", None, "a\nb", LEFT_OUT)
    ),
    *(
        ("POST /v1/groups/{group_id}/refreshes", {"client_token": "estate", **bad}, "request.body")
        for bad in (
            {"batch_size": 0},
            {"batch_size": 10_001},
            {"batch_size": None},
            {"batch_size": 1.5},
            {"min_in_service": -1},
            {"min_in_service": "1"},
            {"pause_seconds": -1},
            {"pause_seconds": 86_401},
            {"replace_all": 1},
            {"force": True},
        )
    ),
    ("PATCH /v1/groups/{group_id}/refreshes/{refresh_id}", {}, "request.body"),
    ("PATCH /v1/groups/{group_id}/refreshes/{refresh_id}", {"paused": None}, "request.body"),
    ("PATCH /v1/groups/{group_id}/refreshes/{refresh_id}", {"batch_size": 2}, "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, group_id=LEFT_OUT), "schedule.group"),
    ("POST /v1/schedules", _but(SCHEDULE, group_id=NO_SUCH_ID), "schedule.no_such_group"),
    ("POST /v1/schedules", _but(SCHEDULE, group_id="1"), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, cron=LEFT_OUT), "schedule.timing"),
    ("POST /v1/schedules", _but(SCHEDULE, at="2030-01-01T00:00:00Z"), "schedule.timing"),
    *(
        ("POST /v1/schedules", _but(SCHEDULE, cron=bad), "request.body")
        for bad in ("", "* * * *", "* * * * * *", "@daily", "0  7 * * *", "0 7 * * *\n", "? * * * *", 7, HUGE)
    ),
    ("POST /v1/schedules", _but(SCHEDULE, cron="0," * 200 + "0 * * * *"), "request.body"),
    *(
        ("POST /v1/schedules", _but(SCHEDULE, cron=bad), "schedule.cron")
        for bad in ("60 * * * *", "x * * * *", "0 0 31 2 *", "*/0 * * * *", "5-1 * * * *")
    ),
    ("POST /v1/schedules", _but(SCHEDULE, cron="0 0 */31 2 5L"), "schedule.never_due"),
    *(
        ("POST /v1/schedules", _but(SCHEDULE, timezone=bad), "schedule.timezone")
        for bad in ("Mars/Olympus", "Europe", "localtime", "europe/ljubljana", "/etc/localtime")
    ),
    ("POST /v1/schedules", _but(SCHEDULE, timezone="../UTC"), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, timezone="UTC\x00"), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, timezone="x" * 97), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, start="tomorrow"), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, start="2030-01-01T00:00:00"), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, start="0001-01-01T00:00:00+01:00"), "request.time"),
    ("POST /v1/schedules", _but(SCHEDULE, start="9999-12-31T23:59:59Z"), "schedule.never_due"),
    ("POST /v1/schedules", _but(SCHEDULE, end="2026-01-01T00:00:00Z"), "schedule.never_due"),
    (
        "POST /v1/schedules",
        _but(SCHEDULE, start="2030-01-01T00:00:00Z", end="2030-01-01T00:00:00Z"),
        "schedule.end",
    ),
    *(
        ("POST /v1/schedules", _but(SCHEDULE, cron=LEFT_OUT, at=at, **more), code)
        for at, more, code in (
            ("2026-01-01T00:00:00Z", {}, "schedule.at"),
            ("2026-01-01T00:00:00Z", {"enabled": False}, "schedule.at"),
            ("2030-01-01", {}, "request.body"),
            ("2030-01-01T00:00:00", {}, "request.body"),
            ("9999-12-31T23:59:59-23:00", {}, "request.time"),
            (1e20, {}, "request.body"),
            ("2030-01-01T00:00:00Z", {"timezone": "UTC"}, "schedule.timing"),
            ("2030-01-01T00:00:00Z", {"end": "2031-01-01T00:00:00Z"}, "schedule.timing"),
        )
    ),
    ("POST /v1/schedules", _but(SCHEDULE, min_size=LEFT_OUT), "schedule.sizes"),
    ("POST /v1/schedules", _but(SCHEDULE, max_size=3), "schedule.sizes"),
    ("POST /v1/schedules", _but(SCHEDULE, desired_capacity=3), "schedule.sizes"),
    ("POST /v1/schedules", _but(SCHEDULE, min_size=-1), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, min_size=10_001), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, min_size=1.5), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, min_size=True), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, policy_id="{policy_id}"), "schedule.action"),
    ("POST /v1/schedules", _but(SCHEDULE, honor_cooldown=True), "schedule.action"),
    (
        "POST /v1/schedules",
        _but(SCHEDULE, min_size=LEFT_OUT, policy_id=NO_SUCH_ID),
        "schedule.no_such_policy",
    ),
    (
        "POST /v1/schedules",
        _but(SCHEDULE, min_size=LEFT_OUT, group_id=LEFT_OUT, policy_id=NO_SUCH_ID),
        "schedule.no_such_policy",
    ),
    ("POST /v1/schedules", _but(SCHEDULE, enabled="yes"), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, next_due_at="2030-01-01T00:00:00Z"), "request.body"),
    ("POST /v1/schedules", _but(SCHEDULE, client_token=""), "request.body"),
    ("PATCH /v1/schedules/{schedule_id}", {"cron": None}, "request.body"),
    ("PATCH /v1/schedules/{schedule_id}", {"cron": "60 * * * *"}, "schedule.cron"),
    ("PATCH /v1/schedules/{schedule_id}", {"timezone": "Europe"}, "schedule.timezone"),
    ("PATCH /v1/schedules/{schedule_id}", {"at": "2026-01-01T00:00:00Z"}, "schedule.at"),
    (
        "PATCH /v1/schedules/{schedule_id}",
        {"at": "2030-01-01T00:00:00Z", "cron": "0 7 * * *"},
        "schedule.timing",
    ),
    ("PATCH /v1/schedules/{schedule_id}", {"min_size": None}, "schedule.sizes"),
    ("PATCH /v1/schedules/{schedule_id}", {"max_size": 3}, "schedule.sizes"),
    ("PATCH /v1/schedules/{schedule_id}", {"policy_id": NO_SUCH_ID}, "schedule.no_such_policy"),
    ("PATCH /v1/schedules/{schedule_id}", {"policy_id": "{policy_id}", "min_size": 1}, "schedule.action"),
    ("PATCH /v1/schedules/{schedule_id}", {"honor_cooldown": True}, "schedule.action"),
    ("PATCH /v1/schedules/{schedule_id}", {"group_id": "{group_id}"}, "request.body"),
    ("PATCH /v1/schedules/{schedule_id}", {"end": "2026-01-01T00:00:00Z"}, "schedule.never_due"),
    ("POST /v1/policies", _but(POLICY, steps=STEPS["steps"]), "request.body"),
    ("POST /v1/policies", _but(POLICY, type="steps"), "request.body"),
    *(
        ("POST /v1/policies", _steps(*steps), code)
        for code, steps in (
            ("request.body", []),
            ("request.body", [{"lower": 0, "adjustment": 1}] * 21),
            ("request.body", [{"lower": 0}]),
            ("request.body", [{"lower": "0", "adjustment": 1}]),
            ("request.body", [{"lower": HUGE, "adjustment": 1}]),
            ("request.body", [{"lower": 0, "adjustment": 1, "middle": 5}]),
            ("policy.steps", [{"adjustment": 1}]),
            ("policy.steps", [{"lower": 5, "upper": 5, "adjustment": 1}]),
            ("policy.steps", [{"lower": 0, "upper": 5, "adjustment": 1}]),
            ("policy.steps", [{"lower": -5, "upper": 0, "adjustment": 1}]),
            ("policy.steps", [{"lower": 0, "adjustment": 1}, {"lower": 5, "adjustment": 1}]),
            ("policy.adjustment", [{"lower": 0, "adjustment": 1.5}]),
        )
    ),
    ("POST /v1/policies", _but(STEPS, min_adjustment_step=2), "policy.min_adjustment_step"),
    ("POST /v1/policies", _but(STEPS, warmup=-1), "request.body"),
    ("POST /v1/policies", _but(STEPS, adjustment=1), "request.body"),
    *(("POST /v1/policies", _but(TRACKING, **{name: LEFT_OUT}), "request.body") for name in TRACKING),
    ("POST /v1/policies", _but(TRACKING, target=0), "request.body"),
    ("POST /v1/policies", _but(TRACKING, target=-5), "request.body"),
    ("POST /v1/policies", _but(TRACKING, target=HUGE), "request.body"),
    ("POST /v1/policies", _but(TRACKING, target="60"), "request.body"),
    ("POST /v1/policies", _but(TRACKING, metric=""), "request.body"),
    ("POST /v1/policies", _but(TRACKING, metric="cpu\n"), "request.body"),
    ("POST /v1/policies", _but(TRACKING, metric_kind="median"), "request.body"),
    ("POST /v1/policies", _but(TRACKING, dimensions={"a": 1}), "request.body"),
    ("POST /v1/policies", _but(TRACKING, dimensions={"": "a"}), "request.body"),
    ("POST /v1/policies", _but(TRACKING, dimensions={f"d{n}": "x" for n in range(31)}), "request.body"),
    ("POST /v1/policies", _but(TRACKING, statistic="p101"), "request.body"),
    ("POST /v1/policies", _but(TRACKING, statistic="p99\n"), "request.body"),
    ("POST /v1/policies", _but(TRACKING, period=15), "request.body"),
    ("POST /v1/policies", _but(TRACKING, period=90), "policy.period"),
    ("POST /v1/policies", _but(TRACKING, period=3660), "request.body"),
    ("POST /v1/policies", _but(TRACKING, tolerance=0.1), "request.body"),
    ("POST /v1/policies", _but(TRACKING, tolerance={"out": -0.1}), "request.body"),
    ("POST /v1/policies", _but(TRACKING, tolerance={"in_": 0.1}), "request.body"),
    ("POST /v1/policies", _but(TRACKING, behavior={"out": {}}), "request.body"),
    ("POST /v1/policies", _behaving(stabilization=3601), "request.body"),
    ("POST /v1/policies", _behaving(select="most"), "request.body"),
    ("POST /v1/policies", _behaving(limits=[{"type": "members", "value": 1}]), "request.body"),
    ("POST /v1/policies", _behaving(limits=[{"type": "pods", "value": 1, "period": 1}]), "request.body"),
    ("POST /v1/policies", _behaving(limits=[{"type": "members", "value": 0, "period": 1}]), "request.body"),
    (
        "POST /v1/policies",
        _behaving(limits=[{"type": "members", "value": 1, "period": 1}] * 11),
        "request.body",
    ),
    ("POST /v1/policies", _but(PREDICTIVE, lead=86_401), "request.body"),
    ("POST /v1/policies", _but(PREDICTIVE, act="yes"), "request.body"),
    ("POST /v1/policies", _but(PREDICTIVE, scale_in=True), "request.body"),
    ("POST /v1/policies", _but(PREDICTIVE, forecast=[]), "request.body"),
    ("PATCH /v1/policies/{policy_id}", {"type": "steps"}, "policy.type"),
    ("PATCH /v1/policies/{policy_id}", {"metric": "cpu"}, "policy.field"),
    ("PATCH /v1/policies/{policy_id}", {"evaluation": None}, "request.body"),
    # Launch configurations.
    ("POST /v1/launch-configurations", {"name": "web"}, "launch_configuration.type"),
    ("POST /v1/launch-configurations", _but(SERVICE, type="stack"), "launch_configuration.type"),
    ("POST /v1/launch-configurations", _but(SERVICE, type="pod"), "request.body"),
    ("POST /v1/launch-configurations", _but(SERVICE, stack=STACK), "launch_configuration.type"),
    ("POST /v1/launch-configurations", {"name": "web", "stack": STACK}, "launch_configuration.type"),
    ("POST /v1/launch-configurations", _stack(template=LEFT_OUT), "request.body"),
    ("POST /v1/launch-configurations", _stack(template=""), "request.body"),
    ("POST /v1/launch-configurations", _stack(template=[]), "request.body"),
    ("POST /v1/launch-configurations", _stack(files={str(n): "" for n in range(101)}), "request.body"),
    ("POST /v1/launch-configurations", _stack(files={"a": 1}), "request.body"),
    (
        "POST /v1/launch-configurations",
        _stack(parameters={"p": "x" * 33_000}),
        "launch_configuration.too_large",
    ),
    (
        "POST /v1/launch-configurations",
        _stack(parameters={"p": json.loads(DEEP)}),
        "launch_configuration.too_deep",
    ),
    (
        "POST /v1/launch-configurations",
        _stack(template={"r": json.loads(DEEP)}),
        "launch_configuration.too_deep",
    ),
    ("POST /v1/launch-configurations", _stack(environment="a: b"), "request.body"),
    (
        "POST /v1/launch-configurations",
        _stack(environment={"parameter_defaults": [1]}),
        "launch_configuration.environment",
    ),
    ("POST /v1/launch-configurations", _stack(timeout_minutes=0), "request.body"),
    ("POST /v1/launch-configurations", _stack(timeout_minutes=1441), "request.body"),
    ("POST /v1/launch-configurations", _stack(tags=["a,b"]), "request.body"),
    ("POST /v1/launch-configurations", _stack(tags=["a" * 81]), "request.body"),
    ("POST /v1/launch-configurations", _stack(tags=["thermostat:group:x"]), "launch_configuration.tags"),
    ("POST /v1/launch-configurations", _stack(unknown=1), "request.body"),
    ("POST /v1/launch-configurations", _server(flavor=LEFT_OUT), "request.body"),
    ("POST /v1/launch-configurations", _server(image=LEFT_OUT), "launch_configuration.image"),
    ("POST /v1/launch-configurations", _server(networks="some"), "request.body"),
    ("POST /v1/launch-configurations", _server(networks=[]), "request.body"),
    ("POST /v1/launch-configurations", _server(networks=["net"]), "request.body"),
    ("POST /v1/launch-configurations", _server(user_data="no base64!"), "launch_configuration.user_data"),
    ("POST /v1/launch-configurations", _server(user_data="x" * 65_536), "request.body"),
    ("POST /v1/launch-configurations", _server(metadata={"k": 1}), "request.body"),
    ("POST /v1/launch-configurations", _server(metadata={"k" * 256: "v"}), "request.body"),
    ("POST /v1/launch-configurations", _server(tags=["a,b"]), "request.body"),
    ("POST /v1/launch-configurations", _server(tags=["a\n"]), "request.body"),
    ("POST /v1/launch-configurations", _server(tags=["a"] * 50), "request.body"),
    ("POST /v1/launch-configurations", _server(unknown=1), "request.body"),
    (
        "POST /v1/launch-configurations",
        _server(scheduler_hints=json.loads(DEEP)),
        "launch_configuration.too_deep",
    ),
    (
        "POST /v1/launch-configurations",
        _server(networks=[{"uuid": json.loads(DEEP)}]),
        "launch_configuration.too_deep",
    ),
    # Credentials.
    ("POST /v1/credentials", {"name": "mine"}, "request.body"),
    ("POST /v1/credentials", _but(TRUST, type="password"), "request.body"),
    ("POST /v1/credentials", _but(TRUST, type=[]), "request.body"),
    ("POST /v1/credentials", _but(TRUST, roles=[]), "request.body"),
    ("POST /v1/credentials", _but(TRUST, redelegation="yes"), "request.body"),
    ("POST /v1/credentials", _but(TRUST, roles=["member"] * 11), "request.body"),
    ("POST /v1/credentials", _but(TRUST, application_credential_secret=SECRET), "request.body"),
    ("POST /v1/credentials", _but(HANDED, application_credential_id=LEFT_OUT), "request.body"),
    ("POST /v1/credentials", _but(HANDED, application_credential_secret=LEFT_OUT), "request.body"),
    ("POST /v1/credentials", _but(HANDED, application_credential_secret=[SECRET]), "request.body"),
    ("POST /v1/credentials", _but(HANDED, application_credential_secret=SECRET * 20), "request.body"),
    ("POST /v1/credentials", _but(HANDED, roles=["member"]), "request.body"),
    # Webhooks.
    ("POST /v1/policies/{policy_id}/webhooks", {}, "request.body"),
    ("POST /v1/policies/{policy_id}/webhooks", _but(WEBHOOK, direction="up"), "request.body"),
    ("POST /v1/policies/{policy_id}/webhooks", _but(WEBHOOK, expires_at="2026-03-02"), "request.body"),
    (
        "POST /v1/policies/{policy_id}/webhooks",
        _but(WEBHOOK, expires_at="2026-03-02T12:00:00"),
        "request.body",
    ),
    (
        "POST /v1/policies/{policy_id}/webhooks",
        _but(WEBHOOK, expires_at="9999-12-31T23:59:59-23:59"),
        "request.time",
    ),
    ("POST /v1/policies/{policy_id}/webhooks", _but(WEBHOOK, url="http://mine"), "request.body"),
    ("POST /v1/policies/{policy_id}/webhooks", _but(WEBHOOK, token="mine"), "request.body"),
    ("PATCH /v1/webhooks/{webhook_id}", {"direction": None}, "request.body"),
    ("PATCH /v1/webhooks/{webhook_id}", {"expires_at": "0001-01-01T00:00:00+01:00"}, "request.time"),
    ("PATCH /v1/webhooks/{webhook_id}", {"policy_id": NO_SUCH_ID}, "request.body"),
    ("POST /v1/webhooks/{webhook_id}/rotations", {"keep_previous": -1}, "request.body"),
    ("POST /v1/webhooks/{webhook_id}/rotations", {"keep_previous": HUGE}, "request.body"),
    ("POST /v1/webhooks/{webhook_id}/rotations", {"keep_previous": 2_592_001}, "request.body"),
    # Executions and hooks.
    ("POST /v1/policies/{policy_id}/executions", {"event_id": ""}, "request.body"),
    ("POST /v1/policies/{policy_id}/executions", {"event_id": "x" * 256}, "request.body"),
    ("POST /v1/policies/{policy_id}/executions", {"event_id": 7}, "request.body"),
    ("POST /v1/policies/{policy_id}/executions", {"adjustment": 5}, "request.body"),
    ("POST /v1/hooks/{token}", {"status": "resolved"}, "hook.body"),
    ("POST /v1/hooks/{token}", {"event_id": 7}, "hook.body"),
    ("POST /v1/hooks/{token}", {"event_id": "x" * 256}, "hook.event_id"),
]


@pytest.mark.parametrize(
    ("operation", "body", "code"), TABLE, ids=[f"{n}-{row[0]}-{row[2]}" for n, row in enumerate(TABLE)]
)
def test_what_makes_no_sense_is_refused(
    api: Api, estate: Estate, operation: str, body: dict[str, Any], code: str
) -> None:
    method, _, path = operation.partition(" ")
    raw = json.dumps(_filled(estate, body)).encode()
    with api.unchanged():
        answer = api.request(method, estate.path(path), raw=raw)
    assert (answer.status, answer.code) == (400, code), answer.document


@pytest.mark.parametrize(
    "depth", [8, 9, 12, 400, 440, 460, 480, 500, 700, 900, 930, 940, 950, 960, 970, 980, 990, 1100]
)
def test_a_document_that_is_taken_can_be_shown_again_however_deep(api: Api, depth: int) -> None:
    hints = '{"a":' * depth + "1" + "}" * depth
    raw = f'{{"name": "web", "server": {{"image": "i", "flavor": "f", "scheduler_hints": {hints}}}}}'.encode()
    before = api.snapshot()
    answer = api.post("/v1/launch-configurations", raw=raw)
    if answer.status == 201:
        path = f"/v1/launch-configurations/{answer.document['id']}"
        assert api.get(path).document["server"]["scheduler_hints"] == json.loads(hints)
        assert api.get("/v1/launch-configurations").status == 200
    else:
        assert answer.status == 400
        assert api.snapshot() == before


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=1e2",
        "limit=99999999999999999999",
        "limit=",
        "limit=abc",
        "limit=%D9%A1",  # a digit, but not of ours
        "limit=1&limit=2",
        "marker=1",
        "marker=",
        f"marker={NO_SUCH_ID}%0A",
        "unknown=1",
        "Limit=1",
        "sort=name",
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/groups",
        "/v1/groups/{group_id}/members",
        "/v1/policies",
        "/v1/policies/{policy_id}/webhooks",
        "/v1/policies/{policy_id}/executions",
        "/v1/executions?group_id={group_id}",
        "/v1/activities?group_id={group_id}",
        "/v1/launch-configurations",
        "/v1/credentials",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(api: Api, estate: Estate, path: str, query: str) -> None:
    answer = api.get(f"{estate.path(path)}{'&' if '?' in path else '?'}{query}")
    assert (answer.status, answer.code) == (400, "request.query")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/executions",
        "/v1/activities",
        "/v1/executions?group_id=1",
        "/v1/activities?group_id=",
        "/v1/policies?group_id=1",
        "/v1/groups/{group_id}?fields=id",
        "/v1/limits?limit=1",
        "/?x=1",
    ],
)
def test_a_query_that_the_operation_does_not_take_is_refused(api: Api, estate: Estate, path: str) -> None:
    answer = api.get(estate.path(path))
    assert (answer.status, answer.code) == (400, "request.query")


def test_a_member_is_removed_with_true_or_false_only(api: Api, estate: Estate) -> None:
    with api.unchanged():
        answer = api.delete(estate.path("/v1/groups/{group_id}/members/{member_id}?replace=maybe"))
    assert (answer.status, answer.code) == (400, "request.query")


@pytest.mark.parametrize("etag", ["3", '"abc"', 'W/"3"', '"3", "4"', '""', '"-1"', f'"{HUGE}"', "null"])
@pytest.mark.parametrize(
    "operation",
    [
        "PATCH /v1/groups/{group_id}",
        "DELETE /v1/groups/{group_id}",
        "PUT /v1/groups/{group_id}/freeze",
        "DELETE /v1/groups/{group_id}/freeze",
        "PATCH /v1/policies/{policy_id}",
        "DELETE /v1/policies/{policy_id}",
    ],
)
def test_what_cannot_be_an_etag_of_ours_is_refused(
    api: Api, estate: Estate, operation: str, etag: str
) -> None:
    method, _, path = operation.partition(" ")
    body = NEW.get(operation)
    with api.unchanged():
        answer = api.request(method, estate.path(path), body, headers={"If-Match": etag})
    assert (answer.status, answer.code) == (400, "request.if_match")


@pytest.mark.parametrize(
    "operation",
    [
        "PATCH /v1/webhooks/{webhook_id}",
        "DELETE /v1/webhooks/{webhook_id}",
        "DELETE /v1/credentials/{credential_id}",
        "DELETE /v1/launch-configurations/{launch_configuration_id}",
        "DELETE /v1/groups/{group_id}/intake",
    ],
)
def test_what_has_no_etag_is_changed_only_without_one(api: Api, estate: Estate, operation: str) -> None:
    """Who names one takes care of what others do meanwhile, and must not be passed over."""
    method, _, path = operation.partition(" ")
    with api.unchanged():
        answer = api.request(method, estate.path(path), NEW.get(operation), headers={"If-Match": '"1"'})
    assert (answer.status, answer.code) == (400, "request.if_match")
    assert api.request(method, estate.path(path), NEW.get(operation), headers={"If-Match": "*"}).status != 400


@pytest.mark.parametrize(
    "operation",
    [
        "PATCH /v1/groups/{group_id}",
        "DELETE /v1/groups/{group_id}",
        "PUT /v1/groups/{group_id}/freeze",
        "DELETE /v1/groups/{group_id}/freeze",
        "PATCH /v1/policies/{policy_id}",
        "DELETE /v1/policies/{policy_id}",
    ],
)
def test_a_stale_etag_changes_nothing(api: Api, estate: Estate, operation: str) -> None:
    method, _, path = operation.partition(" ")
    thing = path.removesuffix("/freeze")
    stale = api.get(estate.path(thing)).headers["etag"]
    assert api.patch(estate.path(thing), {"name": "changed meanwhile"}).headers["etag"] != stale
    with api.unchanged():
        answer = api.request(method, estate.path(path), NEW.get(operation), headers={"If-Match": stale})
    assert (answer.status, answer.code) in ((412, "group.stale"), (412, "policy.stale"))
    fresh = api.get(estate.path(thing)).headers["etag"]
    for etag in (fresh, "*"):
        answer = api.request(method, estate.path(path), NEW.get(operation), headers={"If-Match": etag})
        assert answer.status in (200, 204, 404 if etag == "*" else 204)


@pytest.mark.parametrize(
    "path", ["/v1/groups", "/v1/groups/{group_id}", "/v1/webhooks/{webhook_id}", "/", "/v1/limits"]
)
@pytest.mark.parametrize("method", ["PUT", "TRACE", "PROPFIND"])
def test_a_method_that_is_not_there_is_405(api: Api, estate: Estate, method: str, path: str) -> None:
    with api.unchanged():
        answer = api.request(method, estate.path(path))
    assert (answer.status, answer.code) == (405, "request.method_not_allowed")
    assert answer.headers["allow"]


def test_an_unknown_or_revoked_token_is_404_whatever_the_body(api: Api, estate: Estate) -> None:
    known = api.post(f"/v1/hooks/{NO_SUCH_TOKEN}", raw=b"{", token=None)
    assert (known.status, known.code) == (404, "webhook.unknown")
    api.delete(estate.path("/v1/webhooks/{webhook_id}"))
    for raw in (b"", b"{", b"{}"):
        with api.unchanged():
            gone = api.post(estate.path("/v1/hooks/{token}"), raw=raw, token=None)
        assert (gone.status, gone.code, gone.detail) == (404, "webhook.unknown", known.detail)


def test_quotas_are_told_apart_from_mistakes(api: Api, estate: Estate) -> None:
    for number in range(9):
        api.launch_configuration(name=f"{number}")
    with api.unchanged():
        answer = api.post("/v1/launch-configurations", SERVICE)
    assert (answer.status, answer.code) == (403, "quota.launch_configurations_exceeded")
    with api.unchanged():
        answer = api.post("/v1/groups", _filled(estate, _but(GROUP, max_size=1000)))
    assert (answer.status, answer.code) == (403, "quota.members_exceeded")
    with api.unchanged():
        answer = api.patch(estate.path("/v1/groups/{group_id}"), {"max_size": 1001})
    assert (answer.status, answer.code) == (403, "quota.members_exceeded")


def test_what_goes_wrong_here_says_nothing_of_what_was_sent(
    api: Api, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen failure: a hook's token is in its path, and a framework would log the path."""

    def fail(sha256: str) -> None:
        raise RuntimeError("the table is on fire")

    monkeypatch.setattr(api.world.services.webhooks, "by_token", fail)
    answer = api.post(estate.path("/v1/hooks/{token}"), token=None)
    assert (answer.status, answer.code) == (500, "internal")
    assert "fire" not in answer.detail


def test_an_error_never_repeats_a_secret(api: Api, estate: Estate) -> None:
    """A secret in the wrong field is a likely mistake; ``api`` looks at every error and every log line."""
    url = api.webhook(estate.policy_id)["url"]
    for misplaced in ("name", "type", "roles", "application_credential_id"):
        body = _but(HANDED, application_credential_secret=LEFT_OUT, **{misplaced: SECRET})
        assert api.post("/v1/credentials", body).status == 400
    for misplaced in ("direction", "expires_at", "url"):
        body = _but(WEBHOOK, **{misplaced: token_in(url)})
        assert api.post(estate.path("/v1/policies/{policy_id}/webhooks"), body).status == 400
