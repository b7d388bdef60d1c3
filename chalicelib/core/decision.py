"""Decide a request to scale, and say why.

The order of the rules is part of the product (a duplicate is found before, by the execution's id):
not an alarm -> deleting -> disabled -> frozen -> credential broken -> compute (or no data) -> clamp ->
shadow -> no change (starts no cooldown) -> the sender's direction -> would flap -> outvoted -> cooldown ->
executed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core.asked import Proposal, asked_of, held_by, stamps_left
from chalicelib.core.capacity import Direction, direction_of
from chalicelib.core.cooldown import Stamp, stamped
from chalicelib.core.execution import Explanation, Outcome, Rule, Step, Verdict
from chalicelib.core.flapping import OutCondition, safe_scale_in
from chalicelib.core.group import Change, Group, TroubleKind, remembered
from chalicelib.core.policy import DirectionLimit, Policy, PolicyMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What each member's part of the load is now, and what would make the group grow again.

    Attributes:
        value: the mean over the members, of a load that does not depend on their number.
    """

    value: float
    conditions: tuple[OutCondition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What reached us, as far as the decision needs it.

    Attributes:
        firing: False for a notification that all is well again; such a one never scales.
        direction: what the sender's webhook may set in motion.
        said: how the sender called its state, for the explanation.
        breach: how far the metric is beyond the alarm's threshold, signed; None where nobody measured it.
        proposal: the size that was computed before, for policies that compute one from metrics.
        guard: what a scale-in must not set off; None where that cannot be said.
        at_least: what other policies of the group want to remain at least, with the words for it.
        cooldowns_apply: False for a request that neither waits for a cooldown nor starts one.
        tick: the tick whose judging this is part of: one change of a group comes of it at most.
    """

    firing: bool = True
    direction: DirectionLimit = DirectionLimit.ANY
    said: str | None = None
    breach: float | None = None
    proposal: Proposal | None = None
    guard: Guard | None = None
    at_least: Proposal | None = None
    cooldowns_apply: bool = True
    tick: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a request comes to.

    Attributes:
        group: the group as it is to be written; the very group that was read when nothing changes.
        wanted: the size that was asked for, within the bounds; None where it was not even computed.
    """

    outcome: Outcome
    group: Group
    explanation: Explanation
    retry_at: datetime | None = None
    wanted: int | None = None


@dataclass(slots=True, kw_only=True)
class _Inquiry:
    """Collects the verdicts while the rules are asked; lives for one call of ``decide``."""

    group: Group
    steps: list[Step]
    wanted: int | None = None

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
            wanted=self.wanted,
            explanation=Explanation(summary=detail, steps=tuple(self.steps)),
        )

    def lacks(self, asked: Proposal) -> Decision:
        """Return the refusal of a policy that cannot say a size: unknown never scales."""
        *before, last = asked.steps
        self.steps += before
        return self.ends(Outcome.NO_DATA, last.rule, Verdict.REFUSE, last.detail, last.until)


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
    asked = asked_of(policy, group, event.breach, event.proposal, now)
    if asked.capacity is None:
        return inquiry.lacks(asked)
    inquiry.steps += asked.steps
    after = inquiry.wanted = _unflapping(inquiry, event, _clamped(inquiry, asked.capacity, event.at_least))
    direction = direction_of(before, after)
    if policy.mode is PolicyMode.SHADOW:
        return _shadow(inquiry, policy, event, direction, after, now)
    if direction is None:
        return _unchanged(inquiry)
    inquiry.passed(Rule.CHANGE, f"{before} becomes {after}.")
    return _may_it_change(inquiry, policy, event, direction, now) or Decision(
        outcome=Outcome.EXECUTED,
        group=_changed(group, policy, event, direction, after, now),
        wanted=after,
        explanation=Explanation(
            summary=f"Policy {policy.name!r} scales {direction} from {before} to {after}.",
            steps=tuple(inquiry.steps),
        ),
    )


