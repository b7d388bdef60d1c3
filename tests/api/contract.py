"""The OpenAPI document as a judge: what it promises of an answer is checked for every answer of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jsonschema_rs

from chalicelib.api.openapi import FOREIGN

REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        headers: by lower-case name.
        document: the decoded body; None for an empty one.
    """

    status: int
    headers: Mapping[str, str]
    document: Any

    @property
    def code(self) -> str:
        """The code of the one error that is told, without its prefix."""
        (error,) = self.document["errors"]
        return str(error["code"]).removeprefix("autoscaling.")

    @property
    def detail(self) -> str:
        """The sentence of the one error that is told."""
        (error,) = self.document["errors"]
        return str(error["detail"])


@dataclass(frozen=True, slots=True)
class Described:
    """An operation of the document."""

    method: str
    path: str
    description: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.description["operationId"])

    @property
    def is_open(self) -> bool:
        return not self.description["security"]

    @property
    def is_foreign(self) -> bool:
        """Whether it speaks a protocol that is not ours."""
        return FOREIGN in self.description

    @property
    def parameters(self) -> list[str]:
        """The names in its path."""
        return re.findall(r"{(\w+)}", self.path)

    def __str__(self) -> str:
        return self.id


def operations(document: Mapping[str, Any]) -> Iterator[Described]:
    """Yield every operation of the document."""
    for path, methods in document["paths"].items():
        for method, description in methods.items():
            yield Described(method.upper(), path, description)


class Contract:
    """Holds answers to a document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = document["components"]
        self._operations = list(operations(document))
        self._validators: dict[tuple[str, int], jsonschema_rs.Draft202012Validator] = {}

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Fail where the answer is not as promised."""
        assert REQUEST_ID.fullmatch(answer.headers["x-openstack-request-id"])
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["referrer-policy"] == "no-referrer"
        described = self._find(method, path.partition("?")[0])
        if described is not None and described.is_foreign:
            assert str(answer.status) in described.description["responses"]
            return
        assert answer.headers["content-type"] == "application/json"
        if answer.status >= HTTPStatus.BAD_REQUEST:
            _check_errors(answer)
        if described is None or answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return  # a method that is not there; a failure of ours, which no document promises
        responses = described.description["responses"]
        assert str(answer.status) in responses, f"{described} does not promise {answer.status}"
        content = responses[str(answer.status)].get("content")
        if content is None:
            assert answer.document is None
        else:
            schema = content["application/json"]["schema"]
            self._validator(described, answer.status, schema).validate(answer.document)

    def _find(self, method: str, path: str) -> Described | None:
        def fits(described: Described) -> bool:
            pattern = re.sub(r"{\w+}", "[^/]+", described.path)
            return bool(described.method == method and re.fullmatch(pattern, path))

        return next(filter(fits, self._operations), None)

    def _validator(
        self, described: Described, status: int, schema: Mapping[str, Any]
    ) -> jsonschema_rs.Draft202012Validator:
        known = self._validators.get((described.id, status))
        if known is None:
            rooted = {"components": self._components, "allOf": [schema]}
            known = jsonschema_rs.Draft202012Validator(rooted, validate_formats=True)
            self._validators[described.id, status] = known
        return known


def _check_errors(answer: Answer) -> None:
    """Fail where an error document lacks something; a held execution carries its errors beside the rest."""
    (error,) = answer.document["errors"]
    assert error.keys() == {"request_id", "code", "status", "title", "detail"}
    assert error["request_id"] == answer.headers["x-openstack-request-id"]
    assert re.fullmatch(r"autoscaling(\.[a-z][a-z0-9_]*)+", error["code"])
    assert error["status"] == answer.status
    assert error["title"] == HTTPStatus(answer.status).phrase
    assert 0 < len(error["detail"]) <= 1024
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        assert int(answer.headers["retry-after"]) >= 1
    if answer.status == HTTPStatus.UNAUTHORIZED:
        assert answer.headers["www-authenticate"] == "Keystone"
