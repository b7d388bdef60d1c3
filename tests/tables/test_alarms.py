from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.alarm import (
    Alarm,
    AlarmHook,
    AlarmState,
    Backend,
    Comparison,
    CompositeRule,
    LowSamples,
    MissingData,
    Severity,
    TimeConstraint,
)
from chalicelib.core.alarm_history import AlarmEvent, AlarmHistoryEntry
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from chalicelib.core.ids import AlarmId, GroupId, PolicyId, ProjectId, UserId
from tests.core.factories import NOW, POLICY, a_threshold, an_alarm, seconds
from tests.tables.storage import QUOTA, Storage
from tests.tables.test_races import kinds, raced

USER = UserId("user-1")


def entry_of(was: Alarm, new: Alarm) -> AlarmHistoryEntry:
    return alarm_history.changed(was, new, USER, NOW)


def change(storage: Storage, was: Alarm, **changes: Any) -> Alarm:
    new = replace(was, **changes)
    return storage.alarms.change(was, new, entry_of(was, new))


def delete(storage: Storage, was: Alarm) -> None:
    storage.alarms.delete(was, alarm_history.deleted(was, USER, NOW))


def history(storage: Storage, alarm_id: AlarmId) -> list[AlarmHistoryEntry]:
    return list(storage.alarm_history.of_alarm(storage.project, alarm_id, 100, None).items)


def test_an_alarm_comes_back_exactly(storage: Storage) -> None:
    storage.a_stored_group()
    storage.a_stored_policy()
    rule = a_threshold(
        threshold=1e-300,
        comparison=Comparison.LE,
        dimensions=(("az", "1"), ("host", "ä")),
        statistic="p99.9",
        treat_missing_data=MissingData.BREACHING,
        low_samples=LowSamples.IGNORE,
    )
    alarm = storage.a_stored_alarm(
        rule=rule,
        severity=Severity.CRITICAL,
        ok_actions=(POLICY,),
        insufficient_data_actions=(POLICY,),
        time_constraints=(TimeConstraint(name="n", start="0 0 * * *", duration_seconds=60),),
        silent_since=NOW,
        external_id="e",
        hook=AlarmHook(sha256="a" * 64, sealed_token="sealed"),
        heard_at=NOW,
        fingerprint="f",
    )
    assert storage.alarms.get(storage.project, alarm.id) == alarm
    composite = change(storage, alarm, rule=CompositeRule(expression='{"alarm": "a"}'), silent_since=None)
    assert composite == replace(
        alarm, rule=CompositeRule(expression='{"alarm": "a"}'), silent_since=None, generation=2
    )
    assert storage.alarms.get(storage.project, alarm.id) == composite


def test_what_is_not_worth_telling_is_changed_without_history(storage: Storage) -> None:
    storage.a_stored_group()
    storage.a_stored_policy()
    alarm = storage.a_stored_alarm()
    before = history(storage, alarm.id)
    changed = storage.alarms.change(alarm, replace(alarm, external_id="e"), None)
    assert storage.alarms.get(storage.project, alarm.id) == changed
    assert changed == replace(alarm, external_id="e", generation=2)
    assert history(storage, alarm.id) == before


def test_that_a_backend_called_is_noted_whatever_was_written_meanwhile(storage: Storage) -> None:
    storage.a_stored_group()
    storage.a_stored_policy()
    alarm = storage.a_stored_alarm()
    changed = change(storage, alarm, name="other")
    storage.alarms.heard(alarm, NOW)
    assert storage.alarms.get(storage.project, alarm.id) == replace(changed, heard_at=NOW)
    delete(storage, changed)
    storage.alarms.heard(alarm, NOW)
    with pytest.raises(NotFound):
        storage.alarms.get(storage.project, alarm.id)


def test_an_alarm_needs_its_group(storage: Storage) -> None:
    with pytest.raises(Invalid) as refused:
        storage.a_stored_alarm()
    assert refused.value.code == "autoscaling.alarm.no_such_group"
    was = storage.a_stored_group()
    storage.groups.change(was, replace(was, deleting=True), QUOTA, storage.an_activity())
    with pytest.raises(Invalid):
        storage.a_stored_alarm()
    assert storage.usage.of_project(storage.project).alarms == 0
    assert history(storage, an_alarm().id) == []


