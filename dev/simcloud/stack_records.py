"""What the simulated Heat remembers: stacks, their resources and events, flat and frozen like all records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What a stack or a resource was last asked for."""

    INIT = "INIT"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    CHECK = "CHECK"
    SIGNAL = "SIGNAL"


class Progress(StrEnum):
    """How far that came; Heat writes it behind the action, as in CREATE_COMPLETE."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack; one that is nested in a resource of another names both.

    Attributes:
        template: as it was given, parsed.
        parameters: those given by the user; the template's defaults are not among them.
        environment: as it was given; only its parameters, and defaults of some, mean anything here.
        began_at: when the action under way, or the last one, began.
        finished_at: when the last action was done; null while one is under way.
        timeout_minutes: what an action may take; null is an hour.
        fails: why the action under way will fail, if fate has it so.
        held: whether it stays in progress ...
        held_until: ... until then, or for ever if this is null.
        signalled_at: when a policy of its was last signalled.
        stuck: whether it will stay as it is whatever is asked, until Heat itself is started anew.
    """

    id: str
    name: str
    project_id: str
    user_id: str
    owner: str
    template: dict[str, Any]
    parameters: dict[str, Any]
    files: dict[str, str]
    environment: dict[str, Any]
    tags: tuple[str, ...]
    timeout_minutes: int | None
    disable_rollback: bool
    created_at: datetime
    began_at: datetime
    parent_id: str | None = None
    parent_resource: str | None = None
    action: Action = Action.CREATE
    progress: Progress = Progress.IN_PROGRESS
    reason: str = "Stack CREATE started"
    updated_at: datetime | None = None
    finished_at: datetime | None = None
    deleted_at: datetime | None = None
    fails: str | None = None
    held: bool = False
    held_until: datetime | None = None
    signalled_at: datetime | None = None
    stuck: bool = False

    @property
    def given(self) -> dict[str, Any]:
        """The parameters given, before them the environment's defaults, for whatever declares them."""
        return {**(self.environment.get("parameter_defaults") or {}), **self.parameters}

    @property
    def status(self) -> str:
        """The action and its progress in one word."""
        return f"{self.action}_{self.progress}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackResource:
    """A resource of a stack.

    Attributes:
        type: as in the template.
        properties: resolved, as they were when it was last made or changed.
        physical_id: what it is outside of Heat: a server, a nested stack, a name.
        todo: what the stack's action has yet to do with it; null when nothing is left.
        ends_at: when the action under way is done; null if others tell (a server that never builds, a
            nested stack).
        finished_at: when the last action was done.
        leftovers: servers it stood for earlier, to be deleted once the stack's action succeeded.
        data: what it keeps: a random value, or how a group is being scaled by a policy.
        metadata: what its owner sees at ``.../metadata``.
    """

    id: str
    stack_id: str
    name: str
    type: str
    created_at: datetime
    updated_at: datetime
    properties: dict[str, Any] = field(default_factory=dict)
    physical_id: str = ""
    action: Action = Action.INIT
    progress: Progress = Progress.COMPLETE
    reason: str = ""
    todo: Action | None = None
    ends_at: datetime | None = None
    finished_at: datetime | None = None
    leftovers: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The action and its progress in one word."""
        return f"{self.action}_{self.progress}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    """Something that happened to a stack (then ``resource`` is the stack's name) or to a resource of it."""

    id: str
    stack_id: str
    resource: str
    resource_type: str
    physical_id: str
    status: str
    reason: str
    at: datetime
