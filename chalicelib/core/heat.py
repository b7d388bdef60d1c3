"""A group inside a Heat stack that we resize from outside: what its owner named, and what is seen of it.

Heat's own words are kept as they are: a status is an action and how far it came, ``UPDATE_COMPLETE``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.core.capacity import Bounds
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import GroupId, MemberId, ProjectId, ResourceId, derived_id
from chalicelib.core.member import Resource

AUTO_SCALING_GROUP = "OS::Heat::AutoScalingGroup"
AWS_AUTO_SCALING_GROUP = "AWS::AutoScaling::AutoScalingGroup"
INSTANCE_GROUP = "OS::Heat::InstanceGroup"
RESOURCE_GROUP = "OS::Heat::ResourceGroup"

SIGNALLED = frozenset({AUTO_SCALING_GROUP, AWS_AUTO_SCALING_GROUP})
"""The types of groups that a scaling policy resizes; they also read a capacity of 0 as "stay as you are"."""


class Adjust(StrEnum):
    """The one way in which a stack is resized. The two together leave a stack stuck for ever."""

    PARAMETER = "parameter"  # an update of the stack that changes a parameter
    SIGNAL = "signal"  # signals to the stack's own scaling policies


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPolicy:
    """A scaling policy of the stack: each signal to ``resource`` changes the group by ``adjustment``."""

    resource: str
    adjustment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatTarget:
    """The group in Heat that a group of ours resizes.

    Attributes:
        stack_id: found at definition; a stack made anew under the same name is another one.
        resource: the group's name in the stack's template.
        resource_type: its type there, one of those above.
        parameter: the stack's parameter that is the group's size (PARAMETER).
        policies: the stack's policies that may be signalled (SIGNAL).
    """

    stack_name: str
    stack_id: str
    resource: str
    resource_type: str
    adjust: Adjust
    parameter: str | None = None
    policies: tuple[SignalPolicy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What Heat was asked for last, written down before it is asked, until its effect is seen.

    Attributes:
        what: the policy that was signalled, or the parameter that was set.
        size: the parameter's value; for a signal the size that it leads to.
        mark: what ``HeatScene.mark`` was: once it is another one, Heat has taken the request up.
    """

    at: datetime
    what: str
    size: int
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatStatus:
    """A status of a stack or a resource, and Heat's reason for it."""

    word: str
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether the last action succeeded."""
        return self.word.endswith("_COMPLETE")

    @property
    def failed(self) -> bool:
        """Whether the last action failed."""
        return self.word.endswith("_FAILED")

    @property
    def in_progress(self) -> bool:
        """Whether Heat is at work."""
        return self.word.endswith("_IN_PROGRESS")

    @property
    def action(self) -> str:
        """The action alone: CREATE, UPDATE, ROLLBACK, SUSPEND."""
        return self.word.partition("_")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack as Heat shows it.

    Attributes:
        parameters: values as text; a hidden one is ``******``.
        updated: when it was last updated, as Heat writes it; only ever compared with itself.
    """

    id: str
    name: str
    status: HeatStatus
    parameters: Mapping[str, str]
    updated: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMember:
    """A member of the group as Heat shows it.

    Attributes:
        name: the resource's name in the nested stack.
        physical_id: Heat's id of what stands for it: a server's, or a nested stack's.
        servers: the servers in it: itself, or those of its nested stack.
    """

    name: str
    physical_id: str
    status: HeatStatus
    created_at: datetime
    servers: tuple[ResourceId, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether Heat counts it: neither failed nor gone."""
        return not self.status.failed and self.status.action != "DELETE" and self.physical_id != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatScene:
    """All that one round sees of a group in Heat and in Nova.

    Attributes:
        group: the group's resource.
        nested: the stack inside it; while a signal is at work, it alone says so.
        nested_updated: as ``Stack.updated``.
        scaling: Heat's own mark that a signal is at work: another one would be dropped without a word.
        cooldown_until: Heat drops signals until then.
        servers: what Nova shows of the members' servers.
    """

    stack: Stack
    group: HeatStatus
    nested: HeatStatus
    members: tuple[HeatMember, ...]
    nested_updated: str = ""
    scaling: bool = False
    cooldown_until: datetime | None = None
    servers: Mapping[ResourceId, Resource] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many members Heat counts."""
        return sum(member.counts for member in self.members)

    @property
    def mark(self) -> str:
        """What changes when Heat takes an update or a signal up."""
        return f"{self.stack.updated}/{self.nested_updated}"


def member_id(project_id: ProjectId, group_id: GroupId, member: HeatMember) -> MemberId:
    """Return our id of a member: one that Heat replaces in place is another one."""
    return MemberId(derived_id(project_id, group_id, "heat", member.name, member.physical_id))


def require_resizable(target: HeatTarget, bounds: Bounds) -> None:
    """Refuse bounds in which a size lies that cannot be asked for this way.

    Raises:
        Invalid: the group could want no members, which Heat reads as "leave the size alone".
    """
    if target.adjust is Adjust.PARAMETER and target.resource_type in SIGNALLED and bounds.min_size == 0:
        raise Invalid(
            "group.heat_zero",
            f"Heat takes a desired_capacity of 0 of an {target.resource_type} for none at all and leaves the "
            "group as large as it is: min_size must be 1 or more.",
        )
