"""What a schedule that sets sizes comes to, and why.

In the order of every decision: deleting -> frozen -> do the sizes fit? -> clamp -> no change -> executed.
Cooldowns are not asked and none starts; nor is the credential: a size is a state, to be reached as soon as
somebody mends it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.core.capacity import Bounds
from chalicelib.core.decision import Decision
from chalicelib.core.errors import Invalid
from chalicelib.core.execution import Explanation, Outcome, Rule, Step, Verdict
from chalicelib.core.group import Group
from chalicelib.core.schedule import SetSizes, bounds_set


def resize(sizes: SetSizes, group: Group, now: datetime) -> Decision:
    """Return what setting ``sizes`` makes of ``group``, with every rule's verdict."""
    passed = [_passed(Rule.EVENT, "A schedule is due.")]
    if group.deleting:
        detail = "The group is being deleted: it is not scaled any more."
        return refused(Outcome.GROUP_DELETING, Rule.DELETION, detail, group, passed)
    passed.append(_passed(Rule.DELETION, "The group is not being deleted."))
    if group.freeze is not None and group.freeze.holds(now):
        detail = f"The group is frozen: {group.freeze.reason} This due time is not made up for."
        return refused(Outcome.FROZEN, Rule.FREEZE, detail, group, passed)
    passed.append(_passed(Rule.FREEZE, "The group is not frozen."))
    try:
        bounds = bounds_set(sizes, group.bounds)
    except Invalid as error:
        return refused(Outcome.SIZES_REFUSED, Rule.ADJUSTMENT, error.detail, group, passed)
    return _within(bounds, sizes, group, now, passed)


def _within(bounds: Bounds, sizes: SetSizes, group: Group, now: datetime, passed: list[Step]) -> Decision:
    """Set the bounds, and the desired capacity within them."""
    wanted = group.desired_capacity if sizes.desired_capacity is None else sizes.desired_capacity
    capacity = bounds.clamp(wanted)
    said = f"min_size {bounds.min_size} and max_size {bounds.max_size}"
    if capacity == wanted:
        passed.append(_passed(Rule.CLAMP, f"{wanted} is within {said}."))
    else:
        detail = f"{wanted} is outside {said}: {capacity}."
        passed.append(Step(rule=Rule.CLAMP, verdict=Verdict.CLAMPED, detail=detail))
    if (bounds, capacity) == (group.bounds, group.desired_capacity):
        detail = f"The group already wants {capacity} within {said}: nothing changes."
        return refused(Outcome.NO_CHANGE, Rule.CHANGE, detail, group, passed)
    summary = f"The group wants {capacity} instead of {group.desired_capacity}, within {said}."
    return Decision(
        outcome=Outcome.EXECUTED,
        group=replace(group.wanting(capacity), bounds=bounds, updated_at=now),
        explanation=Explanation(summary=summary, steps=(*passed, _passed(Rule.CHANGE, summary))),
    )


def refused(
    outcome: Outcome, rule: Rule, detail: str, group: Group, passed: list[Step] | None = None
) -> Decision:
    """Return the decision of a rule that leaves the group as it is."""
    last = Step(rule=rule, verdict=Verdict.REFUSE, detail=detail)
    explanation = Explanation(summary=detail, steps=(*(passed or ()), last))
    return Decision(outcome=outcome, group=group, explanation=explanation)


def _passed(rule: Rule, detail: str) -> Step:
    return Step(rule=rule, verdict=Verdict.PASS, detail=detail)
