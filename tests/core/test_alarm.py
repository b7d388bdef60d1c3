from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.alarm import NOT_EVALUATED, AlarmState, CompositeRule, forgotten
from chalicelib.core.alarm_check import require_valid
from chalicelib.core.alarm_history import AlarmEvent
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import AlarmId, PolicyId, UserId
from tests.core.factories import LONG_AGO, NOW, a_threshold, an_alarm, seconds

USER = UserId("user-1")
OK, ALARM, UNKNOWN = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA


@pytest.mark.parametrize(
    ("period", "periods"),
    [(10, 1440), (20, 1), (30, 5), (60, 1440), (120, 720), (3540, 24), (3600, 168), (86_400, 7)],
)
def test_periods_up_to_a_day_and_of_hours_up_to_a_week_are_fine(period: int, periods: int) -> None:
    rule = a_threshold(period_seconds=period, evaluation_periods=periods, datapoints_to_alarm=1)
    require_valid(an_alarm(rule))


@pytest.mark.parametrize(("statistic", "period"), [("rate", 3600), ("average", 5400)])
def test_what_whole_hours_do_not_answer_looks_back_a_day_at_most(statistic: str, period: int) -> None:
    within = a_threshold(statistic=statistic, period_seconds=period, evaluation_periods=16)
    require_valid(an_alarm(within))
    with pytest.raises(Invalid):
        require_valid(an_alarm(replace(within, evaluation_periods=25)))


@pytest.mark.parametrize(
    ("period", "periods"),
    [
        (0, 1),
        (-60, 1),
        (5, 1),
        (40, 1),
        (61, 1),
        (86_460, 1),
        (60, 1441),
        (120, 721),
        (3540, 25),
        (3600, 169),
    ],
)
def test_other_periods_are_not(period: int, periods: int) -> None:
    rule = a_threshold(period_seconds=period, evaluation_periods=periods, datapoints_to_alarm=1)
    with pytest.raises(Invalid):
        require_valid(an_alarm(rule))


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), float("-inf")])
def test_a_threshold_is_finite(threshold: float) -> None:
    with pytest.raises(Invalid) as refused:
        require_valid(an_alarm(a_threshold(threshold=threshold)))
    assert refused.value.code == "autoscaling.alarm.threshold"


def test_a_composite_names_alarms_in_a_hundred_places_at_most() -> None:
    def of(places: int) -> CompositeRule:
        parts = [{"alarm": "a"}] * places
        rows = [{"not": {"and": parts[first : first + 20]}} for first in range(0, places, 20)]
        return CompositeRule(expression=json.dumps({"or": rows}))

    require_valid(an_alarm(of(100)))
    with pytest.raises(Invalid) as refused:
        require_valid(an_alarm(of(101)))
    assert refused.value.code == "autoscaling.alarm.composite"
    assert "100 places" in refused.value.detail


def test_actions_are_all_that_any_state_sets_in_motion() -> None:
    a, b, c = (PolicyId(name) for name in "abc")
    alarm = an_alarm(alarm_actions=(a, b), ok_actions=(b,), insufficient_data_actions=(c,))
    assert alarm.actions == {a, b, c}


@pytest.mark.parametrize(
    "changes", [{"metric": "queue"}, {"statistic": "p99"}, {"dimensions": (("az", "1"),)}]
)
def test_the_state_is_forgotten_with_what_it_was_of(changes: dict[str, object]) -> None:
    was = an_alarm(state=ALARM, state_reason="It is high.", silent_since=LONG_AGO)
    new = replace(was, rule=a_threshold(**changes))
    assert forgotten(new, was, NOW) == replace(
        new, state=UNKNOWN, state_reason=NOT_EVALUATED, state_changed_at=NOW, silent_since=None
    )


def test_the_state_stays_where_only_the_judging_changes() -> None:
    was = an_alarm(state=ALARM, state_reason="It is high.")
    new = replace(was, name="new", rule=a_threshold(threshold=1, period_seconds=300))
    assert forgotten(new, was, NOW) is new
    one, other = (an_alarm(CompositeRule(expression=f'{{"alarm": "{name}"}}'), state=OK) for name in "ab")
    assert forgotten(one, one, NOW) is one
    assert forgotten(other, one, NOW).state is UNKNOWN


def test_what_a_judgement_found_is_written_down() -> None:
    calm = an_alarm(state=OK)
    high = replace(calm, state=ALARM, state_reason="It is high.")
    silent = replace(calm, silent_since=LONG_AGO)
    for was, new, event, reason in (
        (calm, high, AlarmEvent.STATE_CHANGE, "It is high."),
        (silent, high, AlarmEvent.STATE_CHANGE, "It is high."),
        (calm, silent, AlarmEvent.SILENCE, "The metric has had no samples since 2026-02-28T12:00:00Z."),
        (silent, calm, AlarmEvent.SILENCE, "There are samples of the metric again."),
    ):
        entry = alarm_history.found(was, new, NOW)
        assert (entry.event, entry.reason, entry.user_id) == (event, reason, None)
        assert (entry.state_before, entry.state_after) == (was.state, new.state)


def test_a_change_names_what_is_changed() -> None:
    was = an_alarm()
    new = replace(was, name="new", rule=a_threshold(threshold=1), enabled=False, updated_at=NOW)
    assert alarm_history.changed(was, new, USER, NOW).reason == "Changed: name, rule, enabled."
    assert alarm_history.changed(was, was, USER, NOW).reason == "Changed: nothing."


def test_the_end_is_written_down_with_who_wanted_it() -> None:
    alarm = an_alarm(state=OK)
    by_hand, by_burial = (alarm_history.deleted(alarm, user, NOW) for user in (USER, None))
    assert (by_hand.state_before, by_hand.state_after) == (OK, None)
    assert by_hand.reason != by_burial.reason


def test_an_entry_is_named_by_the_generation_it_leads_to_and_sorts_by_time() -> None:
    was = an_alarm(generation=3)
    entry = alarm_history.found(was, replace(was, state=OK), NOW)
    assert entry.id == alarm_history.found(was, replace(was, state=ALARM), NOW).id
    for other in (an_alarm(generation=4), an_alarm(generation=3, id=AlarmId("other"))):
        assert alarm_history.found(other, replace(other, state=OK), NOW).id != entry.id
    stepwise = [alarm_history.found(an_alarm(generation=n), an_alarm(state=OK), NOW).id for n in range(1, 50)]
    assert stepwise == sorted(set(stepwise)), "so do those of one moment"
    ids = [alarm_history.created(was, USER, NOW + seconds(later)).id for later in (0, 0.001, 1, 60, 86_400)]
    assert ids == sorted(set(ids))
