"""What a cold start takes, measured by the very process: it imports nothing but what is measured.

python -m dev.bench.cold_process service|bare        prints milliseconds of CPU
"""

from __future__ import annotations

import sys
import time
from typing import Any


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
