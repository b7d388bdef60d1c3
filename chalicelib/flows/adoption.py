"""Looking at a stack: what of it can be taken over, and whether a definition is true of it.

Heat is asked here while a caller waits, by the credential that is named; nothing is changed and nothing kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chalicelib.core.adoption import Obstacle, checked, obstacles, obstacles_of_stack
from chalicelib.core.credential import Caller
from chalicelib.core.errors import Conflict, Invalid, NotFound, Unavailable
from chalicelib.core.group import Group
from chalicelib.core.heat import HeatTarget, Stack
from chalicelib.core.heat_template import GroupInTemplate, ResourceFacts, groups_of
from chalicelib.core.ids import CredentialId, GroupId
from chalicelib.flows.heat_rivals import on_stack, rivals
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.orchestration import StackView


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """A group of a stack as it was found.

    Attributes:
        facts: None where Heat has not made it yet.
        taken_by: the group of ours that resizes it.
    """

    group: GroupInTemplate
    facts: ResourceFacts | None
    obstacles: tuple[Obstacle, ...]
    taken_by: GroupId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A stack as it was found."""

    stack: Stack
    obstacles: tuple[Obstacle, ...]
    groups: tuple[FoundGroup, ...]


def discover(
    s: Services, caller: Caller, name_or_id: str, credential_id: CredentialId, request_id: str
) -> Found:
    """Return which groups a stack has, and what stands against taking them over.

    Raises:
        NotFound: there is no such stack, or credential.
        Conflict, Invalid, Unavailable: the credential does not work; Heat refuses, or does not answer.
    """
    view = _view(s, caller, name_or_id, credential_id, request_id)
    if view is None:
        raise NotFound("stack.not_found", f"There is no stack {name_or_id} in this project.")
    groups = groups_of(view.template, view.stack)
    known = on_stack(s, caller.project_id, view.stack.id)
    ours = {group.heat.resource: group.id for group in known if group.heat}
    return Found(
        stack=view.stack,
        obstacles=obstacles_of_stack(view.stack, view.deeper),
        groups=tuple(
            FoundGroup(
                group=group,
                facts=view.groups.get(group.resource),
                obstacles=obstacles(group, view.groups.get(group.resource), view.stack, groups),
                taken_by=ours.get(group.resource),
            )
            for group in groups
        ),
    )


def adopted(s: Services, caller: Caller, group: Group, *, keeps_size: bool, request_id: str) -> Group:
    """Return a new group with what its stack says of it, if all that it says of the stack is true.

    Args:
        group: its ``heat`` as the caller gave it, the stack by name or id.
        keeps_size: no desired capacity was given: the size that the group has is wanted.

    Raises:
        Invalid: it is not true, and why.
        Conflict: another group resizes it, or the stack in another way; or the credential does not work.
        Unavailable: Heat does not answer.
    """
    assert group.heat is not None, "only a group in Heat is adopted"
    wanted = group.heat.stack_name
    try:
        view = _view(s, caller, wanted, group.credential_id, request_id)
    except NotFound as error:
        raise Invalid("group.no_such_credential", "There is no such credential.") from error
    if view is None:
        raise Invalid("group.heat_stack", f"There is no stack {wanted} in this project.")
    if view.stack.status.action == "DELETE":
        raise Invalid("group.heat_stack", f"The stack {wanted} is {view.stack.status.word}.")
    groups = {each.resource: each for each in groups_of(view.template, view.stack)}
    target = checked(group.heat, view.stack, groups, group.bounds)
    _require_free(s, group, target)
    facts = view.groups.get(target.resource)
    size = sum(member.counts for member in facts.members) if facts else 0
    desired = size if keeps_size else group.desired_capacity
    return replace(group, heat=target, desired_capacity=desired)


def _require_free(s: Services, group: Group, target: HeatTarget) -> None:
    """Refuse a group that is resized already, and a second way on one stack."""
    for other in rivals(s, group, target):
        if other.heat is not None and other.heat.resource == target.resource:
            said = f"The group {other.id} resizes {target.resource} of this stack already."
            raise Conflict("group.heat_taken", said)
        raise Conflict(
            "group.heat_two_ways",
            f"The group {other.id} resizes this stack in the other way: signals and updates on one stack "
            "leave it stuck for ever, so all its groups must be resized in the same way.",
        )


def _view(
    s: Services, caller: Caller, name_or_id: str, credential_id: CredentialId, request_id: str
) -> StackView | None:
    credential = s.credentials.get(caller.project_id, credential_id)
    with _told_to_the_caller():
        return s.orchestration.enter(credential, request_id).view(name_or_id)


@contextmanager
def _told_to_the_caller() -> Iterator[None]:
    try:
        yield
    except CredentialBroken as broken:
        raise Conflict("credential.broken", f"The credential does not work: {broken.reason}") from broken
    except CloudRefused as refused:
        raise Invalid("heat.refused", f"Heat refuses: {refused.reason}") from refused
    except CloudUnavailable as busy:
        seconds = int(busy.retry_after.total_seconds()) if busy.retry_after else 5
        said = f"Heat cannot be asked: {busy.reason}"
        raise Unavailable("heat.unavailable", said, retry_after_seconds=max(seconds, 1)) from busy
