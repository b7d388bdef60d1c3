"""What an owner does to a group: create, change, freeze, dismiss a member, look now, delete.

Such changes neither wait for a cooldown nor start one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.core.activity import ActivityKind
from chalicelib.core.credential import Caller
from chalicelib.core.errors import Conflict
from chalicelib.core.group import Group, require_possible
from chalicelib.core.ids import GroupId, MemberId
from chalicelib.core.member import TO_GO, Member, MemberState
from chalicelib.flows import kinds
from chalicelib.flows.nudge import nudge
from chalicelib.flows.retry import as_seen, retried_unless, until_not_stale
from chalicelib.flows.story import activity
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey

Edit = Callable[[Group], Group]
"""Returns the group as it is to be; raises Invalid where that makes no sense."""


def create(s: Services, caller: Caller, group: Group, request_id: str) -> Group:
    """Write a new group and have its first members built; return it as stored.

    Raises:
        Invalid, Conflict, Unavailable: see ``kinds.of_its_kind``.
    """
    require_possible(group)
    group = kinds.of_its_kind(s, group, request_id)
    detail = f"User {caller.user_id} created the group with {group.desired_capacity} members wanted."
    line = activity(s, group, ActivityKind.GROUP_CREATED, detail, request_id)
    stored = s.groups.create(group, s.limits.quota, line)
    nudge(s, stored, request_id)
    return stored


def change(
    s: Services, caller: Caller, group_id: GroupId, edit: Edit, *, generation: int | None, request_id: str
) -> Group:
    """Write what ``edit`` makes of the group, on the generation it was read at.

    Args:
        generation: the one the caller saw (If-Match); None edits whatever there is.

    Raises:
        Stale: the group is not at ``generation``.
        Conflict: the group is being deleted; then only its credential may be replaced.
    """

    def attempt() -> Group:
        was = as_seen("group", s.groups.get(caller.project_id, group_id), generation)
        new = replace(edit(was), updated_at=s.now())
        if was.deleting and replace(was, credential_id=new.credential_id, updated_at=new.updated_at) != new:
            raise Conflict("group.deleting", "The group is being deleted; only credential_id may change.")
        require_possible(new)
        kinds.require_kind(s, was, new, request_id)
        line = activity(s, new, ActivityKind.GROUP_CHANGED, _difference(caller, was, new), request_id)
        return s.groups.change(was, new, s.limits.quota, line)

    changed = retried_unless(generation, s, attempt)
    nudge(s, changed, request_id)
    return changed


def converge_now(s: Services, caller: Caller, group_id: GroupId, request_id: str) -> Group:
    """Arm the group again, whatever kept it from its wanted capacity, and look at it now."""

    def attempt() -> Group:
        was = s.groups.get(caller.project_id, group_id)
        detail = f"User {caller.user_id} asked to converge."
        line = activity(s, was, ActivityKind.GROUP_CHANGED, detail, request_id)
        return s.groups.change(was, replace(was, updated_at=s.now()), s.limits.quota, line)

    group = until_not_stale(s, attempt)
    nudge(s, group, request_id)
    return group


def delete(
    s: Services, caller: Caller, group_id: GroupId, *, generation: int | None, request_id: str
) -> None:
    """Have the group drained to zero members and then removed; asked twice it is still one deletion."""

    def attempt() -> Group:
        was = s.groups.get(caller.project_id, group_id)
        if was.deleting:
            return was
        as_seen("group", was, generation)
        detail = f"User {caller.user_id} deleted the group."
        if was.heat is not None:
            detail += f" The stack {was.heat.stack_name} and its members stay as they are."
        line = activity(s, was, ActivityKind.GROUP_DELETION_ASKED, detail, request_id)
        return s.groups.change(was, replace(was, deleting=True, updated_at=s.now()), s.limits.quota, line)

    nudge(s, retried_unless(generation, s, attempt), request_id)


def dismiss(
    s: Services, caller: Caller, key: GroupKey, member_id: MemberId, *, replaced: bool, request_id: str
) -> None:
    """Have one member removed; and replaced, or else wanted no more.

    Raises:
        Conflict: without a replacement the group would want fewer members than min_size.
    """

    def attempt() -> Group:
        was = s.groups.get(key.project_id, key.group_id)
        member = s.members.get(key, member_id)
        _require_owned(was)
        if member.state in TO_GO:
            return was
        desired = was.desired_capacity - (0 if replaced else 1)
        if desired < was.bounds.min_size:
            raise Conflict(
                "group.at_min_size",
                f"The group wants {was.desired_capacity} members and min_size is {was.bounds.min_size}: "
                "remove the member with replace=true, or lower min_size first.",
            )
        new = replace(was.wanting(desired), updated_at=s.now())
        because = f"user {caller.user_id} asked for it" + (" to be replaced" if replaced else "")
        line = activity(
            s, new, ActivityKind.GROUP_CHANGED, f"{member.name} goes: {because}.", request_id, [member_id]
        )
        return s.members.dismiss(was, new, _to_go(new, member, because), line)

    nudge(s, until_not_stale(s, attempt), request_id)


def _to_go(group: Group, member: Member, because: str) -> Member:
    """Return the member as it is once it is to go: one that serves leaves the group's pools first."""
    if group.load_balancers and member.state is MemberState.IN_SERVICE:
        since = group.updated_at
        return replace(
            member,
            state=MemberState.DRAINING,
            draining_since=since,
            quiet_since=None,
            deleting_because=because,
        )
    return replace(member, state=MemberState.DELETING, deleting_because=because)


def protect(
    s: Services, caller: Caller, key: GroupKey, member_id: MemberId, *, protected: bool, request_id: str
) -> Member:
    """Set whether a member may be removed to make its group smaller, and have the group looked at."""
    _require_owned(s.groups.get(key.project_id, key.group_id))
    member = s.members.protect(key, member_id, protected)
    converge_now(s, caller, key.group_id, request_id)
    return member


def _require_owned(group: Group) -> None:
    """Refuse to single out members that Heat makes and removes, the oldest first."""
    if group.heat is not None:
        raise Conflict(
            "member.in_heat",
            f"The members of this group are Heat's, in the stack {group.heat.stack_name}: only how many "
            "there are is ours to say.",
        )


def _difference(caller: Caller, was: Group, new: Group) -> str:
    """Say what a change changes."""
    pairs = {
        "name": (was.name, new.name),
        "min_size": (was.bounds.min_size, new.bounds.min_size),
        "max_size": (was.bounds.max_size, new.bounds.max_size),
        "desired_capacity": (was.desired_capacity, new.desired_capacity),
        "launch_configuration_id": (was.launch_configuration_id, new.launch_configuration_id),
        "credential_id": (was.credential_id, new.credential_id),
        "cooldown": (was.cooldown_seconds, new.cooldown_seconds),
        "removal_order": (was.removal_order, new.removal_order),
        "build_timeout": (was.build_timeout_seconds, new.build_timeout_seconds),
        "availability_zones": (list(was.availability_zones), list(new.availability_zones)),
        "load_balancers": (
            [pool.id for pool in was.load_balancers],
            [pool.id for pool in new.load_balancers],
        ),
        "freeze": (was.freeze and was.freeze.reason, new.freeze and new.freeze.reason),
    }
    said = [f"{name} from {old} to {now}" for name, (old, now) in pairs.items() if old != now]
    return f"User {caller.user_id} changed {', '.join(said) or 'nothing'}."
