"""What its owner should know of an alarm before it happens: that it and another would undo each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from chalicelib.core.alarm import Alarm, Comparison, ThresholdRule
from chalicelib.core.capacity import Adjustment, AdjustmentType
from chalicelib.core.errors import NotFound
from chalicelib.core.flapping import Pair, flap_proof
from chalicelib.ports import Services

_ABOVE = {Comparison.GT, Comparison.GE}


def warnings(s: Services, alarm: Alarm) -> Sequence[str]:
    """Return how the alarm and others of its group would make the group flap; none is proof that it does not.

    What is looked at are pairs of alarms over the mean of one metric, one of which adds members above its
    threshold and the other takes some away below its own.
    """
    others = [other for other in s.alarms.of_group(alarm.project_id, alarm.group_id) if other.id != alarm.id]
    pairs = [(alarm, other) for other in others if _opposed(alarm, other)]
    if not pairs:
        return ()
    bounds = s.groups.get(alarm.project_id, alarm.group_id).bounds
    found = []
    for one, other in pairs:
        flap = next((flap for pair in _pairs(s, one, other) if (flap := flap_proof(pair, bounds))), None)
        if flap is not None:
            found.append(f"With alarm {other.name!r} the group may flap. {flap}")
    return found


def _opposed(one: Alarm, other: Alarm) -> bool:
    """Return whether one alarm is above a threshold and the other below one, of the same mean."""
    a, b = one.rule, other.rule
    if not isinstance(a, ThresholdRule) or not isinstance(b, ThresholdRule):
        return False
    same = (a.metric, a.dimensions, a.statistic) == (b.metric, b.dimensions, "average")
    return same and (a.comparison in _ABOVE) is not (b.comparison in _ABOVE)


def _pairs(s: Services, one: Alarm, other: Alarm) -> Iterator[Pair]:
    assert isinstance(one.rule, ThresholdRule)
    assert isinstance(other.rule, ThresholdRule)
    is_above = one.rule.comparison in _ABOVE
    above, below = (one, other) if is_above else (other, one)
    high, low = (one.rule, other.rule) if is_above else (other.rule, one.rule)
    shrinking = [each for each in _adjustments(s, below) if each.amount < 0]
    for grow in _adjustments(s, above):
        if grow.amount > 0:
            for shrink in shrinking:
                yield Pair(high=high.threshold, grow=grow, low=low.threshold, shrink=shrink)


def _adjustments(s: Services, alarm: Alarm) -> Iterator[Adjustment]:
    """Yield the relative changes that the alarm sets in motion."""
    for policy_id in alarm.alarm_actions:
        with suppress(NotFound):
            rule = s.policies.get(alarm.project_id, policy_id).rule
            if isinstance(rule, Adjustment) and rule.type is not AdjustmentType.EXACT:
                yield rule
