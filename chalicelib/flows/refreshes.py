"""Refreshes: what an owner does to one, and what rounds make of it.

An owner's change is written with the group, on the generations both were read at, so that the group is due. A
round notes progress under its lease. It may die anywhere: what it did is seen by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from chalicelib.core.activity import ActivityKind
from chalicelib.core.credential import Caller
from chalicelib.core.errors import Conflict, NotFound, Stale
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, RefreshId
from chalicelib.core.member import TO_GO
from chalicelib.core.plan import Plan
from chalicelib.core.refresh import (
    Refresh,
    RefreshStatus,
    after_round,
    require_fits,
    require_under_way,
    with_batch_begun,
)
from chalicelib.flows.nudge import key_of, nudge
from chalicelib.flows.retry import as_seen, retried_unless, until_not_stale
from chalicelib.flows.story import activity
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey, Lease


def begin(
    s: Services, caller: Caller, group_id: GroupId, make: Callable[[Group], Refresh], request_id: str
) -> Refresh:
    """Begin a refresh of the group; return it as stored.

    Args:
        make: returns the refresh that is wanted of the group as it is.

    Raises:
        Conflict: another one has not ended, the group is being deleted, or its members are Heat's.
        Invalid: it does not fit the group.
    """

    def attempt() -> tuple[Refresh, Group]:
        was = s.groups.get(caller.project_id, group_id)
        if was.heat is not None:
            detail = "Heat makes the members of this group: the stack's own rolling update replaces them."
            raise Conflict("refresh.in_heat", detail)
        wanted = make(was)
        if s.refreshes.find(key_of(was), wanted.id) is None:
            _require_free(s, was)
            require_fits(wanted, was)
        new = replace(wanted, remaining=_to_be_replaced(s, was, wanted))
        group = replace(was, refresh_id=new.id, updated_at=new.created_at)
        detail = f"User {caller.user_id} began refresh {new.id}, {new.batch_size} at a time."
        line = activity(s, was, ActivityKind.REFRESH_BEGUN, detail, request_id)
        return s.refreshes.begin(new, was, group, line), was

    refresh, group = until_not_stale(s, attempt)
    nudge(s, group, request_id)
    return refresh


def _require_free(s: Services, group: Group) -> None:
    if group.deleting:
        raise Conflict("group.deleting", "The group is being deleted.")
    if under_way(s, group) is not None:
        raise Conflict(
            "refresh.under_way", f"Refresh {group.refresh_id} of this group has not ended: abort it first."
        )


def _to_be_replaced(s: Services, group: Group, refresh: Refresh) -> int:
    """Return how many members are to be replaced, as far as is written down; the first round looks itself."""
    rolling = refresh.rolling(group, refresh.batch_size, refresh.created_at)
    return sum(
        rolling.is_old(member, group.owned_configuration_id) and not member.protected
        for member in s.members.of_group(key_of(group))
        if member.state not in TO_GO
    )


def set_paused(
    s: Services,
    caller: Caller,
    key: GroupKey,
    refresh_id: RefreshId,
    *,
    paused: bool,
    generation: int | None,
    request_id: str,
) -> Refresh:
    """Pause a refresh behind the batch under way, or let it go on; what is so already stays as it is.

    Raises:
        Conflict: it is over.
        Stale: it is not at ``generation``, the one the caller saw (If-Match).
    """

    def attempt() -> Refresh:
        old = s.refreshes.get(key, refresh_id)
        require_under_way(old)
        as_seen("refresh", old, generation)
        if (old.status is RefreshStatus.PAUSED) is paused:
            return old
        was = s.groups.get(key.project_id, key.group_id)
        said = f"User {caller.user_id} {'paused' if paused else 'resumed'} it."
        status, reason = (RefreshStatus.PAUSED, said) if paused else (RefreshStatus.RUNNING, None)
        new = replace(old, status=status, status_reason=reason, updated_at=s.now())
        kind = ActivityKind.REFRESH_PAUSED if paused else ActivityKind.REFRESH_RESUMED
        line = activity(s, was, kind, f"Refresh {old.id}: {said}", request_id)
        changed = s.refreshes.change(old, new, was, replace(was, updated_at=s.now()), line)
        nudge(s, was, request_id)
        return changed

    return retried_unless(generation, s, attempt)


def abort(
    s: Services,
    caller: Caller,
    key: GroupKey,
    refresh_id: RefreshId,
    *,
    generation: int | None,
    request_id: str,
) -> None:
    """Abort a refresh: what was replaced stays so, the rest stays as it is; asked twice it is aborted once.

    Raises:
        Conflict: it has ended otherwise.
        Stale: it is not at ``generation``, the one the caller saw (If-Match).
    """

    def attempt() -> None:
        old = s.refreshes.get(key, refresh_id)
        if old.status is RefreshStatus.ABORTED:
            return
        require_under_way(old)
        as_seen("refresh", old, generation)
        was = s.groups.get(key.project_id, key.group_id)
        said = f"User {caller.user_id} aborted it."
        _end(s, replace(old, status=RefreshStatus.ABORTED, status_reason=said), old, was, request_id)
        nudge(s, was, request_id)

    retried_unless(generation, s, attempt)


def _end(s: Services, new: Refresh, old: Refresh, was: Group, request_id: str) -> None:
    """Write how a refresh ended, and that its group has none any more."""
    now = s.now()
    detail = f"Refresh {new.id} {new.status}: {new.status_reason or f'{new.replaced} replaced.'}"
    line = activity(s, was, ActivityKind.REFRESH_ENDED, detail, request_id)
    group = replace(was, refresh_id=None, updated_at=now)
    s.refreshes.change(old, replace(new, updated_at=now), was, group, line)


# What rounds make of it.


def under_way(s: Services, group: Group) -> Refresh | None:
    """Return the group's refresh that has not ended, if there is one."""
    if group.refresh_id is None:
        return None
    refresh = s.refreshes.find(key_of(group), group.refresh_id)
    return None if refresh is None or refresh.ended else refresh


def end_with_group(s: Services, group: Group, request_id: str) -> Group:
    """Abort the refresh of a group that is being deleted, if it has one; return the group as it is then.

    Not left to a later round: this one may be the group's last.
    """

    def attempt() -> None:
        was = s.groups.get(group.project_id, group.id)
        refresh = under_way(s, was)
        if refresh is not None:
            said = "The group is being deleted."
            aborted = replace(refresh, status=RefreshStatus.ABORTED, status_reason=said)
            _end(s, aborted, refresh, was, request_id)

    if group.refresh_id is None:
        return group
    until_not_stale(s, attempt)
    return s.groups.get(group.project_id, group.id)


def begin_batch(s: Services, lease: Lease, refresh: Refresh, plan: Plan) -> Refresh:
    """Note that a batch begins, if the plan says so, before its first step is taken."""
    if plan.turn is None or not plan.turn.begins:
        return refresh
    begun = with_batch_begun(refresh, s.now())
    s.refreshes.note(lease, refresh, begun)
    return begun


def conclude(
    s: Services, lease: Lease, refresh: Refresh, was: Group, group: Group, plan: Plan | None, request_id: str
) -> Refresh:
    """Note what a round has made of the refresh, and end it when it is over; return it as it is now.

    Args:
        was, group: the group before the round, and with what the round observed.
    """
    seen = after_round(refresh, was, group, plan, s.now())
    if seen != refresh:
        s.refreshes.note(lease, refresh, replace(seen, updated_at=s.now()))
    if seen.ended:
        with suppress(Stale, NotFound):  # somebody has changed it meanwhile: the next round looks again
            _end(s, seen, refresh, was, request_id)
    return seen
