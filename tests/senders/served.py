"""The API over HTTP on loopback, over services in memory, and what a sender did to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalice.config import Config
from chalice.local import LocalChalice, LocalDevServer, create_local_server

from app import app
from chalicelib.core.execution import Execution
from chalicelib.core.ids import GroupId
from dev.functions import Handler
from tests.api.caller import Estate
from tests.world import World


@dataclass
class Served:
    """The API, with one of everything in it.

    Attributes:
        bodies: what was posted, in order.
        answers_lost: how many of the next answers the sender does not get, though the work is done.
    """

    world: World
    estate: Estate
    bodies: list[bytes] = field(default_factory=list)
    answers_lost: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        if not isinstance(app, LocalChalice):
            create_local_server(app, Config.create(), "127.0.0.1", 0).server.server_close()
        self._server = LocalDevServer(
            app, Config.create(), "127.0.0.1", 0, handler_cls=_handler_of(self)
        ).server
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def hook(self) -> str:
        return self.url + self.estate.path("/v1/hooks/{token}")

    @property
    def size(self) -> int:
        """How many members the group wants."""
        return self.world.group(GroupId(self.estate.group_id)).desired_capacity

    def executions(self) -> list[Execution]:
        """Return what webhooks set in motion."""
        found = list(self.world.memory.executions.values())
        return [each for each in found if each.source.startswith("webhook:")]

    def outcomes(self) -> list[str]:
        return [each.outcome.value for each in self.executions()]

    def until(self, condition: Callable[[], bool], *, within_seconds: float = 30) -> None:
        """Wait for what a sender does in its own time."""
        end = time.monotonic() + within_seconds
        while not condition():
            assert time.monotonic() < end, (self.size, self.outcomes(), self.bodies)
            time.sleep(0.05)


def _handler_of(served: Served) -> type[Handler]:
    class Recording(Handler):
        def _parse_payload(self) -> tuple[Any, Any]:
            headers, body = super()._parse_payload()
            served.bodies.append(body or b"")
            return headers, body

        def _send_http_response(self, code: int, headers: Any, body: Any) -> None:
            if served.answers_lost:
                served.answers_lost -= 1
                code, body = 504, b""
                headers = {"Content-Type": "application/json"}
            super()._send_http_response(code, headers, body)

    return Recording
