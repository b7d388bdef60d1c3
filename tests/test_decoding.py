"""Decoders that threads may ask for at the same time: in a process apart, which without care would die."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_MANY_AT_ONCE = """
import sys, threading
from dataclasses import make_dataclass
from chalicelib.decoding import decoder_of

sys.setswitchinterval(1e-6)
for _ in range(100):
    kind = int
    for depth in range(6):
        kind = make_dataclass(f"Level{depth}", [(f"field{n}", kind | None, None) for n in range(8)])
    together, found = threading.Barrier(8), []

    def decode():
        together.wait()
        found.append(decoder_of(kind).decode(b'{"field1": {"field2": {}}}'))

    threads = [threading.Thread(target=decode) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(found) == 8 and found == [found[0]] * 8
"""


def test_threads_may_ask_for_the_same_decoder_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", _MANY_AT_ONCE], cwd=_ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
