"""Decide a request to scale, and say why.

The order of the rules is part of the product (a duplicate is found before, by the execution's id):
not an alarm -> deleting -> disabled -> frozen -> credential broken -> shadow -> compute -> clamp ->
no change (starts no cooldown) -> the webhook's direction -> cooldown -> executed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core.capacity import Adjustment, Direction, direction_of, raw_capacity
from chalicelib.core.cooldown import Stamp, holding, stamped, stamps_of_change
from chalicelib.core.execution import Explanation, Outcome, Rule, Step, Verdict
from chalicelib.core.group import Group, TroubleKind
from chalicelib.core.policy import DirectionLimit, Policy, PolicyMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A size that a policy computed from metrics, and how."""

    capacity: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What reached us, as far as the decision needs it.

    Attributes:
        firing: False for a notification that all is well again; such a one never scales.
        direction: what the sender's webhook may set in motion.
        said: how the sender called its state, for the explanation.
        breach: how far the metric is beyond the alarm's threshold, signed; None where nobody measured it.
        proposal: the size that was computed before, for policies that compute one from metrics.
        cooldowns_apply: False for a request that neither waits for a cooldown nor starts one.
    """

    firing: bool = True
    direction: DirectionLimit = DirectionLimit.ANY
    said: str | None = None
    breach: float | None = None
    proposal: Proposal | None = None
    cooldowns_apply: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a request comes to.

    Attributes:
        group: the group as it is to be written; the very group that was read when nothing changes.
    """

    outcome: Outcome
    group: Group
    explanation: Explanation
    retry_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class _Inquiry:
    """Collects the verdicts while the rules are asked; lives for one call of ``decide``."""

    group: Group
    steps: list[Step]

    def passed(self, rule: Rule, detail: str, verdict: Verdict = Verdict.PASS) -> None:
        self.steps.append(Step(rule=rule, verdict=verdict, detail=detail))

    def ends(
        self, outcome: Outcome, rule: Rule, verdict: Verdict, detail: str, until: datetime | None = None
    ) -> Decision:
        self.steps.append(Step(rule=rule, verdict=verdict, detail=detail, until=until))
        return Decision(
            outcome=outcome,
            group=self.group,
            retry_at=until,
            explanation=Explanation(summary=detail, steps=tuple(self.steps)),
        )


def decide(policy: Policy, group: Group, event: Event, now: datetime) -> Decision:
    """Return what ``event`` makes of ``group`` through ``policy``, with every rule's verdict."""
    inquiry = _Inquiry(group=group, steps=[])
    return _may_it_ask(inquiry, policy, event, now) or _what_it_asks(inquiry, policy, event, now)


def _may_it_ask(inquiry: _Inquiry, policy: Policy, event: Event, now: datetime) -> Decision | None:
    """Return the refusal of a request that is not even computed, or None."""
    group = inquiry.group
    if not event.firing:
        detail = f"The sender says {event.said or 'ok'!r}, which is no alarm: nothing to do."
        return inquiry.ends(Outcome.NOT_ALARM, Rule.EVENT, Verdict.REFUSE, detail)
    inquiry.passed(Rule.EVENT, "A request to scale.")
    if group.deleting:
        detail = "The group is being deleted: it is not scaled any more."
        return inquiry.ends(Outcome.GROUP_DELETING, Rule.DELETION, Verdict.REFUSE, detail)
    inquiry.passed(Rule.DELETION, "The group is not being deleted.")
    if policy.mode is PolicyMode.DISABLED:
        detail = "The policy is disabled."
        return inquiry.ends(Outcome.DISABLED, Rule.MODE, Verdict.REFUSE, detail)
    inquiry.passed(Rule.MODE, f"The policy is {policy.mode}.")
    if group.freeze is not None and group.freeze.holds(now):
        end = f"until {_time(group.freeze.until)}" if group.freeze.until else "until it is thawed"
        detail = f"The group is frozen {end}: {group.freeze.reason}"
        return inquiry.ends(Outcome.FROZEN, Rule.FREEZE, Verdict.HOLD, detail, group.freeze.until)
    inquiry.passed(Rule.FREEZE, "The group is not frozen.")
    trouble = group.trouble
    if trouble is not None and trouble.kind is TroubleKind.CREDENTIAL:
        detail = f"The group's credential does not work: {trouble.reason}"
        return inquiry.ends(Outcome.CREDENTIAL_ERROR, Rule.CREDENTIAL, Verdict.REFUSE, detail)
    inquiry.passed(Rule.CREDENTIAL, "The credential worked when it was last used.")
    return None


