"""``make soak``: the machines again and again, each time with other choices, until the time is over.

    SOAK_SECONDS=600 python -m tests.simulation.soak

A failure ends it, shows the shortest way that leads there, and the seed by which it comes again.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time

_TESTS = "tests/simulation"


def main() -> int:
    """Run until the time is over; return the exit code."""
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        seed = secrets.randbelow(2**32)
        options = [
            "-q",
            "-n",
            "2",
            "-k",
            "Test and runTest",
            f"--hypothesis-seed={seed}",
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", _TESTS, *options],
            env={**os.environ, "SOAK_TIMES": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n")
            print(f"again: SOAK_TIMES=1 {sys.executable} -m pytest {_TESTS} --hypothesis-seed={seed}")
            return 1
        rounds += 1
        print(f"round {rounds}, seed {seed}: {done.stdout.splitlines()[-1]}", flush=True)
    print(f"{rounds} rounds, and no law was broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
