"""The plugin that looks for secrets in logs, held to runs of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LEAKS = {
    "in a message": """
        logging.getLogger("chalicelib.x").debug("calling %s", keep("a-secret-of-a-test"))
    """,
    "before it was known to be one": """
        logging.getLogger("chalicelib.x").info("a-secret-of-a-test")
        keep("a-secret-of-a-test")
    """,
    "in a field": """
        logging.getLogger("chalicelib.x").info("refused", extra=about(reason=keep("a-secret-of-a-test")))
    """,
    "in an exception": """
        try:
            raise ValueError(keep("a-secret-of-a-test"))
        except ValueError:
            logging.getLogger("elsewhere").exception("it failed")
    """,
    "in a URL": """
        token = "a-secret-of-a-test".ljust(43, "x")
        keep_in({"webhooks": [{"url": f"https://scale.example/v1/hooks/{token}"}]})
        logging.getLogger("chalicelib.x").info("POST /v1/hooks/%s", token)
    """,
    "of a cloud": """
        with SimCloud() as cloud:
            keep_all_of(cloud)
            logging.getLogger("chalicelib.x").info("the token is %s", cloud.token("demo", "demo"))
    """,
    "in another process": """
        keep("a-secret-of-a-test")
        (tmp_path / "api.log").write_text("GET /?token=a-secret-of-a-test")
        watch(tmp_path)
    """,
}
QUIET = """
        logging.getLogger("chalicelib.x").info("a word")
        keep("a word")
        keep("a-secret-of-a-test")
"""


def run(directory: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test of this body under the plugin."""
    (directory / "test_it.py").write_text(
        "import logging\n"
        "from chalicelib.telemetry import about\n"
        "from dev.simcloud import SimCloud\n"
        "from tests.kept_secrets import keep, keep_all_of, keep_in, watch\n\n\n"
        "def test_something(tmp_path):\n" + body
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.kept_secrets", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, f"--rootdir={directory}", *options, str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("how", LEAKS)
def test_a_secret_that_is_logged_fails_the_run(tmp_path: Path, how: str) -> None:
    done = run(tmp_path, LEAKS[how])
    assert (done.returncode, "1 passed" in done.stdout) == (1, True), done.stdout
    assert "secrets were logged" in done.stdout
    assert "a-secret-of-a-test" not in done.stdout


def test_it_fails_as_well_where_other_processes_run_the_tests(tmp_path: Path) -> None:
    done = run(tmp_path, LEAKS["in a message"], "-n", "2")
    assert (done.returncode, "1 passed" in done.stdout) == (1, True), done.stdout
    assert "calling ***" in done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one", "several"])
def test_what_is_no_secret_or_too_short_may_be_logged(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = run(tmp_path, QUIET, *options)
    assert (done.returncode, "secrets" in done.stdout) == (0, False), done.stdout
