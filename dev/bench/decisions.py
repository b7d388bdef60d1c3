"""A webhook's decision beside its bare calls; what decisions, settled rounds and idle ticks take from AWS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

from chalicelib import wiring
from chalicelib.flows import sweep, watch
from chalicelib.ports import Share
from dev.bench.bench import Bench
from dev.bench.rows import Row, p95, ratio

_DECISIONS = 50


def idle(bench: Bench) -> Iterator[Row]:
    """Count what a tick takes, with all that it sets in motion, where nothing has been made yet."""
    s = wiring.services()
    with bench.meter.watching() as seen:
        sweep.tick(s)
        for shard in range(s.limits.shards):
            sweep.sweep(s, shard)
            watch.watch(s, Share(shard=shard))
    messages = sum(len(call.parameters["Entries"]) for call in seen.of("sqs"))
    how = f"{seen}, and {messages} messages in {len(seen.of('sqs'))} calls of SQS; nothing to do"
    yield Row("DynamoDB, an idle tick", f"{len(seen.of('dynamodb'))} req", how)


def rows(bench: Bench) -> Iterator[Row]:
    """Time decisions in this process, and the same AWS calls made bare; count calls and units."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(_DECISIONS):
        transaction = bench.floor.prepare()
        bare.append(_seconds(bench.floor.run, transaction))
        ours.append(_seconds(bench.here.decide, bench.group))
    for name, of in (("median", median), ("p95", p95)):
        over = f"{of(ours) * 1000:.1f} ms over {of(bare) * 1000:.1f} ms"
        how = (
            f"{over}: POST through chalice.test.Client, over the same AWS calls made bare; {_DECISIONS} each"
        )
        yield Row(f"webhook -> decision, {name}", ratio(of(ours), of(bare)), how)
    yield Row("DynamoDB, a decision", f"{len(bench.decision.of('dynamodb'))} req", str(bench.decision))
    yield _settled_round(bench)


def _settled_round(bench: Bench) -> Row:
    """Count what it takes to look again at a group where nothing is to be done."""
    group = bench.site.group("settled", adjustment=1, max_size=10, desired=10)
    bench.here.round(group)  # gets the tokens, which are kept
    asked = len(bench.site.cloud.requests)
    with bench.meter.watching() as seen:
        bench.here.round(group)
    asked = len(bench.site.cloud.requests) - asked
    how = f"{seen}; a group of 10, and {asked} request to the cloud"
    return Row("DynamoDB, a settled round", f"{len(seen.of('dynamodb'))} req", how)


def _seconds(call: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began
