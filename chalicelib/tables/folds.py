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
from functools import cached_property, lru_cache
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.core.errors import Unavailable
from chalicelib.core.fold import HOUR_SECONDS, Fold, Hour
from chalicelib.core.series import Series
from chalicelib.tables.calls import Refused, Transaction, perform, put, query
from chalicelib.tables.database import Database
from chalicelib.tables.fold_rows import decode_fold, decode_hour, encode_fold, encode_hour
from chalicelib.tables.rows import Row, joined, require_known

_FEW = 4
"""So many folds are written one by one, which is the cheapest."""
_TOGETHER_MAX = 100
_TOGETHER_MAX_BYTES = 3_000_000
"""DynamoDB's limits of a transaction are 100 rows and 4 MB."""
_WRITERS = 4
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
        if len(folds) <= _FEW:
            refusals = [self._add(*each) for each in folds]
        else:
            parts = [folds[at : at + _TOGETHER_MAX] for at in range(0, len(folds), _TOGETHER_MAX)]
            refusals = [reason for part in self._writers.map(self._add_together, parts) for reason in part]
        return {place: reason for place, reason in enumerate(refusals) if reason is not None}

    def read(self, series: Series, since: datetime, until: datetime) -> Sequence[Fold]:
        """Return the folds of all resolutions that start in [since, until), in the order of their starts."""
        rows = self._between(series, "p", since, until)
        return [decode_fold(data, *_period(place)) for place, data in rows]

    def first_since(self, series: Series, since: datetime) -> datetime | None:
        """Return the start of the first fold that starts at ``since`` or later."""
        rows = self._query(series, _time_place("p", since), "p~", limit=1)
        return _start(rows[0][0]) if rows else None

    def write_hour(self, series: Series, hour: Hour) -> None:
        """Write a whole hour, in place of one that is there."""
        row = self._rows(
            series_key(series),
            _place("h", hour.start, HOUR_SECONDS, 0),
            data=encode_hour(hour),
            version=1,
            expires_at=hour.start + self._keep,
        )
        perform(row.save)

    def read_hours(self, series: Series, since: datetime, until: datetime) -> Sequence[Hour]:
        """Return the whole hours that start in [since, until), in their order."""
        rows = self._between(series, "h", since, until)
        return [decode_hour(data, _start(place)) for place, data in rows]

    def newest_hour(self, series: Series) -> datetime | None:
        """Return the start of the last whole hour that was written."""
        rows = self._query(series, "h", "h~", limit=1, newest_first=True)
        return _start(rows[0][0]) if rows else None

    def _add(self, series: Series, fold: Fold) -> str | None:
        """Write a fold together with what its row holds; return why not, if it is full.

        The first try takes the row to be new. Where it is not, the refusal brings the row along.
        """
        key = self._key(series, fold)
        following: tuple[Fold, int] | str = (fold, 0)
        for attempt in range(_ATTEMPTS):
            if isinstance(following, str):
                return following or None
            try:
                put(self._database, *self._write(key, *following))
            except Refused as refused:
                following = _following(self._stored(key, refused.item), fold)
            else:
                return None
            _pause(attempt)
        raise _contended()

    def _add_together(self, folds: Sequence[tuple[Series, Fold]]) -> Sequence[str | None]:
        """Write many folds in a few calls; return why not, for each that is full.

        A transaction takes twice the units of single writes, and a tenth of the time. Where others wrote
        first all is read again, and what has been written by then is found in its rows.
        """
        refusals: list[str | None] = [None] * len(folds)
        keys = [self._key(series, fold) for series, fold in folds]
        for attempt in range(_ATTEMPTS):
            stored = self._all_stored(keys)
            writes = []
            for place, (_, fold) in enumerate(folds):
                following = _following(stored.get(keys[place]), fold)
                if isinstance(following, str):
                    refusals[place] = following or None
                else:
                    writes.append(self._write(keys[place], *following))
            if self._commit(writes):
                return refusals
            _pause(attempt)
        raise _contended()

    def _commit(self, writes: Sequence[tuple[FoldRow, Condition]]) -> bool:
        """Write rows in as few transactions as their bytes allow; return whether nobody wrote first."""
        size = 0
        transactions = [Transaction(self._database)]
        for row, unchanged in writes:
            size += len(row.data)
            if size > _TOGETHER_MAX_BYTES:
                transactions.append(Transaction(self._database))
                size = len(row.data)
            transactions[-1].put(row, unchanged, lambda _: Refused())
        try:
            for transaction in transactions if writes else ():
                transaction.commit()
        except Refused:
            return False
        return True

    def _key(self, series: Series, fold: Fold) -> tuple[str, str]:
        (batch,) = fold.batches
        return series_key(series), _place("p", fold.start, fold.seconds, batch[0] % self._shards)

    def _write(self, key: tuple[str, str], fold: Fold, version: int) -> tuple[FoldRow, Condition]:
        """Return the row that follows on ``version`` (0: none), and the condition that it does."""
        row = self._rows(
            *key,
            data=encode_fold(fold),
            version=version + 1,
            expires_at=fold.start + timedelta(seconds=HOUR_SECONDS) + self._keep,
        )
        return row, FoldRow.version == version if version else FoldRow.series_key.does_not_exist()

    def _all_stored(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], FoldRow]:
        rows = perform(lambda: list(self._rows.batch_get(keys, consistent_read=True)))
        return {(row.series_key, row.place): row for row in rows}

    def _stored(self, key: tuple[str, str], item: dict[str, Any] | None) -> FoldRow | None:
        """Return the row as the refusal brought it; read, where an engine leaves it out."""
        if item is not None:
            return self._rows.from_raw_data(item)
        try:
            return perform(lambda: self._rows.get(*key, consistent_read=True))
        except self._rows.DoesNotExist:
            return None

    def _between(
        self, series: Series, kind: str, since: datetime, until: datetime
    ) -> Sequence[tuple[str, bytes]]:
        if since >= until:
            return ()
        # What starts at ``until`` has its period and shard behind this, so it sorts after it.
        return self._query(series, _time_place(kind, since), _time_place(kind, until))

    def _query(
        self, series: Series, first: str, last: str, *, limit: int | None = None, newest_first: bool = False
    ) -> Sequence[tuple[str, bytes]]:
        """Return place and data of the series' rows from ``first`` to ``last``."""
        request = {
            "TableName": self._rows.Meta.table_name,
            "KeyConditionExpression": "series_key = :series AND place BETWEEN :first AND :last",
            "ProjectionExpression": "place, #data, v",
            "ExpressionAttributeNames": {"#data": "data"},  # a word of DynamoDB's own
            "ExpressionAttributeValues": {
                ":series": {"S": series_key(series)},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
        }
        if limit is not None:
            request["Limit"] = limit
        items = query(self._database, request)
        for item in items:
            require_known(item)
        return [(item["place"]["S"], item["data"]["B"]) for item in items]


def _following(stored: FoldRow | None, fold: Fold) -> tuple[Fold, int] | str:
    """Return what is to be written, and on which version of the row; or why nothing is.

    That is "" where the batch is in the row already. A row may also have expired meanwhile.
    """
    if stored is None:
        return fold, 0
    held = decode_fold(stored.data, fold.start, fold.seconds)
    if fold.batches <= held.batches:
        return ""
    together = held.plus(fold)
    return together.too_large() or (together, int(stored.version))


def _pause(attempt: int) -> None:
    """Let others write who collided with us; the first time there is nobody to wait for, most likely."""
    if attempt:
        time.sleep(random.random() * min(0.005 * 2**attempt, _LONGEST_PAUSE_SECONDS))  # noqa: S311  (spreads them)


def _contended() -> Unavailable:
    return Unavailable(
        "samples.contended", "Too many samples of one series at once; try again.", retry_after_seconds=1
    )


def series_key(series: Series) -> str:
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


def _start(place: str) -> datetime:
    return _period(place)[0]


@lru_cache(maxsize=1024)  # in one tick most alarms look at the same minutes
def _period(place: str) -> tuple[datetime, int]:
    _, start, seconds, _ = place.split("#")
    return datetime.fromtimestamp(int(start), UTC), int(seconds)
