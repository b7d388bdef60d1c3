"""The source of a webhook: who is expected to call it, when it was last heard, and when it fell silent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

_NOTED_SECONDS_LEAST = 30


class SourceState(StrEnum):
    """Whether a source calls as often as it is expected to."""

    OK = "ok"
    SILENT = "source_silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A delivery that was refused, with the code that the sender was told (where it was told one)."""

    code: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known of who calls a webhook.

    Noting every delivery would double its cost. So one is noted only when the last note is a quarter of
    ``expected_every_seconds`` old (at least half a minute), and silence is noticed that much later.

    Attributes:
        expected_every_seconds: how long between two calls at most.
        watched_since: from when on it is expected.
        last_received_at: when it was last heard, within ``note_every``; None is never.
        silent_since: when the call was due that did not come; None while all is well.
        refusal: the last delivery that was refused, within ``note_every``.
    """

    expected_every_seconds: int
    watched_since: datetime
    last_received_at: datetime | None = None
    silent_since: datetime | None = None
    refusal: Refusal | None = None

    @property
    def state(self) -> SourceState:
        """Whether it calls."""
        return SourceState.OK if self.silent_since is None else SourceState.SILENT

    @property
    def note_every(self) -> timedelta:
        """How far apart two notes of deliveries are."""
        return timedelta(seconds=max(_NOTED_SECONDS_LEAST, self.expected_every_seconds // 4))

    @property
    def due_at(self) -> datetime:
        """When the next call is due."""
        heard = max(self.watched_since, self.last_received_at or self.watched_since)
        return heard + timedelta(seconds=self.expected_every_seconds)

    @property
    def overdue_at(self) -> datetime | None:
        """When a silence is certain: a call may have come unnoted. None once it was noticed."""
        return None if self.silent_since is not None else self.due_at + self.note_every

    def heard(self, now: datetime) -> Source:
        """Return the source after a delivery; the very same where that is not worth a note."""
        last = self.last_received_at
        if self.silent_since is None and last is not None and now - last < self.note_every:
            return self
        return replace(self, last_received_at=now, silent_since=None)

    def refused(self, refusal: Refusal) -> Source:
        """Return the source after a refusal; the very same where that is not worth a note."""
        if self.refusal is not None and refusal.at - self.refusal.at < self.note_every:
            return self
        return replace(self, refusal=refusal)

    def silenced(self) -> Source:
        """Return the source with its silence noticed."""
        return replace(self, silent_since=self.due_at)

    def expected(self, every_seconds: int, now: datetime) -> Source:
        """Return the source as expected at another pace, from now on."""
        return replace(self, expected_every_seconds=every_seconds, watched_since=now, silent_since=None)

    @property
    def cause(self) -> str:
        """Say when it was last heard, and what was refused since."""
        last = self.last_received_at
        said = "never heard" if last is None else f"last heard {_time(last)}"
        refusal = self.refusal
        if refusal is None or (last is not None and refusal.at < last):
            return said
        return f"{said}; last refused {_time(refusal.at)} as {refusal.code}"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
