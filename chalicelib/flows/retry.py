"""Read, decide, write; and when somebody else wrote first, all of it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.core.errors import Stale, Unavailable
from chalicelib.ports import Services

T = TypeVar("T")

_ATTEMPTS = 40
_LONGEST_PAUSE_SECONDS = 0.25


def until_not_stale(s: Services, attempt: Callable[[], T]) -> T:
    """Return what ``attempt`` returns, made again while it raises Stale; it must read afresh each time.

    Raises:
        Unavailable: others kept writing first for some seconds.
    """
    for count in range(_ATTEMPTS):
        try:
            return attempt()
        except Stale:
            s.sleep(s.jitter() * min(0.01 * 2**count, _LONGEST_PAUSE_SECONDS))
    raise Unavailable(
        "group.contended", "Too many changes to this group at once; try again.", retry_after_seconds=1
    )
