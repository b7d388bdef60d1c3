"""What a metric policy wants of its group now: look at the metric, and say a size and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core.asked import Proposal
from chalicelib.core.behavior import Window, followed
from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.forecast import (
    HISTORY_HOURS,
    Forecast,
    Predictive,
    accuracy,
    forecast,
    needed,
    verified,
)
from chalicelib.core.group import Group
from chalicelib.core.member import TO_GO, Member, MemberState
from chalicelib.core.policy import Policy
from chalicelib.core.policy_state import PolicyState
from chalicelib.core.series import Series, Statistic
from chalicelib.core.tracking import MetricKind, Observation, TargetTracking, observed
from chalicelib.flows.hours import HOURS_MAX, compress, ended_hours
from chalicelib.flows.nudge import key_of
from chalicelib.flows.readings import Need, Readings, read
from chalicelib.ports import Services

_AWAITED = {MemberState.PLANNED, MemberState.BUILDING}
_NEWEST = 2
"""Periods of a single value that are looked at: the newest one may still be on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a look at the metric came to.

    Attributes:
        proposal: None where the policy has nothing to say: nothing is foreseen.
        value: what was held against the target.
        recommended: the size before holds and limits.
        state: what the policy is to remember of it.
    """

    proposal: Proposal | None
    value: float | None
    recommended: int | None
    state: PolicyState


def need_of(policy: Policy) -> Need | None:
    """Return what a policy reads at each look; None for one that reads hours, or nothing."""
    rule = policy.rule
    if not isinstance(rule, TargetTracking):
        return None
    return Need(
        series=_series(policy, rule),
        statistic=Statistic(rule.statistic),
        period_seconds=rule.period_seconds,
        count=_NEWEST,
    )


def measure_now(s: Services, policy: Policy, group: Group) -> Proposal | None:
    """Return what the policy wants at this moment, for who executes it; nothing is remembered of it."""
    need = need_of(policy)
    readings = read(s, [need] if need else [], s.now())
    members = s.members.of_group(key_of(group))
    return measured(s, policy, group, members, state_of(s, policy), readings).proposal


def state_of(s: Services, policy: Policy) -> PolicyState:
    """Return what the policy remembers; a new state where it remembers nothing."""
    found = s.policy_states.get(policy.project_id, policy.id)
    return found or PolicyState(project_id=policy.project_id, policy_id=policy.id, updated_at=s.now())


def measured(
    s: Services,
    policy: Policy,
    group: Group,
    members: Sequence[Member],
    state: PolicyState,
    readings: Readings,
) -> Measured:
    """Return what the policy wants of its group, as of ``readings``."""
    rule = policy.rule
    if isinstance(rule, Predictive):
        return _foreseen(s, policy, rule, state, readings.now)
    assert isinstance(rule, TargetTracking), "only metric policies are measured"
    need = need_of(policy)
    assert need is not None
    seen = _seen(rule, group, members, need, readings)
    window = Window(advice=state.window.advice, changes=group.changes)
    result = followed(rule, window, seen, readings.now)
    return Measured(
        proposal=Proposal(capacity=result.capacity, steps=result.steps),
        value=result.value,
        recommended=result.recommended,
        state=replace(state, window=Window(advice=result.window.advice), updated_at=readings.now),
    )


def _seen(
    rule: TargetTracking, group: Group, members: Sequence[Member], need: Need, readings: Readings
) -> Observation:
    serving = {str(m.id): m.requested_at for m in members if m.state is MemberState.IN_SERVICE}
    if rule.kind is not MetricKind.AVERAGE:
        known = [point.value for point in readings.points(need) if point is not None]
        value = known[-1] if known else None
        return Observation(desired=group.desired_capacity, value=value, in_service=len(serving))
    return observed(
        rule,
        desired=group.desired_capacity,
        in_service_since=serving,
        awaited=_awaited(group, members),
        values={str(member): value for member, value in readings.by_member(need).items()},
        now=readings.now,
    )


def _awaited(group: Group, members: Sequence[Member]) -> Sequence[str]:
    """Return the members that do not serve yet, also those that are wanted and not even written down."""
    staying = [m for m in members if m.state not in TO_GO]
    not_yet = range(group.desired_capacity - len(staying))
    return [*(m.id for m in staying if m.state in _AWAITED), *(f"wanted-{number}" for number in not_yet)]


def _foreseen(s: Services, policy: Policy, rule: Predictive, state: PolicyState, now: datetime) -> Measured:
    """Return what the forecast says is needed; it is made anew when an hour has ended."""
    if state.forecast is None or state.forecast.is_due(now):
        state = _with_forecast(s, policy, rule, state, now)
    made = state.forecast
    size = needed(rule, made, now) if made is not None else None
    proposal = None
    if made is not None and size is not None:
        proposal = Proposal(capacity=size, steps=(_in_words(rule, made, state, size, now),))
    return Measured(proposal=proposal, value=None, recommended=size, state=replace(state, updated_at=now))


def _with_forecast(
    s: Services, policy: Policy, rule: Predictive, state: PolicyState, now: datetime
) -> PolicyState:
    """Return the state with a new forecast; with what it had, while there are hours left to compress."""
    series = _series(policy, rule)
    if compress(s, series, now) == HOURS_MAX:
        return state
    hours = ended_hours(s, series, now - timedelta(hours=HISTORY_HOURS), now)
    history = [(hour.start, hour.load) for hour in hours]
    past = state.past if state.forecast is None else verified(state.past, state.forecast, history, now)
    return replace(state, forecast=forecast(history, now), past=past)


def _in_words(rule: Predictive, made: Forecast, state: PolicyState, size: int, now: datetime) -> Step:
    until = now + timedelta(seconds=rule.lead_seconds)
    most = max((each.load for each in made.hours if each.hour <= until), default=0.0)
    off = accuracy(state.past).wape
    how_good = "no forecast could be compared yet" if off is None else f"forecasts were {off:.0%} off so far"
    detail = (
        f"Up to {most:.4g} of {rule.metric} are foreseen until {until:%H:%M} UTC, which {size} members at "
        f"{rule.target:g} bear; {how_good}."
    )
    return Step(rule=Rule.METRIC, verdict=Verdict.PASS, detail=detail)


def _series(policy: Policy, rule: TargetTracking | Predictive) -> Series:
    return Series(
        project_id=policy.project_id,
        group_id=policy.group_id,
        metric=rule.metric,
        dimensions=rule.dimensions,
    )
