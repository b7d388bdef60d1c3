"""``make bench``: what the service adds to the calls it cannot do without, measured on this machine.

Everything runs on loopback: the stack of ``make run``, on a simulated cloud whose servers build in half a
second. What is compared takes turns within one run, so a busy machine slows both alike; only the ratios mean
something. It takes about four minutes and leaves nothing behind. docs/benchmarks.md tells what the rows mean.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from dev import bench_alarms, bench_arrival, bench_cold, bench_samples
from dev.bench_floor import BareDecision, BareNova
from dev.bench_meter import Meter, Seen
from dev.bench_site import Group, Growth, Here, Site, functions_here
from dev.simcloud import SimCloud
from dev.simulated import service_user
from dev.stack import PortTaken, Stack, require_free

_WORKERS = 2
_DECISIONS = 50
_DELIVERIES = 12
_GROWTHS = {1: 5, 10: 2, 50: 2}
"""How often a group grows, by the number of servers that it grows by."""

_AODH_ALARMS = 64
"""So many alarms a second Aodh's evaluator judges on one core: 14 ms of CPU each, with Gnocchi."""

_BUILD_SECONDS = 0.5
_QUOTAS = {"QUOTA_GROUPS": "1000", "QUOTA_MEMBERS": "2000", "QUOTA_ALARMS": "1000"}
_RATES = dict.fromkeys(
    ("RATE_WEBHOOK", "RATE_INTAKE", "RATE_PROJECT_WEBHOOKS", "RATE_PROJECT_SAMPLES", "RATE_PROJECT_CALLS"),
    "999999999",
)
_SETTINGS = {"TICK_SECONDS": "3600", "LOG_LEVEL": "WARNING", **_QUOTAS, **_RATES}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    how: str

    def __str__(self) -> str:
        how = textwrap.wrap(self.how, 66)
        first = f"{self.what:36}{self.figure:>8}  {how[0]}"
        return "\n".join([first, *(" " * 46 + line for line in how[1:])])


def rows(site: Site, here: Here, meter: Meter) -> Iterator[Row]:
    """Measure everything, one after the other; first what there is to do where there is nothing."""
    idle = bench_alarms.idle_tick(meter)
    group = site.group("decides", adjustment=1, max_size=200)
    here.decide(group)  # the first one opens connections
    with meter.watching() as decision:
        here.decide(group)
    floor = BareDecision(decision)
    yield from _webhook_to_decision(here, group, floor)
    deliveries = here.deliveries(_DELIVERIES, receivers=_WORKERS)
    yield from _webhook_to_servers(site, floor, deliveries)
    yield Row("DynamoDB, a decision", f"{len(decision.of('dynamodb'))} req", str(decision))
    yield _settled_round(site, here, meter)
    yield _idle_tick(idle)
    yield from _alarms(site, meter)  # before others make alarms, which would be judged with these
    yield from _samples(site, here, meter)
    yield from _sample_to_decision(site, deliveries)
    yield _cold_start(site)


def _webhook_to_decision(here: Here, group: Group, floor: BareDecision) -> Iterator[Row]:
    """Time decisions in this process, and the same AWS calls made bare."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(_DECISIONS):
        transaction = floor.prepare()
        bare.append(_seconds(floor.run, transaction))
        ours.append(_seconds(here.decide, group))
    for name, of in (("median", median), ("p95", _p95)):
        over = f"{of(ours) * 1000:.1f} ms over {of(bare) * 1000:.1f} ms"
        how = (
            f"{over}: POST through chalice.test.Client, over the same AWS calls made bare; {_DECISIONS} each"
        )
        yield Row(f"webhook -> decision, {name}", _ratio(of(ours), of(bare)), how)


def _webhook_to_servers(site: Site, floor: BareDecision, deliveries: Sequence[float]) -> Iterator[Row]:
    """Time webhooks through the running stack, until Nova has taken the request, and until all is ACTIVE."""
    nova = BareNova(site.cloud.auth_url)
    queue = median(deliveries)
    for count, times in _GROWTHS.items():
        grown = _grow_in_turn(site, floor, nova, count, times)
        if count == 1:
            yield from _accepted(grown, queue)
        yield _active(count, grown, queue)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One growth, and in the same turn the same servers by bare calls: all of them, or Nova's alone."""

    ours: Growth
    bare: Growth
    bare_nova: Growth


def _grow_in_turn(site: Site, floor: BareDecision, nova: BareNova, count: int, times: int) -> Sequence[_Turn]:
    """Let a group grow a number of times; a first time is left out: it gets the tokens that are kept."""
    group = site.group(f"plus-{count}", adjustment=count, max_size=count * (times + 1))
    turns = []
    for _ in range(times + 1):
        transaction = floor.prepare()
        began = datetime.now(UTC)
        floor.run(transaction)
        bare = site.growth(nova.create(count), count, began)
        began = datetime.now(UTC)
        bare_nova = site.growth(nova.create(count), count, began)
        turns.append(_Turn(site.grow(group, count), bare, bare_nova))
        site.settle(group)
    return turns[1:]


def _accepted(turns: Sequence[_Turn], queue: float) -> Iterator[Row]:
    ours, bare = median(t.ours.accepted for t in turns), median(t.bare.accepted for t in turns)
    over = f"{ours * 1000:.0f} ms over {bare * 1000:.0f} ms"
    how = (
        f"{over}: POST to the running stack, until Nova's created_at, over the bare calls and one bare create"
    )
    yield Row("webhook -> accepted by Nova", _ratio(ours, bare), f"{how}; median of {len(turns)}")
    how = f"the same over {(bare + queue) * 1000:.0f} ms: {queue * 1000:.0f} ms of them a message's way alone"
    yield Row("  with the queue in the floor", _ratio(ours, bare + queue), how)


