"""Run the simulated cloud until SIGTERM or SIGINT: ``python -m dev.simcloud --port 15100``."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from dev.simcloud.cloud import SimCloud
from dev.simcloud.world import PASSWORD


def main() -> None:
    """Serve, and tell on one line where."""
    arguments = _arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with SimCloud(
        port=arguments.port,
        state=arguments.state,
        build_seconds=arguments.build_seconds,
        delete_seconds=arguments.delete_seconds,
        balancing_seconds=arguments.balancing_seconds,
        token_seconds=arguments.token_seconds,
        heat_seconds=arguments.heat_seconds,
    ) as cloud:
        names = ", ".join(user.name for user in cloud.world.users.values())
        print(
            f"Simulated cloud ready: OS_AUTH_URL={cloud.auth_url} users {names} password {PASSWORD}",
            flush=True,
        )
        stop.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.simcloud", description="A simulated OpenStack.")
    parser.add_argument("--port", type=int, default=15100, help="port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--state", type=Path, help="file that keeps the state over restarts")
    parser.add_argument(
        "--build-seconds", type=float, default=1.0, help="from creation to ACTIVE (%(default)s)"
    )
    parser.add_argument(
        "--delete-seconds", type=float, default=0.5, help="until a server is gone (%(default)s)"
    )
    parser.add_argument(
        "--balancing-seconds", type=float, default=1.0, help="of a change to a load balancer (%(default)s)"
    )
    parser.add_argument("--token-seconds", type=float, default=3600.0, help="life of a token (%(default)s)")
    parser.add_argument(
        "--heat-seconds", type=float, default=0.0, help="Heat's own time for each resource (%(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
