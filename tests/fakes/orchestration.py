"""Heat in memory, as far as a group in a stack goes, with everything that can go wrong with one.

An update or a signal takes some seconds: until then the stack, or the group's own stack alone, is in
progress. A signal that meets one at work, or a cooldown, is dropped without a word.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.core.credential import Credential
from chalicelib.core.heat import (
    AUTO_SCALING_GROUP,
    RESOURCE_GROUP,
    HeatMember,
    HeatScene,
    HeatStatus,
    HeatTarget,
    Stack,
)
from chalicelib.core.heat_template import ResourceFacts
from chalicelib.core.ids import ResourceId
from chalicelib.core.member import Resource
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.orchestration import StackView
from tests.fake_cloud import Fault, maybe_lose_answer, next_fault

STEPS = {"up": 1, "down": -1, "up5": 5}


@dataclass
class FakeStack:
    """One stack with one group, ``asg``, whose size is the parameter ``size``.

    Attributes:
        work_seconds: how long an update or a signal takes.
        take_up_seconds: how long a signal lies before an engine takes it up.
        fails: how many of the next updates and signals fail for want of a host.
        changes: what was really done, in order: parameter or policy, and the size before and after.
        overlaps: how often signals and updates met: a real Heat is stuck for ever then, or scales twice.
    """

    now: Callable[[], datetime]
    id: str = "stack-1"
    name: str = "shop"
    size: int = 2
    parameter: int = 2
    min_size: int = 0
    max_size: int = 50
    cooldown: timedelta = timedelta(0)
    type: str = AUTO_SCALING_GROUP
    work_seconds: float = 4
    take_up_seconds: float = 0
    size_in_template: Any = field(default_factory=lambda: {"get_param": "size"})
    fails: int = 0
    hides_servers: int = 0
    gone: bool = False
    suspended: bool = False
    cooldown_until: datetime | None = None
    patches: list[int] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    changes: list[tuple[str, int, int]] = field(default_factory=list)
    overlaps: int = 0
    failure: str | None = None
    failed_update: bool = False
    members: list[HeatMember] = field(default_factory=list)
    updated: int = 0
    nested_updated: int = 0
    _work: tuple[datetime, datetime, str, int, bool] | None = None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._make(self.size)

    @property
    def template(self) -> dict[str, Any]:
        """The template, in HOT."""
        group = {
            "min_size": self.min_size,
            "max_size": self.max_size,
            "desired_capacity": self.size_in_template,
            "cooldown": self.cooldown.total_seconds(),
        }
        if self.type == RESOURCE_GROUP:
            group = {"count": self.size_in_template}
        resources: dict[str, Any] = {"asg": {"type": self.type, "properties": group}}
        for name, step in STEPS.items():
            policy = {
                "adjustment_type": "change_in_capacity",
                "scaling_adjustment": step,
                "auto_scaling_group_id": {"get_resource": "asg"},
            }
            resources[name] = {"type": "OS::Heat::ScalingPolicy", "properties": policy}
        return {"parameters": {"size": {"type": "number"}}, "resources": resources}

    def progress(self) -> None:
        """Do what is due by now."""
        if self._work is None:
            return
        begins, ends, by, size, is_update = self._work
        if self.now() < begins:
            return
        if not self._begun:
            self._begun = True
            self.nested_updated += 1
        if self.now() < ends:
            return
        self._work = None
        before = len(self.members)
        if self.fails:
            self.fails -= 1
            self.failure, self.failed_update = "No valid host was found.", is_update
            return
        self.failure, self.failed_update = None, False
        self._make(size)
        self.changes.append((by, before, size))
        self.cooldown_until = self.now() + self.cooldown

    _begun: bool = False

    @property
    def working(self) -> str | None:
        """Whether an update, or a signal, is at work now."""
        self.progress()
        if self._work is None or self.now() < self._work[0]:
            return None
        return "update" if self._work[4] else "signal"

    @property
    def at_rest(self) -> bool:
        """Whether nothing is at work, and nothing lies."""
        self.progress()
        return self._work is None

    def patch(self, value: int) -> None:
        """Begin an update."""
        if not self.at_rest:
            self.overlaps += 1
        self.patches.append(value)
        if not self.min_size <= value <= self.max_size:
            raise CloudRefused("DesiredCapacity must be between MinSize and MaxSize")
        self.parameter = value
        self.updated += 1
        wanted = value or len(self.members)
        self._begin("size", wanted, timedelta(0), is_update=True)

    def signal(self, policy: str) -> None:
        """Begin what a policy does, unless something is at work or a cooldown holds."""
        self.signals.append(policy)
        if not self.at_rest:
            self.overlaps += 1
        held = self.cooldown_until is not None and self.now() < self.cooldown_until
        if not self.at_rest or held or self.failed_update:
            return
        size = max(self.min_size, min(self.max_size, len(self.members) + STEPS[policy]))
        self._begin(policy, size, timedelta(seconds=self.take_up_seconds), is_update=False)

    def meddle(self, size: int) -> None:
        """Let somebody else resize the group, at once."""
        self._make(size)
        self.nested_updated += 1

    def _begin(self, by: str, size: int, lies: timedelta, *, is_update: bool) -> None:
        begins = self.now() + lies
        self._work = (begins, begins + timedelta(seconds=self.work_seconds), by, size, is_update)
        self._begun = False

    def _make(self, size: int) -> None:
        """Remove the oldest members, or add new ones."""
        self.members = self.members[len(self.members) - size :] if size < len(self.members) else self.members
        while len(self.members) < size:
            number = next(self._numbers)
            self.members = [*self.members, self._member(number)]

    def _member(self, number: int) -> HeatMember:
        id_ = f"heat-server-{number}"
        return HeatMember(
            name=f"m{number}",
            physical_id=id_,
            status=HeatStatus(word="CREATE_COMPLETE"),
            created_at=self.now(),
            servers=(ResourceId(id_),),
        )


@dataclass
class FakeStacks:
    """The stacks of one project, under the contract of ports.orchestration.

    Attributes:
        faults: what happens to the next requests that change something, in turn.
        broken: raised by every call, as if Keystone no longer let us in.
        unreachable: every call fails, as if Heat were down.
    """

    now: Callable[[], datetime]
    stacks: dict[str, FakeStack] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    broken: CredentialBroken | None = None
    unreachable: bool = False

    def add(self, **changes: Any) -> FakeStack:
        """Add a stack."""
        stack = FakeStack(now=self.now, **changes)
        self.stacks[stack.id] = stack
        return stack

    def enter(self, credential: Credential, request_id: str) -> FakeStacks:
        """Return the stacks, unless the credential is broken."""
        del credential, request_id
        self._enter()
        return self

    def view(self, name_or_id: str) -> StackView | None:
        """Return a stack by its name or id."""
        self._enter()
        found = [s for s in self.stacks.values() if name_or_id in (s.id, s.name) and not s.gone]
        if not found:
            return None
        (stack,) = found
        scene = _scene(stack)
        facts = ResourceFacts(
            status=scene.group,
            nested=scene.nested,
            members=scene.members,
            scaling=scene.scaling,
            cooldown_until=scene.cooldown_until,
        )
        return StackView(stack=scene.stack, template=stack.template, groups={"asg": facts})

    def scene(self, target: HeatTarget) -> HeatScene | None:
        """Return what is seen of the group."""
        self._enter()
        stack = self.stacks.get(target.stack_id)
        return None if stack is None or stack.gone else _scene(stack)

    def patch(self, target: HeatTarget, parameter: str, value: int) -> None:
        """Update a stack."""
        assert parameter == "size"
        fault = self._enter_to_change()
        self.stacks[target.stack_id].patch(value)
        maybe_lose_answer(fault)

    def signal(self, target: HeatTarget, policy: str) -> None:
        """Signal a policy."""
        fault = self._enter_to_change()
        self.stacks[target.stack_id].signal(policy)
        maybe_lose_answer(fault)

    def _enter(self) -> None:
        if self.broken is not None:
            raise self.broken
        if self.unreachable:
            raise CloudUnavailable("503 Service Unavailable", certainly_not_done=True)

    def _enter_to_change(self) -> Fault | None:
        self._enter()
        return next_fault(self.faults, CloudRefused("400 The Stack could not be updated."))


def _scene(stack: FakeStack) -> HeatScene:
    working = stack.working
    nested = "UPDATE_IN_PROGRESS" if working else "UPDATE_FAILED" if stack.failure else "UPDATE_COMPLETE"
    above = nested if working == "update" or (not working and stack.failed_update) else "UPDATE_COMPLETE"
    above = "SUSPEND_COMPLETE" if stack.suspended else above
    reason = stack.failure or ""
    shown = stack.members[: len(stack.members) - stack.hides_servers]
    servers = {id_: _server(stack, id_) for member in shown for id_ in member.servers}
    return HeatScene(
        stack=Stack(
            id=stack.id,
            name=stack.name,
            status=HeatStatus(word=above, reason=reason),
            parameters={"size": str(stack.parameter)},
            updated=str(stack.updated),
        ),
        group=HeatStatus(word=above if not stack.suspended else nested, reason=reason),
        nested=HeatStatus(word=nested, reason=reason),
        members=tuple(stack.members),
        nested_updated=str(stack.nested_updated),
        scaling=working == "signal",
        cooldown_until=stack.cooldown_until,
        servers=servers,
    )


def _server(stack: FakeStack, id_: ResourceId) -> Resource:
    return Resource(
        id=id_, name=f"{stack.name}-{id_}", status="ACTIVE", task=None, created_at=stack.now(), metadata={}
    )
