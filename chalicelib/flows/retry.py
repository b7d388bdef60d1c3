"""Read, decide, write; and when somebody else wrote first, all of it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from chalicelib.core.errors import Stale, Unavailable
from chalicelib.ports import Services

T = TypeVar("T")


class Versioned(Protocol):
    """What is written only on the generation it was read at."""

    @property
    def generation(self) -> int:
        """How often it has been written."""


V = TypeVar("V", bound=Versioned)

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


def as_seen(noun: str, stored: V, generation: int | None) -> V:
    """Return ``stored``, which must be at the generation that the caller saw (If-Match); None: at any.

    Raises:
        Stale: it is at another one.
    """
    if generation is not None and stored.generation != generation:
        raise Stale(f"{noun}.stale", f"The {noun} has changed: it is at generation {stored.generation}.")
    return stored


def retried_unless(generation: int | None, s: Services, attempt: Callable[[], T]) -> T:
    """Return what ``attempt`` returns; made again when others write first, unless one state was meant."""
    return attempt() if generation is not None else until_not_stale(s, attempt)
