"""Judge one group: its alarms and its metric policies, and the one change that they come to.

What is asked is done before it is written down that it was: if we die in between, the same tick finds the
same again, and the executions, named by the tick, are there already. A tick that never comes back costs
what an alarm would have said once, on its way to another state; what lasts is asked again by the next tick.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.core.alarm import Alarm, AlarmState
from chalicelib.core.alarm_history import found as history_of
from chalicelib.core.decision import Decision, Event
from chalicelib.core.errors import NotFound, Stale
from chalicelib.core.execution import Outcome
from chalicelib.core.flapping import OutCondition, out_condition_of
from chalicelib.core.fold import period_of
from chalicelib.core.forecast import Predictive
from chalicelib.core.group import Group
from chalicelib.core.judgement import is_judged
from chalicelib.core.policy import DirectionLimit, Policy
from chalicelib.core.policy_state import Evaluation
from chalicelib.core.tracking import MetricKind, TargetTracking
from chalicelib.flows import alarm_findings, measure
from chalicelib.flows.alarm_findings import Finding, findings
from chalicelib.flows.bury import bury_missed
from chalicelib.flows.measure import Measured, measured, state_of
from chalicelib.flows.nudge import key_of
from chalicelib.flows.readings import Readings, read
from chalicelib.flows.scale import Ask
from chalicelib.flows.together import Voice, scale_together
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey
from chalicelib.telemetry import about

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One metric policy, and what its look at the metric came to."""

    policy: Policy
    seen: Measured


def judge(
    s: Services,
    key: GroupKey,
    alarms: Sequence[Alarm],
    policies: Sequence[Policy],
    tick_seconds: int,
    *,
    urgent: bool = False,
) -> None:
    """Judge what is watched of one group, as of now.

    Args:
        alarms, policies: all of the group that are watched; maybe as they were a moment ago.
        tick_seconds: judgings within the same so many seconds are one, and change the group once.
        urgent: these are not all of the group, so it only grows: to shrink, all have to agree. What is no
            alarm is left to the tick.

    Raises:
        Unavailable: the tables do not answer, or others write the group all the time.
    """
    now = s.now()
    tick = period_of(now, tick_seconds)
    awake = [alarm for alarm in alarms if is_judged(alarm, now)]
    needs = [*map(alarm_findings.need_of, awake), *map(measure.need_of, policies)]
    readings = read(s, [need for need in needs if need is not None], now)
    found = [
        finding
        for finding in findings(s, awake, readings)
        if not urgent or finding.new.state is AlarmState.ALARM
    ]
    request_id = f"req-{s.new_id()}"
    asked = alarm_findings.voices(s, found, tick, _conditions(policies), request_id)
    looks: Sequence[_Look] = ()

    def speak(group: Group) -> Sequence[Voice]:
        nonlocal looks
        looks = _looks(s, group, policies, readings)
        voices = [*asked, *(voice for look in looks for voice in _voice(look, tick, request_id))]
        return [_growing(voice) for voice in voices] if urgent else voices

    decisions: dict[str, Decision] = {}
    if asked or policies:
        try:
            heard = scale_together(s, key, speak)
        except NotFound:
            if not _is_gone(s, key):
                raise
            bury_missed(s, alarms, policies)
            return
        # A metric policy that alarms ask, too, has several: remembered is the one that changed the group.
        in_order = sorted(heard, key=lambda each: each[1].outcome is Outcome.EXECUTED)
        decisions = {voice.policy.id: decision for voice, decision in in_order}
    _write_alarms(s, found, now, request_id)
    _remember(s, looks, decisions, now)


def _is_gone(s: Services, key: GroupKey) -> bool:
    try:
        s.groups.get(key.project_id, key.group_id)
    except NotFound:
        return True
    return False


def _looks(s: Services, group: Group, policies: Sequence[Policy], readings: Readings) -> Sequence[_Look]:
    """Look at the metric of each policy; of a group that is going there is nothing to see."""
    if group.deleting or not policies:
        return ()
    members = s.members.of_group(key_of(group))
    return [
        _Look(policy=policy, seen=measured(s, policy, group, members, state_of(s, policy), readings))
        for policy in policies
    ]


def _conditions(policies: Sequence[Policy]) -> Sequence[OutCondition]:
    """Return what makes target tracking grow the group, where its metric is a mean over the members."""
    rules = (policy.rule for policy in policies)
    return [
        out_condition_of(rule)
        for rule in rules
        if isinstance(rule, TargetTracking) and rule.kind is MetricKind.AVERAGE
    ]


def _voice(look: _Look, tick: datetime, request_id: str) -> Sequence[Voice]:
    """Return what the policy says; a forecast that is only shown, or that there is none of, says nothing."""
    policy, proposal = look.policy, look.seen.proposal
    if proposal is None or (isinstance(policy.rule, Predictive) and not policy.rule.act):
        return ()
    ask = Ask(
        project_id=policy.project_id,
        policy_id=policy.id,
        source=f"policy:{policy.id}",
        event_id=f"{policy.id}:{tick.isoformat()}",
        event=Event(proposal=proposal, tick=tick),
        request_id=request_id,
    )
    return (Voice(ask=ask, policy=policy, quiet=True),)


def _growing(voice: Voice) -> Voice:
    """Return a voice that may only grow the group, and is recorded only where it does."""
    event = replace(voice.ask.event, direction=DirectionLimit.OUT)
    return replace(voice, ask=replace(voice.ask, event=event), quiet=True)


def _is_old_news(look: _Look, evaluation: Evaluation) -> bool:
    """Return whether a forecast says what it said before: its state is large, so only changes are written."""
    last, made = look.seen.state.last, look.seen.state.forecast
    if not isinstance(look.policy.rule, Predictive) or last is None or made is None:
        return False
    same = (last.recommended, last.decided) == (evaluation.recommended, evaluation.decided)
    return same and made.made_at != evaluation.at


def _write_alarms(s: Services, found: Sequence[Finding], now: datetime, request_id: str) -> None:
    """Write the alarms that are not as they were; one that somebody changed meanwhile is left to them."""
    for finding in found:
        if finding.new is finding.was:
            continue
        with suppress(Stale, NotFound):
            s.alarms.change(finding.was, finding.new, history_of(finding.was, finding.new, now))
            _log.info("alarm changed", extra=_told(finding.new, request_id))


def _told(alarm: Alarm, request_id: str) -> dict[str, Any]:
    return about(
        request_id=request_id,
        project_id=alarm.project_id,
        group_id=alarm.group_id,
        alarm_id=alarm.id,
        state=alarm.state,
    )


def _remember(s: Services, looks: Sequence[_Look], decisions: dict[str, Decision], now: datetime) -> None:
    """Write what each policy remembers; where another judging wrote first, its memory stands."""
    for look in looks:
        seen, decision = look.seen, decisions.get(look.policy.id)
        evaluation = Evaluation(
            at=now,
            value=seen.value,
            recommended=seen.recommended,
            decided=None if decision is None else decision.group.desired_capacity,
            steps=decision.explanation.steps if decision else seen.proposal.steps if seen.proposal else (),
        )
        if _is_old_news(look, evaluation):
            continue
        with suppress(Stale):
            s.policy_states.put(replace(seen.state, last=evaluation), expected=seen.state.version)
