"""IAM before the AWS stand-in: lets through what a policy grants, refuses the rest, remembers both."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Collection, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.deploy.packaged import ACCOUNT, REGION, Grant

_TRANSACTION_ITEMS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


def asked_for(target: str, body: dict[str, Any]) -> Iterator[Grant]:
    """Yield what a request of the JSON protocol needs to be granted.

    Args:
        target: the header that names the operation, like ``DynamoDB_20120810.GetItem``.

    Source:
        AWS's Service Authorization Reference, "Actions, resources, and condition keys" of each service.
    """
    service, _, operation = target.partition(".")
    match service, operation:
        case "DynamoDB_20120810", "TransactWriteItems":
            for item in body["TransactItems"]:
                for kind, part in item.items():
                    yield Grant(f"dynamodb:{_TRANSACTION_ITEMS[kind]}", _table(part["TableName"]))
        case "DynamoDB_20120810", "BatchWriteItem" | "BatchGetItem":
            for name in body["RequestItems"]:
                yield Grant(f"dynamodb:{operation}", _table(name))
        case "DynamoDB_20120810", _:
            yield Grant(f"dynamodb:{operation}", _table(body["TableName"], body.get("IndexName")))
        case "AmazonSQS", "SendMessage" | "SendMessageBatch":
            queue = body["QueueUrl"].rpartition("/")[2]
            yield Grant("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
        case "TrentService", _:
            yield Grant(f"kms:{operation}", body["KeyId"])
        case "secretsmanager", _:
            yield Grant(f"secretsmanager:{operation}", body["SecretId"])
        case _:
            yield Grant(target, "*")


def _table(name: str, index: str | None = None) -> str:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return table if index is None else f"{table}/index/{index}"


class AwsGate:
    """Stands before ``endpoint`` for one role; ``used`` and ``refused`` hold what was asked for so far."""

    def __init__(self, endpoint: str, granted: Collection[Grant]) -> None:
        self.used: set[Grant] = set()
        self.refused: list[Grant] = []
        self._granted = granted
        self._server = _Server(self, urlsplit(endpoint).netloc)

    @property
    def url(self) -> str:
        """What clients know as AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def lets_in(self, target: str, body: dict[str, Any]) -> bool:
        """Return whether all that a request needs is granted, and remember it."""
        needed = set(asked_for(target, body))
        self.used |= needed
        refused = [each for each in needed if each not in self._granted]
        self.refused += refused
        return not refused

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, gate: AwsGate, upstream: str) -> None:
        self.gate = gate
        self.upstream = upstream
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Pass a request on, or refuse it as AWS does."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.gate.lets_in(self.headers["X-Amz-Target"], json.loads(body)):
            self._pass_on(body)
        else:
            refusal = {"__type": "AccessDeniedException", "message": "The policy does not allow it."}
            self._answer(400, "application/x-amz-json-1.0", json.dumps(refusal).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Stay silent."""

    def _pass_on(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        try:
            upstream.request("POST", self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            self._answer(answer.status, answer.headers["Content-Type"], answer.read())
        finally:
            upstream.close()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
