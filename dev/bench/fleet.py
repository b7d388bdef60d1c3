"""Many groups at once: each is sent one webhook; how many a second are decided, asked of Nova and ACTIVE."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeVar

from chalicelib.core.ids import GroupId
from chalicelib.core.member import group_tag
from dev.bench.bench import Bench
from dev.bench.floor import BareNova
from dev.bench.rows import Row
from dev.bench.site import Group, Site
from dev.client import call_hook

T = TypeVar("T")
U = TypeVar("U")

_GROUPS = 100
_WAVES = 3
_SENDERS = 16
_HEAT_A_SECOND = 0.8
"""How many stacks a second Heat scaled on the real Nova that it was measured with, on as many cores."""

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Wave:
    """One webhook for each group, all at once; in seconds from the first until the last group's ...

    Attributes:
        decided: webhook was answered.
        asked: server was asked for, by the cloud's own clock.
        active: server was ACTIVE.
        cpu: what was computed until then, in CPU seconds by who did.
    """

    decided: float
    asked: float
    active: float
    cpu: Mapping[str, float]


def rows(bench: Bench) -> Iterator[Row]:
    """Grow all groups by one, some times; beside each wave, as many servers by as many bare requests."""
    site = bench.site
    groups = _at_once(lambda n: site.group(f"fleet-{n}", adjustment=1, max_size=_WAVES + 1), range(_GROUPS))
    nova = BareNova(site.cloud.auth_url)
    waves, bare = [], []
    for wave in range(_WAVES + 1):
        bare.append(_seconds(lambda: _at_once(lambda _: nova.create(1), groups)))
        waves.append(_wave(site, groups, wave))
        _at_once(site.settle, groups)
    middle = sorted(waves[1:], key=lambda wave: wave.asked)[_WAVES // 2]  # the first gets tokens
    yield _row("decided", middle.decided, "until the last webhook was answered")
    goal = f"{_per_second(middle.asked) / _HEAT_A_SECOND:.0f} x Heat's {_HEAT_A_SECOND} stacks a second"
    yield _row("asked of Nova", middle.asked, f"until the last server was asked for, {goal}")
    yield _row("ACTIVE", middle.active, "until the last server was; each builds for 0.5 s")
    yield _row("bare", median(bare[1:]), f"for as many requests by keystoneauth alone, {_SENDERS} at once")
    cores = os.cpu_count() or 1
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in middle.cpu.items())
    how = f"of {cores} cores in those {middle.active:.1f} s; seconds of CPU: {parts}"
    yield Row("  busy with it", f"{sum(middle.cpu.values()) / middle.active / cores:.0%}", how)


def _wave(site: Site, groups: Sequence[Group], before: int) -> _Wave:
    """Send each group's webhook; wait until every group has one server more than ``before``."""
    cpu = _cpu(site)
    began, clock = datetime.now(UTC), time.perf_counter()
    _at_once(lambda group: call_hook(group.hook).raise_for_status(), groups)
    decided = time.perf_counter() - clock
    asked, active = site.grown([group_tag(GroupId(group.id)) for group in groups], before + 1)
    time.sleep(max(0.0, (active - datetime.now(UTC)).total_seconds()))
    used = {name: seconds - cpu[name] for name, seconds in _cpu(site).items()}
    return _Wave(decided, (asked - began).total_seconds(), (active - began).total_seconds(), used)


def _row(what: str, seconds: float, how: str) -> Row:
    figure = f"{_per_second(seconds):.0f} /s"
    return Row(f"{_GROUPS} groups at once, {what}", figure, f"{seconds:.1f} s {how}; median of {_WAVES}")


def _per_second(seconds: float) -> float:
    return _GROUPS / seconds


def _at_once(call: Callable[[T], U], each: Sequence[T]) -> Sequence[U]:
    """Return what ``call`` makes of each, of several at the same time."""
    with ThreadPoolExecutor(_SENDERS) as senders:
        return list(senders.map(call, each))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _cpu(site: Site) -> Mapping[str, float]:
    """Return the CPU seconds that were used so far, by who used them; Linux only."""
    used: dict[str, float] = {}
    for name, pid in site.stack.pids.items():
        kind = name.partition("-")[0]
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used[kind] = used.get(kind, 0.0) + (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
    ours = resource.getrusage(resource.RUSAGE_SELF)
    return {**used, "cloud and senders": ours.ru_utime + ours.ru_stime}
