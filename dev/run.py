"""``make run``: the whole service on this machine, with one command.

Without OS_CLOUD it works on a simulated cloud and shows the main job first (DEMO=0 skips that). OS_CLOUD
names the clouds.yaml entry of the service user of a real cloud; callers bring their own tokens. With
AWS_ENDPOINT_URL_DYNAMODB the tables are in the store that is there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from openstack.exceptions import ConfigException

from dev.clouds import environment_of
from dev.demo import run_demo
from dev.simcloud import SimCloud
from dev.simulated import service_user
from dev.stack import PortTaken, Stack, require_free

_TICK = os.environ.get("TICK_SECONDS", "10")
"""Deployed, the tick comes each minute; here it comes more often, so that one need not wait to see."""

_STORE = "AWS_ENDPOINT_URL_DYNAMODB"
_STATE = Path(__file__).resolve().parent.parent / ".state"


def main() -> int:
    """Run until Ctrl-C; return the exit code."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    port = int(os.environ.get("PORT", "8000"))
    cloud = os.environ.get("OS_CLOUD")
    try:
        if cloud:
            return _run(port, _STATE / f"cloud-{cloud}", environment_of(cloud), stop, demo=False)
        with _simulated_cloud(port + 2) as user:
            return _run(port, _STATE / "simulated", user, stop, demo=os.environ.get("DEMO", "1") != "0")
    except (PortTaken, ConfigException) as error:
        print(error, file=sys.stderr)
        return 1


@contextmanager
def _simulated_cloud(port: int) -> Iterator[dict[str, str]]:
    """Serve the simulated cloud; yield its service user's environment."""
    require_free(port, "the simulated cloud")
    _STATE.mkdir(exist_ok=True)
    with SimCloud(port=port, state=_STATE / "cloud.json", build_seconds=2.0, delete_seconds=1.0) as cloud:
        print(f"simulated cloud: {cloud.auth_url} (owner demo, password simulated)", flush=True)
        yield service_user(cloud.auth_url)


def _run(port: int, state: Path, user: Mapping[str, str], stop: threading.Event, *, demo: bool) -> int:
    settings = {"TICK_SECONDS": _TICK, **({_STORE: os.environ[_STORE]} if _STORE in os.environ else {})}
    with Stack(
        port=port, state=state, service_user=user, settings=settings, metrics_port=_metrics_port(port)
    ) as stack:
        print(f"Thermostat: {stack.url} (logs and state in {state.relative_to(Path.cwd())}/)", flush=True)
        print(f"metrics: {stack.metrics_urls[0]} to {stack.metrics_urls[-1]}, one a function", flush=True)
        if demo:
            run_demo(stack.url, user["OS_AUTH_URL"], stop)
        if not stop.is_set():
            print("Running; Ctrl-C stops everything.", flush=True)
        stop.wait()
        print("stopping", flush=True)
    return 0


def _metrics_port(port: int) -> int:
    """Return the first port of those at which the functions tell what they measure."""
    return int(os.environ.get("METRICS_PORT", port + 10))


if __name__ == "__main__":
    sys.exit(main())
