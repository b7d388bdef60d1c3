"""Groups in the simulated Heat do what hurts in the real one: all of it was seen on Heat 27."""

from __future__ import annotations

import pytest

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller
from tests.dev.stacks import ACCEPTED, OwnStack, complete, group_template, policy


def test_a_signal_scales_the_nested_stack_and_the_parent_takes_no_notice(
    cloud: SimCloud, stack: OwnStack, clock: ManualClock
) -> None:
    assert stack.signal() == ACCEPTED
    assert stack.status()[0] == "CREATE_COMPLETE"
    assert stack.group()["resource_status"] == "CREATE_COMPLETE"
    assert stack.nested_status() == "UPDATE_IN_PROGRESS"
    assert stack.metadata()["scaling_in_progress"] is True
    clock.advance(10)
    assert stack.nested_status() == "UPDATE_COMPLETE"
    end = {"2026-01-01T00:00:20.000000": "change_in_capacity : 1"}
    assert stack.metadata() == {"cooldown_end": end, "scaling_in_progress": False}
    assert stack.output("size") == len(cloud.backstage.servers("demo")) == 3
    newest, *_ = stack.get("/events?limit=1")["all"]
    assert (newest["resource_name"], newest["resource_status"]) == ("up", "SIGNAL_COMPLETE")


def test_a_signal_goes_by_the_url_the_template_exports(stack: OwnStack) -> None:
    url = stack.output("signal_url")
    assert url.endswith(f"{stack.path}/resources/up/signal")
    assert stack.caller.heat("POST", url).status_code == 200
    assert stack.output("size") == 3


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [("nope", 404, "ResourceNotFound"), ("asg", 400, "ResourceActionNotSupported")],
)
def test_a_signal_to_what_is_no_policy_is_refused(stack: OwnStack, name: str, status: int, kind: str) -> None:
    response = stack.caller.heat("POST", f"{stack.path}/resources/{name}/signal", {})
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
    below_the_name = stack.caller.heat("POST", "/stacks/s/resources/up/signal", {})
    assert below_the_name.status_code == 404


def test_a_signal_in_the_cooldown_is_dropped_whichever_policys(demo: Caller, clock: ManualClock) -> None:
    stack = complete(demo, clock, group_template(cooldown=60))
    stack.signal()
    clock.advance(10)
    events = stack.get("/events")
    assert [stack.signal("up"), stack.signal("down")] == [ACCEPTED, ACCEPTED]
    clock.advance(59)
    assert stack.signal("down") == ACCEPTED
    assert (stack.output("size"), stack.get("/events")) == (3, events)
    clock.advance(1)
    stack.signal("down")
    clock.advance(15)
    assert stack.output("size") == 2


def test_of_signals_while_scaling_one_acts(stack: OwnStack, clock: ManualClock) -> None:
    assert [stack.signal() for _ in range(4)] == [ACCEPTED] * 4
    clock.advance(30)
    assert stack.output("size") == 3


def test_a_signal_while_the_stack_is_updated_is_dropped(stack: OwnStack, clock: ManualClock) -> None:
    stack.patch(size=5)
    clock.advance(2)
    assert stack.signal() == ACCEPTED
    clock.advance(30)
    assert (stack.status()[0], stack.output("size")) == ("UPDATE_COMPLETE", 5)


def test_a_signal_that_changes_nothing_starts_no_cooldown(demo: Caller, clock: ManualClock) -> None:
    stack = complete(demo, clock, group_template(cooldown=60, max_size=2))
    before = stack.metadata()
    assert stack.signal() == ACCEPTED
    clock.advance(10)
    assert (stack.metadata(), stack.output("size")) == (before, 2)


@pytest.mark.parametrize(
    ("kind", "amount", "step", "current", "wanted"),
    [
        ("exact_capacity", 7, None, 5, 7),
        ("percent_change_in_capacity", 25, None, 5, 6),
        ("percent_change_in_capacity", 10, None, 5, 6),
        ("percent_change_in_capacity", -15, None, 10, 9),
        ("percent_change_in_capacity", 1, 3, 8, 11),
        ("percent_change_in_capacity", -50, None, 3, 2),
        ("change_in_capacity", -9, None, 3, 0),
        ("change_in_capacity", 99, None, 3, 12),
    ],
)
def test_a_policy_reckons_as_heat_does(
    demo: Caller, clock: ManualClock, kind: str, amount: int, step: int | None, current: int, wanted: int
) -> None:
    template = group_template({"type": "OS::Heat::RandomString"}, max_size=12)
    own = {} if step is None else {"min_adjustment_step": step}
    template["resources"]["up"] = policy(amount, kind, **own)
    stack = complete(demo, clock, template, size=current)
    stack.signal()
    assert stack.output("size") == wanted
