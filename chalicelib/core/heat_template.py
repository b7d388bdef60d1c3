"""Reading a stack's template: which groups it has, what their sizes come from, which policies resize them.

HOT and CloudFormation's form are read alike. What a template computes by other means than naming a
parameter is not known here, and is said to be so; Heat's functions are not evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.core.heat import (
    AUTO_SCALING_GROUP,
    AWS_AUTO_SCALING_GROUP,
    INSTANCE_GROUP,
    RESOURCE_GROUP,
    HeatMember,
    HeatStatus,
    Stack,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFacts:
    """What Heat shows of a resource that may be a group."""

    status: HeatStatus
    nested: HeatStatus | None
    members: tuple[HeatMember, ...]
    scaling: bool = False
    cooldown_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Names:
    """What a type of group calls its properties; an empty name is one that it lacks."""

    size: str
    min_size: str = ""
    max_size: str = ""
    cooldown: str = ""


_GROUPS: Mapping[str, _Names] = {
    AUTO_SCALING_GROUP: _Names("desired_capacity", "min_size", "max_size", "cooldown"),
    AWS_AUTO_SCALING_GROUP: _Names("DesiredCapacity", "MinSize", "MaxSize", "Cooldown"),
    INSTANCE_GROUP: _Names("Size"),
    RESOURCE_GROUP: _Names("count"),
}
_POLICIES: Mapping[str, tuple[str, str, str, str]] = {
    "OS::Heat::ScalingPolicy": (
        "auto_scaling_group_id",
        "adjustment_type",
        "scaling_adjustment",
        "cooldown",
    ),
    "AWS::AutoScaling::ScalingPolicy": (
        "AutoScalingGroupName",
        "AdjustmentType",
        "ScalingAdjustment",
        "Cooldown",
    ),
}
_CHANGE = frozenset({"change_in_capacity", "ChangeInCapacity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInTemplate:
    """A scaling policy of the stack.

    Attributes:
        adjustment_type: as Heat calls it; None where it is computed.
        adjustment, cooldown: None where they are computed, or left out.
    """

    resource: str
    adjustment_type: str | None
    adjustment: float | None
    cooldown: float | None

    @property
    def whole_step(self) -> int | None:
        """How many members a signal adds or removes, None where that is not a fixed whole number."""
        plain = self.adjustment_type in _CHANGE and self.adjustment is not None
        if not plain or self.adjustment == 0 or not float(self.adjustment or 0).is_integer():
            return None
        return int(self.adjustment or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInTemplate:
    """A group that can be resized.

    Attributes:
        parameter: the parameter that is its size; None where its size is anything else.
        size_is_given: the template says a size, in whatever way.
        min_size, max_size: Heat's own bounds; None where there are none, or they are computed.
        cooldown: Heat's own, in seconds.
    """

    resource: str
    type: str
    parameter: str | None
    size_is_given: bool
    min_size: int | None
    max_size: int | None
    cooldown: float | None
    policies: tuple[PolicyInTemplate, ...]


GROUP_TYPES = frozenset(_GROUPS)
"""The types of resources that can be resized from outside."""


def groups_of(template: Mapping[str, Any], stack: Stack) -> tuple[GroupInTemplate, ...]:
    """Return the groups that a template has, in its order."""
    resources = _resources(template)
    reader = _Reader(template, stack)
    return tuple(
        _group(name, str(_typed(each)), _properties(each), resources, reader)
        for name, each in resources.items()
        if _typed(each) in _GROUPS
    )


def _group(
    name: str, type_: str, properties: Mapping[str, Any], resources: Mapping[str, Any], reader: _Reader
) -> GroupInTemplate:
    names = _GROUPS[type_]
    size = properties.get(names.size)
    return GroupInTemplate(
        resource=name,
        type=type_,
        parameter=reader.parameter(size),
        size_is_given=size is not None,
        min_size=reader.whole(properties.get(names.min_size)),
        max_size=reader.whole(properties.get(names.max_size)),
        cooldown=reader.number(properties.get(names.cooldown)),
        policies=tuple(
            _policy(policy, str(_typed(each)), _properties(each), reader)
            for policy, each in resources.items()
            if _typed(each) in _POLICIES
            if _referred(_properties(each).get(_POLICIES[str(_typed(each))][0])) == name
        ),
    )


def _policy(name: str, type_: str, properties: Mapping[str, Any], reader: _Reader) -> PolicyInTemplate:
    _, kind, amount, cooldown = _POLICIES[type_]
    return PolicyInTemplate(
        resource=name,
        adjustment_type=reader.text(properties.get(kind)),
        adjustment=reader.number(properties.get(amount)),
        cooldown=reader.number(properties.get(cooldown)),
    )


class _Reader:
    """Reads what a property says, as far as it is plain or the value of a parameter."""

    def __init__(self, template: Mapping[str, Any], stack: Stack) -> None:
        declared = template.get("parameters") or template.get("Parameters") or {}
        self._declared = declared if isinstance(declared, Mapping) else {}
        self._values = stack.parameters

    def parameter(self, value: Any) -> str | None:
        """Return the declared parameter that ``value`` names, None where it names none."""
        name = _only(value, "get_param") or _only(value, "Ref")
        return name if isinstance(name, str) and name in self._declared else None

    def text(self, value: Any) -> str | None:
        """Return the text that ``value`` is or names, None where it is computed."""
        name = self.parameter(value)
        said = self._values.get(name) if name is not None else value
        return str(said) if isinstance(said, str | int | float) else None

    def number(self, value: Any) -> float | None:
        """Return the number that ``value`` is or names, None where it is computed."""
        try:
            return float(self.text(value) or "")
        except ValueError:
            return None

    def whole(self, value: Any) -> int | None:
        """Return the whole number that ``value`` is or names, None where it is computed."""
        number = self.number(value)
        return int(number) if number is not None and number.is_integer() else None


def _resources(template: Mapping[str, Any]) -> Mapping[str, Any]:
    found = template.get("resources") or template.get("Resources") or {}
    return found if isinstance(found, Mapping) else {}


def _typed(resource: Any) -> Any:
    return (resource.get("type") or resource.get("Type")) if isinstance(resource, Mapping) else None


def _properties(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    found = resource.get("properties") or resource.get("Properties") or {}
    return found if isinstance(found, Mapping) else {}


def _only(value: Any, function: str) -> Any:
    """Return the argument of a function that ``value`` is a call of."""
    return value[function] if isinstance(value, Mapping) and list(value) == [function] else None


def _referred(value: Any) -> Any:
    """Return the name of the resource that ``value`` refers to."""
    return _only(value, "get_resource") or _only(value, "Ref") or value
