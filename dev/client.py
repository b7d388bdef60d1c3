"""A small client of the API: for the demo, the benchmark and the end-to-end tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

Document = dict[str, Any]


class Refused(Exception):
    """The service answered with an error.

    Attributes:
        status: the HTTP status.
        code: the dotted code of the first error, "" where there is no error document.
        document: the whole answer.
    """

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"{response.request.method} {response.url}: {response.status_code} {response.text}")
        self.status = response.status_code
        self.document: Document = response.json() if response.content else {}
        self.code = str(self.document.get("errors", [{}])[0].get("code", ""))


class Client:
    """Calls one Thermostat with one Keystone token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.headers["X-Auth-Token"] = token

    def get(self, path: str) -> Document:
        """Return the document at ``path``."""
        return self.call("GET", path)

    def post(self, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Document:
        """Post a document and return the answer; header names are written with underscores."""
        return self.call("POST", path, body or {}, **headers)

    def patch(self, path: str, body: Mapping[str, Any], **headers: str) -> Document:
        """Change what is at ``path``."""
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str) -> None:
        """Delete what is at ``path``."""
        self.call("DELETE", path)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Document:
        """Send a request; return the answer's document.

        Raises:
            Refused: the answer is an error.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._session.request(method, self.url + path, json=body, headers=named, timeout=40)
        if not answer.ok:
            raise Refused(answer)
        return answer.json() if answer.content else {}

    def until(
        self, path: str, condition: Callable[[Document], bool], *, within_seconds: float = 120
    ) -> Document:
        """Return the document at ``path`` once it meets ``condition``.

        Raises:
            TimeoutError: it does not within ``within_seconds``; the message holds the last document.
        """
        end = time.monotonic() + within_seconds
        while True:
            document = self.get(path)
            if condition(document):
                return document
            if time.monotonic() > end:
                raise TimeoutError(f"{path} after {within_seconds} s: {document}")
            time.sleep(0.2)


def call_hook(url: str, body: Mapping[str, Any] | None = None, **headers: str) -> requests.Response:
    """Call a webhook as an alarm source would."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(url, json=body, headers=named, timeout=40)
