"""Prometheus Alertmanager itself, with our hook as its receiver.

The binary is Debian's package prometheus-alertmanager, unpacked into ``.state/senders`` (``.ci/run`` does),
or the one that ALERTMANAGER names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from tests.ports import free_ports
from tests.senders.served import Served

_FETCHED = Path(__file__).resolve().parents[2] / ".state/senders/usr/bin/prometheus-alertmanager"
_NAMES = (os.environ.get("ALERTMANAGER", ""), "prometheus-alertmanager", "alertmanager", str(_FETCHED))
BINARY = next((found for name in _NAMES if name and (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(BINARY is None, reason="no Alertmanager here; .ci/run fetches one")

CONFIG = """
route:
  receiver: thermostat
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1s
receivers:
  - name: thermostat
    webhook_configs:
      - url: "{hook}"
        send_resolved: true
"""

Fire = Callable[..., None]


_SHARE = "/usr/share/prometheus/alertmanager"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an Alertmanager that is to be run in it.

    Debian's looks for its templates in /usr, where a package that is merely unpacked has put nothing. Here it
    looks in the folder where it runs; that path has the same length, for Go knows strings by their lengths.
    """
    assert BINARY is not None
    folder = tmp_path_factory.mktemp("alertmanager")
    program, unpacked = Path(BINARY).read_bytes(), Path(BINARY).parents[2] / _SHARE.lstrip("/")
    if unpacked.exists() and not Path(_SHARE).exists():
        for template in unpacked.glob("*.tmpl"):
            shutil.copy(template, folder)
        program = program.replace(_SHARE.encode(), "/proc/self/cwd".ljust(len(_SHARE), "/").encode())
    (folder / "alertmanager").write_bytes(program)
    (folder / "alertmanager").chmod(0o755)
    return folder


@pytest.fixture
def fire(served: Served, installation: Path, tmp_path: Path) -> Iterator[Fire]:
    """Return what makes an alert fire, or ends it, in an Alertmanager of the test's own."""
    config, port = tmp_path / "alertmanager.yml", free_ports(1)
    config.write_text(CONFIG.format(hook=served.hook))
    arguments = [
        f"--config.file={config}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("wb") as log:
        command = [str(installation / "alertmanager"), *arguments]
        process = subprocess.Popen(command, cwd=installation, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process, tmp_path / "log")
        began = datetime.now(UTC).isoformat()

        def alert(*, over: bool = False, **labels: str) -> None:
            document = {"labels": {"alertname": "HighCPU", **labels}, "startsAt": began}
            if over:
                document["endsAt"] = datetime.now(UTC).isoformat()
            requests.post(f"{url}/api/v2/alerts", json=[document], timeout=10).raise_for_status()

        yield alert
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(f"{url}/-/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_the_group_grows_while_the_alert_fires_and_not_when_it_ends(served: Served, fire: Fire) -> None:
    fire()
    served.until(lambda: len(served.bodies) >= 3)
    assert (served.size, served.outcomes()) == (4, ["executed"]), "the clock stands: these are second tries"
    assert served.bodies[0] == served.bodies[1], "only time tells a repetition from a second try"

    served.world.settle()
    served.world.clock.pass_(3600)
    served.until(lambda: served.size == 5)
    assert served.outcomes() == ["executed", "executed"]

    served.world.settle()
    served.world.clock.pass_(3600)
    fire(over=True)
    served.until(lambda: "not_alarm" in served.outcomes())
    assert json.loads(served.bodies[-1])["status"] == "resolved"
    assert served.size == 5
    assert served.outcomes().count("executed") == 2


def test_an_answer_that_is_lost_is_asked_for_again_and_scales_once(served: Served, fire: Fire) -> None:
    served.answers_lost = 2
    fire()
    served.until(lambda: len(served.bodies) >= 3)
    assert (served.size, served.outcomes()) == (4, ["executed"])
    assert served.answers_lost == 0


def test_another_alert_of_the_group_is_another_event(served: Served, fire: Fire) -> None:
    fire(pod="a")
    served.until(lambda: served.size == 4)
    served.world.settle()
    served.world.clock.pass_(300)
    served.until(lambda: served.size == 5)
    fire(pod="b")
    served.until(lambda: len(json.loads(served.bodies[-1])["alerts"]) == 2)
    served.until(lambda: served.outcomes().count("in_cooldown") + served.outcomes().count("no_change") == 1)


def test_a_heartbeat_is_heard_and_never_scales(served: Served, fire: Fire) -> None:
    fire(severity="none")
    served.until(lambda: len(served.bodies) >= 2)
    assert (served.size, served.outcomes()) == (3, ["not_alarm"])
