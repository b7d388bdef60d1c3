"""Webhooks through the running stack: until Nova has taken the request, and until all servers are ACTIVE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from dev.bench.bench import Bench
from dev.bench.floor import BareNova
from dev.bench.rows import Row, ratio
from dev.bench.site import Growth

_GROWTHS = {1: 5, 10: 2, 50: 2}
"""How often a group grows, by the number of servers that it grows by."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """One growth, and in the same turn the same servers by bare calls: all, the fewest, or Nova's alone."""

    ours: Growth
    bare: Growth
    least: Growth
    bare_nova: Growth


def rows(bench: Bench) -> Iterator[Row]:
    """Time growths by each number of servers, over their floors."""
    nova = BareNova(bench.site.cloud.auth_url)
    queue = median(bench.deliveries)
    for count, times in _GROWTHS.items():
        grown = _grow_in_turn(bench, nova, count, times)
        if count == 1:
            yield from _accepted(grown, queue)
        yield _active(count, grown, queue)


def _grow_in_turn(bench: Bench, nova: BareNova, count: int, times: int) -> Sequence[_Turn]:
    """Let a group grow a number of times; a first time is left out: it gets the tokens that are kept."""
    site, floor = bench.site, bench.floor
    group = site.group(f"plus-{count}", adjustment=count, max_size=count * (times + 1))
    turns = []
    for _ in range(times + 1):
        transaction = floor.prepare()
        began = datetime.now(UTC)
        floor.run(transaction)
        bare = site.growth(nova.create(count), count, began)
        transaction = floor.prepare()
        began = datetime.now(UTC)
        floor.least(transaction)
        least = site.growth(nova.create(count), count, began)
        began = datetime.now(UTC)
        bare_nova = site.growth(nova.create(count), count, began)
        turns.append(_Turn(site.grow(group, count), bare, least, bare_nova))
        site.settle(group)
    return turns[1:]


def _accepted(turns: Sequence[_Turn], queue: float) -> Iterator[Row]:
    ours, bare = median(t.ours.accepted for t in turns), median(t.bare.accepted for t in turns)
    over = f"{ours * 1000:.0f} ms over {bare * 1000:.0f} ms"
    how = (
        f"{over}: POST to the running stack, until Nova's created_at, over the bare calls and one bare create"
    )
    yield Row("webhook -> accepted by Nova", ratio(ours, bare), f"{how}; median of {len(turns)}")
    least = median(t.least.accepted for t in turns)
    how = f"the same over {least * 1000:.0f} ms: a read, the transaction, and one bare create"
    yield Row("  over two calls of DynamoDB and one of Nova", ratio(ours, least), how)
    how = f"the same over {(bare + queue) * 1000:.0f} ms: {queue * 1000:.0f} ms of them a message's way alone"
    yield Row("  with the queue in the floor", ratio(ours, bare + queue), how)


def _active(count: int, turns: Sequence[_Turn], queue: float) -> Row:
    ours, bare = median(t.ours.active for t in turns), median(t.bare_nova.active for t in turns)
    with_queue = ratio(ours, bare + queue)
    how = (
        f"{ours:.2f} s over {bare:.2f} s: webhook to the running stack, over one bare create; "
        f"median of {len(turns)} ({with_queue} with the queue in the floor)"
    )
    return Row(f"+{count}, until all ACTIVE", ratio(ours, bare), how)