@pytest.mark.parametrize("actions", ["alarm_actions", "ok_actions", "insufficient_data_actions"])
def test_an_action_is_a_policy_of_the_alarms_group(storage: Storage, actions: str) -> None:
    storage.a_stored_group()
    storage.a_stored_group(id=GroupId("g2"), fingerprint="same")
    theirs = storage.a_stored_policy(id=PolicyId("theirs"), group_id=GroupId("g2"))
    plain = storage.a_stored_alarm()
    for policy_id in (theirs.id, PolicyId("none")):
        with pytest.raises(Invalid) as refused:
            storage.a_stored_alarm(id=AlarmId("2"), **{actions: (policy_id,)})
        assert refused.value.code == "autoscaling.alarm.no_such_policy"
        with pytest.raises(Invalid):
            change(storage, plain, **{actions: (policy_id,)})
    assert storage.alarms.get(storage.project, plain.id) == plain


def test_an_action_whose_policy_is_gone_is_in_nobodys_way(storage: Storage) -> None:
    storage.a_stored_group()
    policy = storage.a_stored_policy()
    alarm = storage.a_stored_alarm(alarm_actions=(policy.id,))
    storage.policies.delete(storage.project, policy.id)
    assert change(storage, alarm, state=AlarmState.ALARM).generation == 2


def test_the_same_request_makes_one_alarm_with_one_history(storage: Storage) -> None:
    storage.a_stored_group()
    alarm = storage.a_stored_alarm(fingerprint="same")
    change(storage, alarm, state=AlarmState.OK)
    again = storage.a_stored_alarm(fingerprint="same", created_at=NOW)
    assert again == replace(alarm, state=AlarmState.OK, generation=2)
    with pytest.raises(Conflict):
        storage.a_stored_alarm(fingerprint="other")
    assert len(history(storage, alarm.id)) == 2


def test_alarms_are_counted(storage: Storage) -> None:
    storage.a_stored_group()
    alarm = storage.a_stored_alarm()
    second = replace(alarm, id=AlarmId("2"))
    entry = alarm_history.created(second, USER, NOW)
    full = replace(QUOTA, alarms=1)
    with pytest.raises(Forbidden) as refused:
        storage.alarms.create(second, full, entry)
    assert refused.value.code == "autoscaling.quota.alarms_exceeded"
    delete(storage, alarm)
    storage.alarms.create(second, full, entry)
    assert storage.usage.of_project(storage.project).alarms == 1


def test_an_alarm_is_written_and_deleted_only_as_it_was_read(storage: Storage) -> None:
    storage.a_stored_group()
    was = storage.a_stored_alarm()
    new = change(storage, was, name="new")
    none = an_alarm(project_id=storage.project, id=AlarmId("none"))
    for late in (partial(change, storage, was, name="late"), partial(delete, storage, was)):
        with pytest.raises(Stale):
            late()
    for gone in (partial(change, storage, none, name="x"), partial(delete, storage, none)):
        with pytest.raises(NotFound):
            gone()
    assert storage.alarms.get(storage.project, was.id) == new
    assert [entry.reason for entry in history(storage, was.id)] == [
        "Changed: name.",
        "The alarm 'cpu-high' was created.",
    ]
    assert history(storage, none.id) == []


def test_the_history_outlives_the_alarm_and_is_of_one_alarm(storage: Storage) -> None:
    storage.a_stored_group()
    alarm, other = storage.a_stored_alarm(), storage.a_stored_alarm(id=AlarmId("2"))
    delete(storage, alarm)
    with pytest.raises(NotFound):
        storage.alarms.get(storage.project, alarm.id)
    assert [entry.event for entry in history(storage, alarm.id)] == [AlarmEvent.DELETION, AlarmEvent.CREATION]
    assert [entry.event for entry in history(storage, other.id)] == [AlarmEvent.CREATION]
    foreign = storage.alarm_history.of_alarm(ProjectId("other"), alarm.id, 10, None)
    assert foreign.items == ()


