"""What operators are told: a line for each decision and each round, with the metrics that ride on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core import alarm_history
from chalicelib.core.decision import Event
from chalicelib.core.errors import Unavailable
from chalicelib.core.group import Freeze, Group
from chalicelib.core.sample import Batch, Sample, one
from chalicelib.flows import groups, sweep
from chalicelib.flows.converge import converge
from chalicelib.flows.observe import observe
from chalicelib.flows.scale import Ask, scale
from chalicelib.flows.watch import watch
from chalicelib.ports import Share
from chalicelib.ports.cloud import CredentialBroken
from chalicelib.ports.storage import LeaseLost
from tests.core import factories
from tests.fake_cloud import Fault
from tests.logged import Lines, logged, metrics_of
from tests.world import CALLER, World, key


@pytest.fixture
def world() -> World:
    return World()


def want(world: World, **changes: Any) -> Group:
    def edit(group: Group) -> Group:
        return replace(group, **changes)

    return groups.change(world.services, CALLER, factories.GROUP, edit, generation=None, request_id="req-2")


def measured(lines: Lines, name: str) -> list[tuple[dict[str, str], float]]:
    found = [metrics_of(line)[name] for line in lines.measured(name)]
    return [({k: v for k, v in values.items() if k != "stage"}, number) for values, number in found]


def test_a_decision_is_one_line_that_says_who_asked_what_and_how_it_ended(world: World) -> None:
    world.with_group(desired_capacity=2)
    policy = world.services.policies.create(factories.a_policy(), world.limits.quota)
    ask = Ask(
        project_id=policy.project_id,
        policy_id=policy.id,
        source="webhook:w",
        event_id="e",
        event=Event(),
        request_id="req-9",
    )
    with logged() as lines:
        first, second = scale(world.services, ask), scale(world.services, ask)
    assert first.id == second.id
    decided, again = lines.said("decision")
    assert decided["request_id"] == "req-9"
    assert decided["project_id"] == factories.PROJECT
    assert (decided["group_id"], decided["policy_id"]) == (factories.GROUP, policy.id)
    assert (decided["execution_id"], decided["source"]) == (first.id, "webhook:w")
    assert (decided["capacity_before"], decided["capacity_after"]) == (2, first.capacity_after)
    assert [line["outcome"] for line in (decided, again)] == ["executed", "duplicate"]
    assert measured(lines, "Decisions") == [({"outcome": "executed"}, 1), ({"outcome": "duplicate"}, 1)]


def test_a_round_is_one_line_and_settling_is_measured_from_the_change(world: World) -> None:
    world.with_group(desired_capacity=1)
    world.settle()
    want(world, desired_capacity=3)
    changed_at = world.clock.now
    with logged() as lines:
        world.settle()
    rounds = lines.said("round")
    assert {line["request_id"] for line in rounds} == {"req-1"}
    assert [line["result"] for line in rounds][-1] == "settled"
    assert rounds[-1]["in_service"] == rounds[-1]["wanted"] == 3
    assert measured(lines, "SettlingSeconds") == [({}, (world.clock.now - changed_at).total_seconds())]
    lags = measured(lines, "ConvergenceLagSeconds")
    assert {values["trouble"] for values, _ in lags} == {"none"}
    assert [lag for _, lag in lags] == sorted(lag for _, lag in lags)


def test_what_comes_back_by_itself_is_measured_from_when_it_was_seen(world: World) -> None:
    """The change of the group that is long past has nothing to do with a server that vanishes now."""
    world.with_group(desired_capacity=2)
    world.settle()
    world.clock.pass_(100_000)
    world.cloud.machines.popitem()
    with logged() as lines:
        world.settle()
    ((_, seconds),) = measured(lines, "SettlingSeconds")
    assert 0 < seconds < 3600


def test_a_settled_group_that_is_looked_at_again_measures_no_lag(world: World) -> None:
    world.with_group(desired_capacity=1)
    world.settle()
    with logged() as lines:
        world.round()
    assert measured(lines, "Rounds") == [({"result": "settled"}, 1)]
    assert not lines.measured("SettlingSeconds")
    assert not lines.measured("ConvergenceLagSeconds")


def test_a_change_starts_the_lag_anew_and_a_frozen_group_lags_apart(world: World) -> None:
    world.with_group(desired_capacity=1)
    world.settle()
    until = world.clock.now + timedelta(hours=2)
    want(world, desired_capacity=3, freeze=Freeze(reason="a test", until=until))
    with logged() as lines:
        world.clock.pass_(600)
        world.round()
        want(world, desired_capacity=4)
        world.clock.pass_(60)
        world.round()
    assert measured(lines, "ConvergenceLagSeconds") == [
        ({"trouble": "frozen"}, 600),
        ({"trouble": "frozen"}, 60),
    ]


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault.REFUSED, "refused"), (Fault.TURNED_AWAY, "cloud"), (Fault.BROKEN, "cloud")]
)
def test_what_the_cloud_does_to_a_round_is_an_error_of_its_kind_once(
    world: World, fault: Fault, kind: str
) -> None:
    world.with_group(desired_capacity=1)
    world.cloud.faults.append(fault)
    with logged() as lines:
        world.round()
    assert measured(lines, "Errors") == [({"kind": kind}, 1)]
    assert [values for values, _ in measured(lines, "ConvergenceLagSeconds")] == [{"trouble": kind}]


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.BROKEN])
def test_a_group_that_its_pool_keeps_lags_apart_and_says_why(world: World, fault: Fault) -> None:
    pool = factories.a_pool()
    world.balancers.add_pool(pool.id)
    world.balancers.faults.append(fault)
    world.with_group(desired_capacity=1, load_balancers=(pool,))
    with logged() as lines:
        for _ in range(10):
            world.clock.pass_(1)
            world.round()
    kept = [line for line in lines.said("round") if line["trouble"] == "balancer"]
    assert kept
    assert all(str(pool.id) in line["reason"] for line in kept)


def test_a_long_drain_lags_apart_from_what_does_not_come(world: World) -> None:
    pool = factories.a_pool(drain_seconds=3600)
    world.balancers.add_pool(pool.id)
    world.with_group(desired_capacity=2, load_balancers=(pool,))
    world.settle()
    want(world, desired_capacity=1)
    with logged() as lines:
        for _ in range(15):
            world.clock.pass_(200)
            world.round()
    lags = [(values["trouble"], lag) for values, lag in measured(lines, "ConvergenceLagSeconds")]
    assert {trouble for trouble, lag in lags if lag > 1800} == {"draining"}


def test_a_refusal_that_still_stands_is_no_new_error(world: World) -> None:
    world.with_group(desired_capacity=1)
    world.cloud.faults.append(Fault.REFUSED)
    world.round()
    with logged() as lines:
        world.round()
    assert not lines.measured("Errors")
    assert [values for values, _ in measured(lines, "ConvergenceLagSeconds")] == [{"trouble": "refused"}]


def test_servers_that_fail_to_build_and_credentials_that_do_not_work_are_errors(world: World) -> None:
    world.with_group(desired_capacity=1)
    world.cloud.fail_builds = 1
    with logged() as lines:
        world.tick()
        world.clock.pass_(60)
        world.tick()
    assert measured(lines, "Errors") == [({"kind": "build"}, 1)]
    world.cloud.broken = CredentialBroken("the trust is gone", for_good=True)
    with logged() as lines:
        world.round()
    assert measured(lines, "Errors") == [({"kind": "credential"}, 1)]


def test_the_round_that_ends_a_group_says_so(world: World) -> None:
    world.with_group(desired_capacity=0, min_size=0)
    world.settle()
    groups.delete(world.services, CALLER, factories.GROUP, generation=None, request_id="req-3")
    with logged() as lines:
        world.round()
    assert measured(lines, "Rounds") == [({"result": "ended"}, 1)]


def test_a_tick_and_its_sweeps_say_how_much_they_found(world: World) -> None:
    world.with_group(desired_capacity=1)
    with logged() as lines:
        sweep.tick(world.services)
        for shard in range(world.limits.shards):
            sweep.sweep(world.services, shard)
            watch(world.services, Share(shard=shard))
    assert sum(number for _, number in measured(lines, "DueGroups")) == 1
    works = [values["work"] for values, _ in measured(lines, "WorkSeconds")]
    assert works == ["tick", "sweep", "watch", "sweep", "watch"]
    due = next(line for line in lines.said("sweep") if line["DueGroups"])
    ((_, request_id, _),) = world.queue.rounds
    assert due["request_id"] == request_id


class Broken:
    """A port that fails whatever is asked of it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind"),
    [(Unavailable("tables.unavailable", "no"), "unavailable"), (ZeroDivisionError(), "internal")],
)
def test_a_group_that_could_not_be_judged_is_an_error(world: World, error: Exception, kind: str) -> None:
    group = world.with_group(desired_capacity=1)
    alarm = factories.an_alarm(group_id=group.id)
    entry = alarm_history.created(alarm, CALLER.user_id, world.clock.now)
    world.services.alarms.create(alarm, world.limits.quota, entry)
    services = replace(world.services, meters=Broken(error), folds=Broken(error))
    with logged() as lines:
        for shard in range(world.limits.shards):
            watch(services, Share(shard=shard))
    assert measured(lines, "Errors") == [({"kind": kind}, 1)]
    assert sum(number for _, number in measured(lines, "JudgedGroups")) == 1


def test_a_round_that_outlived_its_lease_warns(world: World) -> None:
    world.with_group(desired_capacity=1)
    with logged() as lines:
        converge(replace(world.services, activities=Broken(LeaseLost())), key(), "req-8")
    (line,) = lines.said("round")
    assert (line["level"], line["result"], line["request_id"]) == ("WARNING", "lease_lost", "req-8")


def test_samples_are_counted_by_batch(world: World) -> None:
    world.with_group(desired_capacity=1)
    now = world.clock.now
    samples = [
        Sample(metric="cpu", at=now, measure=one(1)),
        Sample(metric="cpu", at=now - timedelta(days=1), measure=one(1)),
        Sample(metric="cpu", at=now, measure=one(2)),
    ]
    with logged() as lines:
        observe(world.services, key(), Batch(samples=tuple(enumerate(samples))), default_batch_id="b")
    assert measured(lines, "SamplesAccepted") == [({}, 2)]
    assert measured(lines, "SamplesRejected") == [({}, 1)]
