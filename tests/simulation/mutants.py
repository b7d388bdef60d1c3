"""``make mutants``: put each fault of the list into a copy of the code, and see whether its law catches it.

    python -m tests.simulation.mutants [words of a fault]

Prints a line for each; the exit code is 1 if one lives, or its test cannot even be run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulation.mutations import MUTATIONS, Mutation

_ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("app.py", "chalicelib", "deploy", "dev", "tests", "pyproject.toml")
_LONGEST_SECONDS = 1200
_TESTS_FAILED = 1
"""pytest's exit code when tests ran and some failed; others mean that they could not be run."""


def mutate(tree: Path, mutation: Mutation) -> None:
    """Put the fault into the code below ``tree``; ValueError where the code is not as the fault wants it."""
    path = tree / "chalicelib" / mutation.path
    text = path.read_text(encoding="utf-8")
    for old, new in mutation.edits:
        if text.count(old) != 1:
            raise ValueError(f"{mutation.path} has {text.count(old)} times {old!r}")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def is_caught(mutation: Mutation) -> tuple[bool, float]:
    """Return whether the fault's test fails, and after how many seconds."""
    with tempfile.TemporaryDirectory(prefix="thermostat-mutant-") as directory:
        tree = Path(directory)
        for name in _COPIED:
            copy = shutil.copytree if (_ROOT / name).is_dir() else shutil.copy
            copy(_ROOT / name, tree / name)
        mutate(tree, mutation)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutation.caught_by]
        began = time.monotonic()
        environment = {**os.environ, "SIMULATION_EXPLAINS": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command,
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_SECONDS,
        )
        if done.returncode not in (0, _TESTS_FAILED):
            raise RuntimeError(done.stdout + done.stderr)
        return done.returncode == _TESTS_FAILED, time.monotonic() - began


def main() -> int:
    """Try all, or those whose words are given, two at a time."""
    wanted = [each for each in MUTATIONS if " ".join(sys.argv[1:]) in each.fault]
    lives = 0
    with ThreadPoolExecutor(2) as pool:
        for mutation, (caught, seconds) in zip(wanted, pool.map(is_caught, wanted), strict=True):
            lives += not caught
            verdict = "caught" if caught else "LIVES "
            test = mutation.caught_by.partition("::")[0].rpartition("/")[2]
            print(f"{verdict} {seconds:6.1f} s  {mutation.fault} ({mutation.path}): {test}", flush=True)
    print(f"{len(wanted) - lives} of {len(wanted)} faults were caught")
    return 1 if lives or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
