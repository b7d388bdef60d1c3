"""A webhook's way to Nova, call by call: in this process, so without HTTP to us and without the queue."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from dev.bench.bench import Bench
from dev.bench.rows import Row
from dev.bench.trace import Request, tracing

_TURNS = 12
_COUNTS = (1, 50)


def rows(bench: Bench) -> Iterator[Row]:
    """List the calls of a decision, and of the first round of a group that grows from nothing."""
    for count in _COUNTS:
        decisions, rounds = [], []
        for turn in range(_TURNS + 1):
            group = bench.site.group(f"way-{count}-{turn}", adjustment=count, max_size=count)
            decision = _traced(lambda: bench.here.decide(group))  # noqa: B023  (called at once)
            round_ = _traced(lambda: bench.here.round(group))  # noqa: B023
            if turn:  # the first opens connections and gets tokens
                decisions.append(decision)
                rounds.append(round_)
        if count == _COUNTS[0]:
            yield from _listed("decision", decisions)
        yield from _listed(f"round of +{count}", rounds)


def _traced(call: Callable[[], None]) -> Sequence[Request]:
    """Return the requests that ``call`` makes, by their beginning, which is counted from the call's."""
    with tracing() as requests:
        began = time.perf_counter()
        call()
    counted = (Request(request.what, request.began - began, request.ended - began) for request in requests)
    return sorted(counted, key=lambda request: request.began)


def _listed(what: str, turns: Sequence[Sequence[Request]]) -> Iterator[Row]:
    """Yield a row a call: what was called how often before tells calls of one kind apart."""
    by_call: dict[tuple[str, int], list[Request]] = {}
    for turn in turns:
        before: Counter[str] = Counter()
        for request in turn:
            by_call.setdefault((request.what, before[request.what]), []).append(request)
            before[request.what] += 1
    for (name, _), calls in by_call.items():
        began, took = median(c.began for c in calls), median(c.ended - c.began for c in calls)
        how = f"{took * 1000:.1f} ms for {name}; medians of {len(calls)}"
        yield Row(f"{what}: at", f"{began * 1000:.1f} ms", how)
