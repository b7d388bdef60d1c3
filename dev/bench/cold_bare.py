"""The floor of a cold start: a Chalice app that reads DynamoDB once, packaged as an app.py of its own."""

from __future__ import annotations

from typing import Any

import botocore.session
from chalice.app import Chalice

app = Chalice(app_name="bare")
dynamodb: Any = botocore.session.get_session().create_client("dynamodb")


@app.route("/healthcheck")
def check() -> dict[str, str]:
    """Read the row that our own health check reads."""
    key = {"project_id": {"S": "-"}}
    dynamodb.get_item(TableName="thermostat-local-usage", Key=key, ConsistentRead=True)
    return {"status": "ok"}
