from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from chalicelib.core.capacity import AdjustmentType
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from chalicelib.core.forecast import Predictive
from chalicelib.core.ids import GroupId, PolicyId
from chalicelib.core.pace import Behavior, RateLimit, RateType, Select
from chalicelib.core.policy import PolicyMode, ScalingRule
from chalicelib.core.steps import Interval, StepScaling
from chalicelib.core.tracking import MetricKind, TargetTracking
from tests.core.factories import NOW, a_policy, by, by_percent
from tests.tables.storage import QUOTA, Storage


def test_a_policy_comes_back_exactly(storage: Storage) -> None:
    storage.a_stored_group()
    policy = storage.a_stored_policy(rule=by_percent("-100/3", min_step=2), fingerprint="f")
    assert storage.policies.get(storage.project, policy.id) == policy


STEPS = StepScaling(
    type=AdjustmentType.PERCENT,
    steps=(
        Interval(lower=0.5, upper=10, amount=Fraction(100, 3)),
        Interval(lower=10, upper=None, amount=Fraction(30)),
    ),
    min_step=2,
    warmup_seconds=90,
)
TRACKING = TargetTracking(
    metric="queue",
    target=12.5,
    kind=MetricKind.TOTAL,
    dimensions=(("queue", "mails"),),
    statistic="maximum",
    missing_value=100,
    scale_in=False,
    out=Behavior(
        stabilization_seconds=60,
        limits=(RateLimit(type=RateType.PERCENT, value=50, period_seconds=60),),
        select=Select.MIN,
    ),
)
PREDICTIVE = Predictive(metric="cpu", target=60, dimensions=(("a", "b"),), lead_seconds=600, act=True)


@pytest.mark.parametrize("rule", [STEPS, TRACKING, PREDICTIVE], ids=lambda rule: type(rule).__name__)
def test_every_kind_of_rule_comes_back_exactly(storage: Storage, rule: ScalingRule) -> None:
    storage.a_stored_group()
    policy = storage.a_stored_policy(rule=rule)
    assert storage.policies.get(storage.project, policy.id) == policy


def test_a_policy_needs_its_group(storage: Storage) -> None:
    with pytest.raises(Invalid) as refused:
        storage.a_stored_policy()
    assert refused.value.code == "autoscaling.policy.no_such_group"
    assert storage.usage.of_project(storage.project).policies == 0


def test_a_group_that_is_being_deleted_gets_no_policy(storage: Storage) -> None:
    was = storage.a_stored_group()
    storage.groups.change(was, replace(was, deleting=True), QUOTA, storage.an_activity())
    with pytest.raises(Invalid):
        storage.a_stored_policy()


def test_the_same_request_makes_one_policy(storage: Storage) -> None:
    storage.a_stored_group()
    policy = storage.a_stored_policy(fingerprint="same")
    assert storage.policies.create(replace(policy, created_at=NOW), QUOTA) == policy
    with pytest.raises(Conflict):
        storage.policies.create(replace(policy, fingerprint="other"), QUOTA)


def test_policies_are_counted(storage: Storage) -> None:
    storage.a_stored_group()
    policy = storage.a_stored_policy()
    full = replace(QUOTA, policies=1)
    with pytest.raises(Forbidden):
        storage.policies.create(replace(policy, id=PolicyId("2")), full)
    storage.policies.delete(storage.project, policy.id)
    storage.policies.create(replace(policy, id=PolicyId("2")), full)
    assert storage.usage.of_project(storage.project).policies == 1


def test_a_policy_is_deleted_only_as_it_was_seen(storage: Storage) -> None:
    storage.a_stored_group()
    was = storage.a_stored_policy()
    storage.policies.change(was, replace(was, name="new"))
    with pytest.raises(Stale):
        storage.policies.delete(storage.project, was.id, generation=1)
    assert storage.policies.get(storage.project, was.id).name == "new"
    assert storage.usage.of_project(storage.project).policies == 1
    storage.policies.delete(storage.project, was.id, generation=2)
    with pytest.raises(NotFound):
        storage.policies.delete(storage.project, was.id, generation=2)
    assert storage.usage.of_project(storage.project).policies == 0


