"""Prometheus Alertmanager itself, with hooks of ours as its receivers.

The binary is Debian's package prometheus-alertmanager, unpacked into ``.state/senders`` (``.ci/run`` does),
or the one that ALERTMANAGER names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from dev.ports import free_ports

_FETCHED = Path(__file__).resolve().parents[2] / ".state/senders/usr/bin/prometheus-alertmanager"
_NAMES = (os.environ.get("ALERTMANAGER", ""), "prometheus-alertmanager", "alertmanager", str(_FETCHED))
_BINARY = next((found for name in _NAMES if name and (found := shutil.which(name))), None)
_SHARE = "/usr/share/prometheus/alertmanager"
_READY_WITHIN_SECONDS = 30

needs_alertmanager = pytest.mark.skipif(_BINARY is None, reason="no Alertmanager here; .ci/run fetches one")

Fire = Callable[..., None]
"""Makes an alert fire, by its name and further labels; with ``over`` it ends."""


def install(folder: Path) -> Path:
    """Put into ``folder`` an Alertmanager that is to be run in it; return its path.

    Debian's looks for its templates in /usr, where a package that is merely unpacked has put nothing. Here it
    looks in the folder where it runs; that path has the same length, for Go knows strings by their lengths.
    """
    assert _BINARY is not None
    program, unpacked = Path(_BINARY).read_bytes(), Path(_BINARY).parents[2] / _SHARE.lstrip("/")
    if unpacked.exists() and not Path(_SHARE).exists():
        for template in unpacked.glob("*.tmpl"):
            shutil.copy(template, folder)
        program = program.replace(_SHARE.encode(), "/proc/self/cwd".ljust(len(_SHARE), "/").encode())
    installed = folder / "alertmanager"
    installed.write_bytes(program)
    installed.chmod(0o755)
    return installed


@contextmanager
def alertmanager(program: Path, hooks: Mapping[str, str], folder: Path) -> Iterator[Fire]:
    """Run an Alertmanager that keeps its state in ``folder``; yield what makes its alerts fire.

    Args:
        hooks: where alerts go, by their names.
    """
    config, log, port = folder / "alertmanager.json", folder / "log", free_ports(1)
    config.write_text(json.dumps(_config(hooks)))  # JSON is YAML
    arguments = [
        f"--config.file={config}",
        f"--storage.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen([program, *arguments], cwd=program.parent, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process, log)
        began = datetime.now(UTC).isoformat()

        def fire(alertname: str, *, over: bool = False, **labels: str) -> None:
            document = {"labels": {"alertname": alertname, **labels}, "startsAt": began}
            if over:
                document["endsAt"] = datetime.now(UTC).isoformat()
            requests.post(f"{url}/api/v2/alerts", json=[document], timeout=10).raise_for_status()

        yield fire
    finally:
        process.terminate()
        process.wait(10)


def _config(hooks: Mapping[str, str]) -> Mapping[str, object]:
    return {
        "route": {
            "receiver": next(iter(hooks)),
            "routes": [{"receiver": name, "matchers": [f'alertname="{name}"']} for name in hooks],
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1s",
        },
        "receivers": [
            {"name": name, "webhook_configs": [{"url": url, "send_resolved": True}]}
            for name, url in hooks.items()
        ],
    }


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _READY_WITHIN_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(f"{url}/-/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
