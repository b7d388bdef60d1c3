"""Runs the bundle's functions on this machine as Lambda would: each its own process.

    python -m dev.functions api --port 8000     the HTTP functions, on loopback
    python -m dev.functions work                takes messages from the queue, a few at a time
    python -m dev.functions tick                each minute (TICK_SECONDS)

With ``--metrics-port`` each serves what it measures to Prometheus (``dev.metrics``), on loopback.
Every process ends by itself when the one that started it is gone.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from chalice.config import Config
from chalice.local import ChaliceRequestHandler, LocalDevServer, ThreadedHTTPServer, create_local_server

from app import app, tick, work
from chalicelib import wiring
from chalicelib.api.errors import error_response
from chalicelib.core.errors import Invalid, TooLarge
from dev.metrics import serve_metrics
from dev.receivers import take_messages

_log = logging.getLogger("chalicelib.dev")

_TOKEN_IN_PATH = re.compile(r"/v1/(hooks(?:/alarms/[^/\s]+/[^/\s]+)?|intake)/[^/?\s]+")


_BODY_MAX_BYTES = 10 * 1024 * 1024
"""As API Gateway: what has more bytes is refused before they are read. Each operation takes less."""


class Handler(ChaliceRequestHandler):
    """Answers at once (small writes are not held back), and logs no token of a webhook or an intake."""

    disable_nagle_algorithm = True

    def parse_request(self) -> bool:
        """Read the request but for its body; refuse one whose body is too large, or of a length not told."""
        if not super().parse_request():
            return False
        try:
            self._require_bounded_body()
        except (Invalid, TooLarge) as refusal:
            self.close_connection = True
            response = error_response(refusal, f"req-{wiring.new_id()}")
            headers = {**response.headers, "Connection": "close"}
            self._send_http_response(response.status_code, headers, response.body)
            return False
        return True

    def _require_bounded_body(self) -> None:
        lengths = self.headers.get_all("Content-Length", ["0"])
        told = len(lengths) == 1 and re.fullmatch("[0-9]{1,15}", lengths[0])
        if not told or "Transfer-Encoding" in self.headers:
            raise Invalid("request.length", "Send a body as a whole, with its Content-Length.")
        if int(lengths[0]) > _BODY_MAX_BYTES:
            raise TooLarge("request.too_large", f"A body has at most {_BODY_MAX_BYTES} bytes.")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Log the request line without what is secret in it."""
        _log.info("%s", _TOKEN_IN_PATH.sub(r"/v1/\1/***", format % args))


class Server(ThreadedHTTPServer):
    """Lets many callers come at once, as API Gateway does."""

    request_queue_size = 512


def serve(port: int) -> None:
    """Serve the HTTP functions on loopback until told to stop."""
    prepared = create_local_server(app, Config.create(), "127.0.0.1", 0)
    prepared.server.server_close()  # it made the app safe for threads; the server itself is replaced
    server = LocalDevServer(app, Config.create(), "127.0.0.1", port, Handler, Server)
    server.server.serve_forever()


def tick_each_minute(stopping: threading.Event) -> None:
    """Invoke ``tick`` at once and then each minute."""
    seconds = float(os.environ.get("TICK_SECONDS", "60"))
    while True:
        run(lambda: tick(_schedule_event(), None))
        if stopping.wait(seconds):
            return


def run(function: Callable[[], object]) -> bool:
    """Return whether an invocation succeeded; a failed one is logged, as Lambda would."""
    try:
        function()
    except Exception:  # noqa: BLE001  (as Lambda does: whatever is raised, the next message has its turn)
        _log.exception("the function raised")
        return False
    return True


def _work(message: Any) -> bool:
    """Return whether ``work`` is done with a message."""
    return not work(_sqs_event(message), None)["batchItemFailures"]


def _sqs_event(message: Any) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {},
                "md5OfBody": message.get("MD5OfBody", ""),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:work",
                "awsRegion": "us-east-1",
            }
        ]
    }


def _schedule_event() -> dict[str, Any]:
    return {
        "version": "0",
        "id": "tick",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    }


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that came about."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run one kind of function until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m dev.functions")
    parser.add_argument("function", choices=["api", "work", "tick"])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--metrics-port", type=int)
    arguments = parser.parse_args()
    wiring.settings()  # so that the logs are configured, and what is missing is said at once
    if arguments.metrics_port is not None:
        serve_metrics(arguments.metrics_port)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()
        if arguments.function == "api":
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent stops us in order
    _end_with_parent()
    match arguments.function:
        case "api":
            serve(arguments.port)
        case "work":
            wiring.services()  # made now, in one thread; a race would make several
            take_messages(os.environ["QUEUE_URL"], _work, stopping)
        case _:
            tick_each_minute(stopping)


if __name__ == "__main__":
    main()
