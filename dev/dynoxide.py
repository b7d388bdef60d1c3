"""A second DynamoDB for this machine: dynoxide, one binary over SQLite.

It is not ours to ship and no Python package: ``make dynoxide`` fetches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dev.local_server import HOST, LocalServer

_FETCHED = Path(__file__).resolve().parent.parent / ".state/dynoxide/node_modules"
_BINARY = _FETCHED / "@dynoxide/linux-x64/dynoxide"


class Dynoxide(LocalServer):
    """A running dynoxide, which listens on loopback only.

    With a file, all that it acknowledged is there when it is started again, also after it was killed.

    Args:
        port: 0 takes one that is free.
        database: the file that keeps the tables; None forgets them.
    """

    name = "dynoxide"
    health = "/"

    def __init__(self, port: int = 0, database: Path | None = None) -> None:
        super().__init__(port)
        self._database = database

    @staticmethod
    def is_here() -> bool:
        """Return whether it was fetched."""
        return _BINARY.exists()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead clients of DynamoDB here; those of other services go where they went."""
        return {"AWS_ENDPOINT_URL_DYNAMODB": self.url}

    def command(self) -> Sequence[str]:
        """Return what starts it."""
        kept = [] if self._database is None else ["--db-path", str(self._database)]
        return [str(_BINARY), "serve", "--host", HOST, "--port", str(self.port), *kept]
