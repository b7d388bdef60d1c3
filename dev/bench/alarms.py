"""Alarms that stay as they are: how many one core judges a second, and what each costs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from statistics import median
from typing import Any

import boto3

from chalicelib import wiring
from chalicelib.core import alarm_history
from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.alarm import Alarm, AlarmState, Backend, Comparison, Severity, ThresholdRule
from chalicelib.core.fold import COARSE_SECONDS, Reading, folded, period_of
from chalicelib.core.group import Group
from chalicelib.core.ids import ActivityId, AlarmId, GroupId, MemberId, ProjectId, UserId
from chalicelib.core.sample import one
from chalicelib.core.series import Series
from chalicelib.flows import watch
from chalicelib.ports import Services, Share
from chalicelib.tables.group_rows import shard_of
from dev.bench import site
from dev.bench.bench import Bench
from dev.bench.meter import Meter, Seen
from dev.bench.rows import Row, ratio

_AODH_ALARMS = 64
"""So many alarms a second Aodh's evaluator judges on one core: 14 ms of CPU each, with Gnocchi."""

_TURNS = 5
_PERIODS = 5
_MEMBERS = 10
_OF_EACH = timedelta(seconds=COARSE_SECONDS)


@dataclass(frozen=True, slots=True)
class Shape:
    """So many alarms over so many series; each shape has a shard of the index to itself.

    Attributes:
        alarms: altogether; at most what a watch reads at once.
        series: how many they are over, altogether.
        groups: how many groups the series are of.
        senders: how many requests bring the samples of a period: one, or one of each of ten members.
    """

    what: str
    alarms: int
    series: int
    groups: int
    senders: int = 1


