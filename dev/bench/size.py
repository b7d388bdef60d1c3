"""Growth of the tables: what one tick takes of a shard, by how many groups there are.

Each size has a shard of its own, with as many groups as fall to one shard of that many in all: the other
shards are alike, and worked on beside it. Each group has one alarm, over a series of its own, that stays OK.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import boto3

from chalicelib import wiring
from chalicelib.core.fold import folded
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.core.series import Series
from chalicelib.flows import sweep, watch
from chalicelib.ports import Services, Share
from chalicelib.queue import SqsQueue
from chalicelib.tables.folds import series_key
from chalicelib.tables.group_rows import GroupRow
from chalicelib.tables.rows import joined
from dev.bench import alarms
from dev.bench.bench import Bench
from dev.bench.rows import Row

_SIZES = ((10, 8), (1_000, 8), (100_000, 32))
"""Groups in all, and how many shards (``SHARDS``) a service with so many has."""
_LOOKED_AT_EACH_MINUTES = 5
"""A settled group is due again after so long: so each tick a fifth of them is."""
_LATER = timedelta(minutes=10)
_A_WRITE = 25  # what BatchWriteItem takes

_Item = Mapping[str, Any]
T = TypeVar("T")


class _Parts(SqsQueue):
    """The queue, which also keeps what watches pass on: nobody else works on it."""

    def __init__(self) -> None:
        super().__init__(os.environ["QUEUE_URL"], None)
        self.shares: list[Share] = []

    def watch_soon(self, shares: Sequence[Share]) -> None:
        """Send them, and keep them."""
        super().watch_soon(shares)
        self.shares += shares


@dataclass(frozen=True, slots=True)
class _Ticked:
    """One tick of one shard.

    Attributes:
        parts: how many messages the watch became, one after the other.
    """

    sweep_cpu: float
    watch_cpu: float
    watch_seconds: float
    parts: int


def rows(bench: Bench) -> Iterator[Row]:
    """Say what a tick takes, by size."""
    made = bench.site.group("size", adjustment=1, max_size=1)
    now = wiring.services().now()
    s = replace(wiring.services(), now=lambda: now)
    template = s.groups.get(ProjectId(made.project_id), GroupId(made.id))
    for shard, (size, shards) in enumerate(_SIZES, start=len(alarms.SHAPES)):
        share = max(1, size // shards)
        began = time.monotonic()
        _fill(s, template, shard, share)
        prepared = time.monotonic() - began
        if shard == len(alarms.SHAPES):
            _tick(s, shard)  # opens connections
        yield from _said(size, shards, share, _tick(s, shard), prepared)


def _said(size: int, shards: int, share: int, ticked: _Ticked, prepared: float) -> Iterator[Row]:
    due, all_cpu = -(-share // _LOOKED_AT_EACH_MINUTES), ticked.watch_cpu * size / share
    how = (
        f"of CPU an alarm: a tick's watch of one of {shards} shards, {share} alarms, each of its own group; "
        f"{ticked.parts} messages, {ticked.watch_seconds:.1f} s one after the other; all shards "
        f"{all_cpu:.1f} s of CPU, {all_cpu / 60:.2f} cores (prepared in {prepared:.0f} s)"
    )
    yield Row(f"a tick, {size} alarms", f"{ticked.watch_cpu / share * 1000:.2f} ms", how)
    how = f"of CPU: a tick's sweep of that shard, {due} of {share} groups due and passed on to rounds"
    yield Row(f"a tick, {size} groups", f"{ticked.sweep_cpu * 1000:.0f} ms", how)


def _tick(s: Services, shard: int) -> _Ticked:
    """Sweep a shard, and watch it with all the parts that this is passed on in."""
    queue = _Parts()
    s = replace(s, queue=queue)
    began = time.process_time()
    sweep.sweep(s, shard)
    sweep_cpu = time.process_time() - began
    queue.shares.append(Share(shard=shard))
    parts, began, wall = 0, time.process_time(), time.monotonic()
    while queue.shares:
        watch.watch(s, queue.shares.pop())
        parts += 1
    return _Ticked(sweep_cpu, time.process_time() - began, time.monotonic() - wall, parts)


def _fill(s: Services, template: Group, shard: int, count: int) -> None:
    """Make so many groups with an alarm each: one as everybody does, the others as copies of its rows."""
    group = alarms.made_group(s, template, shard)
    group_row = _stored("groups", {"project_id": {"S": group.project_id}, "id": {"S": group.id}})
    ids = [GroupId(s.new_id()) for _ in range(count - 1)]
    _write("groups", [_group_of(group_row, id_, due=_is_due(n), now=s.now()) for n, id_ in enumerate(ids)])
    series = alarms.series_of(group, 0)
    s.folds.add(folded(alarms.readings([series], range(10), s.now()), uuid.uuid4().bytes[:8], frozenset()))
    fold_rows = _of_series(series)
    _write("folds", [_fold_of(row, group.id, id_) for id_ in ids for row in fold_rows])
    alarm = alarms.made_alarm(s, series, 0)
    alarm_row = _stored("alarms", {"project_id": {"S": alarm.project_id}, "id": {"S": alarm.id}})
    _write("alarms", [_alarm_of(alarm_row, id_, s.new_id()) for id_ in ids])


def _is_due(number: int) -> bool:
    return number % _LOOKED_AT_EACH_MINUTES == _LOOKED_AT_EACH_MINUTES - 1


def _group_of(row: _Item, id_: GroupId, *, due: bool, now: datetime) -> _Item:
    attribute: Any = GroupRow.due_at
    due_at = attribute.serialize(now if due else now + _LATER)
    return {**row, "id": {"S": id_}, "due_at": {"S": due_at}}


def _alarm_of(row: _Item, group_id: GroupId, id_: str) -> _Item:
    project_id = row["project_id"]["S"]
    return {
        **row,
        "id": {"S": id_},
        "group_id": {"S": group_id},
        "group_key": {"S": joined(project_id, group_id)},
        "watch_place": {"S": joined(group_id, id_)},
    }


def _fold_of(row: _Item, was: GroupId, group_id: GroupId) -> _Item:
    return {**row, "series_key": {"S": row["series_key"]["S"].replace(was, group_id)}}


def _table(name: str) -> str:
    return f"{wiring.settings().table_prefix}{name}"


def _stored(table: str, key: dict[str, Any]) -> _Item:
    dynamodb: Any = boto3.client("dynamodb")
    return dict(dynamodb.get_item(TableName=_table(table), Key=key)["Item"])


def _of_series(series: Series) -> Sequence[_Item]:
    dynamodb: Any = boto3.client("dynamodb")
    found = dynamodb.query(
        TableName=_table("folds"),
        KeyConditionExpression="series_key = :key",
        ExpressionAttributeValues={":key": {"S": series_key(series)}},
    )
    return list(found["Items"])


def _write(table: str, items: Sequence[_Item]) -> None:
    dynamodb: Any = boto3.client("dynamodb")
    for some in _in_parts(items, _A_WRITE):
        dynamodb.batch_write_item(RequestItems={_table(table): [{"PutRequest": {"Item": i}} for i in some]})


def _in_parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
