"""The whole service on this machine: an AWS stand-in, the tables, and the functions as processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.resources import Names
from dev.aws import LocalAws
from dev.local_server import HOST
from dev.metrics import PATH

_ROOT = Path(__file__).resolve().parent.parent
_ACCOUNT = "000000000000"  # the stand-in's
_READY_WITHIN_SECONDS = 60
_STOP_WITHIN_SECONDS = 10


class PortTaken(Exception):
    """Something else listens where we were to listen."""


def require_free(port: int, what: str) -> None:
    """Raise PortTaken if ``port`` cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} ({what}) is taken; choose others with PORT=... (three in a row) "
                "or METRICS_PORT=... (one for each function)."
            ) from error


class Function:
    """One of the bundle's functions as a process, started again whenever it dies."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "dev.functions", *arguments]
        self._environment = dict(environment)
        self._log = log
        self._stopping = threading.Event()
        self.process = self._start()
        self._keeper = threading.Thread(target=self._keep_running, daemon=True)
        self._keeper.start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd=_ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _keep_running(self) -> None:
        while not self._stopping.is_set():
            self.process.wait()
            if not self._stopping.wait(0.2):
                self.process = self._start()

    def begin_to_stop(self) -> None:
        """Tell it to finish what it is at, and not to begin anything else."""
        self._stopping.set()
        self.process.terminate()

    def kill(self) -> None:
        """End it at once, whatever it is at; it is started again."""
        self.process.kill()

    def stop(self) -> None:
        """Let it finish what it is at, then end it."""
        self.begin_to_stop()
        try:
            self.process.wait(_STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Stack:
    """The service from ``with`` to its end; what it stores lies in ``state``.

    Listens on ``port`` (the API) and ``port + 1`` (the AWS stand-in), on loopback only; given a
    ``metrics_port``, on that and those after it, too: one for each function, in the order of ``functions``.
    """

    def __init__(
        self,
        *,
        port: int,
        state: Path,
        service_user: Mapping[str, str],
        workers: int = 4,
        settings: Mapping[str, str] | None = None,
        metrics_port: int | None = None,
        stage: str = "local",
    ) -> None:
        """Prepare to run with the service user's OS_* variables, and further ``settings``.

        Of these, AWS_ENDPOINT_URL_DYNAMODB leads to another store than the stand-in's; tables there are told
        apart by the ``stage``.
        """
        self.url = f"http://{HOST}:{port}"
        self.aws_port = port + 1
        self.functions: dict[str, Function] = {}
        self._port = port
        self._state = state
        self._workers = workers
        self._metrics_port = metrics_port
        self._exits = ExitStack()
        self._aws = LocalAws(port=self.aws_port, state_dir=state / "aws")
        names = Names(stage)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OS_", "AWS_"))},
            **service_user,
            **self._aws.environment,
            "AWS_REGION": "us-east-1",
            "STAGE": stage,
            "QUEUE_URL": f"{self._aws.url}/{_ACCOUNT}/{names.queue}",
            "KMS_KEY": names.key,
            "METRICS": "none",  # CloudWatch is not here to make any of the logs
            **(settings or {}),
        }

    def __enter__(self) -> Self:
        require_free(self._port, "the API")
        require_free(self.aws_port, "the AWS stand-in")
        self._state.mkdir(parents=True, exist_ok=True)
        try:
            self._exits.enter_context(self._aws)
            self._provision()
            self._run("api", "--port", str(self._port))
            for number in range(self._workers):
                self._run("work", name=f"work-{number}")
            self._wait_until_ready()
            self._run("tick")
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for function in self.functions.values():
            function.begin_to_stop()
        self._exits.close()

    @property
    def metrics_urls(self) -> list[str]:
        """Where Prometheus finds what each function measures, if it is to."""
        first = self._metrics_port
        return (
            [] if first is None else [f"http://{HOST}:{first + n}{PATH}" for n in range(len(self.functions))]
        )

    @property
    def pids(self) -> dict[str, int]:
        """The processes: each function by its name, and the AWS stand-in."""
        functions = {name: function.process.pid for name, function in self.functions.items()}
        return functions if self._aws.pid is None else {**functions, "aws": self._aws.pid}

    @property
    def worker_pids(self) -> list[int]:
        """The processes that take messages, for those who kill them."""
        return [pid for name, pid in self.pids.items() if name.startswith("work")]

    def _provision(self) -> None:
        """Make or check the tables, the queue and the key."""
        command = [sys.executable, "-m", "deploy.provision", "--stage", self.environment["STAGE"]]
        done = subprocess.run(
            command, cwd=_ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"The tables could not be made:\n{done.stdout}{done.stderr}")

    def _run(self, *arguments: str, name: str | None = None) -> None:
        label = name or arguments[0]
        if self._metrics_port is not None:
            port = self._metrics_port + len(self.functions)
            require_free(port, f"the metrics of {label}")
            arguments = (*arguments, "--metrics-port", str(port))
        function = Function(list(arguments), self.environment, self._state / f"{label}.log")
        self.functions[label] = function
        self._exits.callback(function.stop)

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + _READY_WITHIN_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.url}/healthcheck", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise TimeoutError(f"The API did not become ready; its log is {self._state / 'api.log'}.")
