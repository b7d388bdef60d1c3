"""Two things that do not need each other, at the same time: most of a call is waiting for somebody."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def at_once(one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Return what both come to, once both are over; what either raises is raised, ``other``'s first.

    ``one`` runs in a thread of its own, and logs on behalf of the same request.
    """
    with ThreadPoolExecutor(max_workers=1) as beside:
        begun = beside.submit(copy_context().run, one)
        done = other()
        return begun.result(), done
