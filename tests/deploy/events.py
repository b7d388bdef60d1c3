"""Events in the shapes that API Gateway, EventBridge and SQS hand to functions."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tests.deploy.lambda_runtime import LambdaFunction
from tests.kept_secrets import keep_in


def schedule_event() -> dict[str, Any]:
    """Return the event of a minute's passing."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": "2030-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:000000000000:rule/minute"],
        "detail": {},
    }


def sqs_event(body: str) -> dict[str, Any]:
    """Return the event of one message."""
    record = {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:work",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record]}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function answered to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """What the body says, which is JSON; None where there is none."""
        return json.loads(self.body) if self.body else None


class Gateway:
    """API Gateway before the function of the routes: it knows the template's paths, and nothing else.

    Args:
        paths: those of the template's API, with the methods of each.
        token: sent as X-Auth-Token with every request.
    """

    def __init__(self, function: LambdaFunction, paths: Mapping[str, Iterable[str]], token: str) -> None:
        self._function = function
        self._token = token
        self._routes = [
            (method.upper(), path, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)))
            for path, methods in paths.items()
            for method in methods
        ]

    def get(self, path: str) -> Any:
        """Return the document at ``path``, which must be there."""
        return self._succeed("GET", path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer's document; it must be a success."""
        return self._succeed("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer's document; it must be a success."""
        return self._succeed("PATCH", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer's document; it must be a success."""
        return self._succeed("PUT", path, body)

    def delete(self, path: str) -> None:
        """Delete what is at ``path``; it must be a success."""
        self._succeed("DELETE", path)

    def call(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | bytes | None = None,
        more_headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Hand a request to the function as API Gateway does: every body as binary."""
        path, _, query = url.partition("?")
        resource, arguments = self._route(method, path)
        asked = dict(parse_qsl(query))
        headers = {"Host": "api.test", "X-Forwarded-Proto": "https", "X-Auth-Token": self._token}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= more_headers or {}
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        event = {
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "headers": headers,
            "multiValueHeaders": _listed(headers),
            "queryStringParameters": asked or None,
            "multiValueQueryStringParameters": _listed(asked) or None,
            "pathParameters": arguments or None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": resource,
                "httpMethod": method,
                "path": f"/api{path}",
                "stage": "api",
                "requestId": str(uuid.uuid4()),
                "identity": {"sourceIp": "127.0.0.1"},
            },
            "body": None if sent is None else base64.b64encode(sent).decode(),
            "isBase64Encoded": sent is not None,
        }
        answered = self._function.invoke(event)
        text: str = answered["body"] or ""
        said = base64.b64decode(text) if answered.get("isBase64Encoded") else text.encode()
        return Answer(answered["statusCode"], answered["headers"], said)

    def _succeed(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        keep_in(body)
        answer = self.call(method, url, body)
        assert answer.status < 300, (method, url, answer)
        return keep_in(answer.document)

    def _route(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        for known, resource, pattern in self._routes:
            if known == method and (found := pattern.fullmatch(path)):
                return resource, found.groupdict()
        raise AssertionError(f"the template has no route for {method} {path}")


def _listed(values: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in values.items()}
