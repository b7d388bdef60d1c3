"""The functions on one machine: what they log of a request, and which they do not read."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.config import Config
from chalice.local import LocalDevServer

from app import app
from chalicelib.api.openapi import document
from chalicelib.api.operation import OPERATIONS
from dev.functions import Handler

TOKEN = "t" * 43
WITH_TOKENS = [path for path in document(OPERATIONS, "http://scale.example")["paths"] if "token}" in path]


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Where the HTTP functions are served."""
    server = LocalDevServer(app, Config.create(), "127.0.0.1", 0, handler_cls=Handler).server
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield ("127.0.0.1", server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("Content-Length: 10485761", 413, "request.too_large"),
        ("Content-Length: 999999999999999", 413, "request.too_large"),
        ("Content-Length: -1", 400, "request.length"),
        ("Content-Length: many", 400, "request.length"),
        ("Content-Length: 2\r\nContent-Length: 3", 400, "request.length"),
        ("Transfer-Encoding: chunked", 400, "request.length"),
    ],
)
def test_a_body_that_is_too_large_is_refused_before_it_comes(
    address: tuple[str, int], header: str, status: int, code: str
) -> None:
    """Nothing of it is sent here, and the answer comes all the same, with the end of the connection."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(f"POST /v1/samples HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    (error,) = json.loads(body)["errors"]
    assert (error["status"], error["code"]) == (status, f"autoscaling.{code}")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"X-Openstack-Request-Id: {error['request_id']}".encode() in head


@pytest.mark.parametrize("path", WITH_TOKENS)
@pytest.mark.parametrize("rest", ["", "?token=a", "/", "/more"])
def test_no_token_of_a_path_is_logged(
    path: str, rest: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("chalicelib"), "propagate", True)
    asked = path.format(project_id="p", alarm_id="a", token=TOKEN, intake_token=TOKEN)
    handler: Any = object.__new__(Handler)
    with caplog.at_level(logging.INFO, "chalicelib.dev"):
        handler.log_message('"%s" %s -', f"POST {asked}{rest} HTTP/1.1", "202")
    assert TOKEN not in caplog.text
    assert "/***" in caplog.text
    assert " HTTP/1.1" in caplog.text
