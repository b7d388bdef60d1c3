"""What all tables share: finding one row, paging through many, and creating without creating twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pynamodb.attributes import Attribute

from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from chalicelib.ports.storage import Page
from chalicelib.tables.calls import Transaction, perform, query
from chalicelib.tables.database import Database
from chalicelib.tables.rows import NewerRelease, Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound=Row)
V = TypeVar("V", bound="DataclassInstance")

_log = logging.getLogger(__name__)


class Table(Generic[R, V]):
    """Reading of one table; its hash key is called owner here, its range key is the value's id.

    Args:
        noun: what one row is, as codes and sentences name it.
    """

    def __init__(self, database: Database, row: type[R], value: type[V], noun: str) -> None:
        self.rows = database.bind(row)
        self._database = database
        self._value = value
        self.noun = noun

    def row(self, owner: str, id_: str) -> R | None:
        """Return the row, read consistently, or None."""
        try:
            return perform(lambda: self.rows.get(owner, id_, consistent_read=True))
        except self.rows.DoesNotExist:
            return None

    def find(self, owner: str, id_: str) -> V | None:
        """Return the value, read consistently, or None."""
        row = self.row(owner, id_)
        return None if row is None else row.to(self._value)

    def get(self, owner: str, id_: str) -> V:
        """Return the value, read consistently, or raise NotFound."""
        value = self.find(owner, id_)
        if value is None:
            raise self.missing(id_)
        return value

    def page(
        self,
        owner: str,
        limit: int,
        after: str | None,
        *,
        key: Attribute[str],
        index: str | None = None,
        newest_first: bool = False,
    ) -> Page[V]:
        """Return up to ``limit`` values whose ``key`` lies after ``after``, in the order of the key.

        Args:
            key: the range key of the table, or of the index if one is named.
        """
        place = None if after is None else (key < after if newest_first else key > after)
        rows = perform(
            lambda: list(
                self.rows.query(
                    owner,
                    place,
                    index_name=index,
                    consistent_read=index is None,
                    scan_index_forward=not newest_first,
                    limit=limit + 1,
                )
            )
        )
        items = rows[:limit]
        more = len(rows) > limit
        return Page(
            items=tuple(row.to(self._value) for row in items),
            marker=str(items[-1].attribute_values["id"]) if more and items else None,
        )

    def watched(self, shard: int, after: str | None, limit: int, *, key: str) -> Page[V]:
        """Return up to ``limit`` values of a shard of the index ``watched``, from behind ``after``.

        Args:
            key: the range key of the index; its last value is the marker.
        """
        request = {
            "TableName": self.rows.Meta.table_name,
            "IndexName": "watched",
            "KeyConditionExpression": f"watch_shard = :shard AND {key} > :after",
            "ExpressionAttributeValues": {":shard": {"N": str(shard)}, ":after": {"S": after or " "}},
            "Limit": limit + 1,
        }
        items = query(self._database, request)
        marker = str(items[limit - 1][key]["S"]) if len(items) > limit else None
        values = []
        for item in items[:limit]:
            with self.later_ones_apart():
                values.append(self.rows.held(item, self._value))
        return Page(tuple(values), marker)

    @contextmanager
    def later_ones_apart(self) -> Iterator[None]:
        """Pass over what a later release wrote in another format, among the rows of many projects."""
        try:
            yield
        except NewerRelease:
            _log.warning("passed over: a later release wrote this %s", self._spoken)

    def missing(self, id_: str) -> NotFound:
        """Return the error for an id that is not there."""
        return NotFound(f"{self.noun}.not_found", f"There is no {self._spoken} {id_} in this project.")

    def stale(self, id_: str) -> Callable[[R | None], Exception]:
        """Return what a guarded write means that was refused: the row is gone, or was written since."""

        def refusal(stored: R | None) -> Exception:
            if stored is None:
                return self.missing(id_)
            return Stale(f"{self.noun}.stale", f"The {self._spoken} was changed meanwhile; read it again.")

        return refusal

    @property
    def _spoken(self) -> str:
        return self.noun.replace("_", " ")


class Creatable(Protocol):
    """What a caller creates, maybe with a client_token."""

    @property
    def id(self) -> str:
        """The id; the same one for the same client_token."""

    @property
    def fingerprint(self) -> str | None:
        """What was asked for with the client_token, None without one."""


C = TypeVar("C", bound=Creatable)


def taken(_stored: Row | None) -> Conflict:
    """Return the error for an id that exists: a client_token that was used for something else."""
    return Conflict("client_token.reused", "This client_token was used before, for a different request.")


def create(transaction: Transaction, new: C, find: Callable[[], C | None]) -> tuple[C, bool]:
    """Commit the transaction that writes ``new``, unless the same request was made before.

    A request that comes again finds what it made the first time even where it would be refused now (its
    quota is used up by the very thing).

    Returns:
        The stored value, and whether this call wrote it.
    """
    try:
        transaction.commit()
    except (Conflict, Forbidden, Invalid, NotFound):
        stored = find()
        if stored is None:
            raise
        if stored.fingerprint is None or stored.fingerprint != new.fingerprint:
            raise taken(None) from None
        return stored, False
    return new, True
