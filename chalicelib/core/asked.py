"""What a policy asks of its group, whichever way it comes to a size; and which cooldowns are its own.

| rule | size | waits for and starts |
|---|---|---|
| by n, by percent, to n | from the desired capacity | the group's cooldown and its own |
| steps, growing | from the breach, less what still warms up | nothing: its warm-up counts instead |
| steps, shrinking | from the breach | the group's cooldown and its own, and every warm-up of its own |
| target tracking, predictive | proposed, with its own windows and limits | its own cooldown only |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.capacity import Adjustment, Direction, raw_capacity
from chalicelib.core.cooldown import Stamp, holding, stamps_of_change, warming
from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.group import Group
from chalicelib.core.policy import Policy
from chalicelib.core.steps import StepScaling, asked_capacity, asked_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A size that was computed from metrics before, and how; None: the metric is not known."""

    capacity: int | None
    steps: tuple[Step, ...]


def asked_of(
    policy: Policy, group: Group, breach: float | None, proposal: Proposal | None, now: datetime
) -> Proposal:
    """Return the size that the policy asks for, not clamped, or None where it cannot say."""
    rule, desired = policy.rule, group.desired_capacity
    if isinstance(rule, Adjustment):
        raw = raw_capacity(rule, desired)
        words = Step(
            rule=Rule.ADJUSTMENT, verdict=Verdict.PASS, detail=f"{rule} on {desired} asks for {raw}."
        )
        return Proposal(capacity=raw, steps=(words,))
    if not isinstance(rule, StepScaling):
        return proposal or _unknown("The metric was not looked at: nothing is known, nothing scales.")
    if breach is None:
        return _unknown("A policy of steps needs to know how far the metric is beyond its threshold.")
    on_their_way = warming(group.cooldowns, policy.id, now)
    return Proposal(
        capacity=asked_capacity(rule, desired, on_their_way, breach),
        steps=asked_in_words(rule, desired, on_their_way, breach),
    )


def held_by(policy: Policy, group: Group, direction: Direction, now: datetime) -> Stamp | None:
    """Return the stamp that the policy's change has to wait for, or None."""
    stamps = group.cooldowns
    if not _heeds_the_group(policy, direction):
        stamps = tuple(stamp for stamp in stamps if stamp.policy_id is not None)
    return holding(stamps, policy.id, direction, now)


def stamps_left(
    policy: Policy, group: Group, direction: Direction, after: int, now: datetime
) -> tuple[Stamp, ...]:
    """Return the stamps that the policy's change to ``after``, accepted at ``now``, leaves."""
    rule, seconds, counted = policy.rule, policy.cooldown_seconds, 0
    if isinstance(rule, StepScaling) and direction is Direction.OUT:
        seconds = group.cooldown_seconds if rule.warmup_seconds is None else rule.warmup_seconds
        counted = after - group.desired_capacity + warming(group.cooldowns, policy.id, now)
    return stamps_of_change(
        policy_id=policy.id,
        direction=direction,
        group_seconds=group.cooldown_seconds if _heeds_the_group(policy, direction) else 0,
        policy_seconds=seconds,
        build_timeout_seconds=group.build_timeout_seconds,
        now=now,
        warming=counted,
    )


def _heeds_the_group(policy: Policy, direction: Direction) -> bool:
    if isinstance(policy.rule, StepScaling):
        return direction is Direction.IN
    return isinstance(policy.rule, Adjustment)


def _unknown(detail: str) -> Proposal:
    return Proposal(capacity=None, steps=(Step(rule=Rule.ADJUSTMENT, verdict=Verdict.REFUSE, detail=detail),))
