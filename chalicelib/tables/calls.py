"""Calls of DynamoDB: what is tried again, what is unavailable, and what a failed condition means."""

from __future__ import annotations

import math
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection.base import BOTOCORE_EXCEPTIONS
from pynamodb.exceptions import (
    CancellationReason,
    PutError,
    PynamoDBException,
    QueryError,
    TransactWriteError,
)
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.core.errors import Unavailable
from chalicelib.tables.database import Database
from chalicelib.tables.rows import Row

T = TypeVar("T")
R = TypeVar("R", bound=Row)

_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Before each further try while others' transactions are in the way; under a second together."""

_IN_THE_WAY = {"TransactionConflictException", "TransactionConflict", "TransactionInProgressException"}
_TOO_BUSY = {
    "ThrottlingException",
    "ThrottlingError",
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
}


class Refused(Exception):
    """The condition of a single write did not hold; nothing was written.

    Attributes:
        item: what is stored there, raw; None where there is nothing, or it was not asked for.
    """

    def __init__(self, item: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.item = item


def perform(call: Callable[[], T]) -> T:
    """Return ``call()``, tried again while somebody's transaction is in its way.

    botocore has already tried again what is worth it by itself: no connection, throttling, a 5xx.

    Raises:
        Refused: the condition of a single write did not hold.
        Unavailable: DynamoDB does not answer, is too busy, or does not let us in.
    """
    for pause in (*_PAUSES_SECONDS, None):
        try:
            return call()
        except PynamoDBException as error:
            codes = _codes(error)
            if "ConditionalCheckFailedException" in codes:
                raise Refused(_stored_item(error)) from error
            conflict = bool(codes & _IN_THE_WAY) and "ConditionalCheckFailed" not in codes
            if not conflict and not _is_unavailable(error, codes):
                raise
            if not conflict or pause is None:
                raise Unavailable(
                    "storage.unavailable", "The database is busy; try again.", retry_after_seconds=1
                ) from error
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  (spreads those who collided)
    raise AssertionError("the last try returns or raises")


def query(database: Database, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a query, raw: all of them, or as many as its ``Limit`` says.

    Where a query is made so often that it counts: pynamodb takes 0.15 ms to put one together and to make rows
    of five items.

    Raises:
        Unavailable: as ``perform``.
    """
    items: list[dict[str, Any]] = []
    asked = dict(request)
    while True:
        answer = perform(lambda: _queried(database, asked))
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer or len(items) >= request.get("Limit", math.inf):
            return items
        asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _queried(database: Database, request: dict[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = database.connection.dispatch("Query", request)
    except BOTOCORE_EXCEPTIONS as error:
        raise QueryError("Failed to query items", error) from error
    return answer


def put(database: Database, row: Row, condition: Condition) -> None:
    """Write the whole row on a condition; a refusal brings along what is stored, which saves to read it.

    Raises:
        Refused, Unavailable: as ``perform``.
    """
    request = row.get_save_kwargs_from_instance(condition, "ALL_OLD")

    def write() -> None:
        try:
            database.connection.dispatch("PutItem", request)
        except BOTOCORE_EXCEPTIONS as error:
            raise PutError("Failed to put an item", error) from error

    perform(write)


def _stored_item(error: PynamoDBException) -> dict[str, Any] | None:
    """Return the item that a refused write came back with; pynamodb keeps it in the cause of the cause."""
    answered = error.cause.__cause__ if error.cause is not None else None
    response: dict[str, Any] = answered.response if isinstance(answered, ClientError) else {}  # type: ignore[assignment]
    return response.get("Item")


def _codes(error: PynamoDBException) -> set[str]:
    """Return what DynamoDB said: the error's own code, and each item's of a cancelled transaction."""
    codes = {""}
    if isinstance(error.cause, ClientError):  # a timeout has a response, too, which is None
        codes = {error.cause_response_code or ""}
    if isinstance(error, TransactWriteError):
        codes |= {reason.code for reason in error.cancellation_reasons if reason is not None}
    return codes


def _is_unavailable(error: PynamoDBException, codes: set[str]) -> bool:
    """Return whether it is DynamoDB's fault; pynamodb gives no cause for a batch that was not taken whole."""
    unfinished = isinstance(error, PutError) and error.cause is None
    return unfinished or bool(codes & _TOO_BUSY) or isinstance(error.cause, BotoCoreError)


class _Kind(StrEnum):
    """The kinds of items; in this order pynamodb sends them, and DynamoDB gives its reasons."""

    CHECK = "check"
    DELETE = "delete"
    PUT = "put"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class _Item:
    kind: _Kind
    request: dict[str, Any]
    refusal: Callable[[CancellationReason], Exception]


class Transaction:
    """An all-or-nothing write that knows, item by item, what a failed condition means.

    ``otherwise`` of an item makes the exception from the row as it is stored (None: there is none). When
    several conditions fail, the item that was added first speaks. What is sent again while it is not known
    whether it was done, by botocore or by us, has the token of before: it is not done twice, nor refused for
    what it has itself done.
    """

    def __init__(self, database: Database) -> None:
        self._connection = database.connection
        self._items: list[_Item] = []

    def check(self, row: R, condition: Condition, otherwise: Callable[[R | None], Exception]) -> None:
        """Require the condition of a row that is not written; of ``row`` only the key matters."""
        request = row.get_delete_kwargs_from_instance(condition=condition)
        self._add(_Kind.CHECK, row, request, otherwise)

    def put(
        self,
        row: R,
        condition: Condition | None = None,
        otherwise: Callable[[R | None], Exception] | None = None,
    ) -> None:
        """Write the whole row."""
        request = row.get_save_kwargs_from_instance(condition=condition)
        self._add(_Kind.PUT, row, request, otherwise)

    def update(
        self,
        row: R,
        actions: list[Action],
        condition: Condition | None = None,
        otherwise: Callable[[R | None], Exception] | None = None,
    ) -> None:
        """Change attributes; of ``row`` only the key matters."""
        request = row.get_update_kwargs_from_instance(actions=actions, condition=condition)
        self._add(_Kind.UPDATE, row, request, otherwise)

    def delete(
        self,
        row: R,
        condition: Condition | None = None,
        otherwise: Callable[[R | None], Exception] | None = None,
    ) -> None:
        """Delete the row; of ``row`` only the key matters."""
        request = row.get_delete_kwargs_from_instance(condition=condition)
        self._add(_Kind.DELETE, row, request, otherwise)

    def commit(self) -> None:
        """Write everything, or raise what the first failed condition means (or as ``perform``)."""
        checks, deletes, puts, updates = (
            [item.request for item in self._items if item.kind is kind] for kind in _Kind
        )
        token = str(uuid.uuid4())

        def write() -> None:
            nonlocal token
            try:
                self._connection.transact_write_items(checks, deletes, puts, updates, token)
            except TransactWriteError as error:
                if error.cancellation_reasons:  # it was not done: the next try is another one
                    token = str(uuid.uuid4())
                raise

        try:
            perform(write)
        except TransactWriteError as error:
            sent = [item for kind in _Kind for item in self._items if item.kind is kind]
            failed = {
                id(item): reason
                for item, reason in zip(sent, error.cancellation_reasons, strict=False)
                if reason is not None and reason.code == "ConditionalCheckFailed"
            }
            for item in self._items:
                if id(item) in failed:
                    raise item.refusal(failed[id(item)]) from error
            raise

    def _add(
        self,
        kind: _Kind,
        row: R,
        request: dict[str, Any],
        otherwise: Callable[[R | None], Exception] | None,
    ) -> None:
        def refusal(reason: CancellationReason) -> Exception:
            assert otherwise is not None, "only a condition is refused"
            return otherwise(type(row).from_raw_data(reason.raw_item) if reason.raw_item else None)

        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        self._items.append(_Item(kind, request, refusal))
