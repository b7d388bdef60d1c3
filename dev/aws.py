"""The AWS APIs on this machine: DynamoDB, SQS and KMS, in one process of ministack."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_READY_SECONDS = 30
_STOP_SECONDS = 15


class LocalAws:
    """A running ministack, which listens on loopback only.

    With a state directory it begins with what the run before left there. It saves on a clean stop alone:
    what a killed run did is lost.

    Args:
        port: 0 takes one that is free.
        state_dir: where state is kept between runs; None forgets it.
        judging: the functions that are deployed there may do what their roles' policies grant, and no more.
    """

    def __init__(self, port: int = 0, state_dir: Path | None = None, *, judging: bool = False) -> None:
        self.port = port or _free_port()
        self._judging = judging
        self._state_dir = state_dir
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where all its services are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead AWS clients of a process here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",  # whom ministack lets do everything
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start it and wait until it answers; RuntimeError if it does not, or the port is taken."""
        if self._answers():
            raise RuntimeError(f"somebody else listens on port {self.port}")
        settings = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",  # what queues' URLs begin with
            "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AUTH": str(self._judging).lower(),
        }
        if self._state_dir is not None:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            settings |= {"PERSIST_STATE": "1", "STATE_DIR": str(self._state_dir)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=_without_aws(os.environ) | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for our parent, which then stops us
        )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers() and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._process.poll() is not None or not self._answers():  # what answers may be somebody else's
            self.stop()
            raise RuntimeError(f"ministack does not come up on port {self.port}")

    def stop(self) -> None:
        """Stop it, so that it saves its state; kill it if it does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def _without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables but those for AWS's clients: they may lead to another ministack."""
    return {name: value for name, value in environ.items() if not name.startswith("AWS_")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
