"""What a month costs on AWS: pieces of work are counted and timed here, ``cost`` adds them up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import boto3

from chalicelib import wiring
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.flows import sweep, watch
from chalicelib.ports import Services, Share
from dev.bench import alarms, cost
from dev.bench.bench import Bench
from dev.bench.cost import Taken, Used, Workload, monthly
from dev.bench.meter import AwsCall, Seen
from dev.bench.rows import Row

_GROUPS = (10, 1_000, 100_000)
_WORKLOADS = {
    "each member posts": Workload(),
    "one post a group": Workload(requests_a_minute=1),
    "alarms elsewhere": Workload(requests_a_minute=0, alarms=0),
}
_MEMBERS = 4
_TIMES = 20
_READS = frozenset({"GetItem", "Query", "BatchGetItem"})
_A_UNIT_BYTES = 4096
_LOOKED_AT = alarms.Shape("as many groups have them", alarms=100, series=100, groups=50, senders=_MEMBERS)
_SHARD = 7  # the last one, which no other part uses


def rows(bench: Bench) -> Iterator[Row]:
    """Say what single pieces of work cost, and whole months by the number of groups."""
    taken = _taken(bench)
    for what, used in (
        ("idle tick", taken.tick),
        ("1000 decisions", taken.decision * 1000),
        ("1000 requests, 2 samples", taken.samples * 1000),
        ("1000 alarm minutes", taken.alarm * 1000),
        ("1000 settled rounds", taken.round * 1000),
    ):
        yield Row(f"cost, {what}", f"${used.usd:.5f}", _in_words(used))
    for name, workload in _WORKLOADS.items():
        for groups in _GROUPS:
            parts = {what: used.usd for what, used in monthly(taken, workload, groups).items()}
            how = f"a month: {', '.join(f'{what} {usd:,.2f}' for what, usd in parts.items())}"
            yield Row(f"{groups} groups, {name}", f"${sum(parts.values()):,.0f}", how)
    for groups in _GROUPS:
        small, usual = (
            cost.always_on(Workload(), groups, hour) for hour in (cost.SMALL_VM_HOUR, cost.VM_HOUR)
        )
        how = f"a month: {usual.machines} m7g.large for Aodh, Gnocchi and Heat; t4g.medium ${small.usd:,.0f}"
        yield Row(f"{groups} groups, always on", f"${usual.usd:,.0f}", how)


def _taken(bench: Bench) -> Taken:
    now = wiring.services().now()
    s = replace(wiring.services(), now=lambda: now)
    tick = _counted(bench, lambda: _tick(s), times=1)
    return Taken(
        tick=replace(tick, invocations=1 + 2 * s.limits.shards, sqs=tick.sqs + 2 * s.limits.shards * 2),
        decision=replace(_counted(bench, lambda: bench.here.decide(bench.group)), api=1, invocations=1),
        samples=replace(_samples(bench), api=1, invocations=1),
        alarm=_alarm(bench, s),
        round=_round(bench),
    )


def _tick(s: Services) -> None:
    """Tick, sweep and watch a shard where nothing is to be done, as often as there are shards."""
    sweep.tick(s)
    for _ in range(s.limits.shards):
        sweep.sweep(s, _SHARD)
        watch.watch(s, Share(shard=_SHARD))


def _samples(bench: Bench) -> Used:
    """Count and time the POST of one member's CPU and memory."""
    group = bench.site.group("bill-samples", adjustment=1, max_size=_MEMBERS, desired=_MEMBERS)
    path, [server, *_] = bench.site.intake(group), bench.site.server_ids(group)
    values = count()  # no two requests are alike: the same one would be known, and nothing written

    def post() -> None:
        now, value = datetime.now(UTC).isoformat(), next(values)
        samples = [
            {"metric": metric, "value": value, "timestamp": now, "server_id": server}
            for metric in ("cpu", "memory")
        ]
        bench.here.post_samples(path, {"samples": samples}, len(samples))

    post()  # makes the series known
    return _counted(bench, post)


def _alarm(bench: Bench, s: Services) -> Used:
    """Count and time a look at one alarm; units are by bytes, which the stand-in leaves out of account."""
    made = bench.site.group("bill-alarms", adjustment=1, max_size=1)
    alarms.prepare(s, s.groups.get(ProjectId(made.project_id), GroupId(made.id)), _LOOKED_AT, _SHARD)
    all_used = _counted(bench, lambda: watch.watch(s, Share(shard=_SHARD)))
    with bench.meter.watching() as seen:
        watch.watch(s, Share(shard=_SHARD))
    reads = sum(map(_units_by_bytes, seen.of("dynamodb")))
    return replace(all_used, reads=reads, invocations=1) * (1 / _LOOKED_AT.alarms)


def _round(bench: Bench) -> Used:
    group = bench.site.group("bill-round", adjustment=1, max_size=_MEMBERS, desired=_MEMBERS)
    bench.here.round(group)  # gets the tokens, which are kept
    asked = len(bench.site.cloud.requests)
    bench.here.round(group)
    asked = len(bench.site.cloud.requests) - asked
    used = _counted(bench, lambda: bench.here.round(group))
    sqs = used.sqs + cost.MESSAGE_REQUESTS + 0.1  # ten are sent together
    return replace(used, cloud_calls=asked, invocations=1, sqs=sqs)


def _counted(bench: Bench, work: Callable[[], object], times: int = _TIMES) -> Used:
    """Count the calls of some work once, and time it often."""
    with bench.meter.watching() as seen:
        work()
    began = time.process_time()
    for _ in range(times):
        work()
    return replace(_of_calls(seen), cpu_seconds=(time.process_time() - began) / times)


def _of_calls(seen: Seen) -> Used:
    asked = seen.of("dynamodb")
    return Used(
        reads=sum(call.units for call in asked if call.operation in _READS),
        writes=sum(call.units for call in asked if call.operation not in _READS),
        sqs=len(seen.of("sqs")),
        calls=len(seen.calls),
    )


def _units_by_bytes(call: AwsCall) -> float:
    """Return what DynamoDB takes for a query: half for an index; of items read in part, the whole."""
    if "IndexName" in call.parameters:
        items, a_unit = call.answer["Items"], 0.5
    else:
        whole = {n: v for n, v in call.parameters.items() if n not in _OF_A_PART}
        dynamodb: Any = boto3.client("dynamodb")
        items, a_unit = dynamodb.query(**whole)["Items"], 1.0
    size = sum(len(name) + _bytes(value) for item in items for name, value in item.items())
    return max(1, math.ceil(size / _A_UNIT_BYTES)) * a_unit


_OF_A_PART = ("ProjectionExpression", "ExpressionAttributeNames", "ReturnConsumedCapacity")


def _bytes(value: Mapping[str, Any]) -> int:
    [(kind, held)] = value.items()
    if kind == "N":
        return len(held) // 2 + 2
    return len(held) if kind == "B" else len(str(held).encode())


def _in_words(used: Used) -> str:
    return (
        f"{used.reads:.4g} read and {used.writes:.4g} write units; {used.sqs:.4g} requests of SQS and "
        f"{used.api:.4g} of the API; {used.invocations:.4g} invocations, {used.billed_seconds:.3g} s in all"
    )
