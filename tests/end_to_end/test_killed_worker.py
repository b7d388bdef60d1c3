"""Workers are killed at any moment of a scale-out; it ends with exactly the wanted servers."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from dev.stack import Stack
from tests.end_to_end.conftest import MakeGroup
from tests.end_to_end.site import Party
from tests.end_to_end.test_main_job import path, reached

pytestmark = pytest.mark.timeout(1800)

_KILLS = int(os.environ.get("KILLS", "2"))
_SIZE = 20
_LATEST_SECONDS = 3.0


def test_killing_the_workers_leaves_exactly_the_wanted_servers(
    processes: Stack, owner: Party, make_group: MakeGroup
) -> None:
    chance = random.Random(20)
    group = make_group(desired_capacity=0)
    for number in range(_KILLS):
        reached(owner, group, 0)
        moment = chance.uniform(0, _LATEST_SECONDS)
        owner.api.patch(path(group), {"desired_capacity": _SIZE})
        began = time.monotonic()
        time.sleep(moment)
        for pid in processes.worker_pids:
            os.kill(pid, signal.SIGKILL)
        reached(owner, group, _SIZE)
        took = time.monotonic() - began
        print(f"kill {number + 1}: workers killed after {moment:.2f} s, as wanted after {took:.1f} s")
        owner.api.patch(path(group), {"desired_capacity": 0})
    reached(owner, group, 0)