def _active(count: int, turns: Sequence[_Turn], queue: float) -> Row:
    ours, bare = median(t.ours.active for t in turns), median(t.bare_nova.active for t in turns)
    with_queue = _ratio(ours, bare + queue)
    how = (
        f"{ours:.2f} s over {bare:.2f} s: webhook to the running stack, over one bare create; "
        f"median of {len(turns)} ({with_queue} with the queue in the floor)"
    )
    return Row(f"+{count}, until all ACTIVE", _ratio(ours, bare), how)


def _settled_round(site: Site, here: Here, meter: Meter) -> Row:
    """Count what it takes to look again at a group where nothing is to be done."""
    group = site.group("settled", adjustment=1, max_size=10, desired=10)
    here.round(group)  # gets the tokens, which are kept
    asked = len(site.cloud.requests)
    with meter.watching() as seen:
        here.round(group)
    asked = len(site.cloud.requests) - asked
    how = f"{seen}; a group of 10, and {asked} request to the cloud"
    return Row("DynamoDB, a settled round", f"{len(seen.of('dynamodb'))} req", how)


def _idle_tick(seen: Seen) -> Row:
    """Say what a tick costs where no group, schedule, alarm or policy exists."""
    messages = sum(len(call.parameters["Entries"]) for call in seen.of("sqs"))
    how = f"{seen}, and {messages} messages in {len(seen.of('sqs'))} calls of SQS; nothing to do"
    return Row("DynamoDB, an idle tick", f"{len(seen.of('dynamodb'))} req", how)


def _alarms(site: Site, meter: Meter) -> Iterator[Row]:
    """Say how many alarms one core judges, by what they are over, and what they cost."""
    for each in bench_alarms.judged(site.group("alarms", adjustment=1, max_size=1), meter):
        alarms = each.shape.alarms
        ours, bare = (seconds / alarms * 1000 for seconds in (each.cpu_seconds, each.bare_cpu_seconds))
        units = sum(call.units for call in each.seen.of("dynamodb")) / alarms
        how = (
            f"{each.shape.what}: a second of our CPU, {_ratio(each.a_second, _AODH_ALARMS)} Aodh's; "
            f"{ours:.2f} ms each over {bare:.2f} ms for the same queries made bare; "
            f"{len(each.seen.calls)} calls for {alarms}, {units:.2f} units each"
        )
        yield Row("alarms judged", f"{each.a_second:.0f}", how)


def _samples(site: Site, here: Here, meter: Meter) -> Iterator[Row]:
    """Say how many samples one core absorbs, by the shape of requests, and what they cost."""
    for each in bench_samples.absorbed(site, here, meter):
        calls = len(each.seen.of("dynamodb"))
        how = (
            f"a second of our CPU, {each.samples / each.seconds:.0f} a second by the clock: stored and "
            f"aggregated; {calls} calls of DynamoDB a request, {each.units_of_a_thousand:.0f} units a "
            "thousand samples"
        )
        what = f"samples, {each.series} series x {each.of_each}"
        yield Row(what, f"{each.samples / each.cpu_seconds:.0f}", how)


def _sample_to_decision(site: Site, deliveries: Sequence[float]) -> Iterator[Row]:
    """Time samples that complete a period of 10 s, through the running stack, until a decision is written."""
    arrivals = bench_arrival.arrivals(site)
    decided, answered = [each.decided for each in arrivals], median(each.answered for each in arrivals)
    how = (
        f"POST of the sample that completes a period of 10 s, until its execution is in the tables; "
        f"{len(decided)} of them. {answered * 1000:.0f} ms until the POST is answered; a message's way alone "
        f"takes {median(deliveries) * 1000:.0f} ms"
    )
    yield Row("sample -> decision, median", f"{median(decided) * 1000:.0f} ms", how)
    slowest = f"the same; the slowest took {max(decided) * 1000:.0f} ms"
    yield Row("sample -> decision, p90", f"{quantiles(decided, n=10)[-1] * 1000:.0f} ms", slowest)


def _cold_start(site: Site) -> Row:
    cpu = bench_cold.medians(site.stack.environment)
    how = (
        f"{cpu['service']:.0f} ms over {cpu['bare']:.0f} ms of CPU: import, build, a GET that reads DynamoDB "
        "once, over a bare Chalice app with botocore; fresh processes, median of 5"
    )
    return Row("cold start", _ratio(cpu["service"], cpu["bare"]), how)


def _seconds(call: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]


def _ratio(ours: float, floor: float) -> str:
    return f"{ours / floor:.2f} x"


def free_ports() -> int:
    """Return the first of two ports in a row that are free."""
    for port in range(21000, 29000, 10):
        try:
            require_free(port, "the API")
            require_free(port + 1, "the AWS stand-in")
        except PortTaken:
            continue
        return port
    raise PortTaken("No two ports in a row are free.")


def main() -> int:
    """Print the table; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped
    began = time.monotonic()
    meter = Meter()
    with (
        tempfile.TemporaryDirectory(prefix="thermostat-bench-") as state,
        SimCloud(build_seconds=_BUILD_SECONDS) as cloud,
        Stack(
            port=free_ports(),
            state=Path(state),
            service_user=service_user(cloud.auth_url),
            workers=_WORKERS,
            settings=_SETTINGS,
        ) as stack,
        functions_here(stack) as here,
    ):
        for row in rows(Site(stack, cloud), here, meter):
            print(row, flush=True)
    print(f"{time.monotonic() - began:.0f} s in all; times are this machine's, compare only the ratios")
    return 0


if __name__ == "__main__":
    sys.exit(main())
