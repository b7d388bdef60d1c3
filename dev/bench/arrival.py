"""From a sample to the decision: a closely watched metric, judged as its samples come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import requests

from chalicelib import wiring
from chalicelib.core.fold import FINE_SECONDS
from chalicelib.core.ids import GroupId, ProjectId
from dev.bench.bench import Bench
from dev.bench.rows import Row
from dev.bench.site import Group, Site

_GROUPS = 5
_TURNS = 4
_APART_SECONDS = 1.8
"""So that all groups have their turn in one period, each when the one before is done."""

_METRIC = "load"
_DECIDED_WITHIN_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one sample, in seconds from its POST.

    Attributes:
        answered: until the POST was answered.
        decided: until group and execution, which are written together, were in the tables.
    """

    answered: float
    decided: float


def rows(bench: Bench) -> Iterator[Row]:
    """Time samples that complete a period of 10 s, through the running stack, until a decision is written."""
    arrivals = _arrivals(bench.site)
    decided, answered = [each.decided for each in arrivals], median(each.answered for each in arrivals)
    how = (
        f"POST of the sample that completes a period of 10 s, until its execution is in the tables; "
        f"{len(decided)} of them. {answered * 1000:.0f} ms until the POST is answered; a message's way alone "
        f"takes {median(bench.deliveries) * 1000:.0f} ms"
    )
    yield Row("sample -> decision, median", f"{median(decided) * 1000:.0f} ms", how)
    slowest = f"the same; the slowest took {max(decided) * 1000:.0f} ms"
    yield Row("sample -> decision, p90", f"{quantiles(decided, n=10)[-1] * 1000:.0f} ms", slowest)


def _arrivals(site: Site) -> Sequence[Arrival]:
    """Let each group grow once in each period of 10 s, by a sample that tells that the one before is over.

    The samples of the first period only make it one that can be judged.
    """
    groups = [site.group(f"arrival-{number}", adjustment=1, max_size=_TURNS + 1) for number in range(_GROUPS)]
    for group in groups:
        site.watch_closely(group, _METRIC)
    urls = [f"{site.stack.url}{site.intake(group)}/samples" for group in groups]
    found = []
    with requests.Session() as session:
        for turn in range(_TURNS + 1):
            began = _next_period()
            for number, (group, url) in enumerate(zip(groups, urls, strict=True)):
                time.sleep(max(0.0, began + number * _APART_SECONDS - time.time()))
                if turn:
                    found.append(_decision(session, group, url))
                else:
                    _post(session, url)
    return found


def _next_period() -> float:
    """Wait for the next period, and a little for what clocks differ; return when that was."""
    now = time.time()
    began = now // FINE_SECONDS * FINE_SECONDS + FINE_SECONDS + 0.1
    time.sleep(began - now)
    return began


def _decision(session: requests.Session, group: Group, url: str) -> Arrival:
    groups, key = wiring.services().groups, (ProjectId(group.project_id), GroupId(group.id))
    before = groups.get(*key).desired_capacity
    began = time.perf_counter()
    _post(session, url)
    answered = time.perf_counter() - began
    while groups.get(*key).desired_capacity == before:
        if time.perf_counter() - began > _DECIDED_WITHIN_SECONDS:
            raise TimeoutError(f"no decision {_DECIDED_WITHIN_SECONDS} s after a sample")
        time.sleep(0.01)
    return Arrival(answered, time.perf_counter() - began)


def _post(session: requests.Session, url: str) -> None:
    samples = [{"metric": _METRIC, "value": 1}]
    session.post(url, json={"samples": samples}, timeout=10).raise_for_status()