def test_the_history_is_paged_newest_first(storage: Storage) -> None:
    storage.a_stored_group()
    alarm = storage.a_stored_alarm()
    for minute, state in enumerate((AlarmState.OK, AlarmState.ALARM), 1):
        new = replace(alarm, state=state)
        now = NOW + seconds(60 * minute)
        alarm = storage.alarms.change(alarm, new, alarm_history.found(alarm, new, now))
    first = storage.alarm_history.of_alarm(storage.project, alarm.id, 2, None)
    assert [(e.state_before, e.state_after) for e in first.items] == [
        (AlarmState.OK, AlarmState.ALARM),
        (AlarmState.INSUFFICIENT_DATA, AlarmState.OK),
    ]
    assert first.items[0].created_at == NOW + seconds(120)
    assert first.marker is not None
    rest = storage.alarm_history.of_alarm(storage.project, alarm.id, 2, first.items[-1].id)
    assert ([e.event for e in rest.items], rest.marker) == ([AlarmEvent.CREATION], None)


def test_pages_are_of_one_group_or_of_all(storage: Storage) -> None:
    for group_id, alarm_id in (("g1", "c"), ("g2", "b"), ("g1", "a")):
        storage.a_stored_group(id=GroupId(group_id), fingerprint="same")
        storage.a_stored_alarm(id=AlarmId(alarm_id), group_id=GroupId(group_id))
    everything = storage.alarms.page(storage.project, None, 3, None)
    assert ([alarm.id for alarm in everything.items], everything.marker) == (["a", "b", "c"], None)
    first = storage.alarms.page(storage.project, GroupId("g1"), 1, None)
    assert ([alarm.id for alarm in first.items], first.marker) == (["a"], "a")
    second = storage.alarms.page(storage.project, GroupId("g1"), 1, first.marker)
    assert ([alarm.id for alarm in second.items], second.marker) == (["c"], None)
    assert [a.id for a in storage.alarms.of_group(storage.project, GroupId("g1"))] == ["a", "c"]


def test_what_is_watched_lies_group_by_group(empty_storage: Storage) -> None:
    storage = empty_storage
    for group_id, alarm_id in (("g2", "a"), ("g1", "d"), ("g2", "b")):
        storage.a_stored_group(id=GroupId(group_id), fingerprint="same")
        storage.a_stored_alarm(id=AlarmId(alarm_id), group_id=GroupId(group_id))
    whole = storage.alarms.watched(0, None, 3)
    assert ([(a.group_id, a.id) for a in whole.items], whole.marker) == (
        [("g1", "d"), ("g2", "a"), ("g2", "b")],
        None,
    )
    assert whole.items[0] == storage.alarms.get(storage.project, AlarmId("d"))
    first = storage.alarms.watched(0, None, 2)
    assert [a.id for a in first.items] == ["d", "a"]
    rest = storage.alarms.watched(0, first.marker, 2)
    assert ([a.id for a in rest.items], rest.marker) == (["b"], None)


def test_only_what_we_judge_is_watched(empty_storage: Storage) -> None:
    storage = empty_storage
    storage.a_stored_group()
    alarm = storage.a_stored_alarm()
    storage.a_stored_alarm(id=AlarmId("2"), enabled=False)
    storage.a_stored_alarm(id=AlarmId("3"), backend=Backend.AODH)

    def watched() -> list[Alarm]:
        return list(storage.alarms.watched(0, None, 10).items)

    assert watched() == [alarm]
    off = change(storage, alarm, enabled=False)
    assert watched() == []
    on = change(storage, off, enabled=True)
    assert watched() == [on]
    delete(storage, on)
    assert watched() == []


def test_of_16_judgements_at_once_one_is_written(dynamodb: Storage) -> None:
    dynamodb.a_stored_group()
    was = dynamodb.a_stored_alarm()
    new = replace(was, state=AlarmState.ALARM, state_reason="It is high.", state_changed_at=NOW)

    def judge(racer: int) -> Alarm:
        now = NOW + seconds(60 + racer / 1000)
        return dynamodb.alarms.change(was, new, alarm_history.found(was, new, now))

    assert kinds(raced(16, judge)) == {Alarm: 1, Stale: 15}
    assert [entry.event for entry in history(dynamodb, was.id)] == [
        AlarmEvent.STATE_CHANGE,
        AlarmEvent.CREATION,
    ]