def _what_it_asks(inquiry: _Inquiry, policy: Policy, event: Event, now: datetime) -> Decision:
    """Compute the target, and hold or grant it."""
    group = inquiry.group
    before = group.desired_capacity
    after = _target(inquiry, policy)
    direction = direction_of(before, after)
    if policy.mode is PolicyMode.SHADOW:
        return _shadow(inquiry, policy, event, direction, after, now)
    if direction is None:
        detail = f"The group already wants {before}: nothing changes, no cooldown starts."
        return inquiry.ends(Outcome.NO_CHANGE, Rule.CHANGE, Verdict.REFUSE, detail)
    inquiry.passed(Rule.CHANGE, f"{before} becomes {after}.")
    if not event.direction.allows(direction):
        detail = f"This webhook may only scale {event.direction}, and the policy would scale {direction}."
        return inquiry.ends(Outcome.DIRECTION_REFUSED, Rule.DIRECTION, Verdict.REFUSE, detail)
    hold = _hold(inquiry, policy, event, direction, now)
    if hold is not None:
        detail = f"The change is held: {_why_held(hold, now)}."
        return inquiry.ends(Outcome.IN_COOLDOWN, Rule.COOLDOWN, Verdict.HOLD, detail, hold.retry_at(now))
    if event.cooldowns_apply:
        inquiry.passed(Rule.COOLDOWN, f"No cooldown holds a scale-{direction}.")
        changed = _changed(group, policy, direction, after, now)
    else:
        inquiry.passed(Rule.COOLDOWN, "This request neither waits for a cooldown nor starts one.")
        changed = replace(group, desired_capacity=after, updated_at=now)
    return Decision(
        outcome=Outcome.EXECUTED,
        group=changed,
        explanation=Explanation(
            summary=f"Policy {policy.name!r} scales {direction} from {before} to {after}.",
            steps=tuple(inquiry.steps),
        ),
    )


def _target(inquiry: _Inquiry, policy: Policy) -> int:
    """Compute what the policy asks for and clamp it, noting both."""
    group, adjustment = inquiry.group, policy.rule
    assert isinstance(adjustment, Adjustment)
    raw = raw_capacity(adjustment, group.desired_capacity)
    inquiry.passed(Rule.ADJUSTMENT, f"{adjustment} on {group.desired_capacity} asks for {raw}.")
    target = group.bounds.clamp(raw)
    bounds = f"min_size {group.bounds.min_size} and max_size {group.bounds.max_size}"
    if target == raw:
        inquiry.passed(Rule.CLAMP, f"{raw} is within {bounds}.")
    else:
        inquiry.passed(Rule.CLAMP, f"{raw} is outside {bounds}: {target}.", Verdict.CLAMPED)
    return target


def _shadow(
    inquiry: _Inquiry, policy: Policy, event: Event, direction: Direction | None, after: int, now: datetime
) -> Decision:
    """Say what the policy would have done."""
    before = inquiry.group.desired_capacity
    hold = _hold(inquiry, policy, event, direction, now)
    if direction is None:
        would = f"it would leave the group at {before}"
    elif not event.direction.allows(direction):
        would = f"it would scale {direction}, which this webhook may not"
    elif hold is not None:
        would = f"it would be held: {_why_held(hold, now)}"
    else:
        would = f"it would scale {direction} from {before} to {after}"
    detail = f"The policy is in shadow mode: {would}."
    return inquiry.ends(Outcome.SHADOW, Rule.MODE, Verdict.REFUSE, detail)


def _hold(
    inquiry: _Inquiry, policy: Policy, event: Event, direction: Direction | None, now: datetime
) -> Stamp | None:
    """Return the stamp that makes the change wait, or None when it need not."""
    if direction is None or not event.cooldowns_apply:
        return None
    return holding(inquiry.group.cooldowns, policy.id, direction, now)


def _changed(group: Group, policy: Policy, direction: Direction, after: int, now: datetime) -> Group:
    """Return the group as it is to be written: the new size, and the stamps of the change."""
    new = stamps_of_change(
        policy_id=policy.id,
        direction=direction,
        group_seconds=group.cooldown_seconds,
        policy_seconds=policy.cooldown_seconds,
        build_timeout_seconds=group.build_timeout_seconds,
        now=now,
    )
    return replace(
        group, desired_capacity=after, cooldowns=stamped(group.cooldowns, new, now), updated_at=now
    )


def _why_held(stamp: Stamp, now: datetime) -> str:
    """Say which cooldown holds, and until when."""
    whose = "the group's" if stamp.policy_id is None else "the policy's own"
    if now < stamp.until:
        return f"{whose} cooldown of {stamp.seconds} s after a scale-{stamp.direction}, {_end(stamp, now)}"
    return f"the last scale-{stamp.direction} is still under way, {_end(stamp, now)}"


def _end(stamp: Stamp, now: datetime) -> str:
    return f"until {_time(stamp.retry_at(now))}"


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "further notice"
