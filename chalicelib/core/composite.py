"""Composite alarms: and, or, not of other alarms of the group, where what is unknown stays unknown.

    {"and": [{"alarm": "<id>"}, {"not": {"alarm": "<id>"}}]}

Three-valued logic (Kleene's): insufficient_data is "unknown", and decides nothing where the rest does not.
A composite is judged on the states that the others have, not by judging them: so a circle, which two changes
at once can make, costs freshness but never an endless loop.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.alarm import Alarm, AlarmState, CompositeRule
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import AlarmId

DEPTH_MAX = 8
OPERANDS_MAX = 20
ALARMS_MAX = 20
PLACES_MAX = 100
"""How often alarms are named in one composite, the same one more than once."""


@dataclass(frozen=True, slots=True)
class Fires:
    """Another alarm is in the state alarm."""

    alarm: AlarmId


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Every:
    """And."""

    of: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Or."""

    of: tuple[Expression, ...]


Expression = Fires | Not | Every | Some


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Return the expression in a JSON text.

    Raises:
        Invalid: it is none, or too large: at most 8 levels, 20 operands in one place, 20 different alarms.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _malformed("is not JSON") from error
    expression = _parsed(tree, DEPTH_MAX)
    if len(referenced(expression)) > ALARMS_MAX:
        raise _malformed(f"refers to more than {ALARMS_MAX} alarms")
    return expression


def require_small(expression: Expression) -> None:
    """Refuse with Invalid one that names alarms in more than 100 places.

    One that was stored before there was this limit is parsed and judged all the same.
    """
    if _places(expression) > PLACES_MAX:
        raise _malformed(f"names alarms in more than {PLACES_MAX} places")


def referenced(expression: Expression) -> frozenset[AlarmId]:
    """Return the alarms that the expression refers to."""
    match expression:
        case Fires(alarm):
            return frozenset({alarm})
        case Not(of):
            return referenced(of)
        case Every(of) | Some(of):
            return frozenset[AlarmId]().union(*map(referenced, of))


def evaluate(expression: Expression, states: Mapping[AlarmId, AlarmState]) -> AlarmState:
    """Return the state that the expression comes to; an alarm that has no state is unknown."""
    match _truth(expression, states):
        case True:
            return AlarmState.ALARM
        case False:
            return AlarmState.OK
        case None:
            return AlarmState.INSUFFICIENT_DATA


def judge(
    text: str, states: Mapping[AlarmId, AlarmState], names: Mapping[AlarmId, str]
) -> tuple[AlarmState, str]:
    """Return the state of a composite alarm and a sentence that names its parts and their states."""
    expression = parse(text)
    said = _said(expression, states, names)
    return evaluate(expression, states), f"Of the parts: {said}."


def alarms_in(alarm: Alarm) -> frozenset[AlarmId]:
    """Return the alarms that an alarm is made of; those of a threshold are none."""
    return referenced(parse(alarm.rule.expression)) if isinstance(alarm.rule, CompositeRule) else frozenset()


def require_no_circle(new: Alarm, group: Iterable[Alarm]) -> None:
    """Refuse an alarm that is made, in whatever steps, of itself.

    Args:
        group: the alarms of its group as they are stored.

    Raises:
        Invalid: it is in a circle.
    """
    parts = {each.id: alarms_in(each) for each in group} | {new.id: alarms_in(new)}
    waiting, seen = list(parts[new.id]), set[AlarmId]()
    while waiting:
        alarm_id = waiting.pop()
        if alarm_id == new.id:
            raise Invalid("alarm.circle", "A composite alarm cannot be made of itself, not even indirectly.")
        if alarm_id not in seen:
            seen.add(alarm_id)
            waiting += parts.get(alarm_id, ())


def judging_order(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """Return a group's alarms so that each comes after those it is made of, as far as there is no circle."""
    by_id = {alarm.id: alarm for alarm in sorted(alarms, key=lambda alarm: alarm.id)}
    placed: dict[AlarmId, Alarm] = {}
    begun: set[AlarmId] = set()
    for first in by_id:
        waiting = [first]
        while waiting:
            alarm_id = waiting[-1]
            before: list[AlarmId] = []
            if alarm_id not in begun:
                begun.add(alarm_id)
                before = sorted(alarms_in(by_id[alarm_id]) & by_id.keys() - begun)
            if before:
                waiting += before
            else:
                placed.setdefault(waiting.pop(), by_id[alarm_id])
    return tuple(placed.values())


def _parsed(tree: Any, depth: int) -> Expression:
    if depth == 0:
        raise _malformed(f"is more than {DEPTH_MAX} levels deep")
    if not isinstance(tree, dict) or len(tree) != 1:
        raise _malformed('is made of objects with one of "alarm", "not", "and", "or" each')
    match tree:
        case {"alarm": str(alarm)}:
            return Fires(AlarmId(alarm))
        case {"not": operand}:
            return Not(_parsed(operand, depth - 1))
        case {"and": list(operands)} if 1 <= len(operands) <= OPERANDS_MAX:
            return Every(tuple(_parsed(each, depth - 1) for each in operands))
        case {"or": list(operands)} if 1 <= len(operands) <= OPERANDS_MAX:
            return Some(tuple(_parsed(each, depth - 1) for each in operands))
        case _:
            raise _malformed(f'takes an id for "alarm", and 1 to {OPERANDS_MAX} operands for "and" and "or"')


def _places(expression: Expression) -> int:
    match expression:
        case Fires():
            return 1
        case Not(of):
            return _places(of)
        case Every(of) | Some(of):
            return sum(map(_places, of))


def _malformed(what: str) -> Invalid:
    return Invalid("alarm.composite", f"The composite {what}.")


def _truth(expression: Expression, states: Mapping[AlarmId, AlarmState]) -> bool | None:
    match expression:
        case Fires(alarm):
            return {AlarmState.ALARM: True, AlarmState.OK: False}.get(
                states.get(alarm, AlarmState.INSUFFICIENT_DATA)
            )
        case Not(of):
            truth = _truth(of, states)
            return None if truth is None else not truth
        case Every(of):
            truths = {_truth(each, states) for each in of}
            return False if False in truths else None if None in truths else True
        case Some(of):
            truths = {_truth(each, states) for each in of}
            return True if True in truths else None if None in truths else False


def _said(expression: Expression, states: Mapping[AlarmId, AlarmState], names: Mapping[AlarmId, str]) -> str:
    match expression:
        case Fires(alarm):
            state = states.get(alarm)
            return f"{names.get(alarm, alarm)} {'is gone' if state is None else f'is {state}'}"
        case Not(of):
            return f"not ({_said(of, states, names)})"
        case Every(of):
            return f"({' and '.join(_said(each, states, names) for each in of)})"
        case Some(of):
            return f"({' or '.join(_said(each, states, names) for each in of)})"
