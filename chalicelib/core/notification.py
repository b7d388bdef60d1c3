"""The notification: what a sender told us, and what tells one delivery from another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.decision import Event

SAME_DELIVERY_SECONDS = 30
"""How long, at least, the same words of a sender without ids are one delivery; twice as long at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """An event, and what names it.

    Alertmanager and Grafana send no id: the repetition of an alarm that lasts (which is to act) and the
    second try of a delivery whose answer was lost (which is not) are the same bytes. Only time tells them
    apart: a second try comes within seconds, a repetition after ``repeat_interval``.

    Attributes:
        event_id: the sender's own id of the event, None where it has none.
        content: what a delivery has in common with its repetitions, for senders that repeat without ids.
    """

    event: Event
    event_id: str | None = None
    content: str | None = None

    def names(self, sent_at: datetime) -> tuple[str, ...]:
        """Return what names the event: its name, then the one under which it may have come before.

        Without an id it is the content and the half minute. A delivery that comes again across the end of
        its half minute is known by the name of the one before. Empty where nothing names it: then every
        delivery is an event of its own.
        """
        if self.event_id is not None:
            return (self.event_id,)
        if self.content is None:
            return ()
        window = int(sent_at.timestamp()) // SAME_DELIVERY_SECONDS
        return f"{self.content}@{window}", f"{self.content}@{window - 1}"
