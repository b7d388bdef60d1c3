"""The table of folds: sharded rows, each written on the version it was read at.

A series is a partition. Behind it, the range key sorts by kind ("p" for periods, "h" for whole hours), then
by time, then by the period's length and the shard: all that an alarm needs is one query. The number of
shards may change at any time; only a batch that is sent again across the change could count twice.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.core.errors import Unavailable
from chalicelib.core.fold import HOUR_SECONDS, Fold, Hour
from chalicelib.core.series import Series
from chalicelib.tables.calls import Refused, perform, put
from chalicelib.tables.database import Database
from chalicelib.tables.fold_rows import decode_fold, decode_hour, encode_fold, encode_hour
from chalicelib.tables.rows import Row, joined

_WRITERS = 8
_ATTEMPTS = 30
_LONGEST_PAUSE_SECONDS = 0.2


class FoldRow(Row):
    """One shard of one period of one series, or one whole hour."""

    table = "folds"

    series_key = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)
    data = BinaryAttribute(legacy_encoding=False)
    version = NumberAttribute()
    expires_at = TTLAttribute()


class FoldTable:
    """Folds in DynamoDB.

    Args:
        shards: in how many parts a period is written; each takes about ten writes a second.
        keep_days: how long folds and hours are kept.
    """

    def __init__(self, database: Database, shards: int, keep_days: int) -> None:
        self._database = database
        self._rows = database.bind(FoldRow)
        self._shards = shards
        self._keep = timedelta(days=keep_days)

    @cached_property
    def _writers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_WRITERS, thread_name_prefix="folds")

    def add(self, folds: Sequence[tuple[Series, Fold]]) -> Mapping[int, str]:
        """Add folds of one batch each to what is stored; a batch that is in there already changes nothing."""
        if len(folds) == 1:
            refusals = [self._add(*folds[0])]
        else:
            refusals = list(self._writers.map(lambda each: self._add(*each), folds))
        return {place: reason for place, reason in enumerate(refusals) if reason is not None}

    def read(self, series: Series, since: datetime, until: datetime) -> Sequence[Fold]:
        """Return the folds of all resolutions that start in [since, until), in the order of their starts."""
        rows = self._between(series, "p", since, until)
        return [decode_fold(row.data, *_period(row)) for row in rows]

    def first_since(self, series: Series, since: datetime) -> datetime | None:
        """Return the start of the first fold that starts at ``since`` or later."""
        place = FoldRow.place.between(_time_place("p", since), "p~")
        rows = self._query(series, place, limit=1)
        return _period(rows[0])[0] if rows else None

    def write_hour(self, series: Series, hour: Hour) -> None:
        """Write a whole hour, in place of one that is there."""
        row = self._rows(
            _series_key(series),
            _place("h", hour.start, HOUR_SECONDS, 0),
            data=encode_hour(hour),
            version=1,
            expires_at=hour.start + self._keep,
        )
        perform(row.save)

    def read_hours(self, series: Series, since: datetime, until: datetime) -> Sequence[Hour]:
        """Return the whole hours that start in [since, until), in their order."""
        rows = self._between(series, "h", since, until)
        return [decode_hour(row.data, _start(row)) for row in rows]

    def newest_hour(self, series: Series) -> datetime | None:
        """Return the start of the last whole hour that was written."""
        rows = self._query(series, FoldRow.place.startswith("h"), limit=1, newest_first=True)
        return _start(rows[0]) if rows else None

    def _add(self, series: Series, fold: Fold) -> str | None:
        """Write a fold together with what its row holds; return why not, if it is full.

        The first try takes the row to be new. Where it is not, the refusal brings the row along.
        """
        (batch,) = fold.batches
        key = _series_key(series), _place("p", fold.start, fold.seconds, batch[0] % self._shards)
        together, version = fold, 0
        for attempt in range(_ATTEMPTS):
            row = self._rows(
                *key,
                data=encode_fold(together),
                version=version + 1,
                expires_at=fold.start + timedelta(seconds=HOUR_SECONDS) + self._keep,
            )
            unchanged = FoldRow.version == version if version else FoldRow.series_key.does_not_exist()
            try:
                put(self._database, row, unchanged)
            except Refused as refused:
                stored = self._stored(key, refused.item)
            else:
                return None
            if stored is None:
                together, version = fold, 0  # it expired meanwhile
                continue
            held, version = decode_fold(stored.data, fold.start, fold.seconds), int(stored.version)
            if batch in held.batches:
                return None
            together = held.plus(fold)
            reason = together.too_large()
            if reason is not None:
                return reason
            if attempt:
                time.sleep(random.random() * min(0.005 * 2**attempt, _LONGEST_PAUSE_SECONDS))  # noqa: S311  (spreads those who collided)
        raise Unavailable(
            "samples.contended", "Too many samples of one series at once; try again.", retry_after_seconds=1
        )

    def _stored(self, key: tuple[str, str], item: dict[str, Any] | None) -> FoldRow | None:
        """Return the row as the refusal brought it; read, where an engine leaves it out."""
        if item is not None:
            return self._rows.from_raw_data(item)
        try:
            return perform(lambda: self._rows.get(*key, consistent_read=True))
        except self._rows.DoesNotExist:
            return None

    def _between(self, series: Series, kind: str, since: datetime, until: datetime) -> Sequence[FoldRow]:
        if since >= until:
            return ()
        # What starts at ``until`` has its period and shard behind this, so it sorts after it.
        return self._query(series, FoldRow.place.between(_time_place(kind, since), _time_place(kind, until)))

    def _query(
        self, series: Series, place: Condition, *, limit: int | None = None, newest_first: bool = False
    ) -> list[FoldRow]:
        return perform(
            lambda: list(
                self._rows.query(
                    _series_key(series),
                    place,
                    consistent_read=True,
                    limit=limit,
                    scan_index_forward=not newest_first,
                )
            )
        )


def _series_key(series: Series) -> str:
    """Return the partition of a series; metric and dimensions may be longer than a key, hence a digest."""
    said = "".join(
        f"{len(part)}:{part}" for part in (series.metric, *(p for d in series.dimensions for p in d))
    )
    digest = hashlib.sha256(said.encode()).hexdigest()
    return joined(joined(series.project_id, series.group_id), digest[:40])


def _time_place(kind: str, moment: datetime) -> str:
    return f"{kind}#{int(moment.timestamp()):012d}"


def _place(kind: str, moment: datetime, seconds: int, shard: int) -> str:
    return f"{_time_place(kind, moment)}#{seconds:04d}#{shard:02d}"


def _start(row: FoldRow) -> datetime:
    return datetime.fromtimestamp(int(row.place.split("#")[1]), UTC)


def _period(row: FoldRow) -> tuple[datetime, int]:
    return _start(row), int(row.place.split("#")[2])
