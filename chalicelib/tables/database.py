"""The database: one connection for all tables, and the prefix of their names."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar, cast

from botocore.config import Config
from botocore.session import Session, get_session
from pynamodb.connection import Connection
from pynamodb.models import MetaModel

from chalicelib.tables.rows import Row
from chalicelib.tables.signed_reads import READS, SignedReads

R = TypeVar("R", bound=Row)

_CONNECT_SECONDS = 2
_READ_SECONDS = 5
_RETRIES = 3
_USER_AGENT = "thermostat"
"""Botocore would put its own together twice for each call, from many parts: a tenth of what a call takes."""


class _Connection(Connection):
    """A connection of a session that others use, too; reads are our own as long as all goes well."""

    def __init__(self, session: Session, region: str | None) -> None:
        super().__init__(
            region=region,
            connect_timeout_seconds=_CONNECT_SECONDS,
            read_timeout_seconds=_READ_SECONDS,
            max_retry_attempts=_RETRIES,
            max_pool_connections=50,
        )
        self._session = session

    @property
    def session(self) -> Session:
        """The session that is shared."""
        return self._session

    @cached_property
    def _reads(self) -> SignedReads:
        return SignedReads(self.session, self.client)

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> Any:
        """Return the answer to one call."""
        answer = self._reads.read(operation_name, operation_kwargs) if operation_name in READS else None
        return super().dispatch(operation_name, operation_kwargs) if answer is None else answer


class Database:
    """Where the tables are.

    pynamodb opens a connection for each model, and each costs a cold start some 65 ms; here all share one.
    Where DynamoDB itself is found is botocore's matter (``AWS_ENDPOINT_URL``).

    Args:
        prefix: of every table's name, like ``thermostat-local-``.
        region: None leaves it to the environment.
        keep_days: how long executions and activities are kept.
        session: botocore's, to share it; None makes one.
    """

    def __init__(
        self,
        prefix: str,
        region: str | None = None,
        keep_days: int = 90,
        session: Session | None = None,
    ) -> None:
        self.connection = _Connection(session or get_session(), region)
        self.connection.session.set_default_client_config(Config(user_agent=_USER_AGENT))
        self.connection.client  # noqa: B018  (makes it now, in one thread; a race would make several)
        self._prefix = prefix
        self._keep = timedelta(days=keep_days)
        self._bound: dict[type[Row], Any] = {}
        self._binding = threading.Lock()

    def bind(self, row: type[R]) -> type[R]:
        """Return ``row`` as a model of this database's table."""
        with self._binding:
            if row not in self._bound:
                self._bound[row] = self._model(row)
            return cast("type[R]", self._bound[row])

    def expiry(self, written_at: datetime) -> datetime:
        """Return when history that was written at ``written_at`` is dropped."""
        return written_at + self._keep

    def _model(self, row: type[R]) -> type[R]:
        meta = type("Meta", (), {"table_name": self._prefix + row.table})
        model = cast("type[R]", MetaModel(row.__name__, (row,), {"Meta": meta}))
        table = model._get_connection()  # noqa: SLF001  (pynamodb has no other way to share a connection)
        self.connection.add_meta_table(table.get_meta_table())
        table.connection = self.connection
        return model
