"""A way to the service on which answers get lost, after it has done what was asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

_HOST = "127.0.0.1"
_OF_THE_CONNECTION = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}

Lost = Callable[[str, str, int], bool]
"""Says of a method and a path, asked for the n-th time, whether the answer gets lost."""


@contextmanager
def losing_answers(url: str, lost: Lost) -> Iterator[tuple[str, list[str]]]:
    """Yield a URL behind which everything is as behind ``url``, but for answers that are ``lost``.

    Beside it, the paths whose answers were.
    """
    paths: list[str] = []
    with ThreadingHTTPServer((_HOST, 0), _handler_for(url, lost, paths)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{_HOST}:{server.server_port}", paths
        finally:
            server.shutdown()
            thread.join()


def _handler_for(url: str, lost: Lost, paths: list[str]) -> type[BaseHTTPRequestHandler]:
    times: Counter[tuple[str, str]] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815  (names that BaseHTTPRequestHandler calls)

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_THE_CONNECTION}
            answer = requests.request(self.command, url + self.path, data=body, headers=headers, timeout=40)
            times[self.command, self.path] += 1
            self.close_connection = True
            if lost(self.command, self.path, times[self.command, self.path]):
                paths.append(self.path)
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: a path may hold a token."""

    return Handler
