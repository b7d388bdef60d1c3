"""A Heat of its own, with the plug-in, beside that of a cloud on this machine.

Engines on one message bus share their work, and one that has no plug-in could do none of this. So this Heat
has a virtual host of the broker and a database to itself; Keystone, and with it users and trusts, is the
cloud's. What is needed of the cloud: its directory, with Heat installed and configured in it, next to its
clouds.yaml.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from openstack.connection import Connection

from dev.client import Document
from dev.ports import free_ports

_ROOT = Path(__file__).resolve().parents[2]
_PLUGIN = _ROOT / "heat_plugin"
_NAME = f"thermostat_{os.getpid()}"
_READY_WITHIN_SECONDS = 120
_STOP_WITHIN_SECONDS = 20
_EVENT_WITHIN_SECONDS = 30
_EPMD_PORT = 369
_DATABASE = """
import sys, sqlalchemy
url = sqlalchemy.make_url(sys.argv[1])
with sqlalchemy.create_engine(url.set(database="mysql")).connect() as connection:
    for statement in sys.argv[2:]:
        connection.execute(sqlalchemy.text(statement))
"""


class StackFailed(Exception):
    """A stack did not become what was waited for; the message holds Heat's reason."""


class NotFound(Exception):
    """There is no such thing in Heat."""


class Orchestration:
    """One owner's stacks."""

    def __init__(self, url: str, owner: Connection) -> None:
        self._url = f"{url}/v1/{owner.current_project_id}"
        self._headers = {"X-Auth-Token": str(owner.auth_token)}

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """Return what Heat answers; raise RuntimeError with its reason where it refuses."""
        answer = requests.request(method, self._url + path, json=document, headers=self._headers, timeout=120)
        if answer.status_code == 404:
            raise NotFound(answer.text)
        if not answer.ok:
            raise RuntimeError(f"{answer.status_code} {answer.text}")
        return (
            answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else None
        )

    def create(self, name: str, template: str, parameters: Mapping[str, Any], **more: Any) -> str:
        """Ask for a stack; return its path."""
        wanted = {"stack_name": name, "template": template, "parameters": parameters, **more}
        made = self.ask("POST", "/stacks", wanted)["stack"]
        return f"/stacks/{name}/{made['id']}"

    def until(self, path: str, status: str, *, within_seconds: float = 150) -> Document:
        """Return a stack once it has ``status``; StackFailed once it has failed otherwise, or in the end.

        One that is to be rolled back has failed first.
        """
        end = time.monotonic() + within_seconds
        while True:
            stack: Document = self.ask("GET", path)["stack"]
            if stack["stack_status"] == status:
                return stack
            rolls_back = status.startswith("ROLLBACK") and not stack["stack_status"].startswith("ROLLBACK")
            failed = stack["stack_status"].endswith("_FAILED") and not rolls_back
            if failed or time.monotonic() > end:
                raise StackFailed(f"{stack['stack_status']}: {stack['stack_status_reason']}")
            time.sleep(0.5)

    def outputs(self, path: str) -> Document:
        """Return the stack's outputs by name, as they are at this moment."""
        names = [each["output_key"] for each in self.ask("GET", f"{path}/outputs")["outputs"]]
        return {name: self.ask("GET", f"{path}/outputs/{name}")["output"]["output_value"] for name in names}

    def physical_ids(self, path: str) -> dict[str, str]:
        """Return what stands for each resource, by the resource's name."""
        listed = self.ask("GET", f"{path}/resources")["resources"]
        return {each["resource_name"]: each["physical_resource_id"] for each in listed}

    def reasons(self, path: str, resource: str) -> list[str]:
        """Return the reasons of a resource's events."""
        listed = self.ask("GET", f"{path}/resources/{resource}/events")["events"]
        return [str(each["resource_status_reason"]) for each in listed]

    def newest_reason(self, path: str, resource: str, known: int) -> str:
        """Return the reason of the newest event of a resource, once there are more than are ``known``."""
        end = time.monotonic() + _EVENT_WITHIN_SECONDS
        while len(reasons := self.reasons(path, resource)) <= known:
            assert time.monotonic() < end, f"nothing happened to {resource}"
            time.sleep(0.2)
        return reasons[0]

    def delete(self, path: str) -> None:
        """Delete a stack, and wait until it is; one that has just been is still listed for a moment."""
        with suppress(NotFound):
            self.ask("DELETE", path)
            self.until(path, "DELETE_COMPLETE")


