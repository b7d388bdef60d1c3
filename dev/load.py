"""A load for the demo: a fleet whose CPU follows what it has to do, and which posts its own samples."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import requests

from dev.client import Client, Document

_CPU_NOISE_PERCENT = 2.0
_SECONDS_BETWEEN_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the demo's day.

    Attributes:
        load: in percent of one server's CPU: 150 keeps two and a half servers at 60 %.
    """

    name: str
    load: float
    seconds: float


def play(
    client: Client,
    path: str,
    intake: str,
    phases: Sequence[Phase],
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Let the group at ``path`` have each phase's load in turn, and show what becomes of it."""
    chance = random.Random(1)
    for phase in phases:
        say(f"load {phase.load:g}: {phase.name}")
        end = time.monotonic() + phase.seconds
        while time.monotonic() < end:
            group = client.get(path)
            cpu = _post(client, path, intake, phase.load, chance)
            say(_line(group, cpu))
            if stop.wait(_SECONDS_BETWEEN_SAMPLES):
                return


def _post(client: Client, path: str, intake: str, load: float, chance: random.Random) -> float:
    """Post the CPU of each member in service, the load divided among them; return their mean, in percent."""
    members = client.get(f"{path}/members?limit=1000")["members"]
    serving = [member for member in members if member["status"] == "in_service"]
    if not serving:
        return 0.0
    share = min(100.0, load / len(serving))
    values = [max(0.0, min(100.0, chance.gauss(share, _CPU_NOISE_PERCENT))) for _ in serving]
    samples: list[Document] = [
        {"metric": "cpu", "value": round(value, 1), "server_id": member["server_id"]}
        for member, value in zip(serving, values, strict=True)
    ]
    requests.post(f"{intake}/samples", json={"samples": samples}, timeout=10).raise_for_status()
    return sum(values) / len(values)


def _line(group: Document, cpu: float) -> str:
    """Draw the CPU, and a mark for each server: filled in service, empty on its way."""
    bar = "#" * round(cpu / 4)
    wanted, serving = group["desired_capacity"], group["in_service"]
    servers = "■" * min(serving, wanted) + "□" * max(0, wanted - serving) + "-" * max(0, serving - wanted)
    return f"  cpu {cpu:5.1f} % |{bar:<25}|  servers {serving:2} of {wanted:2}  {servers}"
