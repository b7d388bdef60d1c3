"""``make bench``: what the service adds to the calls it cannot do without, measured on this machine.

Everything runs on loopback (but for ``cold``, which packages, and asks pip's index): the stack of
``make run``, on a simulated cloud whose servers build in half a second. What is compared takes turns within
one run, so a busy machine slows both alike; only the ratios mean something. It leaves nothing behind.
docs/benchmarks.md tells what the rows mean.

    python -m dev.bench                 all parts
    python -m dev.bench alarms cold     these parts
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dev.bench import alarms, arrival, bill, cold, decisions, fleet, growth, samples, size, way
from dev.bench.bench import WORKERS, Bench
from dev.bench.meter import Meter
from dev.bench.rows import Row
from dev.bench.site import Site, functions_here
from dev.ports import free_ports
from dev.simcloud import SimCloud
from dev.simulated import service_user
from dev.stack import Stack

_PARTS: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "idle": decisions.idle,  # before anything is made
    "decisions": decisions.rows,
    "way": way.rows,
    "growth": growth.rows,
    "fleet": fleet.rows,
    "alarms": alarms.rows,
    "samples": samples.rows,
    "arrival": arrival.rows,
    "cost": bill.rows,
    "size": size.rows,
    "cold": cold.rows,
}
"""In this order: alarms that a later part makes would otherwise be judged with those of an earlier one."""

_BUILD_SECONDS = 0.5
_QUOTAS = {"QUOTA_GROUPS": "1000", "QUOTA_MEMBERS": "2000", "QUOTA_ALARMS": "1000"}
_RATES = dict.fromkeys(
    ("RATE_WEBHOOK", "RATE_INTAKE", "RATE_PROJECT_WEBHOOKS", "RATE_PROJECT_SAMPLES", "RATE_PROJECT_CALLS"),
    "999999999",
)
_SETTINGS = {"TICK_SECONDS": "3600", "LOG_LEVEL": "WARNING", **_QUOTAS, **_RATES}


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"all, unless named: {', '.join(_PARTS)}")
    wanted = parser.parse_args().parts or list(_PARTS)
    if unknown := set(wanted) - set(_PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(_PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped
    began = time.monotonic()
    meter = Meter()
    with (
        tempfile.TemporaryDirectory(prefix="thermostat-bench-") as state,
        SimCloud(build_seconds=_BUILD_SECONDS) as cloud,
        Stack(
            port=free_ports(2),
            state=Path(state),
            service_user=service_user(cloud.auth_url),
            workers=WORKERS,
            settings=_SETTINGS,
        ) as stack,
        functions_here(stack) as here,
    ):
        bench = Bench(Site(stack, cloud), here, meter)
        for name, rows in _PARTS.items():
            for row in rows(bench) if name in wanted else ():
                print(row, flush=True)
    print(f"{time.monotonic() - began:.0f} s in all; times are this machine's, compare only the ratios")
    return 0


if __name__ == "__main__":
    sys.exit(main())
