"""A function as Lambda runs it: the unpacked bundle, under AWS's own runtime client, in a process of its own.

This side is the Runtime API, the HTTP server that hands the process one event after the other:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_START_SECONDS = 30
_RUNTIME_PARTS = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What Lambda's image brings of the runtime client; nothing else of this environment is visible."""

_BOOT = """
import runpy, sys
task, runtime, handler = sys.argv[1:]
sys.path.insert(0, task)
sys.path.append(runtime)
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__")
"""


class FunctionError(Exception):
    """The function raised, could not be imported, ended or took too long."""


@dataclass(frozen=True, slots=True)
class _Event:
    id: str
    payload: bytes
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class _Answer:
    kind: str
    payload: bytes


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.events: queue.Queue[_Event | None] = queue.Queue()
        self.answers: queue.Queue[_Answer] = queue.Queue()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _RuntimeApi

    def do_GET(self) -> None:
        """Wait for the next event and hand it out."""
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", event.id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(event.deadline_ms))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::function:tested")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event.payload)))
        self.end_headers()
        self.wfile.write(event.payload)

    def do_POST(self) -> None:
        """Take an answer: ``response``, or ``error`` of an event or of the start."""
        payload = self._body()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.answers.put(_Answer(self.path.rpartition("/")[2], payload))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Stay silent."""

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body


class LambdaFunction:
    """One function, from ``with`` to its end: one container, which takes one event at a time.

    Args:
        handler: as the template names it, like ``app.tick``.
        bundle: the unpacked zip; besides it, only the standard library and the runtime client are there.
        environment: what the template sets; nothing of this process's own is handed on.
        log: a file for what the function prints.
    """

    def __init__(
        self, handler: str, bundle: Path, environment: Mapping[str, str], timeout_seconds: float, log: Path
    ) -> None:
        self._handler = handler
        self._bundle = bundle
        self._environment = environment
        self._timeout_seconds = timeout_seconds
        self._log = log
        self._api = _RuntimeApi()

    def __enter__(self) -> Self:
        threading.Thread(target=self._api.serve_forever, args=(0.02,), daemon=True).start()
        runtime = self._log.parent / "runtime"
        _link_runtime(runtime)
        python = [sys.executable, "-I", "-S", "-B", "-c", _BOOT]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*python, str(self._bundle), str(runtime), self._handler],
                cwd=self._bundle,
                env=self._lambda_environment() | dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._api.events.put(None)
        self._api.shutdown()
        self._api.server_close()

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return what the function answers to an event.

        Raises:
            FunctionError: with what the function said of it.
        """
        ends = time.monotonic() + _START_SECONDS + self._timeout_seconds
        deadline_ms = int((time.time() + self._timeout_seconds) * 1000)
        self._api.events.put(_Event(str(uuid.uuid4()), json.dumps(event).encode(), deadline_ms))
        while True:
            try:
                answer = self._api.answers.get(timeout=0.2)
                break
            except queue.Empty:
                if self._process.poll() is not None or time.monotonic() > ends:
                    raise FunctionError(f"no answer; its log is {self._log}") from None
        if answer.kind != "response":
            raise FunctionError(answer.payload.decode())
        return json.loads(answer.payload)

    def _lambda_environment(self) -> dict[str, str]:
        """Return what Lambda itself sets."""
        host, port = self._api.server_address[:2]
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": self._handler,
            "LAMBDA_TASK_ROOT": str(self._bundle),
            "AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "tested",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/tested",
            "AWS_LAMBDA_LOG_STREAM_NAME": "tested",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }


def _link_runtime(directory: Path) -> None:
    """Make a directory that holds the runtime client and nothing else."""
    directory.mkdir(exist_ok=True)
    for part in _RUNTIME_PARTS:
        spec = importlib.util.find_spec(part)
        assert spec, part
        assert spec.origin, part
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        if not (directory / source.name).exists():
            (directory / source.name).symlink_to(source)
