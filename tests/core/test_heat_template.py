from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.adoption import (
    Obstacle,
    checked,
    obstacles,
    obstacles_of_stack,
    possible,
    suggested_bounds,
    target_of,
)
from chalicelib.core.capacity import Bounds
from chalicelib.core.errors import Invalid
from chalicelib.core.heat import (
    AUTO_SCALING_GROUP,
    AWS_AUTO_SCALING_GROUP,
    INSTANCE_GROUP,
    RESOURCE_GROUP,
    Adjust,
    HeatStatus,
    Stack,
)
from chalicelib.core.heat_template import GroupInTemplate, ResourceFacts, groups_of
from tests.core.heat_factories import COMPLETE, FAILED, a_heat_target

BOUNDS = Bounds(min_size=1, max_size=10)


def a_stack(status: HeatStatus = COMPLETE, **parameters: str) -> Stack:
    return Stack(id="stack-1", name="shop", status=status, parameters=parameters or {"size": "2"})


def hot(type_: str = AUTO_SCALING_GROUP, **properties: Any) -> dict[str, Any]:
    size = {"count" if type_ == RESOURCE_GROUP else "desired_capacity": {"get_param": "size"}}
    group = {"type": type_, "properties": {**size, "min_size": 1, "max_size": 10, **properties}}
    return {"parameters": {"size": {"type": "number"}}, "resources": {"asg": group}}


def with_policies(template: dict[str, Any], *adjustments: float, **properties: Any) -> dict[str, Any]:
    for number, adjustment in enumerate(adjustments):
        plain = {
            "auto_scaling_group_id": {"get_resource": "asg"},
            "adjustment_type": "change_in_capacity",
            "scaling_adjustment": adjustment,
        }
        policy = {"type": "OS::Heat::ScalingPolicy", "properties": {**plain, **properties}}
        template["resources"][f"p{number}"] = policy
    return template


def the_group(template: dict[str, Any], stack: Stack | None = None) -> GroupInTemplate:
    (group,) = groups_of(template, stack or a_stack())
    return group


def facts(status: HeatStatus = COMPLETE) -> ResourceFacts:
    return ResourceFacts(status=status, nested=status, members=())


def codes(found: tuple[Obstacle, ...]) -> dict[str, bool]:
    return {obstacle.code.value: obstacle.prevents for obstacle in found}


def test_a_group_in_hot() -> None:
    group = the_group(with_policies(hot(cooldown=60), 1, -1, cooldown=30))
    assert (group.resource, group.type, group.parameter) == ("asg", AUTO_SCALING_GROUP, "size")
    assert (group.min_size, group.max_size, group.cooldown) == (1, 10, 60)
    assert [(p.resource, p.whole_step, p.cooldown) for p in group.policies] == [("p0", 1, 30), ("p1", -1, 30)]


def test_a_group_as_cloudformation_writes_it() -> None:
    template = {
        "Parameters": {"Size": {"Type": "Number"}, "Max": {"Type": "Number"}},
        "Resources": {
            "Group": {
                "Type": AWS_AUTO_SCALING_GROUP,
                "Properties": {"DesiredCapacity": {"Ref": "Size"}, "MinSize": "1", "MaxSize": {"Ref": "Max"}},
            },
            "Out": {
                "Type": "AWS::AutoScaling::ScalingPolicy",
                "Properties": {
                    "AutoScalingGroupName": {"Ref": "Group"},
                    "AdjustmentType": "ChangeInCapacity",
                    "ScalingAdjustment": "2",
                    "Cooldown": "60",
                },
            },
        },
    }
    group = the_group(template, a_stack(Size="3", Max="8"))
    assert (group.parameter, group.min_size, group.max_size) == ("Size", 1, 8)
    assert [(p.resource, p.whole_step, p.cooldown) for p in group.policies] == [("Out", 2, 60)]


@pytest.mark.parametrize(
    ("type_", "properties", "parameter"),
    [
        (RESOURCE_GROUP, {"count": {"get_param": "size"}}, "size"),
        (INSTANCE_GROUP, {"Size": {"Ref": "size"}}, "size"),
        (AUTO_SCALING_GROUP, {"desired_capacity": 3}, None),
        (AUTO_SCALING_GROUP, {"desired_capacity": {"get_param": ["size", 0]}}, None),
        (AUTO_SCALING_GROUP, {"desired_capacity": {"get_param": "undeclared"}}, None),
        (AUTO_SCALING_GROUP, {"desired_capacity": {"yaql": {"expression": "$.size"}}}, None),
    ],
)
def test_what_the_size_comes_from(type_: str, properties: dict[str, Any], parameter: str | None) -> None:
    assert the_group(hot(type_, **properties)).parameter == parameter


def test_what_a_template_computes_is_not_known() -> None:
    group = the_group(with_policies(hot(max_size={"list_join": []}, min_size=1.5), 1.5, 0))
    assert (group.min_size, group.max_size) == (None, None)
    assert [policy.whole_step for policy in group.policies] == [None, None]
    percent = the_group(with_policies(hot(), 10, adjustment_type="percent_change_in_capacity"))
    assert percent.policies[0].whole_step is None


