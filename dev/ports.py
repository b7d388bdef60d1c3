"""Ports for what a run of its own starts beside others: tests and benchmarks."""

from __future__ import annotations

import os
import socket


def free_ports(count: int) -> int:
    """Return the first of ``count`` ports in a row that are free on loopback at this moment.

    Each process looks elsewhere first, so that two that look at once do not find the same.
    """
    begin = 20000 + os.getpid() % 400 * 20
    for first in range(begin, 32000, 20):
        if all(_free(first + offset) for offset in range(count)):
            return first
    raise RuntimeError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
