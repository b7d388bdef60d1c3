"""The rows that tokens' hashes lead to: they come and go in the transactions of what the tokens are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from chalicelib.core.token import TokenHash
from chalicelib.tables.calls import Transaction
from chalicelib.tables.rows import Row

R = TypeVar("R", bound=Row)


def follow(transaction: Transaction, rows: type[R], was: Iterable[TokenHash], new: Mapping[str, R]) -> None:
    """Replace the rows of the tokens that were by the new ones, by hash; one that stays is rewritten."""
    for token in was:
        if token.sha256 not in new:
            transaction.delete(rows(token.sha256))
    for row in new.values():
        transaction.put(row)