class Laboratory:
    """The directory of a cloud on this machine, where Heat is installed.

    Raises:
        pytest.skip: there is none.
    """

    def __init__(self) -> None:
        where = os.environ.get("OS_CLIENT_CONFIG_FILE")
        self.root = Path(where).resolve().parent if where else Path()
        self.programs = self.root / "venv/bin"
        if not where or not all(
            (self.root / path).exists() for path in ("venv/bin/heat-engine", "etc/heat.conf")
        ):
            pytest.skip("no heat-engine beside this cloud's clouds.yaml that could load the plug-in")
        self.settings = configparser.RawConfigParser(strict=False)
        self.settings.read(self.root / "etc/heat.conf")

    def run(self, *command: str | Path, **environment: str) -> None:
        """Run one of the cloud's programs to its end."""
        done = subprocess.run(
            [str(each) for each in command],
            env=self.environment(environment),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return an environment that points nowhere else."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "PYTHON"))}
        return {**kept, "PATH": f"{self.programs}:{kept['PATH']}", "PYTHONWARNINGS": "ignore", **more}

    def broker(self, *arguments: str) -> None:
        """Tell the message broker something."""
        base = int((self.root / "run/port-base").read_text())
        self.run(
            "/usr/lib/rabbitmq/bin/rabbitmqctl",
            *arguments,
            HOME=str(self.root / "rabbit"),
            RABBITMQ_NODENAME="lab@localhost",
            ERL_EPMD_PORT=str(base + _EPMD_PORT),
        )

    def database(self, *statements: str) -> None:
        """Execute statements as Heat's database user."""
        url = self.settings["database"]["connection"]
        self.run(self.programs / "python", "-c", _DATABASE, url, *statements)


@contextmanager
def heat_with_plugin(state: Path) -> Iterator[str]:
    """Run a Heat that has the plug-in, from ``with`` to its end; yield its URL. Its logs lie in ``state``."""
    laboratory = Laboratory()
    port = free_ports(1)
    configuration = _configured(laboratory, state, port)
    with ExitStack() as exits:
        laboratory.broker("add_vhost", _NAME)
        exits.callback(laboratory.broker, "delete_vhost", _NAME)
        laboratory.broker("set_permissions", "-p", _NAME, "guest", ".*", ".*", ".*")
        laboratory.database(f"CREATE DATABASE {_NAME} CHARACTER SET utf8mb3")
        exits.callback(laboratory.database, f"DROP DATABASE {_NAME}")
        laboratory.run(laboratory.programs / "heat-manage", "--config-file", configuration, "db_sync")
        for name, command in _commands(laboratory, configuration, port).items():
            exits.enter_context(_process(laboratory, name, command, state))
        url = f"http://127.0.0.1:{port}"
        _wait_until(lambda: requests.get(url, timeout=5).status_code < 500)
        yield url


def _configured(laboratory: Laboratory, state: Path, port: int) -> Path:
    """Write the cloud's own heat.conf with what differs here."""
    settings = laboratory.settings
    broker = settings["DEFAULT"]["transport_url"].rstrip("/")
    differs = {
        "transport_url": f"{broker}/{_NAME}",
        "plugin_dirs": str(_PLUGIN),
        "num_engine_workers": "1",
        "rpc_response_timeout": "30",
        "enable_stack_abandon": "true",
        "enable_stack_adopt": "true",
    }
    settings["DEFAULT"].update(differs)
    connection, _, options = settings["database"]["connection"].partition("?")
    settings["database"]["connection"] = f"{connection.rpartition('/')[0]}/{_NAME}?{options}"
    settings["clients_heat"]["url"] = f"http://127.0.0.1:{port}/v1/%(tenant_id)s"
    path = state / "heat.conf"
    with path.open("w") as file:
        settings.write(file)
    return path


def _commands(laboratory: Laboratory, configuration: Path, port: int) -> dict[str, list[str]]:
    uwsgi = [
        *(str(laboratory.programs / "uwsgi"), "--http-socket", f"127.0.0.1:{port}"),
        *("--master", "--processes", "1", "--threads", "4", "--enable-threads", "--lazy-apps", "--need-app"),
        *(
            "--add-header",
            "Connection: close",
            "--die-on-term",
            "--buffer-size",
            "65535",
            "--http-chunked-input",
        ),
        *("--virtualenv", str(laboratory.root / "venv"), "--module", "heat.wsgi.api:application"),
        *("--pyargv", f"--config-file {configuration}"),
    ]
    engine = [str(laboratory.programs / "heat-engine"), "--config-file", str(configuration)]
    return {"heat-engine": engine, "heat-api": uwsgi}


@contextmanager
def _process(laboratory: Laboratory, name: str, command: list[str], state: Path) -> Iterator[None]:
    with (state / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=state,
            env=laboratory.environment({}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _READY_WITHIN_SECONDS
    while True:
        try:
            if condition():
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < end, "Heat did not become ready; see its logs"
        time.sleep(0.5)


def wait_for_engine(orchestration: Orchestration) -> list[str]:
    """Return the resource types once an engine answers, which it does not from its start on."""
    found: list[str] = []

    def listed() -> bool:
        try:
            found.extend(orchestration.ask("GET", "/resource_types")["resource_types"])
        except RuntimeError:
            return False
        return True

    _wait_until(listed)
    return found