SHAPES = (
    Shape("a series each, of a group each", alarms=100, series=100, groups=100),
    Shape("the same, ten servers post", alarms=100, series=100, groups=100, senders=_MEMBERS),
    Shape("a series each, of one group", alarms=100, series=100, groups=1),
    Shape("on one series of one group", alarms=100, series=1, groups=1),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of judging all alarms of a shape once.

    Attributes:
        cpu_seconds: of this process; the stand-in of DynamoDB works in another.
        bare_cpu_seconds: the same queries, made by botocore alone.
        seen: the calls.
    """

    shape: Shape
    cpu_seconds: float
    bare_cpu_seconds: float
    seen: Seen

    @property
    def a_second(self) -> float:
        """How many alarms a core judges in a second."""
        return self.shape.alarms / self.cpu_seconds


def rows(bench: Bench) -> Iterator[Row]:
    """Say how many alarms one core judges, by what they are over, and what they cost."""
    for each in _judged(bench.site.group("alarms", adjustment=1, max_size=1), bench.meter):
        alarms = each.shape.alarms
        ours, bare = (seconds / alarms * 1000 for seconds in (each.cpu_seconds, each.bare_cpu_seconds))
        units = sum(call.units for call in each.seen.of("dynamodb")) / alarms
        how = (
            f"{each.shape.what}: a second of our CPU, {ratio(each.a_second, _AODH_ALARMS)} Aodh's; "
            f"{ours:.2f} ms each over {bare:.2f} ms for the same queries made bare; "
            f"{len(each.seen.calls)} calls for {alarms}, {units:.2f} units each"
        )
        yield Row("alarms judged", f"{each.a_second:.0f}", how)


def _judged(group: site.Group, meter: Meter) -> Iterator[Judged]:
    """Measure each shape, each turn of all shapes in a row; their groups are made after ``group``'s."""
    now = wiring.services().now()
    s = replace(wiring.services(), now=lambda: now)
    template = s.groups.get(ProjectId(group.project_id), GroupId(group.id))
    for shard, shape in enumerate(SHAPES):
        prepare(s, template, shape, shard)
    times: list[list[tuple[float, float]]] = [[] for _ in SHAPES]
    seen = [Seen() for _ in SHAPES]
    dynamodb: Any = boto3.client("dynamodb")
    for turn in range(_TURNS + 1):
        for shard in range(len(SHAPES)):
            if not turn:  # the first one opens connections, and is watched
                with meter.watching() as seen[shard]:
                    watch.watch(s, Share(shard=shard))
                continue
            ours = _cpu_seconds(lambda shard=shard: watch.watch(s, Share(shard=shard)))  # type: ignore[misc]
            queries = [call.parameters for call in seen[shard].of("dynamodb")]
            bare = _cpu_seconds(lambda queries=queries: [dynamodb.query(**each) for each in queries])  # type: ignore[misc]
            times[shard].append((ours, bare))
    for shard, shape in enumerate(SHAPES):
        ours, bare = (median(column) for column in zip(*times[shard], strict=True))
        yield Judged(shape, ours, bare, seen[shard])


def _cpu_seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def prepare(s: Services, template: Group, shape: Shape, shard: int) -> None:
    """Make the groups, samples and alarms of a shape; no alarm has a reason to change its state.

    The samples come first: the running stack's one tick, at its start, may judge what it finds by then.
    """
    groups = [made_group(s, template, shard) for _ in range(shape.groups)]
    series = [series_of(groups[number % shape.groups], number) for number in range(shape.series)]
    for sender in range(shape.senders):
        members = range(_MEMBERS) if shape.senders == 1 else [sender]
        s.folds.add(folded(readings(series, members, s.now()), uuid.uuid4().bytes[:8], frozenset()))
    for number in range(shape.alarms):
        made_alarm(s, series[number % shape.series], number)


def made_group(s: Services, template: Group, shard: int) -> Group:
    """Make an empty group in a shard of the indexes."""
    ids = (GroupId(s.new_id()) for _ in count())
    id_ = next(each for each in ids if shard_of(each, s.limits.shards) == shard)
    group = replace(template, id=id_, name=id_, fingerprint=None)
    made = Activity(
        project_id=group.project_id,
        group_id=id_,
        id=ActivityId(s.new_id()),
        kind=ActivityKind.GROUP_CREATED,
        detail="for the benchmark",
        members=(),
        request_id="req-bench",
        created_at=s.now(),
    )
    return s.groups.create(group, s.limits.quota, made)


def series_of(group: Group, number: int) -> Series:
    """Return one of a group's series."""
    return Series(project_id=group.project_id, group_id=group.id, metric=f"metric-{number}")


def made_alarm(s: Services, series: Series, number: int) -> Alarm:
    """Make an alarm over the average of minutes, which nothing in ``readings`` sets off."""
    rule = ThresholdRule(
        metric=series.metric,
        comparison=Comparison.GT,
        threshold=90 + number / 100,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )
    alarm = Alarm(
        project_id=series.project_id,
        id=AlarmId(s.new_id()),
        group_id=series.group_id,
        name=f"alarm-{number}",
        backend=Backend.BUILTIN,
        rule=rule,
        enabled=True,
        severity=Severity.LOW,
        alarm_actions=(),
        ok_actions=(),
        insufficient_data_actions=(),
        time_constraints=(),
        state=AlarmState.OK,
        state_reason="for the benchmark",
        state_changed_at=s.now(),
        created_at=s.now(),
        updated_at=s.now(),
    )
    return s.alarms.create(alarm, s.limits.quota, alarm_history.created(alarm, UserId("bench"), s.now()))


def readings(series: Sequence[Series], members: Sequence[int], now: datetime) -> Iterator[Reading]:
    """Yield one reading of each member in each of the latest periods, the one that goes on left out."""
    newest = period_of(now, COARSE_SECONDS)
    for each in series:
        for back in range(1, _PERIODS + 1):
            for member in members:
                yield Reading(
                    series=each,
                    member=MemberId(str(uuid.UUID(int=member + 1))),
                    at=newest - back * _OF_EACH,
                    measure=one(20 + member + back / 7),
                )
