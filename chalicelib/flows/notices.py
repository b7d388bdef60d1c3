"""A backend calls: its alarm is in a state. What it says is mirrored, and the state's policies are asked.

The backend calls again at every evaluation, so each call asks the policies anew, as the builtin alarms do
every minute: nothing depends on an edge, nor on a call that was lost.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Alarm, AlarmState
from chalicelib.core.decision import Event
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.execution import Execution
from chalicelib.core.ids import AlarmId, PolicyId, ProjectId
from chalicelib.core.notice import Notice, breach
from chalicelib.flows import backends
from chalicelib.flows.retry import until_not_stale
from chalicelib.flows.scale import Ask, scale
from chalicelib.ports import Services

_log = logging.getLogger(__name__)

HEARD_EVERY = timedelta(minutes=5)
"""How often it is written down that a backend has called, where nothing else is to be written."""


def alarm_of_hook(s: Services, project_id: ProjectId, alarm_id: AlarmId, token: str) -> Alarm:
    """Return the alarm that this hook is of.

    Raises:
        NotFound: there is none; nothing tells an unknown alarm from a wrong token.
    """
    unknown = NotFound("webhook.unknown", "There is no such webhook.")
    try:
        alarm = s.alarms.get(project_id, alarm_id)
    except NotFound:
        raise unknown from None
    if not backends.owns(alarm, token):
        raise unknown
    return alarm


def notified(
    s: Services, alarm: Alarm, notice: Notice, event_id: str | None, request_id: str
) -> tuple[Execution, ...]:
    """Mirror the state and ask its policies, in their order; return what came of each.

    An alarm that was disabled here asks nobody, whatever its backend still says. A policy that is gone is
    passed over.

    Raises:
        Conflict: the call is of another alarm than the one that was established, such as a double that was
            made when an answer was lost; or of one whose establishing has not been written down yet.
    """
    if notice.external_id != alarm.external_id:
        raise Conflict(
            "alarm.not_established",
            "This is not the alarm that its backend has for ours, or not yet: nothing is done.",
        )
    alarm = until_not_stale(s, lambda: _mirrored(s, alarm.project_id, alarm.id, notice))
    if not alarm.enabled:
        return ()
    event = Event(said=notice.state.value, breach=breach(alarm, notice))
    asked = (
        _asked(s, alarm, policy_id, event, event_id, request_id)
        for policy_id in actions_of(alarm, notice.state)
    )
    return tuple(execution for execution in asked if execution is not None)


def actions_of(alarm: Alarm, state: AlarmState) -> tuple[PolicyId, ...]:
    """Return the policies that a state sets in motion."""
    match state:
        case AlarmState.ALARM:
            return alarm.alarm_actions
        case AlarmState.OK:
            return alarm.ok_actions
        case AlarmState.INSUFFICIENT_DATA:
            return alarm.insufficient_data_actions


def _mirrored(s: Services, project_id: ProjectId, alarm_id: AlarmId, notice: Notice) -> Alarm:
    """Write the state where it is another one, and from time to time that the backend has called."""
    was, now = s.alarms.get(project_id, alarm_id), s.now()
    if notice.state is not was.state:
        new = replace(was, state=notice.state, state_reason=notice.reason, state_changed_at=now, heard_at=now)
        return s.alarms.change(was, new, alarm_history.found(was, new, now))
    if was.heard_at is None or now - was.heard_at >= HEARD_EVERY:
        s.alarms.heard(was, now)
    return was


def _asked(
    s: Services, alarm: Alarm, policy_id: PolicyId, event: Event, event_id: str | None, request_id: str
) -> Execution | None:
    ask = Ask(
        project_id=alarm.project_id,
        policy_id=policy_id,
        source=f"alarm:{alarm.id}",
        event_id=event_id,
        event=event,
        request_id=request_id,
    )
    try:
        return scale(s, ask)
    except NotFound:
        _log.info("alarm %s names policy %s, which is gone", alarm.id, policy_id)
        return None