@pytest.mark.parametrize(
    "template", [{}, {"resources": None}, {"resources": []}, {"resources": {"asg": None, "b": {"type": 1}}}]
)
def test_a_template_without_groups_has_none(template: dict[str, Any]) -> None:
    assert groups_of(template, a_stack()) == ()


def test_a_policy_of_another_group_is_not_the_groups() -> None:
    template = with_policies(hot(), 1, auto_scaling_group_id={"get_resource": "other"})
    assert the_group(template).policies == ()


@pytest.mark.parametrize(
    ("template", "stack", "seen", "expected", "ways"),
    [
        (hot(), a_stack(), facts(), {"zero_ignored": False, "no_whole_steps": True}, ["parameter"]),
        (
            hot(desired_capacity=2),
            a_stack(),
            facts(),
            {"no_parameter": True, "no_whole_steps": True},
            [],
        ),
        (
            hot(),
            a_stack(size="******"),
            facts(),
            {"parameter_hidden": True, "zero_ignored": False, "no_whole_steps": True},
            [],
        ),
        (
            with_policies(hot(), 1, -1),
            a_stack(),
            facts(),
            {"zero_ignored": False, "policies_present": False},
            ["parameter", "signal"],
        ),
        (
            with_policies(hot(), 1, cooldown=60),
            a_stack(),
            facts(),
            {"zero_ignored": False, "policies_present": False, "no_whole_steps": False, "cooldown": False},
            ["parameter", "signal"],
        ),
        (hot(RESOURCE_GROUP), a_stack(), facts(), {"no_signals": True}, ["parameter"]),
        (
            hot(RESOURCE_GROUP),
            a_stack(),
            facts(FAILED),
            {"group_failed": False, "no_signals": True},
            ["parameter"],
        ),
        (hot(RESOURCE_GROUP), a_stack(), None, {"group_failed": False, "no_signals": True}, ["parameter"]),
    ],
)
def test_what_stands_against_taking_a_group_over(
    template: dict[str, Any],
    stack: Stack,
    seen: ResourceFacts | None,
    expected: dict[str, bool],
    ways: list[str],
) -> None:
    group = the_group(template, stack)
    found = obstacles(group, seen, stack, [group])
    assert codes(found) == expected
    assert [way.value for way in possible(found)] == ways


def test_a_parameter_of_two_groups_resizes_both() -> None:
    template = hot()
    template["resources"]["twin"] = template["resources"]["asg"]
    groups = groups_of(template, a_stack())
    assert "parameter_shared" in codes(obstacles(groups[0], facts(), a_stack(), groups))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_COMPLETE", {}),
        ("UPDATE_FAILED", {"stack_failed": False}),
        ("UPDATE_IN_PROGRESS", {"stack_busy": False}),
        ("SUSPEND_COMPLETE", {"stack_unusable": True}),
        ("DELETE_IN_PROGRESS", {"stack_unusable": True}),
    ],
)
def test_what_concerns_the_whole_stack(status: str, expected: dict[str, bool]) -> None:
    assert codes(obstacles_of_stack(a_stack(HeatStatus(word=status)), ())) == expected


def test_a_group_inside_a_nested_stack_is_said_to_be_out_of_reach() -> None:
    (found,) = obstacles_of_stack(a_stack(), ["workers"])
    assert found.code == "nested_group"
    assert "workers is inside a nested stack" in found.detail


def test_suggestions_are_what_a_definition_takes() -> None:
    template = with_policies(hot(), 1, -1, 2.5)
    group = the_group(template)
    for way in Adjust:
        target = target_of(a_stack(), group, way)
        bounds = suggested_bounds(group, 2, way)
        assert checked(target, a_stack(), {"asg": group}, bounds) == target
    named = target_of(a_stack(), group, Adjust.SIGNAL).policies
    assert [(policy.resource, policy.adjustment) for policy in named] == [("p0", 1), ("p1", -1)]
    unbounded = the_group(hot(RESOURCE_GROUP))
    assert suggested_bounds(unbounded, 8, Adjust.PARAMETER) == Bounds(min_size=0, max_size=16)


@pytest.mark.parametrize(
    ("template", "wanted", "bounds", "code"),
    [
        (hot(), a_heat_target(resource="web"), BOUNDS, "heat_resource"),
        (hot(), a_heat_target(parameter="count"), BOUNDS, "heat_parameter"),
        (hot(desired_capacity=2), a_heat_target(), BOUNDS, "heat_parameter"),
        (hot(RESOURCE_GROUP), a_heat_target(Adjust.SIGNAL), BOUNDS, "heat_policies"),
        (with_policies(hot(), 1), a_heat_target(Adjust.SIGNAL), BOUNDS, "heat_policies"),
        (hot(), a_heat_target(), Bounds(min_size=0, max_size=10), "heat_bounds"),
        (hot(), a_heat_target(), Bounds(min_size=1, max_size=11), "heat_bounds"),
    ],
)
def test_a_definition_that_is_not_true_is_refused(
    template: dict[str, Any], wanted: Any, bounds: Bounds, code: str
) -> None:
    group = the_group(template)
    with pytest.raises(Invalid) as refused:
        checked(wanted, a_stack(), {"asg": group}, bounds)
    assert refused.value.code == f"autoscaling.group.{code}"
