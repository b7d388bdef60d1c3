"""How often the service is asked while something goes on, and how long trouble with that is borne."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heat.engine import resource

from .errors import Unavailable

_FAILURES_MAX = 8
_QUICK_LOOKS = 10
_SLOWEST = 5


class Polling:
    """One wait; kept by Heat from one look to the next, as long as the stack's timeout allows.

    Heat looks about once a second. The first looks come at that pace, then ever fewer, down to one in five.
    """

    def __init__(self) -> None:
        self.looks = 0
        self._failures = 0

    def ask(self, question: Callable[[], Any]) -> Any:
        """Return what ``question`` returns.

        Raises:
            PollDelay: the service is not available at the moment.
            Unavailable: it was not for many looks in a row.
        """
        try:
            answer = question()
        except Unavailable:
            self._failures += 1
            if self._failures >= _FAILURES_MAX:
                raise
            raise self.later() from None
        self._failures = 0
        return answer

    def later(self) -> resource.PollDelay:
        """Return what makes Heat look again, later."""
        self.looks += 1
        return resource.PollDelay(min(1 + self.looks // _QUICK_LOOKS, _SLOWEST))
