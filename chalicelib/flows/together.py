"""What several policies of one group ask in the same tick: one change at most, of the one that wants most.

Out if any wants it, the largest; in only if all agree. The others are told who outvoted them. The group
remembers the tick it was changed in, so that a tick that is judged twice changes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.core.asked import Proposal
from chalicelib.core.decision import Decision, decide
from chalicelib.core.execution import Explanation, Outcome, Rule, Step, Verdict
from chalicelib.core.forecast import Predictive
from chalicelib.core.group import Group
from chalicelib.core.policy import Policy, PolicyMode
from chalicelib.core.reconcile import Reconciled, Want, reconciled
from chalicelib.core.tracking import TargetTracking
from chalicelib.flows.nudge import nudge
from chalicelib.flows.retry import until_not_stale
from chalicelib.flows.scale import Ask, execution_of, id_of, log_execution, with_proposal
from chalicelib.ports import Services
from chalicelib.ports.storage import AlreadyDecided, GroupKey

_HAS_AN_OPINION = {Outcome.EXECUTED, Outcome.IN_COOLDOWN, Outcome.NO_CHANGE, Outcome.WOULD_FLAP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One policy's part in a tick.

    Attributes:
        ask: its event_id names the event, so that it is recorded once.
        quiet: it looks at its metric in every tick, so only what it changes, or in shadow would change, is
            recorded as an execution; all the rest is its evaluation, which the policy shows.
    """

    ask: Ask
    policy: Policy
    quiet: bool = False


Speak = Callable[[Group], Sequence[Voice]]
"""Returns what is asked of the group as it was read."""

Heard = Sequence[tuple[Voice, Decision]]


def scale_together(s: Services, key: GroupKey, speak: Speak) -> Heard:
    """Decide for one group what its voices ask, write the outcomes, and return them with the voices.

    Args:
        speak: asked anew where somebody else wrote the group meanwhile: what was computed from the size that
            it had then would take back the one that it has now.

    Raises:
        NotFound: the group is gone.
        Unavailable: the group is written by others all the time, or the tables do not answer.
    """
    return until_not_stale(s, lambda: _attempt(s, key, speak))


def _attempt(s: Services, key: GroupKey, speak: Speak) -> Heard:
    group, now = s.groups.get(key.project_id, key.group_id), s.now()
    voices = [_measured(s, voice, group) for voice in speak(group)]
    decisions = [decide(voice.policy, group, voice.ask.event, now) for voice in voices]
    wants = [_want(group, voice, made) for voice, made in zip(voices, decisions, strict=True)]
    result = reconciled([want for want in wants if want is not None], group.desired_capacity)
    losses = {id(loss.want): loss.step for loss in result.losses}
    for number, want in enumerate(wants):
        if want is not None and want is result.winner:
            decisions[number] = _as_reconciled(voices[number], group, decisions[number], result, now)
        elif decisions[number].outcome is Outcome.EXECUTED:
            decisions[number] = _outvoted(group, decisions[number], losses.get(id(want)), result)
    # The one that changes the group first: if we die behind it, the others find the tick taken.
    in_order = sorted(zip(voices, decisions, strict=True), key=lambda each: each[1].group is group)
    for voice, decision in in_order:
        if not voice.quiet or _tells(decision, group):
            _write(s, group, voice, decision)
    return list(zip(voices, decisions, strict=True))


def _measured(s: Services, voice: Voice, group: Group) -> Voice:
    """Return the voice with what its policy wants: an alarm that asks a metric policy did not look."""
    event = with_proposal(s, voice.policy, group, voice.ask.event)
    return replace(voice, ask=replace(voice.ask, event=event))


def _tells(decision: Decision, group: Group) -> bool:
    would_change = decision.wanted not in (None, group.desired_capacity)
    return decision.outcome is Outcome.EXECUTED or (decision.outcome is Outcome.SHADOW and would_change)


def _want(group: Group, voice: Voice, decision: Decision) -> Want | None:
    """Return what the policy wants of the group, None where it has nothing to say.

    One that is held may not act, but still has its say: while it wants to grow nothing shrinks, and nobody
    goes below what it wants. A shadow has none, not even by not knowing its metric; nor have steps without a
    breach (of a composite, or a state set by hand) or a forecast that there is none of yet: who says nothing
    of a metric does not hold the group.
    """
    policy, size = voice.policy, decision.wanted
    if policy.mode is PolicyMode.SHADOW:
        return None
    if decision.outcome is Outcome.NO_DATA:
        holds = isinstance(policy.rule, TargetTracking)
        return Want(policy_id=policy.id, name=policy.name, capacity=None) if holds else None
    if decision.outcome not in _HAS_AN_OPINION or size is None:
        return None
    acts = decision.outcome is Outcome.EXECUTED
    if not acts:
        size = min(size, group.desired_capacity)
    return Want(policy_id=policy.id, name=policy.name, capacity=size, never_in=not acts or never_in(policy))


def never_in(policy: Policy) -> bool:
    """Return whether the policy never makes the group smaller by itself."""
    rule = policy.rule
    return isinstance(rule, Predictive) or (isinstance(rule, TargetTracking) and not rule.scale_in)


def _as_reconciled(
    voice: Voice, group: Group, decision: Decision, result: Reconciled, now: datetime
) -> Decision:
    """Return the winner's decision, made again where the others want more to remain."""
    if result.step is None:
        return decision
    floor = Proposal(capacity=result.capacity, steps=(result.step,))
    return decide(voice.policy, group, replace(voice.ask.event, at_least=floor), now)


def _outvoted(group: Group, decision: Decision, why: Step | None, result: Reconciled) -> Decision:
    """Return what becomes of a decision that would have changed the group, had others not wanted more."""
    by = f"policy {result.winner.name!r} does" if result.winner else "others do not agree"
    words = why or Step(rule=Rule.RECONCILE, verdict=Verdict.REFUSE, detail=f"Not by this policy: {by}.")
    steps = (*decision.explanation.steps, words)
    return replace(
        decision,
        outcome=Outcome.OUTVOTED,
        group=group,
        explanation=Explanation(summary=words.detail, steps=steps),
    )


def _write(s: Services, group: Group, voice: Voice, decision: Decision) -> None:
    ask = voice.ask
    execution = execution_of(ask, id_of(s, ask), group, decision, s.now())
    try:
        s.groups.decide(group, decision.group, execution)
    except AlreadyDecided:
        return  # by this tick's first judging: nothing was written now
    log_execution(execution)
    if decision.outcome is Outcome.EXECUTED:
        nudge(s, group, ask.request_id)
