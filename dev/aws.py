"""The AWS APIs on this machine: DynamoDB, SQS and KMS, in one process of ministack."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.local_server import HOST, LocalServer


class LocalAws(LocalServer):
    """A running ministack, which listens on loopback only.

    With a state directory it begins with what the run before left there. It saves on a clean stop alone:
    what a killed run did is lost.

    Args:
        port: 0 takes one that is free.
        state_dir: where state is kept between runs; None forgets it.
        judging: the functions that are deployed there may do what their roles' policies grant, and no more.
    """

    name = "ministack"
    health = "/_ministack/health"

    def __init__(self, port: int = 0, state_dir: Path | None = None, *, judging: bool = False) -> None:
        super().__init__(port)
        self._judging = judging
        self._state_dir = state_dir

    @property
    def pid(self) -> int | None:
        """The id of its process, while it runs."""
        return self._process.pid if self._process else None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead AWS clients of a process here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",  # whom ministack lets do everything
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def command(self) -> Sequence[str]:
        """Return what starts it."""
        return [sys.executable, "-m", "ministack"]

    def variables(self) -> Mapping[str, str]:
        """Return its settings; makes the state directory."""
        settings = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,  # what queues' URLs begin with
            "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AUTH": str(self._judging).lower(),
        }
        if self._state_dir is not None:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            settings |= {"PERSIST_STATE": "1", "STATE_DIR": str(self._state_dir)}
        return settings