def test_a_policy_is_deleted_once(storage: Storage) -> None:
    storage.a_stored_group()
    policy = storage.a_stored_policy()
    storage.policies.delete(storage.project, policy.id)
    for gone in (storage.policies.delete, storage.policies.get):
        with pytest.raises(NotFound):
            gone(storage.project, policy.id)
    assert storage.usage.of_project(storage.project).policies == 0


def test_a_policy_is_written_only_as_it_was_read(storage: Storage) -> None:
    storage.a_stored_group()
    was = storage.a_stored_policy()
    new = replace(was, name="new", updated_at=NOW)
    none = a_policy(project_id=storage.project, id=PolicyId("none"))
    assert storage.policies.change(was, new) == replace(new, generation=2)
    assert storage.policies.get(storage.project, was.id) == replace(new, generation=2)
    with pytest.raises(Stale):
        storage.policies.change(was, replace(was, name="late"))
    with pytest.raises(NotFound):
        storage.policies.change(none, none)


def test_pages_are_of_one_group_or_of_all(storage: Storage) -> None:
    for group_id, policy_id in (("g1", "c"), ("g2", "b"), ("g1", "a")):
        storage.a_stored_group(id=GroupId(group_id), fingerprint="same")
        storage.a_stored_policy(id=PolicyId(policy_id), group_id=GroupId(group_id))
    everything = storage.policies.page(storage.project, None, 3, None)
    assert ([policy.id for policy in everything.items], everything.marker) == (["a", "b", "c"], None)
    first = storage.policies.page(storage.project, GroupId("g1"), 1, None)
    assert ([policy.id for policy in first.items], first.marker) == (["a"], "a")
    second = storage.policies.page(storage.project, GroupId("g1"), 1, first.marker)
    assert ([policy.id for policy in second.items], second.marker) == (["c"], None)


def test_all_policies_of_a_group(storage: Storage) -> None:
    for group_id, policy_id in (("g1", "c"), ("g2", "b"), ("g1", "a")):
        storage.a_stored_group(id=GroupId(group_id), fingerprint="same")
        storage.a_stored_policy(id=PolicyId(policy_id), group_id=GroupId(group_id))
    of_group = storage.policies.of_group(storage.project, GroupId("g1"))
    assert [policy.id for policy in of_group] == ["a", "c"]
    assert not storage.policies.of_group(storage.project, GroupId("none"))


def test_what_looks_at_a_metric_by_itself_is_watched_group_by_group(empty_storage: Storage) -> None:
    storage, quota = empty_storage, replace(QUOTA, policies=10)
    for group_id, policy_id, rule in (
        ("g2", "a", TRACKING),
        ("g1", "d", PREDICTIVE),
        ("g1", "c", TRACKING),
        ("g1", "b", STEPS),
        ("g2", "e", by(1)),
    ):
        storage.a_stored_group(id=GroupId(group_id), fingerprint="same")
        policy = a_policy(
            rule, project_id=storage.project, id=PolicyId(policy_id), group_id=GroupId(group_id)
        )
        storage.policies.create(policy, quota)
    first = storage.policies.watched(0, None, 2)
    assert [policy.id for policy in first.items] == ["c", "d"]
    second = storage.policies.watched(0, first.marker, 2)
    assert ([policy.id for policy in second.items], second.marker) == (["a"], None)
    assert second.items[0] == storage.policies.get(storage.project, PolicyId("a"))
    assert not storage.policies.watched(1, None, 10).items


def test_what_is_disabled_deleted_or_of_another_kind_is_watched_no_more(empty_storage: Storage) -> None:
    storage = empty_storage
    storage.a_stored_group()

    def watched() -> list[str]:
        return [policy.id for policy in storage.policies.watched(0, None, 10).items]

    was = storage.a_stored_policy(rule=TRACKING, mode=PolicyMode.DISABLED)
    assert watched() == []
    was = storage.policies.change(was, replace(was, mode=PolicyMode.SHADOW))
    assert watched() == [was.id]
    was = storage.policies.change(was, replace(was, mode=PolicyMode.DISABLED))
    assert watched() == []
    was = storage.policies.change(was, replace(was, mode=PolicyMode.ACTIVE))
    assert watched() == [was.id]
    storage.policies.delete(storage.project, was.id)
    assert watched() == []
