"""The table of meters: one row a group, read seldom, for a container keeps it for a while."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import msgspec
from pynamodb.attributes import BinaryAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute

from chalicelib.core.errors import Unavailable
from chalicelib.core.meters import Meters, Name
from chalicelib.ports.storage import GroupKey
from chalicelib.recent import Recent
from chalicelib.tables.calls import Refused, perform, put
from chalicelib.tables.database import Database
from chalicelib.tables.rows import Row

_KEPT_SECONDS = 30
_GROUPS_MAX = 1000
_ATTEMPTS = 10


class MeterRow(Row):
    """The meters of one group; a row where nothing is watched closely goes when its samples have gone."""

    table = "meters"

    project_id = UnicodeAttribute(hash_key=True)
    group_id = UnicodeAttribute(range_key=True)
    data = BinaryAttribute(legacy_encoding=False)
    version = NumberAttribute()
    expires_at = TTLAttribute(null=True)


class _Data(msgspec.Struct, array_like=True):
    """``seen``: metric, dimensions, and the time in seconds."""

    seen: list[tuple[str, tuple[tuple[str, str], ...], int]]
    fine: list[str]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Data)


class MeterTable:
    """Meters in DynamoDB.

    Args:
        keep_days: how long samples are kept.
        clock: seconds that only grow.
    """

    def __init__(self, database: Database, keep_days: int, clock: Callable[[], float]) -> None:
        self._database = database
        self._rows = database.bind(MeterRow)
        self._keep = timedelta(days=keep_days)
        self._known: Recent[GroupKey, Meters] = Recent(
            seconds=_KEPT_SECONDS, at_most=_GROUPS_MAX, clock=clock
        )

    def admit(self, key: GroupKey, names: Collection[Name], now: datetime) -> Meters:
        """Return the group's meters once those of ``names`` that there is room for are in there."""
        known = self._known.get(key)
        if known is None or known.is_news(names, now, self._keep):
            known = self._change(key, lambda meters: _with(meters, names, now, self._keep), now)
            self._known.put(key, known)
        return known

    def of_group(self, key: GroupKey) -> Meters:
        """Return the group's meters, read consistently."""
        return self._read(key)[0]

    def watch(self, key: GroupKey, metric: str, *, fine: bool) -> None:
        """Have samples of the metric kept in periods of 10 s from now on, or of 60 s."""
        self._known.put(key, self._change(key, lambda meters: meters.watching(metric, fine=fine), None))

    def forget(self, key: GroupKey) -> None:
        """Delete the group's meters; none is a success."""
        self._known.drop(key)
        perform(self._rows(key.project_id, key.group_id).delete)

    def _change(self, key: GroupKey, edit: Callable[[Meters], Meters], now: datetime | None) -> Meters:
        """Write what ``edit`` makes of the group's meters, unless it is what is there; return it."""
        for _ in range(_ATTEMPTS):
            was, version = self._read(key)
            new = edit(was)
            if new == was:
                return was
            last = max((now, *new.seen.values()) if now else new.seen.values(), default=None)
            row = self._rows(
                key.project_id,
                key.group_id,
                data=_encode(new),
                version=version + 1,
                expires_at=None if new.fine or last is None else last + self._keep,
            )
            unchanged = MeterRow.version == version if version else MeterRow.project_id.does_not_exist()
            try:
                put(self._database, row, unchanged)
            except Refused:
                continue
            return new
        raise Unavailable(
            "samples.contended", "Too many new series at once; try again.", retry_after_seconds=1
        )

    def _read(self, key: GroupKey) -> tuple[Meters, int]:
        try:
            row = perform(lambda: self._rows.get(key.project_id, key.group_id, consistent_read=True))
        except self._rows.DoesNotExist:
            return Meters(), 0
        return _decode(row.data), int(row.version)


def _with(meters: Meters, names: Collection[Name], now: datetime, keep: timedelta) -> Meters:
    return meters.seeing(names, now, keep) if meters.is_news(names, now, keep) else meters


def _encode(meters: Meters) -> bytes:
    seen = [(metric, dimensions, int(at.timestamp())) for (metric, dimensions), at in meters.seen.items()]
    return _encoder.encode(_Data(seen, sorted(meters.fine)))


def _decode(data: bytes) -> Meters:
    stored = _decoder.decode(data)
    return Meters(
        seen={
            (metric, dimensions): datetime.fromtimestamp(at, UTC) for metric, dimensions, at in stored.seen
        },
        fine=frozenset(stored.fine),
    )
