"""A receiver of metrics on loopback: the parsers behind HTTP, and what real senders make them say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chalicelib.core.errors import ThermostatError
from chalicelib.core.sample import Batch, Sample
from chalicelib.intake.compression import inflated
from chalicelib.intake.metrics import gnocchi, influx, otlp
from chalicelib.intake.metrics.answer import Answer

BASE = "/v1/intake/TOKEN"
LIMIT_BYTES = 2**20


FORMATS = {
    f"{BASE}/v1/metrics": otlp,
    f"{BASE}/write": influx,
    f"{BASE}/api/v2/write": influx,
    f"{BASE}/v1/batch/metrics/measures": gnocchi,
    f"{BASE}/v1/batch/resources/metrics/measures": gnocchi,
}


@dataclass(slots=True)
class Receiver:
    """What came.

    Attributes:
        refuse: with what the next requests are refused, in turn, before any is read.
        bodies: as they came, compressed or not.
    """

    url: str = ""
    refuse: list[ThermostatError] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def samples(self) -> dict[str, Sample]:
        """Return the samples of all batches by the names of their metrics, the last of each."""
        return {sample.metric: sample for batch in self.batches for _, sample in batch.samples}

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Return what the format of the path answers."""
        parts = urlsplit(path)
        by = FORMATS[parts.path]
        self.bodies.append(body)
        try:
            if self.refuse:
                raise self.refuse.pop(0)
            plain = inflated(body, LIMIT_BYTES)
            batch = by.parse(plain, headers, dict(parse_qsl(parts.query)), datetime.now(UTC))
        except ThermostatError as error:
            refused: Answer = by.refusal(error, headers)
            return refused
        self.batches.append(batch)
        answer: Answer = by.answer(len(batch.samples), batch.rejected, headers)
        return answer


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(self.path, headers, self.rfile.read(int(headers["content-length"])))
            receiver.answers.append(answer)
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}{BASE}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
