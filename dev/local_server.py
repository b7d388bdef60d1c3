"""A server of somebody else's as a process of this machine: started, awaited, stopped, or killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"

_READY_SECONDS = 30
_STOP_SECONDS = 15


class LocalServer:
    """A server that is up from ``with`` to its end, on a port of loopback that it keeps.

    Attributes:
        name: what it is called, in errors.
        health: the path of a document that it has as soon as it can be used.

    Args:
        port: 0 takes one that is free.
    """

    name: str
    health: str

    def __init__(self, port: int = 0) -> None:
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        """Return what starts it."""
        raise NotImplementedError

    def variables(self) -> Mapping[str, str]:
        """Return the variables that it is started with, beside those of this process."""
        return {}

    def start(self) -> None:
        """Start it and wait until it answers; RuntimeError if it does not, or the port is taken."""
        if self._answers():
            raise RuntimeError(f"somebody else listens on port {self.port}")
        self._scratch = tempfile.TemporaryDirectory(prefix=f"{self.name}-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            self.command(),
            env={**_without_aws(os.environ), "TMPDIR": self._scratch.name, **self.variables()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for our parent, which then stops us
        )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers() and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._process.poll() is not None or not self._answers():  # what answers may be somebody else's
            self.stop()
            raise RuntimeError(f"{self.name} does not come up on port {self.port}")

    def stop(self) -> None:
        """Stop it, so that it can save its state; kill it if it does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget_scratch()

    def kill(self) -> None:
        """End it at once, whatever it is at; it may be started again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            self._forget_scratch()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _forget_scratch(self) -> None:
        """Delete what it left among temporary files, as ministack leaves each function's code."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{self.health}", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def _without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables but those for AWS's clients: they may lead to another server."""
    return {name: value for name, value in environ.items() if not name.startswith("AWS_")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