def _unchanged(inquiry: _Inquiry) -> Decision:
    """Say why the size stays: nothing else was asked for, or it would not last."""
    last = inquiry.steps[-1]
    if last.rule is Rule.FLAPPING:
        inquiry.steps.pop()
        return inquiry.ends(Outcome.WOULD_FLAP, last.rule, last.verdict, last.detail)
    size = inquiry.group.desired_capacity
    detail = f"The group already wants {size}: nothing changes, no cooldown starts."
    return inquiry.ends(Outcome.NO_CHANGE, Rule.CHANGE, Verdict.REFUSE, detail)


def _may_it_change(
    inquiry: _Inquiry, policy: Policy, event: Event, direction: Direction, now: datetime
) -> Decision | None:
    """Return the refusal or the hold of a change that was computed, or None."""
    group = inquiry.group
    if not event.direction.allows(direction):
        detail = f"This sender may only scale {event.direction}, and the policy would scale {direction}."
        return inquiry.ends(Outcome.DIRECTION_REFUSED, Rule.DIRECTION, Verdict.REFUSE, detail)
    if event.tick is not None and group.judged_at is not None and event.tick <= group.judged_at:
        detail = f"This tick changed the group's size already, to {group.desired_capacity}."
        return inquiry.ends(Outcome.OUTVOTED, Rule.RECONCILE, Verdict.REFUSE, detail)
    hold = held_by(policy, group, direction, now) if event.cooldowns_apply else None
    if hold is not None:
        detail = f"The change is held: {_why_held(hold, now)}."
        return inquiry.ends(Outcome.IN_COOLDOWN, Rule.COOLDOWN, Verdict.HOLD, detail, hold.retry_at(now))
    ignored = "This request neither waits for a cooldown nor starts one."
    heeded = f"No cooldown holds a scale-{direction}."
    inquiry.passed(Rule.COOLDOWN, heeded if event.cooldowns_apply else ignored)
    return None


def _clamped(inquiry: _Inquiry, asked: int, at_least: Proposal | None) -> int:
    """Return the size within what others leave and the group's bounds, noting what had to be clamped."""
    group, raw = inquiry.group, asked
    if at_least is not None and at_least.capacity is not None and asked < at_least.capacity:
        inquiry.steps += at_least.steps
        raw = at_least.capacity
    target = group.bounds.clamp(raw)
    bounds = f"min_size {group.bounds.min_size} and max_size {group.bounds.max_size}"
    if target == raw:
        inquiry.passed(Rule.CLAMP, f"{raw} is within {bounds}.")
    else:
        inquiry.passed(Rule.CLAMP, f"{raw} is outside {bounds}: {target}.", Verdict.CLAMPED)
    return target


def _unflapping(inquiry: _Inquiry, event: Event, after: int) -> int:
    """Return the smallest size from ``after`` on that would not at once ask to grow again."""
    before = inquiry.group.desired_capacity
    if event.guard is None or after >= before:
        return after
    safe, words = safe_scale_in(event.guard.value, before, after, event.guard.conditions)
    inquiry.steps.append(words)
    return safe


def _shadow(
    inquiry: _Inquiry, policy: Policy, event: Event, direction: Direction | None, after: int, now: datetime
) -> Decision:
    """Say what the policy would have done."""
    before = inquiry.group.desired_capacity
    waits = direction if event.cooldowns_apply else None
    hold = held_by(policy, inquiry.group, waits, now) if waits else None
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


def _changed(
    group: Group, policy: Policy, event: Event, direction: Direction, after: int, now: datetime
) -> Group:
    """Return the group as it is to be written: the new size, and the stamps of the change."""
    new = stamps_left(policy, group, direction, after, now) if event.cooldowns_apply else ()
    change = Change(at=now, by=after - group.desired_capacity)
    wanting = group.wanting(after)
    return replace(
        wanting,
        cooldowns=stamped(wanting.cooldowns, new, now),
        judged_at=event.tick or group.judged_at,
        changes=remembered((*group.changes, change), now),
        updated_at=now,
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
