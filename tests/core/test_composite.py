from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core import composite
from chalicelib.core.alarm import Alarm, AlarmState, CompositeRule
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import AlarmId
from tests.core.factories import an_alarm

thorough = settings(max_examples=200, derandomize=True, deadline=None)

OK, ALARM, UNKNOWN = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
A, B = {"alarm": "a"}, {"alarm": "b"}


def state(tree: Any, **states: AlarmState) -> AlarmState:
    given_states = {AlarmId(name): each for name, each in states.items()}
    return composite.evaluate(composite.parse(json.dumps(tree)), given_states)


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [
        (ALARM, ALARM, ALARM, ALARM),
        (ALARM, OK, OK, ALARM),
        (ALARM, UNKNOWN, UNKNOWN, ALARM),
        (OK, OK, OK, OK),
        (OK, UNKNOWN, OK, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_and_and_or_are_kleenes(a: AlarmState, b: AlarmState, both: AlarmState, either: AlarmState) -> None:
    for first, second in ((a, b), (b, a)):
        assert state({"and": [A, B]}, a=first, b=second) is both
        assert state({"or": [A, B]}, a=first, b=second) is either


def test_not_turns_round_what_is_known() -> None:
    assert [state({"not": A}, a=each) for each in (ALARM, OK, UNKNOWN)] == [OK, ALARM, UNKNOWN]
    assert state({"not": A}) is UNKNOWN, "an alarm that is gone is unknown"


trees = st.recursive(
    st.sampled_from("abc").map(lambda name: {"alarm": name}),
    lambda inner: st.one_of(
        inner.map(lambda each: {"not": each}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"and": each}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"or": each}),
    ),
    max_leaves=5,
)


@thorough
@given(trees, st.fixed_dictionaries({name: st.sampled_from(AlarmState) for name in "abc"}))
def test_what_is_said_while_something_is_unknown_holds_when_it_is_known(
    tree: Any, states: dict[str, AlarmState]
) -> None:
    try:
        said = state(tree, **states)
    except Invalid:
        return  # deeper than is taken
    unknown = [name for name in states if states[name] is UNKNOWN]
    for known in itertools.product((OK, ALARM), repeat=len(unknown)):
        later = state(tree, **{**states, **dict(zip(unknown, known, strict=True))})
        assert later is not UNKNOWN
        assert said in (UNKNOWN, later)


def nested(depth: int) -> Any:
    return {"not": nested(depth - 1)} if depth > 1 else A


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        "a",
        {},
        {"alarm": 1},
        {"alarm": None},
        {"alarm": "a", "not": A},
        {"and": []},
        {"and": A},
        {"or": [A] * 21},
        {"or": [A, None]},
        {"xor": [A, B]},
        {"and": [{"alarm": f"{number}"} for number in range(20)] + [A]},
        {"or": [{"and": [{"alarm": f"{row}-{number}"} for number in range(11)]} for row in range(2)]},
        nested(9),
    ],
)
def test_what_is_no_expression_is_refused(tree: Any) -> None:
    with pytest.raises(Invalid) as refused:
        composite.parse(json.dumps(tree))
    assert refused.value.code == "autoscaling.alarm.composite"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        composite.parse(text)


def test_what_an_expression_refers_to() -> None:
    tree = {"or": [{"and": [A, {"not": B}]}, A, {"alarm": "c"}]}
    assert composite.referenced(composite.parse(json.dumps(tree))) == {"a", "b", "c"}
    assert composite.parse(json.dumps(nested(8)))


def test_the_reason_names_the_parts() -> None:
    tree = json.dumps({"or": [{"and": [A, {"not": B}]}, {"alarm": "c"}]})
    names = {AlarmId("a"): "cpu-high"}
    found = composite.judge(tree, {AlarmId("a"): ALARM, AlarmId("b"): OK}, names)
    assert found == (ALARM, "Of the parts: ((cpu-high is alarm and not (b is ok)) or c is gone).")


def made_of(id_: str, *parts: str) -> Alarm:
    if not parts:
        return an_alarm(id=AlarmId(id_))
    tree = {"or": [{"alarm": part} for part in parts]}
    return an_alarm(CompositeRule(expression=json.dumps(tree)), id=AlarmId(id_))


@pytest.mark.parametrize(
    ("new", "group"),
    [
        (made_of("a", "a"), [made_of("a")]),
        (made_of("a", "b"), [made_of("a"), made_of("b", "a")]),
        (made_of("a", "x", "b"), [made_of("x"), made_of("b", "c"), made_of("c", "x", "a")]),
    ],
)
def test_an_alarm_is_not_made_of_itself(new: Alarm, group: list[Alarm]) -> None:
    with pytest.raises(Invalid) as refused:
        composite.require_no_circle(new, group)
    assert refused.value.code == "autoscaling.alarm.circle"


def test_what_is_no_circle_is_let_through() -> None:
    diamond = [made_of("b", "d"), made_of("c", "d"), made_of("d")]
    composite.require_no_circle(made_of("a", "b", "c"), diamond)
    others = [made_of("x", "y"), made_of("y", "x")]
    composite.require_no_circle(made_of("a", "x"), [*diamond, *others])


@thorough
@given(
    st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefgz"), max_size=3), max_size=7)
)
def test_each_alarm_is_judged_once_and_after_its_parts_unless_they_are_in_a_circle(
    parts: dict[str, set[str]],
) -> None:
    alarms = [made_of(id_, *sorted(of)) for id_, of in parts.items()]
    order = [alarm.id for alarm in composite.judging_order(alarms)]
    assert sorted(order) == sorted(parts)
    reach = {id_: set(of) for id_, of in parts.items()}
    for _ in parts:
        reach = {id_: of.union(*(reach.get(each, set()) for each in of)) for id_, of in reach.items()}
    for id_, of in parts.items():
        for part in of & parts.keys():
            if id_ not in reach[part]:
                assert order.index(AlarmId(part)) < order.index(AlarmId(id_))


def test_a_long_chain_is_no_deep_recursion() -> None:
    chain = [
        made_of(f"{number:04}", *([f"{number + 1:04}"] if number < 1500 else [])) for number in range(1501)
    ]
    order = composite.judging_order(chain)
    assert [alarm.id for alarm in order] == [f"{number:04}" for number in reversed(range(1501))]
    composite.require_no_circle(chain[0], chain)
