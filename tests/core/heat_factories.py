"""Groups in Heat, ready made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.core.capacity import Bounds
from chalicelib.core.heat import (
    AUTO_SCALING_GROUP,
    Adjust,
    Asked,
    HeatMember,
    HeatScene,
    HeatStatus,
    HeatTarget,
    SignalPolicy,
    Stack,
)
from chalicelib.core.heat_plan import HeatAim
from chalicelib.core.ids import ResourceId
from tests.core import factories

COMPLETE = HeatStatus(word="UPDATE_COMPLETE", reason="Stack UPDATE completed successfully")
BUSY = HeatStatus(word="UPDATE_IN_PROGRESS", reason="Stack UPDATE started")
FAILED = HeatStatus(word="UPDATE_FAILED", reason="ResourceInError: No valid host was found.")


def steps(*adjustments: int) -> tuple[SignalPolicy, ...]:
    """Return a policy for each adjustment."""
    return tuple(SignalPolicy(resource=f"by{n:+d}", adjustment=n) for n in adjustments)


def a_heat_target(adjust: Adjust = Adjust.PARAMETER, **changes: Any) -> HeatTarget:
    """Return the group ``asg`` of the stack ``shop``."""
    by_parameter = adjust is Adjust.PARAMETER
    target = HeatTarget(
        stack_name="shop",
        stack_id="stack-1",
        resource="asg",
        resource_type=AUTO_SCALING_GROUP,
        adjust=adjust,
        parameter="size" if by_parameter else None,
        policies=()
        if by_parameter
        else (
            SignalPolicy(resource="up", adjustment=1),
            SignalPolicy(resource="down", adjustment=-1),
            SignalPolicy(resource="up5", adjustment=5),
        ),
    )
    return replace(target, **changes)


def an_aim(capacity: int = 2, adjust: Adjust = Adjust.PARAMETER, **changes: Any) -> HeatAim:
    """Return what a round works towards, within 1 to 10."""
    bounds = Bounds(min_size=1, max_size=10)
    return replace(HeatAim(target=a_heat_target(adjust), capacity=capacity, bounds=bounds), **changes)


def a_scene(size: int = 2, *, parameter: str | None = None, **changes: Any) -> HeatScene:
    """Return an idle stack of so many members, all of them ACTIVE."""
    members = tuple(a_heat_member(number) for number in range(1, size + 1))
    told = {"size": str(size) if parameter is None else parameter}
    scene = HeatScene(
        stack=Stack(id="stack-1", name="shop", status=COMPLETE, parameters=told, updated="1"),
        group=COMPLETE,
        nested=COMPLETE,
        members=members,
        nested_updated="1",
        servers={id_: factories.a_server(id=id_) for member in members for id_ in member.servers},
    )
    return replace(scene, **changes)


def a_heat_member(number: int = 1, **changes: Any) -> HeatMember:
    """Return member ``number``, a server."""
    member = HeatMember(
        name=f"m{number}",
        physical_id=f"server-{number}",
        status=HeatStatus(word="CREATE_COMPLETE"),
        created_at=factories.LONG_AGO,
        servers=(ResourceId(f"server-{number}"),),
    )
    return replace(member, **changes)


def an_asked(size: int = 2, **changes: Any) -> Asked:
    """Return a request of a moment ago that Heat has not taken up yet."""
    asked = Asked(at=factories.NOW - factories.seconds(5), what="size", size=size, mark="1/1")
    return replace(asked, **changes)
