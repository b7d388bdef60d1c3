"""A backend calls: its alarm is in a state. What it says is mirrored, and the state's policies are asked.

The backend calls again at every evaluation, so while the alarm lasts each call asks its policies anew, as the
builtin alarms do every minute: nothing depends on an edge, nor on a call that was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Alarm, AlarmState
from chalicelib.core.decision import Event
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.execution import Execution
from chalicelib.core.ids import AlarmId, PolicyId, ProjectId
from chalicelib.core.notice import Notice, breach
from chalicelib.flows import backends, rates
from chalicelib.flows.alarm_findings import direction_in
from chalicelib.flows.retry import until_not_stale
from chalicelib.flows.scale import Ask, scale
from chalicelib.ports import Services
from chalicelib.telemetry import about

_log = logging.getLogger(__name__)

HEARD_EVERY = timedelta(minutes=5)
"""How often it is written down that a backend has called, where nothing else is to be written."""


def alarm_of_hook(s: Services, project_id: ProjectId, alarm_id: AlarmId, token: str) -> Alarm:
    """Return the alarm that this hook is of.

    Raises:
        NotFound: there is none; nothing tells an unknown alarm from a wrong token.
        TooOften: it is called more often than is allowed.
    """
    unknown = NotFound("webhook.unknown", "There is no such webhook.")
    try:
        alarm = s.alarms.get(project_id, alarm_id)
    except NotFound:
        raise unknown from None
    if not backends.owns(alarm, token):
        raise unknown
    rates.admit_hook(s, project_id, token)
    return alarm


def notified(
    s: Services, alarm: Alarm, notice: Notice, event_id: str | None, request_id: str
) -> tuple[Execution, ...]:
    """Ask the state's policies, in their order, and mirror the state; return what came of each.

    In this order, so that what a state asks once is asked if we die in between and the notice comes again.
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
    asked = _asked_by(s, alarm, notice, event_id, request_id) if alarm.enabled else ()
    until_not_stale(s, lambda: _mirrored(s, alarm.project_id, alarm.id, notice))
    return tuple(asked)


def _asked_by(
    s: Services, alarm: Alarm, notice: Notice, event_id: str | None, request_id: str
) -> Sequence[Execution]:
    event = Event(said=notice.state.value, breach=breach(alarm, notice), direction=direction_in(notice.state))
    if notice.state is not AlarmState.ALARM:
        # Asked once as it is entered. Until that is mirrored, each further call is of the same event.
        event_id = f"{notice.state} after {alarm.state} since {alarm.state_changed_at.isoformat()}"
    asked = (
        _asked(s, alarm, policy_id, event, event_id, request_id)
        for policy_id in alarm.actions_in(notice.state, entered=notice.state is not alarm.state)
    )
    return [execution for execution in asked if execution is not None]


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
        told = about(request_id=request_id, alarm_id=alarm.id, policy_id=policy_id)
        _log.info("the alarm asks a policy that is gone", extra=told)
        return None
