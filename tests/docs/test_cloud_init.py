"""The user data of docs/cloud-init.md: its script runs, and what it posts is what the API takes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.core.launch import INTAKE_PLACEHOLDER, ServerTemplate
from chalicelib.core.sample import Sample
from chalicelib.intake.metrics import plain

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/cloud-init.md"
SERVER = "6e2c1b7f-31a4-4d0c-8f2d-3f1f2f6f7a10"
SCRIPT, UNIT, TIMER = (
    "/usr/local/sbin/report-samples",
    "/etc/systemd/system/report-samples.service",
    "/etc/systemd/system/report-samples.timer",
)

needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "awk", "curl"))) or not Path("/proc/meminfo").exists(),
    reason="sh, awk, curl or /proc is missing",
)


def user_data() -> str:
    """Return the document's only block of YAML."""
    _, _, rest = DOCUMENT.read_text().partition("```yaml\n")
    block, _, after = rest.partition("```\n")
    assert "```yaml" not in after
    return block


def files(text: str) -> dict[str, dict[str, Any]]:
    """Return what cloud-init writes, by path."""
    return {each["path"]: each for each in yaml.safe_load(text)["write_files"]}


@dataclass
class Place:
    """An intake and a metadata service on loopback.

    Attributes:
        meta: the server's metadata, as Nova would show it.
        status: what the intake answers.
        bodies: what was posted, by path.
    """

    url: str
    meta: dict[str, str] = field(default_factory=dict)
    status: int = 202
    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def intake(self) -> str:
        return f"{self.url}/v1/intake/TOKEN"

    def samples(self) -> dict[str, Sample]:
        """Return what the API makes of the last report, by metric."""
        path, body = self.bodies[-1]
        assert path == "/v1/intake/TOKEN/samples"
        batch = plain.parse(body, {}, {}, datetime.now(UTC))
        assert batch.rejected == ()
        return {sample.metric: sample for _, sample in batch.samples}


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "http://169.254.169.254/openstack/latest/meta_data.json"
            self.answer(200, json.dumps({"uuid": SERVER, "meta": made.meta, "name": "web"}).encode())

        def do_POST(self) -> None:
            made.bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(made.status, b"{}")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def report(place: Place, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run the script of some user data on a server whose metadata service is at ``place``."""
    script = folder / "report-samples"
    script.write_text(files(text)[SCRIPT]["content"])
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    real = shutil.which("curl")
    (tools / "curl").write_text(f'#!/bin/sh\necho "$@" >>{folder}/arguments\nexec {real} "$@"\n')
    (tools / "curl").chmod(0o755)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SERVER_ID": SERVER,
        "RUNTIME_DIRECTORY": str(folder),
        "http_proxy": place.url,  # so that curl asks there for 169.254.169.254, too
        "no_proxy": "127.0.0.1",
    }
    return subprocess.run(
        ["sh", str(script)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def handed_over(intake: str) -> str:
    """Return the user data that Nova gets for a server whose group has this intake."""
    encoded = base64.b64encode(user_data().encode()).decode()
    template = ServerTemplate(image=None, flavor="f", user_data=encoded, intake_in_user_data=True)
    given = template.given_intake(intake).user_data
    assert given is not None
    return base64.b64decode(given).decode()


def test_it_is_user_data_that_cloud_init_takes() -> None:
    text = user_data()
    assert text.startswith("#cloud-config\n")
    assert text.encode().count(INTAKE_PLACEHOLDER) == 1
    assert len(base64.b64encode(text.encode())) < 65_535, "Nova's limit"
    document = yaml.safe_load(text)
    assert set(document) == {"write_files", "runcmd"}
    assert set(files(text)) == {SCRIPT, UNIT, TIMER}
    assert files(text)[SCRIPT]["permissions"] == "0700", "the URL is in it"
    assert f"ExecStart={SCRIPT}\n" in files(text)[UNIT]["content"]
    assert "OnCalendar=minutely\n" in files(text)[TIMER]["content"]
    assert document["runcmd"][-1] == ["systemctl", "enable", "--now", Path(TIMER).name]


@needs_tools
def test_it_reports_to_the_intake_that_stands_in_the_user_data(place: Place, tmp_path: Path) -> None:
    done = report(place, tmp_path, handed_over(place.intake))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    samples = place.samples()
    assert set(samples) == {"cpu", "memory"}
    assert {sample.source for sample in samples.values()} == {SERVER}
    assert all(abs(datetime.now(UTC) - s.at) < timedelta(seconds=30) for s in samples.values())
    assert all(sample.dimensions == () for sample in samples.values())
    assert 0 <= samples["cpu"].measure.sum <= 100
    assert samples["memory"].measure.sum == pytest.approx(_memory_in_use(), abs=15)
    assert "TOKEN" not in (tmp_path / "arguments").read_text(), "other users of the server see arguments"


@needs_tools
def test_it_finds_the_intake_in_the_metadata_where_the_user_data_has_none(
    place: Place, tmp_path: Path
) -> None:
    place.meta = {"thermostat:group": "g", "thermostat:intake": place.intake, "role": "web"}
    done = report(place, tmp_path, user_data())
    assert (done.returncode, done.stderr) == (0, "")
    assert set(place.samples()) == {"cpu", "memory"}


@needs_tools
@pytest.mark.parametrize(("busy", "idle"), [(75_000, 25_000), (0, 100_000), (100_000, 0)])
def test_cpu_is_the_share_of_the_time_since_the_last_report(
    place: Place, tmp_path: Path, busy: int, idle: int
) -> None:
    now = Path("/proc/stat").read_text().splitlines()[0].split()
    then = [*now]
    then[1], then[4] = str(int(now[1]) - busy), str(int(now[4]) - idle)
    (tmp_path / "cpu").write_text(" ".join(then) + "\n")
    report(place, tmp_path, handed_over(place.intake))
    assert place.samples()["cpu"].measure.sum == pytest.approx(busy / 1000, abs=1)
    last = (tmp_path / "cpu").read_text().split()
    assert [int(each) for each in last[1:5]] >= [int(each) for each in now[1:5]]


@needs_tools
def test_a_group_without_an_intake_is_said(place: Place, tmp_path: Path) -> None:
    done = report(place, tmp_path, user_data())
    assert done.returncode == 1
    assert done.stderr == "This server's group has no intake.\n"
    assert place.bodies == []


@needs_tools
def test_a_report_that_is_refused_fails_and_says_so_without_the_url(place: Place, tmp_path: Path) -> None:
    place.status = 404
    done = report(place, tmp_path, handed_over(place.intake))
    assert done.returncode != 0
    assert "404" in done.stderr
    assert "TOKEN" not in done.stderr


def _memory_in_use() -> float:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    kilobytes = {line[0]: int(line[1]) for line in lines}
    return 100 * (1 - kilobytes["MemAvailable:"] / kilobytes["MemTotal:"])
