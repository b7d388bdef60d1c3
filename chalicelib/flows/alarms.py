"""What an owner does to an alarm: make it, change it, set its state by hand, delete it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from chalicelib.core import alarm_history, composite
from chalicelib.core.alarm import Alarm, AlarmState, Backend, forgotten
from chalicelib.core.alarm_check import require_valid
from chalicelib.core.credential import Caller
from chalicelib.core.errors import Conflict, Invalid, NotFound
from chalicelib.core.group import Group
from chalicelib.core.ids import AlarmId, GroupId, PolicyId, ProjectId
from chalicelib.flows import backends
from chalicelib.flows.alarm_findings import Finding, voices
from chalicelib.flows.attention import attend
from chalicelib.flows.retry import as_seen, retried_unless, until_not_stale
from chalicelib.flows.together import Voice, scale_together
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey

Edit = Callable[[Alarm], Alarm]
"""Returns the alarm as it is to be; raises Invalid where that makes no sense."""


def create(s: Services, caller: Caller, alarm: Alarm, *, base: str, request_id: str) -> Alarm:
    """Write a new alarm; it is judged from the next minute on, by us or by its backend.

    Args:
        base: what our URLs begin with, as a backend reaches us.

    Raises:
        as ``backends.create``.
    """
    require_valid(alarm)
    _require_parts(s, alarm)
    entry = alarm_history.created(alarm, caller.user_id, s.now())
    stored = backends.create(s, alarm, entry, base=base, user_id=caller.user_id, request_id=request_id)
    attend(s, None, stored)
    return stored


def change(
    s: Services,
    caller: Caller,
    alarm_id: AlarmId,
    edit: Edit,
    *,
    generation: int | None,
    base: str,
    request_id: str,
) -> Alarm:
    """Write what ``edit`` makes of the alarm, on the generation it was read at.

    Its state stays, unless it looks at something else from now on.

    Raises:
        Stale: the alarm is not at ``generation``, the one the caller saw (If-Match);
        else as ``backends.change``.
    """

    def attempt() -> Alarm:
        was = as_seen("alarm", s.alarms.get(caller.project_id, alarm_id), generation)
        now = s.now()
        new = forgotten(replace(edit(was), updated_at=now), was, now)
        require_valid(new)
        if composite.alarms_in(new) != composite.alarms_in(was):
            _require_parts(s, new)
            composite.require_no_circle(new, s.alarms.of_group(new.project_id, new.group_id))
        entry = alarm_history.changed(was, new, caller.user_id, now)
        written = backends.change(s, was, new, entry, base=base, request_id=request_id)
        attend(s, was, written)
        return written

    return retried_unless(generation, s, attempt)


def set_state(
    s: Services,
    caller: Caller,
    alarm_id: AlarmId,
    state: AlarmState,
    reason: str,
    *,
    generation: int | None,
    request_id: str,
) -> Alarm:
    """Set the alarm's state by hand, until the next judgement finds otherwise; its actions are done once.

    Raises:
        Conflict: it is not we who judge it.
    """

    def attempt() -> Alarm:
        was = as_seen("alarm", s.alarms.get(caller.project_id, alarm_id), generation)
        if was.backend is not Backend.BUILTIN:
            raise Conflict("alarm.backend", f"What state it is in, {was.backend} says: set it there.")
        now = s.now()
        since = was.state_changed_at if state is was.state else now
        new = replace(was, state=state, state_reason=reason, state_changed_at=since)
        written = s.alarms.change(was, new, alarm_history.set_by_hand(was, new, caller.user_id, now))
        _act(s, Finding(was=was, new=written), now, request_id)
        return written

    return retried_unless(generation, s, attempt)


def _act(s: Services, finding: Finding, now: datetime, request_id: str) -> None:
    """Ask the policies that the state sets in motion."""
    asked = [_outside_ticks(voice) for voice in voices(s, [finding], now, (), request_id)]
    if asked:
        alarm = finding.new
        key = GroupKey(project_id=alarm.project_id, group_id=alarm.group_id)
        scale_together(s, key, lambda _: asked)


def _outside_ticks(voice: Voice) -> Voice:
    return replace(voice, ask=replace(voice.ask, event=replace(voice.ask.event, tick=None)))


def delete(
    s: Services, caller: Caller, alarm_id: AlarmId, *, generation: int | None, request_id: str
) -> None:
    """Delete the alarm; its history stays until it expires.

    Raises:
        NotFound: there is no such alarm.
        Stale: it is not at ``generation``, the one the caller saw (If-Match).
        Conflict: a composite is made of it;
        else as ``backends.delete``.
    """

    def attempt() -> None:
        was = as_seen("alarm", s.alarms.get(caller.project_id, alarm_id), generation)
        _refuse_if_any(
            s,
            was.project_id,
            was.group_id,
            lambda other: was.id in composite.alarms_in(other),
            "alarm.in_use",
            "is made of this alarm: change or delete that one first",
        )
        entry = alarm_history.deleted(was, caller.user_id, s.now())
        backends.delete(s, was, entry, request_id=request_id)
        attend(s, was, None)

    retried_unless(generation, s, attempt)


def bury(s: Services, group: Group, alarm_id: AlarmId) -> None:
    """Delete an alarm whose ``group`` has ended, whatever is made of it; one already gone is a success.

    Raises:
        as ``backends.abandon``.
    """

    def attempt() -> None:
        was = s.alarms.get(group.project_id, alarm_id)
        entry = alarm_history.deleted(was, None, s.now())
        backends.abandon(s, group, was, entry, request_id=f"req-{s.new_id()}")

    with suppress(NotFound):
        until_not_stale(s, attempt)


def require_idle(s: Services, project_id: ProjectId, group_id: GroupId, policy_id: PolicyId) -> None:
    """Refuse with Conflict when an alarm sets the policy in motion."""
    _refuse_if_any(
        s,
        project_id,
        group_id,
        lambda alarm: policy_id in alarm.actions,
        "policy.in_use",
        "sets this policy in motion: take it out of the alarm's actions first",
    )


def _refuse_if_any(
    s: Services,
    project_id: ProjectId,
    group_id: GroupId,
    uses: Callable[[Alarm], bool],
    code: str,
    why: str,
) -> None:
    """Refuse with Conflict when an alarm of the group ``uses`` something.

    The list may be a moment old: one that was just deleted must not be in anybody's way, so what is found is
    read again. One that is made at this very moment is not seen; what it names is then simply gone.
    """
    for listed in filter(uses, s.alarms.of_group(project_id, group_id)):
        with suppress(NotFound):
            alarm = s.alarms.get(project_id, listed.id)
            if uses(alarm):
                raise Conflict(code, f"Alarm {alarm.name!r} ({alarm.id}) {why}.")


def _require_parts(s: Services, alarm: Alarm) -> None:
    """Refuse with Invalid a composite of what is no alarm of its group."""
    for part_id in sorted(composite.alarms_in(alarm)):
        try:
            found = s.alarms.get(alarm.project_id, part_id).group_id == alarm.group_id
        except NotFound:
            found = False
        if not found:
            raise Invalid("alarm.no_such_part", f"There is no alarm {part_id} in the composite's group.")
