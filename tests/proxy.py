"""A way to the service through somebody else, who passes everything on, or loses answers on the way."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

HOST = "127.0.0.1"
_OF_THE_CONNECTION = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}

Lost = Callable[[str, str, int], bool]
"""Says of a method and a path, asked for the n-th time, whether the answer gets lost."""


@contextmanager
def losing_answers(url: str, lost: Lost) -> Iterator[tuple[str, list[str]]]:
    """Yield a URL behind which everything is as behind ``url``, but for answers that are ``lost``.

    Beside it, the paths whose answers were: what was asked for there has been done.
    """
    times: Counter[tuple[str, str]] = Counter()
    paths: list[str] = []

    def keeps(method: str, path: str) -> bool:
        times[method, path] += 1
        gone = lost(method, path, times[method, path])
        if gone:
            paths.append(path)
        return not gone

    with ThreadingHTTPServer((HOST, 0), handler_for(url, keeps)) as server, serving(server):
        yield f"http://{HOST}:{server.server_port}", paths


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Have the server answer, until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def handler_for(
    url: str, keeps: Callable[[str, str], bool] = lambda _method, _path: True
) -> type[BaseHTTPRequestHandler]:
    """Return what passes requests on to ``url``, and the answers that it ``keeps`` back to the sender."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_THE_CONNECTION}
            answer = requests.request(self.command, url + self.path, data=body, headers=headers, timeout=40)
            if not keeps(self.command, self.path):
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815  (BaseHTTPRequestHandler calls them)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: a path may hold a token."""

    return Handler
