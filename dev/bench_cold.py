"""A cold start in CPU time: the service, beside a bare Chalice app, each in a process of its own.

python -m dev.bench_cold service|bare        what a process measures of itself, in milliseconds
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_KINDS = ("service", "bare")


def medians(environment: Mapping[str, str], times: int = 5) -> dict[str, float]:
    """Return the median CPU milliseconds of each kind; they take turns, after one that is not counted."""
    taken: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    for _ in range(times + 1):
        for kind in _KINDS:
            taken[kind].append(_fresh(kind, environment))
    return {kind: statistics.median(each[1:]) for kind, each in taken.items()}


def _fresh(kind: str, environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-m", "dev.bench_cold", kind]
    done = subprocess.run(
        command, cwd=_ROOT, env=dict(environment), stdout=subprocess.PIPE, check=True, timeout=30
    )
    return float(done.stdout)


def _service() -> Any:
    from app import app  # noqa: PLC0415  (importing is what is measured)

    return app(_get("/healthcheck"), None)


def _bare() -> Any:
    import botocore.session  # noqa: PLC0415
    from chalice.app import Chalice  # noqa: PLC0415

    app = Chalice(app_name="bare")
    dynamodb: Any = botocore.session.get_session().create_client("dynamodb")

    @app.route("/healthcheck")
    def check() -> dict[str, str]:
        key = {"project_id": {"S": "-"}}
        dynamodb.get_item(TableName="thermostat-local-usage", Key=key, ConsistentRead=True)
        return {"status": "ok"}

    return app(_get("/healthcheck"), None)


def _get(path: str) -> dict[str, Any]:
    """Return the event of API Gateway for a GET."""
    return {
        "path": path,
        "headers": {"host": "localhost"},
        "multiValueHeaders": {"host": ["localhost"]},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {"httpMethod": "GET", "resourcePath": path, "path": path, "identity": {}},
    }


def main() -> None:
    """Measure one cold start in this process."""
    began = time.process_time()
    answer = _service() if sys.argv[1] == "service" else _bare()
    took = time.process_time() - began
    assert answer["statusCode"] == 200, answer
    print(took * 1000)


if __name__ == "__main__":
    main()
